from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from websockets.exceptions import ConnectionClosedOK

from hangbot.bot.ports import Disconnect
from hangbot.errors import (
    AckTimeout,
    ConnectionLost,
    JoinRefused,
    Refused,
    RemovedFromRoom,
    ServiceError,
    TokenRejected,
    Unavailable,
    Unreachable,
    UsageError,
)
from hangbot.factory import open_room
from hangbot.hangfm.room import RoomClient
from hangbot.sandbox.room.variants import RoomVariants
from pytest_hangfm.manual_clock import ManualClock
from tests.bounds import WITHIN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable

    from hangbot.config import Settings
    from hangbot.sandbox import Fault, Sandbox
    from hangbot.sandbox.room.connection import RoomConnection
    from pytest_hangfm import OpenRoom, OpenUser, RoomEvents


def jump(room: RoomClient) -> asyncio.Task[Any]:
    return asyncio.create_task(room.act("playOneTimeAnimation", animation="jump"), name="jump")


def server_side(sandbox: Sandbox) -> RoomConnection:
    """The server's end of the bot's newest connection."""
    return sandbox.server.connections[-1]


async def until_hit(sandbox: Sandbox, fault: Fault) -> None:
    """Wait until a fault has kept something back."""
    async with asyncio.timeout(WITHIN):
        while not sandbox.faults.hits(fault.id):  # noqa: ASYNC110  nothing tells of a hit
            await asyncio.sleep(0)  # a delayed answer is in no journal before it is sent


@asynccontextmanager
async def joined_room(settings: Settings, clock: ManualClock) -> AsyncIterator[RoomClient]:
    async with open_room(settings, clock=clock) as room:
        await room.welcome(WITHIN)
        await room.join()
        yield room


async def end_of(room: RoomClient) -> Disconnect:
    async with asyncio.timeout(WITHIN):
        return await asyncio.shield(room.ended)


# -- the connection and its welcome


@pytest.mark.parametrize(
    ("fault", "kind", "says"),
    [
        pytest.param({"do": "refuse"}, ServiceError, "127.0.0.1", id="refused"),
        pytest.param({"do": "cut_before_store"}, ServiceError, "127.0.0.1", id="cut"),
        pytest.param({"do": "hang"}, Unreachable, r"no connection to .* in 0\.3 s", id="hanging"),
        pytest.param({"do": "status", "status": 401}, TokenRejected, "status 401", id="401"),
        pytest.param({"do": "status", "status": 403}, TokenRejected, "status 403", id="403"),
        pytest.param({"do": "status", "status": 500}, Unavailable, "status 500", id="500"),
        pytest.param({"do": "status", "status": 502, "body": "<html>"}, Unavailable, "502", id="a proxy"),
        pytest.param({"do": "garbage", "body": "<html>"}, Unavailable, "status 200", id="a web page"),
    ],
)
async def test_a_connection_that_is_not_made_says_why(
    fault: dict[str, Any],
    kind: type[ServiceError],
    says: str,
    hangfm_sandbox: Sandbox,
    hangfm_open_room: OpenRoom,
) -> None:
    hangfm_sandbox.faults.add("room.connect", **fault)

    patience = 0.3 if fault["do"] == "hang" else 10.0
    with pytest.raises(kind, match=says) as failed:
        await hangfm_open_room(connect_timeout=patience)

    assert hangfm_sandbox.bot.token not in f"{failed.value!r} {vars(failed.value)}"
    assert failed.value.retryable == (kind is not TokenRejected)


@pytest.mark.parametrize("deed", ["close", "close_deliberate", "abort"])
@pytest.mark.parametrize("point", ["room.connect", "room.welcome"])
async def test_a_connection_that_ends_before_its_welcome_is_not_called_welcomed(
    point: str, deed: str, hangfm_sandbox: Sandbox, hangfm_settings: Settings
) -> None:
    hangfm_sandbox.faults.add(point, deed)

    async with open_room(hangfm_settings) as room:
        with pytest.raises(ConnectionLost, match="the room connection ended"):
            await room.welcome(WITHIN)
        with pytest.raises(Unreachable, match="joinRoom was not sent"):
            await room.join()


