from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from hangbot.bot.events import Event, Joined, RoomEvent, UserJoined
from hangbot.bot.ports import Disconnect
from hangbot.errors import (
    AckTimeout,
    ConnectionLost,
    JoinRefused,
    RateLimited,
    Refused,
    RemovedFromRoom,
    ServiceError,
    Unavailable,
    Unreachable,
    UsageError,
)
from hangbot.factory import open_room
from hangbot.hangfm.wire.room_events import RoomEvents
from pytest_hangfm.manual_clock import ManualClock
from tests.bounds import WITHIN
from tests.cases import cases, rows
from tests.hangfm.scripted import ME, ScriptedRoom, came, end_of, message, settle, state

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hangbot.bot.ports import Reason
    from hangbot.config import Settings
    from hangbot.hangfm.room import RoomClient
    from hangbot.hangfm.wire.events import RoomMessage
    from hangbot.sandbox import Sandbox
    from pytest_hangfm import OpenRoom, OpenUser
    from pytest_hangfm import RoomEvents as HeardEvents
    from tests.hangfm.scripted import Frame

PING = '"primus::ping::1800000000000"'
CLOSING = '"primus::server::close"'
KICK = message("kickedFromRoom")


def jump(room: RoomClient) -> asyncio.Task[Any]:
    return asyncio.create_task(room.act("playOneTimeAnimation", animation="jump"), name="jump")


@pytest.fixture
def server() -> ScriptedRoom:
    return ScriptedRoom()


# -- the welcome


async def test_the_servers_welcome_is_waited_for(server: ScriptedRoom) -> None:
    async with server.connected() as room:
        waiting = asyncio.create_task(room.welcome(60), name="welcome")
        await settle()
        early = waiting.done()
        server.say('{"welcome":"hi","context":"api"}', '{"welcome":"again","context":"api"}')

        assert await waiting
        assert await room.welcome(0)
        assert not early


async def test_a_welcome_that_does_not_come_is_waited_for_no_longer_than_told() -> None:
    clock = ManualClock()
    async with ScriptedRoom().connected(clock) as room:
        waiting = asyncio.create_task(room.welcome(5), name="welcome")
        await clock.advance(5)

        assert await waiting is False
        assert await room.join() is room.state


async def test_a_connection_that_ends_before_its_welcome_is_not_called_welcomed(server: ScriptedRoom) -> None:
    server.hang_up()
    async with server.connected() as room:
        with pytest.raises(ConnectionLost, match="the room connection ended: lost"):
            await room.welcome(60)
        with pytest.raises(Unreachable, match="joinRoom was not sent: the room connection has ended"):
            await room.join()


# -- joining


async def test_joining_gives_the_state_and_what_came_beside_it() -> None:
    server = ScriptedRoom(joinRoom={"state": state("you"), "serverTime": 5})
    async with server.connected() as room:
        early = room.state, room.joined
        joined = await room.join("a password")

        assert early == (None, None)
        assert joined is room.state
        assert (list(joined.users()), room.joined) == ([ME, "you"], {"serverTime": 5})
        params = {"action": "joinRoom", "roomUuid": "room", "password": "a password"}
        assert json.loads(server.sent[0])["params"] == params


@cases(
    "answer kind says",
    ("refused", {"error": "no\nentry"}, JoinRefused, r"\(no entry\)"),
    ("refused with an object", {"error": {"a": 1}}, JoinRefused, '"a": 1'),
    ("empty", {"state": None}, Unavailable, "without its state"),
    ("no state", {"state": {}}, ConnectionLost, "state lost"),
    ("not answered", None, AckTimeout, "joinRoom from the room in 10 s"),
    ("answered with garbage", ["garbage"], AckTimeout, "joinRoom from the room in 10 s"),
    ("ended by the server", [CLOSING], ConnectionLost, "closed by the server"),
    ("removed meanwhile", [KICK], RemovedFromRoom, "kicked"),
)
async def test_a_join_not_answered_well_is_none(answer: object, kind: type[ServiceError], says: str) -> None:
    server, clock = ScriptedRoom(joinRoom=answer), ManualClock()
    async with server.connected(clock) as room:
        joining = asyncio.create_task(room.join(), name="join")
        await settle()
        if answer == [CLOSING]:
            server.hang_up()
        elif kind is AckTimeout:
            await clock.advance(10)

        with pytest.raises(kind, match=says):
            await joining
        assert room.state is None


