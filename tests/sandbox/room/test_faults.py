"""Faults on the room socket: what the client sees, that each is counted, and that it is in the journal.

What each kind does is a table in `../test_injector.py`; here each point is proven with some of them.
"""

import asyncio
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidStatus

from hangbot.sandbox import Fault, Sandbox
from tests.bounds import WITHIN

if TYPE_CHECKING:
    from tests.sandbox.room.conftest import Client, OpenClient


async def shapes(client: "Client", count: int) -> list[str]:
    """What the next frames are; a client whose patches are garbled keeps no state."""
    return [shape(await asyncio.wait_for(client.ws.recv(), WITHIN)) for _ in range(count)]


def shape(text: str | bytes) -> str:
    try:
        frame = json.loads(text)
    except ValueError:
        return "garbage"
    if isinstance(frame, str):
        return frame.rstrip("0123456789")
    if frame.get("context") == "user":
        return frame["message"]["name"] if isinstance(frame["message"], dict) else repr(frame["message"])
    if frame.get("context") == "response":
        return f"error {frame['messageId']}" if "error" in frame else f"answer {frame['messageId']}"
    return str(frame.get("context"))


def hit_once(sandbox: Sandbox, fault: Fault) -> bool:
    """Whether a fault hit exactly once, and the journal shows it as that fault."""
    return sandbox.faults.hits(fault.id) == 1 and bool(sandbox.journal.events(fault=fault.id))


# -- room.connect


async def test_a_connection_can_be_dropped_before_its_answer(
    sandbox: Sandbox, open_client: "OpenClient"
) -> None:
    fault = sandbox.faults.add("room.connect", "refuse")

    with pytest.raises((InvalidMessage, InvalidHandshake, ConnectionError, EOFError)):
        await open_client()

    assert hit_once(sandbox, fault)
    assert (await open_client()).heard[0]["context"] == "api"


@pytest.mark.parametrize(
    ("do", "options", "status", "body"),
    [
        pytest.param("status", {"status": 401}, 401, b'""', id="401"),
        pytest.param("status", {"status": 500, "body": {"a": 1}}, 500, b'{"a":1}', id="500"),
        pytest.param("status", {}, 503, b'""', id="default"),
        pytest.param("garbage", {"body": "<html>"}, 200, b"<html>", id="garbage"),
    ],
)
async def test_a_handshake_can_be_refused_with_a_status(
    sandbox: Sandbox, open_client: "OpenClient", do: str, options: dict[str, Any], status: int, body: bytes
) -> None:
    fault = sandbox.faults.add("room.connect", do, headers={"X-A": "b"}, **options)

    with pytest.raises(InvalidStatus) as caught:
        await open_client()

    response = caught.value.response
    assert (response.status_code, response.body, response.headers["X-A"]) == (status, body, "b")
    assert hit_once(sandbox, fault)


async def test_a_handshake_can_go_unanswered(sandbox: Sandbox, open_client: "OpenClient") -> None:
    fault = sandbox.faults.add("room.connect", "hang")

    waiting = asyncio.create_task(open_client())
    await sandbox.journal.wait_for(lambda e: e.get("fault") == fault.id)

    assert not waiting.done()
    assert hit_once(sandbox, fault)
    waiting.cancel()
    with suppress(asyncio.CancelledError):
        await waiting


@pytest.mark.parametrize(("do", "ms"), [("delay", 60_000), ("duplicate", None)])
async def test_a_handshake_can_be_delayed_and_cannot_come_twice(
    sandbox: Sandbox, open_client: "OpenClient", do: str, ms: int | None
) -> None:
    fault = sandbox.faults.add("room.connect", do, ms=ms)
    waiting = asyncio.create_task(open_client())
    await sandbox.journal.wait_for(lambda e: e.get("fault") == fault.id)

    sandbox.clock.advance(60)

    assert (await waiting).heard[0]["context"] == "api"


@pytest.mark.parametrize(
    ("do", "frames", "code"),
    [
        pytest.param("close", [], 1005, id="close"),
        pytest.param("close_deliberate", ["primus::server::close"], 1005, id="deliberate"),
        pytest.param("cut_after_store", [], 1006, id="cut"),
    ],
)
async def test_a_connection_can_end_as_soon_as_it_stands(
    sandbox: Sandbox, open_client: "OpenClient", do: str, frames: list[str], code: int
) -> None:
    fault = sandbox.faults.add("room.connect", do)

    client = await open_client(welcome_read=False)
    with suppress(ConnectionClosed):
        while True:
            await client.next()

    assert client.heard == frames
    assert await client.end() == code
    assert hit_once(sandbox, fault)