@pytest.mark.parametrize("deed", ["drop", "hang", "garbage"])
async def test_a_welcome_that_does_not_come_is_waited_for_no_longer_than_told(
    deed: str, hangfm_sandbox: Sandbox, hangfm_settings: Settings
) -> None:
    hangfm_sandbox.faults.add("room.welcome", deed)

    async with open_room(hangfm_settings) as room:
        welcomed = await room.welcome(0.05)

    assert welcomed is False


async def test_a_server_that_never_says_welcome_can_be_joined_all_the_same(
    hangfm_sandbox: Sandbox, hangfm_settings: Settings
) -> None:
    hangfm_sandbox.faults.add("room.welcome", "drop")

    async with open_room(hangfm_settings) as room:
        await room.welcome(0.05)
        state = await room.join()

    assert hangfm_sandbox.bot.uid in list(state.users())


async def test_a_late_welcome_is_waited_for(hangfm_sandbox: Sandbox, hangfm_settings: Settings) -> None:
    hangfm_sandbox.faults.add("room.welcome", "delay", ms=60_000)

    async with open_room(hangfm_settings) as room:
        waiting = asyncio.create_task(room.welcome(WITHIN), name="welcome")
        await hangfm_sandbox.journal.wait_for(lambda row: row["kind"] == "open")
        await hangfm_sandbox.advance(60)

        assert await waiting
        await room.join()


# -- joining


async def test_joining_gives_the_state_and_what_came_beside_it(
    hangfm_sandbox: Sandbox, hangfm_room: RoomClient
) -> None:
    assert hangfm_room.state is not None
    assert hangfm_sandbox.bot.uid in list(hangfm_room.state.users())
    assert hangfm_room.joined is not None
    assert "state" not in hangfm_room.joined
    assert abs(hangfm_room.joined["serverTime"] - hangfm_sandbox.clock.now_ms()) < 60_000


async def test_a_patch_in_the_same_packet_as_the_join_is_not_lost(
    hangfm_sandbox: Sandbox, hangfm_room: RoomClient, hangfm_room_events: RoomEvents
) -> None:
    await hangfm_room_events.expect("updatedUserData")

    assert hangfm_room.state is not None
    assert hangfm_room.state.nickname(hangfm_sandbox.bot.uid) == "hangbot"


@pytest.mark.parametrize(
    ("fault", "kind", "says"),
    [
        pytest.param({"do": "status", "body": "no\nentry"}, JoinRefused, r"\(no entry\)", id="refused"),
        pytest.param({"do": "status", "body": {"error": {"a": 1}}}, JoinRefused, '"a": 1', id="an object"),
        pytest.param({"do": "status", "body": {"state": None}}, Unavailable, "without its state", id="empty"),
        pytest.param({"do": "status", "body": {"state": {}}}, ConnectionLost, "state lost", id="no state"),
        pytest.param({"do": "hang"}, AckTimeout, "joinRoom", id="hanging"),
        pytest.param({"do": "drop"}, AckTimeout, "joinRoom", id="dropped"),
        pytest.param({"do": "garbage"}, AckTimeout, "joinRoom", id="garbage"),
        pytest.param({"do": "delay", "ms": 60_000}, AckTimeout, "joinRoom", id="late"),
        pytest.param({"do": "refuse"}, ConnectionLost, "close code 1006", id="cut off"),
        pytest.param({"do": "cut_before_store"}, ConnectionLost, "close code 1006", id="cut before"),
        pytest.param({"do": "cut_after_store"}, ConnectionLost, "close code 1006", id="cut after"),
        pytest.param({"do": "abort"}, ConnectionLost, "close code 1006", id="aborted"),
        pytest.param({"do": "close"}, ConnectionLost, "close code 1005", id="closed"),
        pytest.param({"do": "close_deliberate"}, ConnectionLost, "closed by the server", id="on purpose"),
    ],
)
async def test_a_join_that_is_not_answered_well_is_no_join(
    fault: dict[str, Any],
    kind: type[ServiceError],
    says: str,
    hangfm_sandbox: Sandbox,
    hangfm_settings: Settings,
) -> None:
    armed = hangfm_sandbox.faults.add("room.joinRoom", **fault)
    clock = ManualClock()

    async with open_room(hangfm_settings, clock=clock) as room:
        await room.welcome(WITHIN)
        joining = asyncio.create_task(room.join(), name="join")
        if kind is AckTimeout:
            await until_hit(hangfm_sandbox, armed)
            await clock.advance(hangfm_settings.ack_timeout)
        with pytest.raises(kind, match=says):
            await joining

        assert room.state is None


