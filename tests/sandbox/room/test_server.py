"""The room socket over real sockets, with a client that knows nothing of the server."""

import asyncio
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from hangbot.sandbox import Room, RoomVariants, Sandbox, open_sandbox
from hangbot.sandbox.room.songs import default_song
from tests.bounds import WITHIN
from tests.cases import cases

if TYPE_CHECKING:
    from hangbot.sandbox.room.actionhero import Call
    from hangbot.sandbox.room.actions import Outcome
    from hangbot.sandbox.room.connection import RoomConnection
    from tests.sandbox.room.conftest import Client, OpenClient


Options = dict[str, Any]


# -- handshake


@pytest.mark.parametrize("path", ["/primus", "/primus/", "/primusXYZ/anything", "/primus?x=1&token="])
async def test_any_path_that_begins_with_primus_is_taken(open_client: "OpenClient", path: str) -> None:
    client = await open_client(path=path)

    assert client.heard[0]["context"] == "api"


async def test_the_answer_to_the_upgrade_is_bare(client: "Client") -> None:
    assert client.ws.response is not None
    names = {name.lower() for name in client.ws.response.headers}
    assert names == {"upgrade", "connection", "sec-websocket-accept"}


async def test_an_upgrade_elsewhere_is_noted_only(sandbox: Sandbox, open_client: "OpenClient") -> None:
    waiting = asyncio.create_task(open_client(path="/socket.io/?EIO=4", welcome_read=False))
    await sandbox.journal.wait_for(lambda e: e["kind"] == "http")

    assert not waiting.done()
    assert any("/socket.io/" in line for line in sandbox.problems())
    waiting.cancel()
    with suppress(asyncio.CancelledError):
        await waiting


async def test_a_bad_token_can_be_refused_at_the_handshake(open_client: "OpenClient") -> None:
    with pytest.raises(InvalidStatus) as caught:
        await open_client(token="rubbish", bad_token="handshake")

    assert caught.value.response.status_code == 401


async def test_a_token_that_expires_fails_later_actions(sandbox: Sandbox, open_client: "OpenClient") -> None:
    token = sandbox.people.issue(sandbox.bot.uid, lifetime_s=60)
    client = await open_client(token=token)
    first = await client.join()

    sandbox.clock.advance(61)

    assert "error" not in first
    assert (await client.act("skipSong"))["error"] == "Unauthorized"


async def test_the_token_never_reaches_the_journal(sandbox: Sandbox, client: "Client") -> None:
    await client.verb("nonsense", token=sandbox.bot.token)

    assert sandbox.bot.token not in json.dumps(sandbox.journal.since(0)[0])


# -- frames


async def test_json_null_ends_only_the_connection_that_sent_it(open_client: "OpenClient") -> None:
    victim, other = await open_client(), await open_client()

    await victim.send("null")

    assert await victim.end() == 1006
    assert "error" not in await other.join()


async def test_binary_frames_are_no_verb(client: "Client") -> None:
    await client.send(b"\x01\x02")

    answer = await client.next()
    assert answer["error"] == "Error: verb not found or not allowed (undefined)"
    assert answer["data"] == {"type": "Buffer", "data": [1, 2]}


async def test_the_largest_message_passes_and_one_byte_more_is_1009(client: "Client") -> None:
    frame = '{"event":"action","params":{"action":"nope","x":"%s"},"messageId":1}'
    fill = 10_485_760 - len(frame % "")

    await client.send(frame % ("x" * fill))
    answer = await client.response(1)
    # The frame's head is enough: who says that he has more is not listened to.
    client.ws.transport.write(b"\x81\xff" + (10_485_761).to_bytes(8) + b"mask")

    assert answer["error"] == "unknown action or invalid apiVersion"
    assert await client.end() == 1009


