"""npm `ttfm-socket` 1.0.0, unmodified, when the sandbox is in trouble: what is known of it shows."""

import contextlib
import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import pytest
from websockets.asyncio.client import connect

from hangbot.sandbox import RoomVariants, Sandbox, open_sandbox

if TYPE_CHECKING:
    from tests.interop.conftest import Join, OpenProgram, Program

# The first test of a run waits for npm as well.
pytestmark = [pytest.mark.interop, pytest.mark.timeout(240)]


async def test_it_answers_the_heartbeat_and_so_stays_connected(
    room: "Program", join: "Join", quiet_sandbox: Sandbox
) -> None:
    alice = quiet_sandbox.users.add("alice")
    await join()

    for _ in range(3):
        before = quiet_sandbox.journal.last_n
        await quiet_sandbox.advance(30)
        await quiet_sandbox.journal.wait_for(
            lambda event: event["dir"] == "in" and "primus::pong::" in str(event.get("frame")), since=before
        )
    await alice.join()
    await room.hears("userJoined")

    assert room.heard("disconnected") == []


@pytest.mark.parametrize(
    "deed", [pytest.param("abort", id="1006"), pytest.param("close", id="a-close-without-a-code")]
)
async def test_a_dropped_connection_comes_back_by_itself_as_a_zombie_until_it_is_told_to_join_again(
    room: "Program", join: "Join", quiet_sandbox: Sandbox, deed: str
) -> None:
    alice = quiet_sandbox.users.add("alice")
    await alice.join()
    await alice.dj()
    await join()
    quiet_sandbox.faults.add("room.message", deed)
    before = quiet_sandbox.journal.last_n

    await alice.vote(like=True)
    await room.hears("reconnect")
    await quiet_sandbox.journal.wait_for(is_open, since=before)
    await room.act("voteOnSong", songVotes={"like": True})
    # A room message of the first action would have come before the answer to the second one.
    await room.act("voteOnSong", songVotes={"star": True})
    as_zombie = await room.do("state")
    frames = [event["frame"] for event in quiet_sandbox.journal.events(since=before, dir="in", kind="frame")]
    await join()
    await alice.vote(like=False)
    await room.hears("votedOnSong")

    assert room.heard("disconnected")
    assert not any("joinRoom" in frame for frame in frames)
    assert as_zombie["voteCounts"] == {"likes": 0, "dislikes": 0, "stars": 0}
    assert await room.do("state") == quiet_sandbox.state
    assert quiet_sandbox.state["voteCounts"] == {"likes": 1, "dislikes": 1, "stars": 1}
    assert not quiet_sandbox.faults.leftovers()


def is_open(event: dict[str, Any]) -> bool:
    return (event["service"], event["kind"]) == ("room", "open")


async def test_it_lives_through_a_restart_and_flushes_what_was_said_meanwhile_outside_the_room(
    room: "Program", join: "Join", quiet_sandbox: Sandbox
) -> None:
    await join()
    await room.act("addDj")
    before = quiet_sandbox.journal.last_n

    await quiet_sandbox.restart(down_ms=300)
    await room.hears("reconnect")
    unanswered = room.start("action", action="playOneTimeAnimation", params={"animation": "jump"})
    await room.reply(unanswered)

    first = (await quiet_sandbox.journal.wait_for(is_action, since=before))["frame"]
    assert "playOneTimeAnimation" in first
    assert room.heard("playedOneTimeAnimation") == []


def is_action(event: dict[str, Any]) -> bool:
    return event["dir"] == "in" and '"event":"action"' in str(event.get("frame"))


async def test_a_kick_is_heard_and_it_stays_away(
    room: "Program", join: "Join", quiet_sandbox: Sandbox
) -> None:
    await join()

    await quiet_sandbox.kick(quiet_sandbox.bot.uid)
    await room.hears("statelessMessage", name="kickedFromRoom")
    await room.hears("disconnected")
    room.start("action", action="addDj", params={})
    link = await room.do("link")

    assert link["state"] == "disconnected"
    assert (link["open"], link["reconnecting"]) == (False, False)
    assert (link["unsent"], link["unanswered"]) == (1, 1)  # buffered for ever