async def test_a_room_that_is_not_there_refuses_in_its_own_words(hangfm_open_room: OpenRoom) -> None:
    room = await hangfm_open_room(join=False, room_uuid="00000000-0000-4000-8000-000000000000")

    with pytest.raises(JoinRefused, match="The room does not exist") as refused:
        await room.join()

    assert "ROOM_UUID" in refused.value.remedy


async def test_a_wrong_token_refuses_the_join(hangfm_open_room: OpenRoom) -> None:
    room = await hangfm_open_room(join=False, ttfm_api_token="not.a.token")

    with pytest.raises(JoinRefused, match="Unauthorized"):
        await room.join()


async def test_a_doubled_answer_to_the_join_does_not_bring_the_old_state_back(
    hangfm_sandbox: Sandbox,
    hangfm_room: RoomClient,
    hangfm_room_events: RoomEvents,
    hangfm_open_user: OpenUser,
) -> None:
    answer = next(
        row["frame"]
        for row in hangfm_sandbox.journal.events(service="room", dir="out", kind="frame")
        if '"context":"response"' in row["frame"]
    )
    alice = await hangfm_open_user("alice")
    await hangfm_room_events.expect("userJoined")

    server_side(hangfm_sandbox).send(answer)
    await hangfm_room.act("playOneTimeAnimation", animation="jump")

    assert hangfm_room.state is not None
    assert alice.uid in list(hangfm_room.state.users())


async def test_a_late_answer_to_the_join_brings_the_state(
    hangfm_sandbox: Sandbox, hangfm_settings: Settings
) -> None:
    armed = hangfm_sandbox.faults.add("room.joinRoom", "delay", ms=60_000)
    clock = ManualClock()

    async with open_room(hangfm_settings, clock=clock) as room:
        await room.welcome(WITHIN)
        joining = asyncio.create_task(room.join(), name="join")
        await until_hit(hangfm_sandbox, armed)
        await clock.advance(hangfm_settings.ack_timeout)
        with pytest.raises(AckTimeout):
            await joining
        await hangfm_sandbox.advance(60)
        await room.act("playOneTimeAnimation", animation="jump")

        assert room.state is not None


async def test_a_state_of_two_megabytes_is_no_problem(
    hangfm_settings: Settings, hangfm_sandbox: Sandbox
) -> None:
    hangfm_sandbox.room.state["settings"]["posterFile"] = "x" * 2**21

    async with open_room(hangfm_settings) as room:
        await room.welcome(WITHIN)
        state = await room.join()

    assert len(state.data["settings"]["posterFile"]) == 2**21


# -- actions


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        pytest.param({"do": "drop"}, AckTimeout, id="dropped"),
        pytest.param({"do": "hang"}, AckTimeout, id="hanging"),
        pytest.param({"do": "delay", "ms": 60_000}, AckTimeout, id="late"),
        pytest.param({"do": "garbage"}, AckTimeout, id="garbage"),
        pytest.param({"do": "status", "body": "not now"}, Refused, id="refused"),
        pytest.param({"do": "cut_before_store"}, ConnectionLost, id="cut before"),
        pytest.param({"do": "cut_after_store"}, ConnectionLost, id="cut after"),
        pytest.param({"do": "close"}, ConnectionLost, id="closed"),
        pytest.param({"do": "abort"}, ConnectionLost, id="aborted"),
        pytest.param({"do": "close_deliberate"}, ConnectionLost, id="closed on purpose"),
    ],
)
async def test_an_action_without_its_acknowledgement_fails_in_words(
    fault: dict[str, Any], kind: type[ServiceError], hangfm_sandbox: Sandbox, hangfm_settings: Settings
) -> None:
    clock = ManualClock()
    async with joined_room(hangfm_settings, clock) as room:
        armed = hangfm_sandbox.faults.add("room.action", **fault)
        acting = jump(room)
        if kind is AckTimeout:
            await until_hit(hangfm_sandbox, armed)
            await clock.advance(hangfm_settings.ack_timeout)

        with pytest.raises(kind, match=r"playOneTimeAnimation|room connection ended") as failed:
            await acting

    assert failed.value.ambiguous == (kind is not Refused)