async def test_frames_before_the_welcome_are_lost_while_the_server_sets_up(open_client: "OpenClient") -> None:
    client = await open_client(welcome_read=False, setup_ms=500)
    await client.send({"event": "nonsense", "messageId": 1})
    await client.sandbox.journal.wait_for(lambda e: e["kind"] == "frame")

    client.sandbox.clock.advance(0.5)
    await client.send({"event": "nonsense", "messageId": 2})

    assert (await client.next())["context"] == "api"
    assert (await client.next())["messageId"] == 2


@cases("variants", ("no welcome", {"welcome": None}), ("welcome", {}))
async def test_a_join_before_a_welcome_works(open_client: "OpenClient", variants: dict[str, Any]) -> None:
    client = await open_client(welcome_read=False, **variants)

    assert "error" not in await client.join()


async def test_response_and_message_come_in_one_piece(sandbox: Sandbox, client: "Client") -> None:
    socket = sandbox.server.connections[0].socket
    before = socket.flushes

    await client.join()

    assert [frame.get("context") for frame in client.heard] == ["api", "response", "user"]
    assert socket.flushes - before == 1


async def test_an_answer_too_deep_to_be_written_ends_its_connection_alone(
    sandbox: Sandbox, open_client: "OpenClient", monkeypatch: pytest.MonkeyPatch
) -> None:
    deep, other = await open_client(), await open_client("ben")
    execute = sandbox.server.actions.run

    def too_deep(conn: "RoomConnection", call: "Call") -> "Outcome":
        if call.id == "deep":
            raise RecursionError
        return execute(conn, call)

    monkeypatch.setattr(sandbox.server.actions, "run", too_deep)
    await deep.send({"event": "action", "params": {"action": "nope"}, "messageId": "deep"})
    answer = await other.act("nope")

    assert "error" in answer
    assert await deep.end() == 1006


async def test_a_state_of_more_than_a_mebibyte_is_too_much_by_default(open_client: "OpenClient") -> None:
    client = await open_client(max_size=2**20, poster_bytes=1_100_000)

    await client.ask("joinRoom", 1)
    await client.end()

    assert client.ws.protocol.close_sent is not None
    assert client.ws.protocol.close_sent.code == 1009
    assert (await client.sandbox.journal.wait_for(lambda e: e["kind"] == "close"))["code"] == 1009


# -- actions


async def test_six_actions_at_once_are_one_too_many(sandbox: Sandbox, client: "Client") -> None:
    params = {"roomUuid": sandbox.room_uuid, "action": "joinRoom"}
    frames = [json.dumps({"event": "action", "params": params, "messageId": n}) for n in range(1, 9)]

    transport = client.ws.transport
    transport.write(b"".join(_masked(frame) for frame in frames))
    answers = [await client.response(n) for n in (6, 7, 8, 1, 2, 3, 4, 5)]

    assert ["error" in answer for answer in answers] == [True] * 3 + [False] * 5
    assert answers[0]["error"] == "you have too many pending requests"


async def test_a_join_gives_the_profiles_after_the_state(sandbox: Sandbox, open_client: "OpenClient") -> None:
    alice = sandbox.users.add("alice")
    await alice.join()
    client = await open_client()

    answer = await client.act("joinRoom")
    without = dict(answer["state"]["allUserData"])
    await client.until("updatedUserData")

    assert without == {}
    assert answer["allowedRooms"] == [sandbox.room_uuid]
    assert client.state == sandbox.state


async def test_every_action_is_answered_and_seen(sandbox: Sandbox, joined: "Client") -> None:
    answers = [
        await joined.act("addDj"),
        await joined.act("updateNextSong", song=default_song(1)),
        await joined.act("voteOnSong", songVotes={"like": True}),
        await joined.act("playOneTimeAnimation", animation="emoji", emoji="💜"),
        await joined.act("skipSong"),
        await joined.act("removeDj"),
    ]
    await joined.until("removedDj")

    assert not [answer for answer in answers if "error" in answer]
    assert answers[2]["nowPlaying"]["song"]["trackName"] == "Song 1"
    assert answers[3] == {"context": "response", "messageId": answers[3]["messageId"]}
    told = [f["message"]["name"] for f in joined.heard if f.get("context") == "user"]
    names = "updatedUserData addedDj updatedNextSong playedSong votedOnSong playedOneTimeAnimation"
    assert " ".join(told) == f"{names} playedSong removedDj"
    assert joined.state == sandbox.state


