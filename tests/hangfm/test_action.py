"""A room action is repeated only after the server has read it: on a network that stalls, too."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from hangbot.bot.ports import Disconnect
from hangbot.config import Settings
from hangbot.errors import AckTimeout, ActionLost, ConnectionLost, Refused, ServiceError, Unreachable
from hangbot.factory import open_room
from hangbot.hangfm.action import RoomAction
from hangbot.hangfm.wire.state import RoomState
from hangbot.sandbox import Sandbox
from pytest_hangfm.manual_clock import ManualClock
from tests.bounds import WITHIN
from tests.cases import cases, rows

Kind = type[ServiceError]
End = ServiceError | None
ME = "me"
SLOW = AckTimeout("no answer", service="room")
GONE = ConnectionLost("it went", service="room")
UNSENT = Unreachable("it was not sent", service="room")


class Session:
    """A connection on which every attempt and every ping ends as it is written, the last one for good."""

    def __init__(self, acts: list[ServiceError | None], pings: list[ServiceError | None]) -> None:
        self.state = RoomState({"allUsers": [], "djs": [], "nowPlaying": {"playId": "p1", "startTime": 1}})
        self.ended: asyncio.Future[Disconnect] = asyncio.get_running_loop().create_future()
        self.acted = 0
        self._acts = acts
        self._pings = pings

    async def act(self, action: str, **params: object) -> None:  # noqa: ARG002  the protocol's
        self.acted += 1
        self._end_as(self._acts)

    async def ping_and_wait(self) -> None:
        self._end_as(self._pings)

    def _end_as(self, errors: list[ServiceError | None]) -> None:
        if error := errors.pop(0) if len(errors) > 1 else errors[0]:
            raise error

    def action(self, name: str = "addDj", **params: object) -> RoomAction:
        return RoomAction(self, name, params, lambda: ME)


async def test_what_a_stalled_network_holds_back_is_not_sent_again() -> None:
    session = Session([SLOW], [SLOW, SLOW, None])
    action = session.action()

    with pytest.raises(AckTimeout, match="no answer"):
        await action.send()
    with pytest.raises(AckTimeout, match="no answer"):
        await action.find()
    with pytest.raises(AckTimeout, match="has only now read addDj"):
        await action.find()
    session.state.data["djs"] = [{"uuid": ME}]

    assert await action.find()
    assert session.acted == 1


async def test_what_the_server_has_read_and_not_done_may_be_sent_again() -> None:
    action = Session([SLOW], [None]).action()

    with pytest.raises(AckTimeout):
        await action.send()

    assert not await action.find()


@cases(
    "acts pings kind",
    ("while it was sent", GONE, None, ActionLost),
    ("while it stalls", SLOW, GONE, ActionLost),
    ("before it was sent", UNSENT, None, Refused),
)
async def test_it_does_not_outlive_its_connection(acts: ServiceError, pings: End, kind: Kind) -> None:
    with pytest.raises(ServiceError) as lost:
        await Session([acts], [pings]).action().send()

    assert type(lost.value) is kind
    assert not lost.value.retryable


@cases(
    "name kind says",
    ("and shows no effect", "addDj", ActionLost, "connection ended under addDj"),
    ("and never shows any", "playOneTimeAnimation", ActionLost, "connection ended under"),
)
async def test_a_lost_state_shows_no_effect(name: str, kind: type[ServiceError], says: str) -> None:
    session = Session([SLOW], [None])
    action = session.action(name)
    with pytest.raises(AckTimeout):
        await action.send()
    session.ended.set_result(Disconnect("state lost"))

    with pytest.raises(kind, match=says):
        await action.find()


async def test_what_leaves_no_trace_is_not_repeated() -> None:
    action = Session([SLOW], [None]).action("playOneTimeAnimation", animation="jump")
    with pytest.raises(AckTimeout):
        await action.send()

    with pytest.raises(Refused, match="does not show whether playOneTimeAnimation was done"):
        await action.find()


@rows("name sent", ("voteOnSong", False), ("skipSong", False), ("addDj", True), ("unknown", True))
async def test_what_is_bound_to_a_song_does_not_hit_the_next_one(name: str, sent: bool) -> None:  # noqa: FBT001  a row
    session = Session([None], [None])
    action = session.action(name)
    session.state.data["nowPlaying"] = {"playId": "p2", "startTime": 2}

    if sent:
        await action.send()
    else:
        with pytest.raises(Refused, match="meant for a song that has ended"):
            await action.send()

    assert session.acted == sent


class StallingNetwork:
    """Can hold back what goes to a server."""

    def __init__(self, port: int) -> None:
        self.passing = asyncio.Event()
        self.passing.set()
        self._port = port

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        async with await asyncio.start_server(self._relay, "127.0.0.1", 0) as server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, out = await asyncio.open_connection("127.0.0.1", self._port)
        await asyncio.gather(self._pass(reader, out), self._pass(back, writer), return_exceptions=True)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            await self.passing.wait()
            writer.write(data)
        writer.close()


async def test_a_pong_shows_that_all_is_read(hangfm_sandbox: Sandbox, hangfm_settings: Settings) -> None:
    def dj_frames() -> list[dict[str, Any]]:
        frames = hangfm_sandbox.journal.events(service="room", dir="in", kind="frame")
        return [frame for frame in frames if "addDj" in frame["frame"]]

    network, clock = StallingNetwork(hangfm_sandbox.room_port), ManualClock()
    async with (
        network.serving() as url,
        open_room(hangfm_settings.with_changes(room_url=url), clock=clock) as room,
    ):
        await room.welcome(WITHIN)
        await room.join()
        network.passing.clear()
        acting = asyncio.create_task(room.act("addDj"), name="act")
        await asyncio.sleep(0)
        await clock.advance(hangfm_settings.ack_timeout)
        with pytest.raises(AckTimeout):
            await acting
        pinging = asyncio.create_task(room.ping_and_wait(), name="ping")
        await asyncio.sleep(0)
        before = len(dj_frames())

        network.passing.set()
        async with asyncio.timeout(WITHIN):
            await pinging

        assert (before, len(dj_frames())) == (0, 1)