@pytest.mark.parametrize("deed", ["duplicate", "reorder"])
async def test_doubled_and_overtaken_answers_reach_who_waits_for_them(
    deed: str, hangfm_sandbox: Sandbox, hangfm_room: RoomClient
) -> None:
    hangfm_sandbox.faults.add("room.action", deed)

    async with asyncio.timeout(WITHIN):
        await asyncio.gather(jump(hangfm_room), jump(hangfm_room))
        await hangfm_room.act("playOneTimeAnimation", animation="jump")

    assert not hangfm_room.ended.done()


async def test_an_answer_that_comes_too_late_is_nobodys(
    hangfm_sandbox: Sandbox, hangfm_settings: Settings
) -> None:
    clock = ManualClock()
    async with joined_room(hangfm_settings, clock) as room:
        armed = hangfm_sandbox.faults.add("room.action", "delay", ms=60_000)
        late = jump(room)
        await until_hit(hangfm_sandbox, armed)
        await clock.advance(hangfm_settings.ack_timeout)
        with pytest.raises(AckTimeout):
            await late

        await hangfm_sandbox.advance(60)

        await room.act("playOneTimeAnimation", animation="jump")


@pytest.mark.parametrize("number", ["999", "true", "null", '"1"', "1.0", "{}", "-1"])
async def test_an_answer_with_nobodys_id_settles_nothing(
    number: str, hangfm_sandbox: Sandbox, hangfm_settings: Settings
) -> None:
    armed = hangfm_sandbox.faults.add("room.joinRoom", "hang")
    clock = ManualClock()

    async with open_room(hangfm_settings, clock=clock) as room:
        await room.welcome(WITHIN)
        joining = asyncio.create_task(room.join(), name="join")
        await until_hit(hangfm_sandbox, armed)
        server_side(hangfm_sandbox).send(f'{{"context":"response","messageId":{number},"state":{{}}}}')
        with pytest.raises(Refused):  # when it is answered, what was pushed has been read
            await room.act("playOneTimeAnimation", animation="jump")
        await clock.advance(hangfm_settings.ack_timeout)

        with pytest.raises(AckTimeout):
            await joining


@pytest.mark.parametrize("hangfm_sandbox_options", [{"variants": RoomVariants(action_ms=1)}])
async def test_no_more_actions_are_pending_than_the_server_takes(
    hangfm_sandbox: Sandbox, hangfm_room: RoomClient
) -> None:
    async with asyncio.timeout(WITHIN):
        await asyncio.gather(*(jump(hangfm_room) for _ in range(20)))

    assert "too many pending" not in str(hangfm_sandbox.journal.events(service="room", dir="out"))


async def test_a_parameter_that_cannot_be_written_is_refused_before_anything_is_sent(
    hangfm_sandbox: Sandbox, hangfm_room: RoomClient
) -> None:
    with pytest.raises(UsageError, match="cannot be written as JSON"):
        await hangfm_room.act("playOneTimeAnimation", animation=float("nan"))

    await hangfm_room.act("playOneTimeAnimation", animation="jump")
    sent = hangfm_sandbox.journal.events(service="room", dir="in", kind="frame")
    assert sum("playOneTimeAnimation" in row["frame"] for row in sent) == 1