async def test_room_messages_reach_their_own_room_only(sandbox: Sandbox, open_client: "OpenClient") -> None:
    other = sandbox.add_room("other")
    here, there = await open_client(), await open_client("eve")
    there.room = other.uuid
    await here.join()
    await there.join()

    await here.act("playOneTimeAnimation", animation="jump")

    assert await there.quiet()


@cases(
    "variants names",
    ("response first", {"response_first": True}, ["response", "playedOneTimeAnimation"]),
    ("message first", {"response_first": False}, ["playedOneTimeAnimation", "response"]),
)
async def test_either_comes_first(open_client: "OpenClient", variants: Options, names: list[str]) -> None:
    client = await open_client(joined=True, **variants)

    await client.ask("playOneTimeAnimation", 50, animation="jump")

    frames = [await client.next(), await client.next()]
    assert [f["message"]["name"] if "message" in f else f["context"] for f in frames] == names


@pytest.mark.parametrize("in_state", [True, False])
@pytest.mark.parametrize("own", [True, False])
async def test_joins_come_in_four_kinds(open_client: "OpenClient", *, in_state: bool, own: bool) -> None:
    client = await open_client(joiner_in_state=in_state, own_user_joined=own)

    answer = await client.act("joinRoom")
    users = len(answer["state"]["allUsers"])
    told = [(await client.next())["message"]["name"]]
    if own:
        told.append((await client.next())["message"]["name"])

    assert users == in_state
    assert told == (["userJoined"] if own else []) + ["updatedUserData"]


async def test_a_second_join_is_allowed_unless_told_otherwise(open_client: "OpenClient") -> None:
    client = await open_client(joined=True)
    again = await client.join()
    other = await open_client(joined=True, second_join="refused")

    refused = await other.act("joinRoom")

    assert again["didCreate"] is False
    assert "already in this room" in refused["error"]


@cases(
    "profiles_ms late_s", ("unless told otherwise", RoomVariants().profiles_ms, 0.3), ("as told", 4000, 4.0)
)
async def test_profiles_come_late(open_client: "OpenClient", profiles_ms: float, late_s: float) -> None:
    client = await open_client(profiles_ms=profiles_ms)
    alice = client.sandbox.users.add("alice")
    await alice.join()
    await alice.dj()
    answer = await client.act("joinRoom")
    client.state = None  # strict patches would fail

    await alice.vote(like=True)
    vote = (await client.next())["message"]
    client.sandbox.clock.advance(late_s)
    profiles = (await client.next())["message"]

    assert answer["state"]["allUserData"] == {}
    assert (vote["name"], profiles["name"]) == ("votedOnSong", "updatedUserData")
    assert f"/allUserData/{alice.uid}/songVotes/like" in [step["path"] for step in vote["statePatch"]]
    held = {step["path"]: step["value"]["songVotes"] for step in profiles["statePatch"]}
    assert held[f"/allUserData/{alice.uid}"] == {"like": True}


async def test_profiles_do_not_come_to_who_has_left_meanwhile(open_client: "OpenClient") -> None:
    client = await open_client(profiles_ms=300)
    await client.act("joinRoom")
    await client.verb("roomLeave", room=client.sandbox.room_uuid)

    client.sandbox.clock.advance(1)

    assert await client.quiet()


async def test_the_join_is_refused_with_an_error(sandbox: Sandbox, client: "Client") -> None:
    sandbox.room.presence.password = "sesame"

    refused = await client.act("joinRoom")
    admitted = await client.act("joinRoom", password="sesame")
    unknown = await client.act("joinRoom", roomUuid="nowhere")

    assert refused["error"] == "The password is wrong."
    assert "error" not in admitted
    assert unknown["error"] == "The room does not exist."