async def test_the_first_answer_to_a_join_brings_the_state_however_late_and_a_second_none() -> None:
    server, clock = ScriptedRoom(joinRoom=None), ManualClock()
    answer = {"context": "response", "messageId": 1, "state": state()}
    async with server.connected(clock) as room:
        joining = asyncio.create_task(room.join(), name="join")
        await clock.advance(10)
        with pytest.raises(AckTimeout):
            await joining
        server.say(answer, came("alice"), answer)
        await room.act("addDj")

        assert room.state is not None
        assert list(room.state.users()) == [ME, "alice"]


async def test_a_message_before_the_join_changes_nothing_and_is_not_heard() -> None:
    heard: list[RoomMessage] = []
    server = ScriptedRoom()
    server.say(message("userLeft", {"op": "remove", "path": "/allUsers/7"}))
    async with server.joined(on_message=heard.append) as room:
        assert not room.ended.done()
        assert heard == []


# -- actions


@cases(
    "answer kind says",
    ("refused", {"error": "not now"}, Refused, r"refused addDj \(not now\)"),
    ("too many", {"error": "you have too many pending requests"}, RateLimited, "put off addDj"),
    ("ending", {"error": "the server is shutting down"}, Unavailable, "puts off addDj"),
    ("not answered", None, AckTimeout, "no acknowledgement of addDj from the room in 10 s"),
    ("answered with garbage", ["garbage", "[" * 100_000], AckTimeout, "no acknowledgement of addDj"),
    ("the state lost", [message("x", {"op": "dance", "path": "/x"})], ConnectionLost, "state lost"),
    ("kicked", [KICK], RemovedFromRoom, "the bot was kicked from the room"),
)
async def test_an_action_without_an_answer_fails(answer: object, kind: type[ServiceError], says: str) -> None:
    server, clock = ScriptedRoom(addDj=answer), ManualClock()
    async with server.joined(clock) as room:
        acting = asyncio.create_task(room.act("addDj"), name="act")
        await settle()
        if kind is AckTimeout:
            await clock.advance(10)

        with pytest.raises(kind, match=says):
            await acting


@pytest.mark.parametrize("number", ["999", "true", "null", '"2"', "2.0", "{}", "-1"])
async def test_an_answer_with_an_unknown_id_settles_nothing(number: str) -> None:
    server = ScriptedRoom(addDj=None)
    async with server.joined() as room:
        acting = asyncio.create_task(room.act("addDj"), name="act")
        server.say(f'{{"context":"response","messageId":{number},"state":{{}}}}')
        await settle()
        early = acting.done()
        server.say({"context": "response", "messageId": 2}, {"context": "response", "messageId": 2})

        assert await acting == {}
        assert not early


async def test_an_answer_that_comes_too_late_settles_nothing() -> None:
    server, clock = ScriptedRoom(addDj=None), ManualClock()
    async with server.joined(clock) as room:
        late = asyncio.create_task(room.act("addDj"), name="late")
        await clock.advance(10)
        with pytest.raises(AckTimeout):
            await late
        server.say({"context": "response", "messageId": 2, "x": "late"})

        assert await room.act("skipSong") == {}


async def test_no_more_actions_are_pending_than_the_server_takes() -> None:
    server = ScriptedRoom(addDj=None)
    async with server.joined() as room:
        acting = [asyncio.create_task(room.act("addDj"), name=f"act {number}") for number in range(9)]
        await settle()
        first = len(server.actions()) - 1
        for number in range(2, 11):
            server.say({"context": "response", "messageId": number})
            await settle()

        assert await asyncio.gather(*acting) == [{}] * 9
    assert (first, len(server.actions())) == (4, 10)


async def test_what_is_no_action_is_refused_before_anything_is_sent(server: ScriptedRoom) -> None:
    async with server.joined() as room:
        with pytest.raises(UsageError, match="cannot be written as JSON"):
            await room.act("playOneTimeAnimation", animation=float("nan"))
        with pytest.raises(UsageError, match="did you mean addDj"):
            await room.act("addDJ")

        assert server.actions() == ["joinRoom"]
        assert await room.act("unheardOf") == {}