# -- frames that nobody expects


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param("not json", id="garbage"),
        pytest.param("[" * 100_000, id="too deep"),
        pytest.param("null", id="null"),
        pytest.param("[1, 2]", id="a list"),
        pytest.param("12", id="a number"),
        pytest.param('"primus::new::thing"', id="an unknown control string"),
        pytest.param('{"context":"user","message":"hello","room":"r","from":"x"}', id="a string to the room"),
        pytest.param('{"context":"user","message":{"name":7}}', id="a name that is none"),
        pytest.param('{"context":"user","message":{"name":"userJoined","statePatch":"x"}}', id="no patch"),
        pytest.param('{"context":"announcement","x":1}', id="an unknown context"),
        pytest.param('{"context":"response"}', id="an answer without an id"),
        pytest.param('{"welcome":"again","context":"api"}', id="a second welcome"),
        pytest.param('{"id":"x"}', id="no context"),
    ],
)
async def test_a_frame_that_nobody_expects_is_passed_over(
    frame: str, hangfm_sandbox: Sandbox, hangfm_room: RoomClient, hangfm_room_events: RoomEvents
) -> None:
    await hangfm_room_events.expect("updatedUserData")
    assert hangfm_room.state is not None
    before = json.dumps(hangfm_room.state.data)

    server_side(hangfm_sandbox).send(frame)
    await hangfm_room.act("playOneTimeAnimation", animation="jump")

    assert not hangfm_room.ended.done()
    assert json.dumps(hangfm_room.state.data) == before


async def test_a_binary_frame_is_passed_over(hangfm_sandbox: Sandbox, hangfm_room: RoomClient) -> None:
    server = server_side(hangfm_sandbox)

    server.socket.transport.write(b"\x82\x02\x00\xff")
    await hangfm_room.act("playOneTimeAnimation", animation="jump")

    assert not hangfm_room.ended.done()


async def test_a_frame_beyond_all_measure_ends_the_connection_and_says_so(
    hangfm_sandbox: Sandbox, hangfm_room: RoomClient
) -> None:
    server_side(hangfm_sandbox).send(json.dumps("x" * (17 * 2**20)))

    ended = await end_of(hangfm_room)

    assert ended.reason == "lost"
    assert "1009" in ended.detail


# -- the state


async def test_a_dropped_patch_is_noticed_and_the_old_state_stays_readable(
    hangfm_sandbox: Sandbox,
    hangfm_room: RoomClient,
    hangfm_open_user: OpenUser,
    hangfm_room_events: RoomEvents,
) -> None:
    hangfm_sandbox.faults.add("room.message", "drop")

    await hangfm_open_user("alice")
    await hangfm_open_user("bob")
    ended = await end_of(hangfm_room)

    assert ended.reason == "state lost"
    assert hangfm_room.state is not None
    assert list(hangfm_room.state.users()) == [hangfm_sandbox.bot.uid]
    with pytest.raises(Unreachable, match="state lost"):
        await hangfm_room.act("playOneTimeAnimation", animation="jump")
    await hangfm_room_events.expect("userJoined")


async def test_a_connection_whose_state_is_lost_is_kept_and_heard_until_somebody_closes_it(
    hangfm_sandbox: Sandbox,
    hangfm_room: RoomClient,
    hangfm_open_user: OpenUser,
    hangfm_room_events: RoomEvents,
) -> None:
    hangfm_sandbox.faults.add("room.message", "duplicate")
    alice = await hangfm_open_user("alice")
    await end_of(hangfm_room)

    for _ in range(3):
        await hangfm_sandbox.advance(30)  # who does not answer a heartbeat is closed
    await alice.jump()
    await hangfm_room_events.expect("playedOneTimeAnimation")
    assert not hangfm_room.closed.done()
    await hangfm_sandbox.kick(hangfm_sandbox.bot.uid)

    async with asyncio.timeout(WITHIN):
        assert (await hangfm_room.closed).reason == "kicked"
    assert (await end_of(hangfm_room)).reason == "state lost"


async def test_a_doubled_patch_is_noticed_and_the_state_given_up(
    hangfm_sandbox: Sandbox, hangfm_room: RoomClient, hangfm_open_user: OpenUser
) -> None:
    hangfm_sandbox.faults.add("room.message", "duplicate")

    await hangfm_open_user("alice")
    ended = await end_of(hangfm_room)

    assert ended == Disconnect("state lost", "after a patch a user is in the room twice")


