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
from tests.cases import cases

if TYPE_CHECKING:
    from tests.sandbox.room.conftest import Client, OpenClient


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


async def test_a_connection_can_end_before_its_answer(sandbox: Sandbox, open_client: "OpenClient") -> None:
    fault = sandbox.faults.add("room.connect", "refuse")

    with pytest.raises((InvalidMessage, InvalidHandshake, ConnectionError, EOFError)):
        await open_client()

    assert hit_once(sandbox, fault)
    assert (await open_client()).heard[0]["context"] == "api"


@cases(
    "do options status body",
    ("401", "status", {"status": 401}, 401, b'""'),
    ("500", "status", {"status": 500, "body": {"a": 1}}, 500, b'{"a":1}'),
    ("default", "status", {}, 503, b'""'),
    ("garbage", "garbage", {"body": "<html>"}, 200, b"<html>"),
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


# -- what is said


WHOLE = ["api", "answer 1", "updatedUserData", "answer 2", "addedDj", "userJoined", "userLeft"]
ON_PURPOSE = "primus::server::close"
INVALID = {"name": "addedDj", "statePatch": [{"op": "remove", "path": "/nowhere"}]}


def without(*left_out: str, **instead: str) -> list[str]:
    """All that is heard without a fault, but these, and others in the place of some."""
    return [instead.get(name.replace(" ", "_"), name) for name in WHOLE if name not in left_out]


def moved(name: str, to: int) -> list[str]:
    heard = without(name)
    heard.insert(to, name)
    return heard


REFUSED = without("addedDj", answer_2="error 2")
NO_PROFILES = without("updatedUserData")


# What goes wrong, what is heard then, how the connection ends. The first message has the profiles.
@cases(
    "on do options heard code",
    ("nothing goes wrong", "room.ping", "drop", {}, WHOLE, None),
    ("connect: close", "room.connect", "close", {}, [], 1005),
    ("connect: close on purpose", "room.connect", "close_deliberate", {}, [ON_PURPOSE], 1005),
    ("connect: cut", "room.connect", "cut_after_store", {}, [], 1006),
    ("welcome: none, but it listens", "room.welcome", "drop", {}, without("api"), None),
    ("welcome: late", "room.welcome", "reorder", {}, moved("api", 1), None),
    ("welcome: frames before it are lost", "room.welcome", "delay", {"ms": 5000}, ["api"], None),
    ("welcome: garbage", "room.welcome", "garbage", {}, without(api="garbage"), None),
    ("welcome: odd", "room.welcome", "garbage", {"body": {"context": "x"}}, without(api="x"), None),
    ("join: never answered", "room.joinRoom", "hang", {}, ["api", "error 2"], None),
    ("join: its answer lost", "room.joinRoom", "drop", {}, without("answer 1"), None),
    ("join: refused", "room.joinRoom", "status", {}, ["api", "error 1", "error 2"], None),
    ("answer: lost", "room.action", "drop", {}, without("answer 2"), None),
    ("answer: twice", "room.action", "duplicate", {}, [*WHOLE[:4], "answer 2", *WHOLE[4:]], None),
    ("answer: after its message", "room.action", "reorder", {}, moved("answer 2", 4), None),
    ("answer: delayed", "room.action", "delay", {"ms": 5000}, moved("answer 2", 6), None),
    ("answer: an error", "room.action", "status", {"body": "Nope."}, REFUSED, None),
    ("answer: an error without a text", "room.action", "status", {}, REFUSED, None),
    ("answer: an object", "room.action", "status", {"body": {"error": {"odd": 1}}}, REFUSED, None),
    ("answer: garbage", "room.action", "garbage", {}, without("addedDj", answer_2="garbage"), None),
    ("action: cut before", "room.action", "refuse", {}, WHOLE[:3], 1006),
    ("action: cut after", "room.action", "cut_after_store", {}, WHOLE[:3], 1006),
    ("action: closed on purpose", "room.action", "close_deliberate", {}, [*WHOLE[:3], ON_PURPOSE], 1005),
    ("message: lost", "room.message", "drop", {"after": 1}, without("addedDj"), None),
    ("message: lost by its name", "room.message", "drop", {"name": "userLeft"}, without("userLeft"), None),
    ("message: the profiles lost", "room.message", "drop", {"name": "updatedUserData"}, NO_PROFILES, None),
    ("action: by its name", "room.action", "status", {"name": "addDj"}, REFUSED, None),
    ("message: twice", "room.message", "duplicate", {"after": 1}, [*WHOLE[:5], "addedDj", *WHOLE[5:]], None),
    ("message: out of order", "room.message", "reorder", {"after": 1}, moved("addedDj", 5), None),
    ("message: delayed", "room.message", "delay", {"after": 1, "ms": 5000}, moved("addedDj", 6), None),
    ("message: garbage", "room.message", "garbage", {"after": 1}, without(addedDj="garbage"), None),
    ("message: a list", "room.message", "garbage", {"after": 1, "body": [0]}, without(addedDj="[0]"), None),
    ("message: an invalid patch", "room.message", "garbage", {"after": 1, "body": INVALID}, WHOLE, None),
    ("message: close at the third", "room.message", "close", {"after": 2}, WHOLE[:5], 1005),
    ("message: abort at the third", "room.message", "abort", {"after": 2}, WHOLE[:5], 1006),
    ("everything of the room", "room.*", "abort", {"after": 2}, ["api"], 1006),
)
async def test_a_fault_changes_what_is_heard(  # noqa: PLR0917  columns of the table
    sandbox: Sandbox,
    open_client: "OpenClient",
    on: str,
    do: str,
    options: dict[str, Any],
    heard: list[str],
    code: int | None,
) -> None:
    fault = sandbox.faults.add(on, do, **options)
    client = await open_client(welcome_read=False)
    alice = sandbox.users.add("alice")
    seen: list[str] = []

    def is_read(event: dict[str, Any]) -> bool:
        return event["kind"] == "close" or '"messageId": 2' in event.get("frame", "")

    with suppress(ConnectionClosed):
        await client.ask("joinRoom", 1)
        await client.ask("addDj", 2)
    await sandbox.journal.wait_for(is_read)
    await asyncio.sleep(0)  # what was read is done in the next iteration
    await alice.join()
    await alice.leave()
    sandbox.clock.advance(5)
    with suppress(ConnectionClosed):
        await client.ask("nope", 3)
    with suppress(ConnectionClosed):
        while not seen or seen[-1] != "error 3":
            seen.append(shape(await asyncio.wait_for(client.ws.recv(), WITHIN)))

    assert [name for name in seen if name != "error 3"] == heard
    assert client.ws.close_code == code
    assert on == "room.ping" or hit_once(sandbox, fault)


@pytest.mark.parametrize(("do", "done"), [("refuse", False), ("cut_after_store", True), ("close", True)])
async def test_an_action_can_be_the_last(sandbox: Sandbox, joined: "Client", do: str, *, done: bool) -> None:
    sandbox.faults.add("room.action", do)

    await joined.ask("addDj", 2)
    await joined.end()

    assert bool(sandbox.state["djs"]) is done


# -- what is said no more


async def test_a_server_never_set_up_answers_nothing(sandbox: Sandbox, open_client: "OpenClient") -> None:
    fault = sandbox.faults.add("room.welcome", "hang")
    client = await open_client(welcome_read=False)

    await client.ask("joinRoom", 1)
    await sandbox.journal.wait_for(lambda e: e["kind"] == "frame" and e["dir"] == "in")

    assert sandbox.bot.uid not in sandbox.room
    assert [e for e in sandbox.journal.events(dir="out", kind="frame") if e.get("sent") is not False] == []
    assert hit_once(sandbox, fault)


async def test_an_action_that_hangs_is_not_done_and_stays_pending(sandbox: Sandbox, joined: "Client") -> None:
    fault = sandbox.faults.add("room.action", "hang", times=5)

    for number in range(2, 8):
        await joined.ask("addDj", number)

    assert shape(await joined.ws.recv()) == "error 7"
    assert sandbox.state["djs"] == []
    assert sandbox.faults.hits(fault.id) == 5


async def test_pings_can_stop(sandbox: Sandbox, joined: "Client") -> None:
    fault = sandbox.faults.add("room.ping", "drop")

    sandbox.clock.advance(30)

    assert sandbox.journal.events(fault=fault.id)[0]["sent"] is False
    await joined.ask("playOneTimeAnimation", 2, animation="jump")
    assert shape(await joined.ws.recv()) == "answer 2"