async def test_a_server_that_does_not_read_does_not_hold_an_action_or_a_ping_beyond_its_time() -> None:
    clock, server = ManualClock(), ScriptedRoom()
    async with server.joined(clock) as room:
        server.reads = False
        waiting = [jump(room), asyncio.create_task(room.ping_and_wait(), name="ping")]

        await clock.advance(10)

        for task, says in zip(waiting, ("playOneTimeAnimation .* in 10 s", "ping in 10 s"), strict=True):
            with pytest.raises(AckTimeout, match=says):
                await task


async def test_a_connection_that_goes_while_something_is_written_is_a_loss(server: ScriptedRoom) -> None:
    async with server.joined() as room:
        server.reads = False
        waiting = [jump(room), asyncio.create_task(room.ping_and_wait(), name="ping")]
        await settle()

    for task in waiting:
        with pytest.raises(ConnectionLost, match=r"room connection (went|ended)"):
            await task


# -- frames, messages and the state


@cases(
    "frame",
    ("garbage", "not json"),
    ("binary", b"\x00\xff"),
    ("an unknown control string", '"primus::new::thing"'),
    ("a string to the room", '{"context":"user","message":"hello","room":"r","from":"x"}'),
    ("no patch", '{"context":"user","message":{"name":"userJoined","statePatch":"x"}}'),
    ("an answer without an id", '{"context":"response"}'),
)
async def test_a_frame_that_nobody_expects_is_passed_over(server: ScriptedRoom, frame: str | bytes) -> None:
    async with server.joined() as room:
        server.say(frame)
        await room.act("addDj")

        assert not room.ended.done()
        assert room.state is not None
        assert room.state.data == state()


async def test_messages_are_heard_after_their_patch_and_so_is_what_they_brought() -> None:
    seen: list[tuple[str, list[str]]] = []
    happened: list[Event] = []
    server = ScriptedRoom()

    def listen(heard: RoomMessage) -> None:
        assert room.state is not None
        seen.append((heard.name, list(room.state.users())))

    async with server.joined(on_message=listen, events=RoomEvents("room"), on_event=happened.append) as room:
        song = {"context": "user", "message": {"name": "ofANewerServer", "params": {"song": 1}}}
        server.say(came("alice"), song)
        server.hang_up()
        await room.closed

    joined, *rest = happened
    assert isinstance(joined, Joined)
    assert [user.uuid for user in joined.state.users] == [ME]
    assert [type(event) for event in rest] == [UserJoined, RoomEvent]
    assert rest[1] == RoomEvent("ofANewerServer", {"song": 1})
    assert seen == [("userJoined", [ME, "alice"]), ("ofANewerServer", [ME, "alice"])]


@cases(
    "patch",
    ("it does not fit", {"op": "replace", "path": "/nowhere/at/all", "value": 1}),
    ("it is none", "add"),
    ("the bot twice", came(ME)["message"]["statePatch"][0]),
    ("the bot gone", {"op": "remove", "path": "/allUsers/0"}),
)
async def test_an_invalid_patch_ends_the_connection_and_fails_what_is_pending_at_once(patch: object) -> None:
    server = ScriptedRoom(addDj=None)
    async with server.joined() as room:
        pending = asyncio.create_task(room.act("addDj"), name="act")
        await settle()

        server.say(message("votedOnSong", patch))

        with pytest.raises(ConnectionLost, match="state lost"):
            await pending
        assert (await end_of(room)).trouble == ("forgotten" if "/0" in str(patch) else "patch")


async def test_a_connection_whose_state_is_lost_is_kept_and_heard_until_it_is_closed() -> None:
    heard: list[RoomMessage] = []
    server = ScriptedRoom()
    async with server.joined(on_message=heard.append) as room:
        server.say(came("alice"), came("alice"))
        lost = await end_of(room)
        server.say(PING, came("bob"), KICK)

        async with asyncio.timeout(WITHIN):
            closed = await room.closed
        await settle()
        with pytest.raises(Unreachable, match="state lost"):
            await room.act("addDj")
        assert room.state is not None
        assert list(room.state.users()) == [ME, "alice"]
    assert lost == Disconnect("state lost", "after a patch a user is in the room twice")
    assert (closed.reason, room.ended.result()) == ("kicked", lost)
    assert [each.name for each in heard] == ["userJoined"] * 3 + ["kickedFromRoom"]
    assert server.sent[-1] == '"primus::pong::1800000000000"'