@pytest.mark.parametrize(
    "patch",
    [
        pytest.param(
            [{"op": "replace", "path": "/nowhere/at/all", "value": 1}], id="a path that is not there"
        ),
        pytest.param([{"op": "remove", "path": "/allUsers/99"}], id="a user that is not there"),
        pytest.param([{"op": "replace", "path": "", "value": []}], id="the whole state"),
        pytest.param([{"op": "dance", "path": "/x"}], id="an unknown operation"),
        pytest.param([{"path": "/x"}], id="no operation"),
        pytest.param(["add"], id="a text"),
        pytest.param([{"op": "remove", "path": "/allUsers"}], id="all users"),
    ],
)
async def test_an_invalid_patch_ends_the_connection_and_fails_what_is_pending_at_once(
    patch: list[object], hangfm_sandbox: Sandbox, hangfm_open_room: OpenRoom
) -> None:
    room = await hangfm_open_room(ack_timeout=600.0)
    hangfm_sandbox.faults.add("room.action", "hang")
    pending = jump(room)
    await hangfm_sandbox.journal.wait_for(lambda row: row.get("deed") == "hang")

    message = {"context": "user", "message": {"name": "votedOnSong", "statePatch": patch}}
    server_side(hangfm_sandbox).send(json.dumps(message))
    async with asyncio.timeout(WITHIN):
        with pytest.raises(ConnectionLost, match="state lost"):
            await pending

    assert (await end_of(room)).reason == "state lost"


@pytest.mark.parametrize(
    "hangfm_sandbox_options", [{"variants": RoomVariants(profiles_ms=3_600_000)}], ids=[""]
)
async def test_votes_and_leaves_before_the_profiles_came_are_heard_and_lose_nothing(
    hangfm_sandbox: Sandbox,
    hangfm_open_user: OpenUser,
    hangfm_open_room: OpenRoom,
    hangfm_room_events: RoomEvents,
) -> None:
    alice = await hangfm_open_user("alice")
    bob = await hangfm_open_user("bob")
    await alice.dj()
    room = await hangfm_open_room(on_message=hangfm_room_events)
    state = room.state
    assert state is not None

    await alice.vote(like=True)
    await bob.leave()
    await alice.vote(star=True)
    await hangfm_room_events.expect("userLeft")
    await hangfm_room_events.expect("votedOnSong")
    early = (dict(state.votes(alice.uid)), state.nickname(alice.uid))
    await hangfm_sandbox.advance(3_600)
    await hangfm_room_events.expect("updatedUserData")
    await room.act("playOneTimeAnimation", animation="jump")

    assert early == ({"like": True, "star": True}, None)
    assert not room.ended.done()
    assert state.nickname(alice.uid) == "alice"
    assert state.data == hangfm_sandbox.state


# -- a room that has lost the bot


async def test_a_patch_that_takes_the_bot_out_loses_the_state(
    hangfm_sandbox: Sandbox, hangfm_room: RoomClient
) -> None:
    await hangfm_sandbox.forget(hangfm_sandbox.bot.uid)

    assert await end_of(hangfm_room) == Disconnect("state lost", "a patch took the bot out of the room")


@pytest.mark.parametrize(
    "hangfm_sandbox_options", [{"variants": RoomVariants(joiner_in_state=False)}], ids=["never lists it"]
)
async def test_a_state_that_never_held_the_bot_proves_nothing(
    hangfm_sandbox: Sandbox, hangfm_room: RoomClient
) -> None:
    assert hangfm_room.state is not None
    assert hangfm_sandbox.bot.uid not in hangfm_room.state

    await hangfm_sandbox.next_song()
    await hangfm_room.act("playOneTimeAnimation", animation="jump")

    assert not hangfm_room.ended.done()


async def test_a_song_that_ends_without_a_word_loses_the_state(
    hangfm_sandbox: Sandbox, hangfm_settings: Settings, hangfm_open_user: OpenUser
) -> None:
    clock = ManualClock()
    alice = await hangfm_open_user("alice")
    await alice.dj({"trackName": "Mine", "duration": 60})
    async with joined_room(hangfm_settings, clock) as room:
        await hangfm_sandbox.silence()
        await hangfm_sandbox.advance(89)
        await room.act("playOneTimeAnimation", animation="jump")
        early = room.ended.done()

        await hangfm_sandbox.advance(30)
        await until_it_waits(clock, 1.0)  # for what was on its way
        await clock.advance(1)

        ended = await end_of(room)
    assert not early
    assert ended.reason == "state lost"
    assert "the room says nothing" in ended.detail