async def test_a_reset_is_heard_it_stays_away_and_joins_an_empty_room_when_told_to(
    room: "Program", join: "Join", quiet_sandbox: Sandbox
) -> None:
    alice = quiet_sandbox.users.add("alice")
    await alice.join()
    await alice.dj()
    await join()

    await quiet_sandbox.reset_room()
    await room.hears("statelessMessage", name="roomReset")
    await room.hears("disconnected")
    link = await room.do("link")
    answer = await join()
    state = await room.do("state")

    assert (link["open"], link["reconnecting"]) == (False, False)
    assert answer["didCreate"] is True
    assert state["nowPlaying"] is None
    assert [user["uuid"] for user in state["allUsers"]] == [quiet_sandbox.bot.uid]
    assert state == quiet_sandbox.state


@pytest.mark.parametrize(
    ("action", "params", "error"),
    [
        pytest.param("speak", {}, "unknown action or invalid apiVersion", id="unknown-action"),
        pytest.param(
            "voteOnSong", {}, "songVotes is a required parameter for this action", id="missing-parameter"
        ),
        pytest.param("skipSong", {}, "Nothing is playing right now.", id="nothing-to-skip"),
    ],
)
async def test_a_refused_action_rejects_with_the_servers_own_text(
    room: "Program", join: "Join", action: str, params: dict[str, Any], error: str
) -> None:
    await join()

    refusal = await room.refusal("action", action=action, params=params)
    await room.hears("error", error=error)
    await room.act("playOneTimeAnimation", animation="jump")

    assert refusal == error
    assert (await room.do("link"))["open"] is True


async def test_the_sixth_pending_action_is_refused(
    room: "Program", join: "Join", quiet_sandbox: Sandbox
) -> None:
    await join()
    quiet_sandbox.faults.add("room.action", "hang", times=5)

    for _ in range(5):
        room.start("action", action="addDj", params={})
    refusal = await room.refusal("action", action="skipSong", params={})

    assert refusal == "you have too many pending requests"
    assert (await room.do("link"))["unanswered"] == 5


async def test_joining_with_a_bad_token_or_a_wrong_room_is_refused_in_words(
    room: "Program", quiet_sandbox: Sandbox
) -> None:
    bad_token = await room.refusal("join", token="nonsense", roomUuid=quiet_sandbox.room_uuid)
    wrong_room = await room.refusal("join", token=quiet_sandbox.bot.token, roomUuid="nowhere")

    assert bad_token == "Unauthorized"
    assert "does not exist" in wrong_room


async def test_a_join_that_is_lost_before_the_welcome_is_never_answered(open_program: "OpenProgram") -> None:
    async with open_sandbox(variants=RoomVariants(setup_ms=300)) as sandbox:
        room = await open_program("room.mjs", sandbox.room_url)

        joining = room.start("join", token=sandbox.bot.token, roomUuid=sandbox.room_uuid)
        await room.hears("api")
        refusal = await room.refusal("action", action="skipSong", params={"roomUuid": sandbox.room_uuid})

    assert refusal  # what is sent after the welcome is answered …
    assert not [row for row in room.rows if row.get("reply") == joining]  # … and the join still waits


async def test_a_member_who_says_a_plain_text_takes_the_client_down(
    room: "Program", join: "Join", quiet_sandbox: Sandbox
) -> None:
    alice = quiet_sandbox.users.add("alice")
    await join()

    async with raw(quiet_sandbox, alice.token) as ask:
        await ask({"event": "action", "params": {"action": "joinRoom", "roomUuid": quiet_sandbox.room_uuid}})
        await ask({"event": "say", "room": quiet_sandbox.room_uuid, "message": "hello"})
        with pytest.raises(AssertionError, match="Cannot use 'in' operator"):
            await room.hears("nothing any more")


@contextlib.asynccontextmanager
async def raw(sandbox: Sandbox, token: str) -> AsyncIterator[Any]:
    """A bare connection to the room socket: give it a request, get its answer."""
    url = sandbox.room_url.replace("http", "ws", 1) + f"/primus?token={token}"
    async with connect(url, proxy=None) as socket:

        async def ask(request: dict[str, Any]) -> None:
            await socket.send(json.dumps({**request, "messageId": 1}))
            while json.loads(await socket.recv()).get("context") != "response":
                pass

        yield ask