async def test_a_state_that_never_held_the_bot_proves_nothing(server: ScriptedRoom) -> None:
    async with server.joined(me="another") as room:
        server.say(came("alice"), message("userLeft", {"op": "remove", "path": "/allUsers/1"}))
        await room.act("addDj")

        assert not room.ended.done()


@cases("told", ("without a word", False), ("told", True))
async def test_a_song_that_ends_without_a_word_loses_the_state(told: bool) -> None:  # noqa: FBT001  a row
    song = {"startTime": 1_000, "endTime": 61_000}
    clock = ManualClock()
    server = ScriptedRoom(joinRoom={"state": state(nowPlaying=song), "serverTime": 1_000})
    async with server.joined(clock, silence=1e6) as room:
        await clock.advance(90)
        early = room.ended.done()
        if told:
            server.say(message("playedSong", {"op": "replace", "path": "/nowPlaying", "value": None}))
            await settle()
        await clock.advance(1)
        await settle()

        assert not early
        assert room.ended.done() is not told
        if not told:
            lost = room.ended.result()
            assert (lost.reason, lost.trouble) == ("state lost", "song")
            assert "the room says nothing" in lost.detail


# -- heartbeat and ends


async def test_a_server_without_heartbeats_counts_as_dead_and_fails_what_is_pending() -> None:
    clock, server = ManualClock(), ScriptedRoom(addDj=None)
    async with server.joined(clock, ack_timeout=600.0) as room:
        pending = asyncio.create_task(room.act("addDj"), name="act")
        await clock.advance(44)
        early = room.ended.done()
        await clock.advance(2)

        assert not early
        assert await end_of(room) == Disconnect("silent", "no heartbeat for 45 s")
        with pytest.raises(ConnectionLost, match="silent"):
            await pending


async def test_a_heartbeat_starts_the_wait_anew() -> None:
    clock, server = ManualClock(), ScriptedRoom()
    async with server.joined(clock) as room:
        for _ in range(3):
            await clock.advance(44)
            server.say(PING)
            await settle()

        assert not room.ended.done()
        assert server.sent[1:] == ['"primus::pong::1800000000000"'] * 3


@cases(
    "frames code ended",
    ("a close without a code", (), None, Disconnect("lost", "close code 1006")),
    ("a close with one", (), 1009, Disconnect("lost", "close code 1009")),
    ("on purpose", (CLOSING,), None, Disconnect("closed by the server", "close code 1006")),
    ("a reset", (message("roomReset"), CLOSING), None, Disconnect("reset", "close code 1006")),
    ("a kick", (KICK, CLOSING), None, Disconnect("kicked")),
)
async def test_every_close_is_an_end(frames: Sequence[Frame], code: int | None, ended: Disconnect) -> None:
    server = ScriptedRoom()
    async with server.joined() as room:
        server.say(*frames)
        server.hang_up(code)

        assert await end_of(room) == ended


async def test_leaving_closes_the_connection_and_ends_what_is_pending() -> None:
    async with ScriptedRoom(addDj=None).joined() as room:
        pending = asyncio.create_task(room.act("addDj"), name="act")
        await settle()

    with pytest.raises(ConnectionLost, match="left"):
        await pending
    assert room.ended.result().reason == "left"


async def test_a_listener_that_fails_ends_it_and_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    def listener(_: object) -> None:
        raise RuntimeError("the listener's own")

    server = ScriptedRoom()
    async with server.joined(on_message=listener) as room:
        server.say(came("alice"))
        ended = await end_of(room)

    assert ended.reason == "lost"
    assert "a task of the room connection failed" in caplog.text
    assert "the listener's own" in caplog.text


# -- on the sandbox


async def test_a_patch_in_the_same_packet_as_the_join_is_not_lost(
    hangfm_sandbox: Sandbox, hangfm_room: RoomClient, hangfm_room_events: HeardEvents
) -> None:
    await hangfm_room_events.expect("updatedUserData")

    assert hangfm_room.state is not None
    assert hangfm_room.state.nickname(hangfm_sandbox.bot.uid) == "hangbot"
    assert abs((hangfm_room.joined or {})["serverTime"] - hangfm_sandbox.clock.now_ms()) < 60_000