async def test_a_song_whose_end_is_told_loses_nothing_however_the_time_leaps(
    hangfm_sandbox: Sandbox, hangfm_settings: Settings, hangfm_open_user: OpenUser
) -> None:
    clock = ManualClock()
    alice = await hangfm_open_user("alice")
    await alice.dj({"trackName": "Mine", "duration": 60})
    async with joined_room(hangfm_settings, clock) as room:
        await hangfm_sandbox.advance(3600)
        await room.act("playOneTimeAnimation", animation="jump")
        await clock.advance(40)

        assert not room.ended.done()
        assert room.state is not None
        assert room.state.now_playing() is None


async def until_it_waits(clock: ManualClock, seconds: float) -> None:
    async with asyncio.timeout(WITHIN):
        while seconds not in clock.waits():
            await clock.next_wait()
            await asyncio.sleep(0.001)


# -- before the join


async def test_messages_before_the_join_change_nothing(
    hangfm_sandbox: Sandbox, hangfm_open_room: OpenRoom
) -> None:
    room = await hangfm_open_room(join=False)
    message = {"name": "userLeft", "statePatch": [{"op": "remove", "path": "/allUsers/7"}]}

    server_side(hangfm_sandbox).send(json.dumps({"context": "user", "message": message}))
    state = await room.join()

    assert list(state.users())


# -- heartbeat


async def test_heartbeats_are_answered_in_quotes_and_keep_the_connection(
    hangfm_sandbox: Sandbox, hangfm_room: RoomClient
) -> None:
    for _ in range(4):
        await hangfm_sandbox.advance(30)

    assert not hangfm_room.ended.done()
    pongs = [
        row["frame"]
        for row in hangfm_sandbox.journal.events(service="room", dir="in", kind="frame")
        if "primus::pong::" in row["frame"]
    ]
    assert len(pongs) == 4
    assert all(frame.startswith('"primus::pong::') and frame.endswith('"') for frame in pongs)


async def test_a_server_without_heartbeats_counts_as_dead_and_fails_what_is_pending(
    hangfm_sandbox: Sandbox, hangfm_settings: Settings
) -> None:
    clock = ManualClock()
    async with open_room(hangfm_settings.with_changes(ack_timeout=600.0), clock=clock) as room:
        await room.welcome(WITHIN)
        await room.join()
        hangfm_sandbox.faults.add("room.action", "hang")
        pending = jump(room)
        await hangfm_sandbox.journal.wait_for(lambda row: row.get("deed") == "hang")

        await clock.advance(44)
        assert not room.ended.done()
        await clock.advance(2)

        assert (await end_of(room)).reason == "silent"
        with pytest.raises(ConnectionLost, match="silent"):
            await pending


async def test_a_heartbeat_starts_the_wait_anew(hangfm_sandbox: Sandbox, hangfm_settings: Settings) -> None:
    clock = ManualClock()
    async with open_room(hangfm_settings, clock=clock) as room:
        await room.welcome(WITHIN)
        await room.join()

        await clock.advance(44)
        await hangfm_sandbox.advance(30)
        await room.act("playOneTimeAnimation", animation="jump")  # the ping came before its answer
        await clock.advance(44)

        assert not room.ended.done()


# -- the ends


async def test_a_kick_is_told_from_a_loss_and_fails_what_is_pending_as_that(
    hangfm_sandbox: Sandbox, hangfm_room: RoomClient
) -> None:
    hangfm_sandbox.faults.add("room.action", "hang")
    pending = jump(hangfm_room)
    await hangfm_sandbox.journal.wait_for(lambda row: row.get("deed") == "hang")

    await hangfm_sandbox.kick(hangfm_sandbox.bot.uid)

    assert (await end_of(hangfm_room)).reason == "kicked"
    with pytest.raises(RemovedFromRoom, match="kicked"):
        await pending


async def test_a_ban_is_a_kick(hangfm_sandbox: Sandbox, hangfm_room: RoomClient) -> None:
    await hangfm_sandbox.ban(hangfm_sandbox.bot.uid)

    assert (await end_of(hangfm_room)).reason == "kicked"