# -- room.welcome


@pytest.mark.parametrize(
    ("do", "options", "heard"),
    [
        pytest.param("drop", {}, ["answer 1", "updatedUserData"], id="no welcome, but a server that listens"),
        pytest.param("reorder", {}, ["answer 1", "api", "updatedUserData"], id="a late welcome"),
        pytest.param("garbage", {}, ["garbage", "answer 1"], id="garbage"),
        pytest.param("garbage", {"body": {"context": "odd"}}, ["odd", "answer 1"], id="a body of one's own"),
    ],
)
async def test_the_welcome_can_go_wrong(
    sandbox: Sandbox, open_client: "OpenClient", do: str, options: dict[str, Any], heard: list[str]
) -> None:
    fault = sandbox.faults.add("room.welcome", do, **options)
    client = await open_client(welcome_read=False)

    await client.ask("joinRoom", 1)

    assert await shapes(client, len(heard)) == heard
    assert hit_once(sandbox, fault)


async def test_frames_before_a_delayed_welcome_are_lost(sandbox: Sandbox, open_client: "OpenClient") -> None:
    fault = sandbox.faults.add("room.welcome", "delay", ms=5000)
    client = await open_client(welcome_read=False)
    await client.ask("joinRoom", 1)
    await sandbox.journal.wait_for(lambda e: e["kind"] == "frame" and e["dir"] == "in")

    sandbox.clock.advance(5)
    await client.ask("joinRoom", 2)

    assert await shapes(client, 2) == ["api", "answer 2"]
    assert hit_once(sandbox, fault)


async def test_a_server_that_never_sets_up_answers_nothing(
    sandbox: Sandbox, open_client: "OpenClient"
) -> None:
    fault = sandbox.faults.add("room.welcome", "hang")
    client = await open_client(welcome_read=False)

    await client.ask("joinRoom", 1)
    await sandbox.journal.wait_for(lambda e: e["kind"] == "frame" and e["dir"] == "in")

    assert sandbox.bot.uid not in sandbox.room
    assert [e for e in sandbox.journal.events(dir="out", kind="frame") if e.get("sent") is not False] == []
    assert hit_once(sandbox, fault)


# -- responses


@pytest.mark.parametrize(
    ("do", "options", "heard"),
    [
        pytest.param("drop", {}, ["playedOneTimeAnimation"], id="lost"),
        pytest.param("duplicate", {}, ["answer 2", "answer 2", "playedOneTimeAnimation"], id="twice"),
        pytest.param("reorder", {}, ["playedOneTimeAnimation", "answer 2"], id="after its message"),
        pytest.param("status", {"body": "Nope."}, ["error 2"], id="an error"),
        pytest.param("status", {}, ["error 2"], id="an error without a text"),
        pytest.param("status", {"body": {"error": {"odd": 1}}}, ["error 2"], id="an error that is an object"),
        pytest.param("garbage", {}, ["garbage"], id="garbage"),
    ],
)
async def test_a_response_can_go_wrong(
    sandbox: Sandbox, joined: "Client", do: str, options: dict[str, Any], heard: list[str]
) -> None:
    fault = sandbox.faults.add("room.action", do, **options)

    await joined.ask("playOneTimeAnimation", 2, animation="jump")
    seen = await shapes(joined, len(heard))
    await joined.ask("playOneTimeAnimation", 3, animation="jump")

    assert seen == heard
    assert await shapes(joined, 1) == ["answer 3"]
    assert hit_once(sandbox, fault)


async def test_a_delayed_response_is_executed_at_once(sandbox: Sandbox, joined: "Client") -> None:
    sandbox.faults.add("room.action", "delay", ms=8000)

    await joined.ask("addDj", 2)
    first = await shapes(joined, 1)
    sandbox.clock.advance(8)

    assert first == ["addedDj"]
    assert await shapes(joined, 1) == ["answer 2"]


@pytest.mark.parametrize(
    ("do", "code", "executed"),
    [
        pytest.param("refuse", 1006, False, id="before"),
        pytest.param("cut_after_store", 1006, True, id="after"),
        pytest.param("close_deliberate", 1005, True, id="deliberate"),
    ],
)
async def test_an_action_can_end_the_connection_before_or_after_it_is_done(
    sandbox: Sandbox,
    joined: "Client",
    do: str,
    code: int,
    executed: bool,  # noqa: FBT001  a table's column
) -> None:
    fault = sandbox.faults.add("room.action", do)

    await joined.ask("addDj", 2)

    assert await joined.end() == code
    assert bool(sandbox.state["djs"]) is executed
    assert hit_once(sandbox, fault)