async def test_no_welcome_does_not_prevent_a_join(hangfm_sandbox: Sandbox, hangfm_settings: Settings) -> None:
    hangfm_sandbox.faults.add("room.welcome", "drop")

    async with open_room(hangfm_settings) as room:
        welcomed = await room.welcome(0.05)
        joined = await room.join()

    assert not welcomed
    assert hangfm_sandbox.bot.uid in list(joined.users())


async def test_a_room_that_is_not_there_refuses_in_its_own_words(hangfm_open_room: OpenRoom) -> None:
    room = await hangfm_open_room(join=False, room_uuid="00000000-0000-4000-8000-000000000000")

    with pytest.raises(JoinRefused, match="The room does not exist") as refused:
        await room.join()

    assert "ROOM_UUID" in refused.value.remedy


async def test_a_wrong_token_refuses_the_join(hangfm_open_room: OpenRoom) -> None:
    room = await hangfm_open_room(join=False, ttfm_api_token="not.a.token")

    with pytest.raises(JoinRefused, match="Unauthorized"):
        await room.join()


async def test_a_frame_may_be_large_not_huge(hangfm_settings: Settings, hangfm_sandbox: Sandbox) -> None:
    hangfm_sandbox.room.state["settings"]["posterFile"] = "x" * 2**21

    async with open_room(hangfm_settings) as room:
        await room.welcome(WITHIN)
        joined = await room.join()
        hangfm_sandbox.server.connections[-1].send(json.dumps("x" * (17 * 2**20)))
        ended = await end_of(room)

    assert len(joined.data["settings"]["posterFile"]) == 2**21
    assert (ended.reason, "1009" in ended.detail) == ("lost", True)


@pytest.mark.parametrize("deed", ["duplicate", "reorder"])
async def test_answers_find_their_calls(deed: str, hangfm_sandbox: Sandbox, hangfm_room: RoomClient) -> None:
    hangfm_sandbox.faults.add("room.action", deed)

    async with asyncio.timeout(WITHIN):
        await asyncio.gather(jump(hangfm_room), jump(hangfm_room))
        await hangfm_room.act("playOneTimeAnimation", animation="jump")

    assert not hangfm_room.ended.done()


async def test_heartbeats_are_answered_and_keep_it(hangfm_sandbox: Sandbox, hangfm_room: RoomClient) -> None:
    for _ in range(4):
        await hangfm_sandbox.advance(30)

    assert not hangfm_room.ended.done()
    frames = hangfm_sandbox.journal.events(service="room", dir="in", kind="frame")
    pongs = [row["frame"] for row in frames if "primus::pong::" in row["frame"]]
    assert len(pongs) == 4
    assert all(frame.startswith('"primus::pong::') and frame.endswith('"') for frame in pongs)


TWICE = "after a patch a user is in the room twice"


@rows(
    "deed reason detail",
    ("duplicate", "state lost", TWICE),
    ("abort", "lost", "close code 1006"),
    ("close", "lost", "close code 1005"),
)
async def test_a_doubled_patch_is_noticed_and_the_state_given_up(
    deed: str,
    reason: Reason,
    detail: str,
    hangfm_sandbox: Sandbox,
    hangfm_room: RoomClient,
    hangfm_open_user: OpenUser,
) -> None:
    hangfm_sandbox.faults.add("room.message", deed)

    await hangfm_open_user("alice")

    assert await end_of(hangfm_room) == Disconnect(reason, detail)


async def test_a_dropped_patch_is_noticed_and_the_old_state_stays_readable(
    hangfm_sandbox: Sandbox, hangfm_room: RoomClient, hangfm_open_user: OpenUser
) -> None:
    hangfm_sandbox.faults.add("room.message", "drop")

    await hangfm_open_user("alice")
    await hangfm_open_user("bob")
    ended = await end_of(hangfm_room)

    assert ended.reason == "state lost"
    assert hangfm_room.state is not None
    assert list(hangfm_room.state.users()) == [hangfm_sandbox.bot.uid]


@rows(
    "command reason", ("kick", "kicked"), ("ban", "kicked"), ("reset_room", "reset"), ("forget", "state lost")
)
async def test_what_is_done_to_the_bot_is_told_from_a_loss(
    command: str, reason: str, hangfm_sandbox: Sandbox, hangfm_room: RoomClient
) -> None:
    subject = () if command == "reset_room" else (hangfm_sandbox.bot.uid,)
    await getattr(hangfm_sandbox, command)(*subject)

    assert (await end_of(hangfm_room)).reason == reason