async def test_a_kick_ends_the_connection_whether_or_not_the_server_hangs_up(
    hangfm_sandbox: Sandbox, hangfm_settings: Settings
) -> None:
    async with open_room(hangfm_settings, clock=ManualClock()) as room:
        await room.welcome(WITHIN)
        await room.join()

        server_side(hangfm_sandbox).send('{"context":"user","message":{"name":"kickedFromRoom"}}')

        assert (await end_of(room)).reason == "kicked"


async def test_a_reset_is_told_from_a_loss(hangfm_sandbox: Sandbox, hangfm_room: RoomClient) -> None:
    await hangfm_sandbox.reset_room()

    assert (await end_of(hangfm_room)).reason == "reset"


async def test_a_restarting_service_is_a_loss(hangfm_sandbox: Sandbox, hangfm_room: RoomClient) -> None:
    await hangfm_sandbox.restart(services=["room"])

    assert await end_of(hangfm_room) == Disconnect("lost", "close code 1006")


@pytest.mark.parametrize(
    ("deed", "ended"),
    [
        pytest.param("close", Disconnect("lost", "close code 1005"), id="a close without a code"),
        pytest.param(
            "close_deliberate", Disconnect("closed by the server", "close code 1005"), id="on purpose"
        ),
        pytest.param("abort", Disconnect("lost", "close code 1006"), id="no close at all"),
    ],
)
async def test_every_close_is_an_end(
    deed: str, ended: Disconnect, hangfm_sandbox: Sandbox, hangfm_room: RoomClient, hangfm_open_user: OpenUser
) -> None:
    hangfm_sandbox.faults.add("room.message", deed)

    await hangfm_open_user("alice")

    assert await end_of(hangfm_room) == ended


async def test_leaving_closes_the_connection_and_ends_what_is_pending(
    hangfm_sandbox: Sandbox, hangfm_settings: Settings
) -> None:
    hangfm_sandbox.faults.add("room.action", "hang")
    async with open_room(hangfm_settings) as room:
        await room.welcome(WITHIN)
        await room.join()
        pending = jump(room)
        await hangfm_sandbox.journal.wait_for(lambda row: row.get("deed") == "hang")

    with pytest.raises(ConnectionLost, match="left"):
        await pending
    assert room.ended.result().reason == "left"
    await hangfm_sandbox.journal.wait_for(lambda row: (row["kind"], row["dir"]) == ("close", "in"))


async def test_a_listener_that_fails_ends_the_connection_and_is_reported(
    hangfm_settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    def listener(_: object) -> None:
        raise RuntimeError("the listener's own")

    async with open_room(hangfm_settings, on_message=listener) as room:
        await room.welcome(WITHIN)
        await room.join()
        ended = await end_of(room)

    assert ended.reason == "lost"
    assert "a task of the room connection failed" in caplog.text
    assert "the listener's own" in caplog.text


class _Deaf:
    """A websocket whose peer does not read."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()

    async def send(self, _message: str) -> None:
        await self.closed.wait()
        raise ConnectionClosedOK(None, None)

    async def recv(self) -> str:
        await self.closed.wait()
        raise ConnectionClosedOK(None, None)

    async def ping(self) -> Awaitable[float]:
        await self.closed.wait()
        raise ConnectionClosedOK(None, None)

    async def close(self) -> None:
        self.closed.set()


@asynccontextmanager
async def _deaf_room(clock: ManualClock) -> AsyncIterator[RoomClient]:
    async with RoomClient(_Deaf(), "room", clock=clock, ack_timeout=10).listening() as room:
        yield room


async def test_a_server_that_does_not_read_does_not_hold_an_action_beyond_its_time() -> None:
    clock = ManualClock()
    async with _deaf_room(clock) as room:
        pending = jump(room)

        await clock.advance(10)

        with pytest.raises(AckTimeout, match="in 10 s"):
            await pending


async def test_a_connection_that_goes_while_an_action_is_written_is_a_loss() -> None:
    async with _deaf_room(ManualClock()) as room:
        pending = jump(room)
        await asyncio.sleep(0)

    with pytest.raises(ConnectionLost):
        await pending