async def test_a_song_ends_by_itself(sandbox: Sandbox, joined: "Client") -> None:
    await joined.act("addDj", song=default_song(1, duration_s=200))
    await joined.act("updateNextSong", song=default_song(2, duration_s=100))

    sandbox.clock.advance(200)
    second = sandbox.state["nowPlaying"]["song"]["trackName"]
    sandbox.clock.advance(100)

    assert second == "Song 2"
    assert sandbox.state["nowPlaying"] is None
    while joined.state["nowPlaying"] is not None or joined.state["voteCounts"] is None:
        await joined.until("playedSong")
    assert joined.state == sandbox.state


# -- life and death


async def test_user_left_comes_twenty_seconds_later(sandbox: Sandbox, open_client: "OpenClient") -> None:
    watcher = await open_client("watcher", joined=True)
    bot = await open_client(joined=True)
    await watcher.until("userJoined")

    await bot.ws.close()
    await sandbox.journal.wait_for(lambda e: e["kind"] == "close" and e["dir"] == "in")
    sandbox.clock.advance(10)  # real seconds count as well: far enough from the twentieth on a busy machine
    lingering = sandbox.bot.uid in sandbox.room
    sandbox.clock.advance(10)

    assert lingering
    await watcher.until("userLeft")
    assert sandbox.bot.uid not in watcher.state["allUserData"]


async def test_a_return_in_twenty_seconds_is_invisible(sandbox: Sandbox, open_client: "OpenClient") -> None:
    watcher = await open_client("watcher", joined=True)
    first = await open_client(joined=True)
    await watcher.until("userJoined")
    await first.ws.close()
    await sandbox.journal.wait_for(lambda e: e["kind"] == "close" and e["dir"] == "in")

    sandbox.clock.advance(10)
    again = await (await open_client()).join()
    sandbox.clock.advance(15)

    assert again["didCreate"] is False
    assert await watcher.quiet()
    assert sandbox.bot.uid in sandbox.room


async def test_a_reconnect_without_a_join_is_a_zombie(open_client: "OpenClient") -> None:
    first = await open_client(joined=True)
    first.ws.transport.abort()
    zombie = await open_client()

    answer = await zombie.act("playOneTimeAnimation", animation="jump")

    assert "error" not in answer
    assert await zombie.quiet()


@pytest.mark.parametrize("ban", [False, True])
async def test_kick_and_ban_tell_and_end(sandbox: Sandbox, open_client: "OpenClient", *, ban: bool) -> None:
    victims = [await open_client(joined=True), await open_client(joined=True)]
    bystander = await open_client("bystander", joined=True)

    await (sandbox.ban if ban else sandbox.kick)(sandbox.bot.uid)
    ends = []
    for client in victims:
        await client.until("kickedFromRoom")
        ends.append((await client.next(), await client.end()))
    again = await (await open_client()).act("joinRoom")
    await bystander.act("playOneTimeAnimation", animation="jump")

    assert ends == [("primus::server::close", 1005)] * 2
    assert ("error" in again) is ban
    assert "kickedFromRoom" not in json.dumps(bystander.heard)


async def test_a_reset_tells_then_closes_the_room(sandbox: Sandbox, open_client: "OpenClient") -> None:
    client, outside = await open_client(), await open_client()
    await client.join()

    await sandbox.reset_room()
    await client.until("roomReset")
    last, code = await client.next(), await client.end()
    again = await outside.join()

    assert (last, code) == ("primus::server::close", 1005)
    assert again["didCreate"] is True


async def test_a_restart_cuts_off_and_keeps_the_room(sandbox: Sandbox, open_client: "OpenClient") -> None:
    client = await open_client(joined=True)
    port = sandbox.room_port

    await sandbox.restart()

    assert await client.end() == 1006
    assert sandbox.room_port == port
    again = await (await open_client()).join()
    assert again["didCreate"] is False