async def test_an_action_that_hangs_is_not_done_and_stays_pending(sandbox: Sandbox, joined: "Client") -> None:
    fault = sandbox.faults.add("room.action", "hang", times=5)

    for number in range(2, 8):
        await joined.ask("addDj", number)

    assert await shapes(joined, 1) == ["error 7"]
    assert sandbox.state["djs"] == []
    assert sandbox.faults.hits(fault.id) == 5


@pytest.mark.parametrize(
    ("do", "heard", "inside"),
    [
        pytest.param("hang", [], False, id="never answered"),
        pytest.param("drop", ["updatedUserData"], True, id="answer lost"),
        pytest.param("status", ["error 1"], False, id="refused"),
    ],
)
async def test_a_join_has_faults_of_its_own(
    sandbox: Sandbox,
    client: "Client",
    do: str,
    heard: list[str],
    inside: bool,  # noqa: FBT001  a table's column
) -> None:
    fault = sandbox.faults.add("room.joinRoom", do)

    await client.ask("joinRoom", 1)
    seen = await shapes(client, len(heard))
    await sandbox.journal.wait_for(lambda e: e.get("fault") == fault.id)

    assert seen == heard
    assert (sandbox.bot.uid in sandbox.room) is inside
    assert hit_once(sandbox, fault)


# -- room messages and pings


@pytest.mark.parametrize(
    ("do", "options", "heard"),
    [
        pytest.param("drop", {}, ["userLeft"], id="lost"),
        pytest.param("duplicate", {}, ["userJoined", "userJoined", "userLeft"], id="twice"),
        pytest.param("reorder", {}, ["userLeft", "userJoined"], id="out of order"),
        pytest.param("garbage", {}, ["garbage", "userLeft"], id="garbage"),
        pytest.param("garbage", {"body": ["odd"]}, ["['odd']", "userLeft"], id="a message that is a list"),
        pytest.param(
            "garbage",
            {"body": {"name": "userJoined", "statePatch": [{"op": "remove", "path": "/nowhere"}]}},
            ["userJoined", "userLeft"],
            id="an invalid patch",
        ),
    ],
)
async def test_a_room_message_can_go_wrong(
    sandbox: Sandbox, joined: "Client", do: str, options: dict[str, Any], heard: list[str]
) -> None:
    fault = sandbox.faults.add("room.message", do, **options)
    alice = sandbox.users.add("alice")

    await alice.join()
    await alice.leave()

    assert await shapes(joined, len(heard)) == heard
    assert hit_once(sandbox, fault)


async def test_a_delayed_room_message_comes_later(sandbox: Sandbox, joined: "Client") -> None:
    sandbox.faults.add("room.message", "delay", ms=3000)
    alice = sandbox.users.add("alice")
    await alice.join()
    await alice.leave()

    first = await shapes(joined, 1)
    sandbox.clock.advance(3)

    assert first == ["userLeft"]
    assert await shapes(joined, 1) == ["userJoined"]


@pytest.mark.parametrize(("do", "code"), [("close", 1005), ("abort", 1006), ("close_deliberate", 1005)])
async def test_the_connection_can_end_at_the_nth_message(
    sandbox: Sandbox, joined: "Client", do: str, code: int
) -> None:
    fault = sandbox.faults.add("room.message", do, after=1)
    alice = sandbox.users.add("alice")

    await alice.join()
    await alice.leave()

    assert await shapes(joined, 1) == ["userJoined"]
    assert await joined.end() == code
    assert hit_once(sandbox, fault)


async def test_pings_can_stop(sandbox: Sandbox, joined: "Client") -> None:
    fault = sandbox.faults.add("room.ping", "drop")

    sandbox.clock.advance(30)

    assert sandbox.journal.events(fault=fault.id)[0]["sent"] is False
    await joined.ask("playOneTimeAnimation", 2, animation="jump")
    assert await shapes(joined, 1) == ["answer 2"]


async def test_everything_of_the_room_can_be_hit_at_once(sandbox: Sandbox, open_client: "OpenClient") -> None:
    fault = sandbox.faults.add("room.*", "abort", after=2, times=0)
    client = await open_client()

    await client.ask("joinRoom", 1)

    assert await client.end() == 1006
    assert hit_once(sandbox, fault)
