"""Every fault on the room socket: what the client sees, that it is counted, and that it is in the journal."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from typing import Any

import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidStatus

from hangbot.sandbox import Fault, Sandbox, open_sandbox
from tests.bounds import WITHIN


class Bot:
    """A client that notes what it hears until the connection ends."""

    def __init__(self, sandbox: Sandbox, ws: ClientConnection) -> None:
        self.sandbox = sandbox
        self.ws = ws

    async def next(self) -> str:
        frame = await asyncio.wait_for(self.ws.recv(), WITHIN)
        assert isinstance(frame, str)
        return frame

    async def ask(self, action: str, number: int, **params: Any) -> None:  # noqa: ANN401  any JSON value
        params = {"roomUuid": self.sandbox.room_uuid, **params, "action": action}
        await self.ws.send(json.dumps({"event": "action", "params": params, "messageId": number}))

    async def shapes(self, count: int) -> list[str]:
        return [shape(await self.next()) for _ in range(count)]

    async def code(self) -> int | None:
        await asyncio.wait_for(self.ws.wait_closed(), WITHIN)
        return self.ws.close_code


def shape(text: str) -> str:
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


@pytest_asyncio.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with open_sandbox(control=False) as opened:
        yield opened


@pytest_asyncio.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as opened:
        yield opened


async def connected(stack: AsyncExitStack, sandbox: Sandbox) -> Bot:
    url = f"{sandbox.room_url.replace('http', 'ws', 1)}/primus?token={sandbox.bot.token}"
    ws = await stack.enter_async_context(
        connect(url, proxy=None, ping_interval=None, close_timeout=1, open_timeout=WITHIN)
    )
    return Bot(sandbox, ws)


async def joined(stack: AsyncExitStack, sandbox: Sandbox) -> Bot:
    bot = await connected(stack, sandbox)
    await bot.ask("joinRoom", 1)
    assert await bot.shapes(3) == ["api", "answer 1", "updatedUserData"]
    return bot


def hit_once(sandbox: Sandbox, fault: Fault) -> bool:
    """Whether a fault hit exactly once, and the journal shows it as that fault."""
    return sandbox.faults.hits(fault.id) == 1 and bool(sandbox.journal.events(fault=fault.id))


# -- room.connect


@pytest.mark.parametrize("do", ["refuse", "cut_before_store"])
async def test_a_connection_can_be_dropped_before_its_answer(
    sandbox: Sandbox, stack: AsyncExitStack, do: str
) -> None:
    fault = sandbox.faults.add("room.connect", do)

    with pytest.raises((InvalidMessage, InvalidHandshake, ConnectionError, EOFError)):
        await connected(stack, sandbox)

    assert hit_once(sandbox, fault)
    assert await (await connected(stack, sandbox)).shapes(1) == ["api"]


@pytest.mark.parametrize(
    ("options", "status"),
    [({"status": 401}, 401), ({"status": 500, "body": {"a": 1}, "headers": {"X-A": "b"}}, 500), ({}, 503)],
    ids=["401", "500", "default"],
)
async def test_a_handshake_can_be_refused_with_a_status(
    sandbox: Sandbox, stack: AsyncExitStack, options: dict[str, Any], status: int
) -> None:
    fault = sandbox.faults.add("room.connect", "status", **options)

    with pytest.raises(InvalidStatus) as caught:
        await connected(stack, sandbox)

    assert caught.value.response.status_code == status
    assert hit_once(sandbox, fault)


async def test_a_handshake_can_be_answered_with_garbage(sandbox: Sandbox, stack: AsyncExitStack) -> None:
    fault = sandbox.faults.add("room.connect", "garbage", body="<html>")

    with pytest.raises(InvalidStatus) as caught:
        await connected(stack, sandbox)

    assert caught.value.response.body == b"<html>"
    assert hit_once(sandbox, fault)


@pytest.mark.parametrize("do", ["hang", "drop"])
async def test_a_handshake_can_go_unanswered(sandbox: Sandbox, stack: AsyncExitStack, do: str) -> None:
    fault = sandbox.faults.add("room.connect", do)

    waiting = asyncio.create_task(connected(stack, sandbox))
    await sandbox.journal.wait_for(lambda e: e.get("fault") == fault.id)

    assert not waiting.done()
    assert hit_once(sandbox, fault)
    waiting.cancel()
    with suppress(asyncio.CancelledError):
        await waiting


async def test_a_handshake_can_be_delayed(sandbox: Sandbox, stack: AsyncExitStack) -> None:
    fault = sandbox.faults.add("room.connect", "delay", ms=60_000)
    waiting = asyncio.create_task(connected(stack, sandbox))
    await sandbox.journal.wait_for(lambda e: e.get("fault") == fault.id)

    sandbox.clock.advance(60)

    assert await (await waiting).shapes(1) == ["api"]


@pytest.mark.parametrize(
    ("do", "frames", "code"),
    [
        pytest.param("close", [], 1005, id="close"),
        pytest.param("close_deliberate", ['"primus::server::close"'], 1005, id="deliberate"),
        pytest.param("abort", [], 1006, id="abort"),
        pytest.param("cut_after_store", [], 1006, id="cut"),
    ],
)
async def test_a_connection_can_end_as_soon_as_it_stands(
    sandbox: Sandbox, stack: AsyncExitStack, do: str, frames: list[str], code: int
) -> None:
    fault = sandbox.faults.add("room.connect", do)

    bot = await connected(stack, sandbox)
    heard = []
    with suppress(ConnectionClosed):
        while True:
            heard.append(await bot.next())

    assert heard == frames
    assert await bot.code() == code
    assert hit_once(sandbox, fault)


# -- room.welcome


@pytest.mark.parametrize(
    ("do", "options", "heard"),
    [
        pytest.param("drop", {}, ["answer 1", "updatedUserData"], id="no welcome, but a server that listens"),
        pytest.param("duplicate", {}, ["api", "api", "answer 1"], id="two welcomes"),
        pytest.param("reorder", {}, ["answer 1", "api", "updatedUserData"], id="a late welcome"),
        pytest.param("garbage", {}, ["garbage", "answer 1"], id="garbage"),
        pytest.param("garbage", {"body": {"context": "odd"}}, ["odd", "answer 1"], id="a body of one's own"),
    ],
)
async def test_the_welcome_can_go_wrong(
    sandbox: Sandbox, stack: AsyncExitStack, do: str, options: dict[str, Any], heard: list[str]
) -> None:
    fault = sandbox.faults.add("room.welcome", do, **options)
    bot = await connected(stack, sandbox)

    await bot.ask("joinRoom", 1)

    assert await bot.shapes(len(heard)) == heard
    assert hit_once(sandbox, fault)


async def test_frames_before_a_delayed_welcome_are_lost(sandbox: Sandbox, stack: AsyncExitStack) -> None:
    fault = sandbox.faults.add("room.welcome", "delay", ms=5000)
    bot = await connected(stack, sandbox)
    await bot.ask("joinRoom", 1)
    await sandbox.journal.wait_for(lambda e: e["kind"] == "frame" and e["dir"] == "in")

    sandbox.clock.advance(5)
    await bot.ask("joinRoom", 2)

    assert await bot.shapes(2) == ["api", "answer 2"]
    assert hit_once(sandbox, fault)


async def test_a_server_that_never_sets_up_answers_nothing(sandbox: Sandbox, stack: AsyncExitStack) -> None:
    fault = sandbox.faults.add("room.welcome", "hang")
    bot = await connected(stack, sandbox)

    await bot.ask("joinRoom", 1)
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
    sandbox: Sandbox, stack: AsyncExitStack, do: str, options: dict[str, Any], heard: list[str]
) -> None:
    bot = await joined(stack, sandbox)
    fault = sandbox.faults.add("room.action", do, **options)

    await bot.ask("playOneTimeAnimation", 2, animation="jump")
    seen = await bot.shapes(len(heard))
    await bot.ask("playOneTimeAnimation", 3, animation="jump")

    assert seen == heard
    assert await bot.shapes(1) == ["answer 3"]
    assert hit_once(sandbox, fault)


async def test_a_delayed_response_is_executed_at_once(sandbox: Sandbox, stack: AsyncExitStack) -> None:
    bot = await joined(stack, sandbox)
    sandbox.faults.add("room.action", "delay", ms=8000)

    await bot.ask("addDj", 2)
    first = await bot.shapes(1)
    sandbox.clock.advance(8)

    assert first == ["addedDj"]
    assert await bot.shapes(1) == ["answer 2"]


@pytest.mark.parametrize(
    ("do", "code", "executed"),
    [
        pytest.param("refuse", 1006, False, id="refuse"),
        pytest.param("cut_before_store", 1006, False, id="before"),
        pytest.param("cut_after_store", 1006, True, id="after"),
        pytest.param("abort", 1006, True, id="abort"),
        pytest.param("close", 1005, True, id="close"),
        pytest.param("close_deliberate", 1005, True, id="deliberate"),
    ],
)
async def test_an_action_can_end_the_connection_before_or_after_it_is_done(
    sandbox: Sandbox,
    stack: AsyncExitStack,
    do: str,
    code: int,
    executed: bool,  # noqa: FBT001  a table's column
) -> None:
    bot = await joined(stack, sandbox)
    fault = sandbox.faults.add("room.action", do)

    await bot.ask("addDj", 2)

    assert await bot.code() == code
    assert bool(sandbox.state["djs"]) is executed
    assert hit_once(sandbox, fault)


async def test_an_action_that_hangs_is_not_done_and_stays_pending(
    sandbox: Sandbox, stack: AsyncExitStack
) -> None:
    bot = await joined(stack, sandbox)
    fault = sandbox.faults.add("room.action", "hang", times=5)

    for number in range(2, 8):
        await bot.ask("addDj", number)

    assert await bot.shapes(1) == ["error 7"]
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
    stack: AsyncExitStack,
    do: str,
    heard: list[str],
    inside: bool,  # noqa: FBT001  a table's column
) -> None:
    fault = sandbox.faults.add("room.joinRoom", do)
    bot = await connected(stack, sandbox)

    await bot.ask("joinRoom", 1)
    seen = await bot.shapes(1 + len(heard))
    await sandbox.journal.wait_for(lambda e: e.get("fault") == fault.id)

    assert seen == ["api", *heard]
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
    sandbox: Sandbox, stack: AsyncExitStack, do: str, options: dict[str, Any], heard: list[str]
) -> None:
    bot = await joined(stack, sandbox)
    fault = sandbox.faults.add("room.message", do, **options)
    alice = sandbox.users.add("alice")

    await alice.join()
    await alice.leave()

    assert await bot.shapes(len(heard)) == heard
    assert hit_once(sandbox, fault)


async def test_a_delayed_room_message_comes_later(sandbox: Sandbox, stack: AsyncExitStack) -> None:
    bot = await joined(stack, sandbox)
    sandbox.faults.add("room.message", "delay", ms=3000)
    alice = sandbox.users.add("alice")
    await alice.join()
    await alice.leave()

    first = await bot.shapes(1)
    sandbox.clock.advance(3)

    assert first == ["userLeft"]
    assert await bot.shapes(1) == ["userJoined"]


@pytest.mark.parametrize(("do", "code"), [("close", 1005), ("abort", 1006), ("close_deliberate", 1005)])
async def test_the_connection_can_end_at_the_nth_message(
    sandbox: Sandbox, stack: AsyncExitStack, do: str, code: int
) -> None:
    bot = await joined(stack, sandbox)
    fault = sandbox.faults.add("room.message", do, after=1)
    alice = sandbox.users.add("alice")

    await alice.join()
    await alice.leave()

    assert await bot.shapes(1) == ["userJoined"]
    assert await bot.code() == code
    assert hit_once(sandbox, fault)


async def test_pings_can_stop(sandbox: Sandbox, stack: AsyncExitStack) -> None:
    bot = await joined(stack, sandbox)
    fault = sandbox.faults.add("room.ping", "drop")

    sandbox.clock.advance(30)

    assert sandbox.journal.events(fault=fault.id)[0]["sent"] is False
    await bot.ask("playOneTimeAnimation", 2, animation="jump")
    assert await bot.shapes(1) == ["answer 2"]


async def test_everything_of_the_room_can_be_hit_at_once(sandbox: Sandbox, stack: AsyncExitStack) -> None:
    fault = sandbox.faults.add("room.*", "abort", after=2, times=0)
    bot = await connected(stack, sandbox)

    await bot.ask("joinRoom", 1)

    assert await bot.shapes(1) == ["api"]
    assert await bot.code() == 1006
    assert hit_once(sandbox, fault)