@pytest.mark.parametrize("verb", ["quit", "exit"])
async def test_quit_and_exit_are_answered_with_a_close(client: "Client", verb: str) -> None:
    await client.send({"event": verb, "messageId": 1})

    assert await client.next() == "primus::server::close"
    assert await client.end() == 1005


async def test_say_reaches_the_room_as_plain_text(sandbox: Sandbox, joined: "Client") -> None:
    said = await joined.verb("say", room=sandbox.room_uuid, message="hello")

    assert said["status"] == "OK"
    assert (await joined.next())["message"] == "hello"


async def test_verbs_can_be_closed_to_clients(open_client: "OpenClient") -> None:
    client = await open_client(verbs=False)

    refused = await client.verb("detailsView")

    assert refused["error"] == "Error: verb not found or not allowed (detailsView)"


async def test_a_server_that_stops_says_so(sandbox: Sandbox, client: "Client") -> None:
    sandbox.server.actions.stopping = True

    assert (await client.act("joinRoom"))["error"] == "the server is shutting down"


# -- whatever comes

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
ALL = "joinRoom addDj removeDj updateNextSong voteOnSong skipSong playOneTimeAnimation"
NAMES = st.sampled_from(ALL.split())
FRAMES = (
    st.text(max_size=30)
    | st.binary(max_size=30)
    | JSON.map(json.dumps)
    | st.fixed_dictionaries(
        {
            "event": st.sampled_from(
                ["action", "say", "roomAdd", "roomView", "roomLeave", "file", "detailsView"]
            )
        },
        optional={
            "params": st.fixed_dictionaries(
                {"action": NAMES, "roomUuid": st.just("fuzz") | JSON},
                optional={"song": JSON, "songVotes": JSON, "djUuid": JSON, "animation": JSON, "emoji": JSON},
            )
            | JSON,
            "messageId": JSON,
            "room": st.just("fuzz") | JSON,
            "message": JSON,
        },
    ).map(json.dumps)
)


@settings(max_examples=20, deadline=None)
@given(frames=st.lists(FRAMES, max_size=12))
def test_whatever_is_sent_disturbs_nobody(client_type: "type[Client]", frames: list[str | bytes]) -> None:
    async def fuzz() -> None:
        async with open_sandbox(control=False) as sandbox:
            room: Room = sandbox.add_room("fuzz", uuid="fuzz")
            base = sandbox.room_url.replace("http", "ws", 1) + "/primus?token="
            async with (
                connect(base + sandbox.users.add("fuzzer").token, proxy=None) as fuzzer,
                connect(base + sandbox.bot.token, proxy=None) as bystander,
            ):
                with suppress(ConnectionClosed):
                    for frame in frames:
                        await fuzzer.send(frame)
                witness = client_type(bystander, sandbox, room.uuid)
                answer = await witness.act("joinRoom")

            assert "error" not in answer
            assert json.dumps(answer["state"]["allUsers"])

    asyncio.run(fuzz())


@pytest.mark.slow
async def test_a_slow_reader_is_cut_off_alone(sandbox: Sandbox, open_client: "OpenClient") -> None:
    slow = await open_client("slow", joined=True)
    slow.ws.transport.pause_reading()
    quick = await open_client(joined=True)
    since = sandbox.journal.last_n
    aborted = sandbox.journal.wait_for(lambda e: e.get("how") == "abort", since=since, within=WITHIN)
    cut = asyncio.create_task(aborted)

    while not cut.done():
        for letter in "xy":
            told = sandbox.room.moderation.update_settings({"description": letter * 4_000_000})
            sandbox.server.broadcaster.broadcast(sandbox.room, told)
        await quick.until("updatedRoomSettings")
        await quick.until("updatedRoomSettings")

    assert (await cut)["conn"] == 1
    assert quick.state == sandbox.state


def _masked(text: str) -> bytes:
    payload = text.encode()
    head = (
        bytes((0x81, 0x80 | len(payload))) if len(payload) < 126 else b"\x81\xfe" + len(payload).to_bytes(2)
    )
    return head + b"\0\0\0\0" + payload
