"""The chat's socket: how it is opened, what it yields, and every way it ends."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from websockets.asyncio.server import ServerConnection, serve

from hangbot.bot.events import ChatMessage
from hangbot.bot.ports import Unreadable
from hangbot.clock import SystemClock
from hangbot.config import Settings
from hangbot.delivery.message import Outgoing
from hangbot.errors import ConnectionLost, ServiceError, TokenRejected, Unavailable, Unreachable
from hangbot.factory import open_clients
from hangbot.hangfm import chat_socket
from hangbot.hangfm.chat_socket import ChatSocket, open_chat_socket
from hangbot.sandbox import open_sandbox
from tests.bounds import WITHIN
from tests.cases import cases

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from hangbot.clock import Clock
    from hangbot.sandbox import Sandbox


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[ChatSocket]:
    async with (
        open_clients(settings) as clients,
        open_chat_socket(
            clients.chat, app_id=settings.chat_app_id, within=WITHIN, clock=SystemClock()
        ) as socket,
    ):
        await clients.chat.join()
        yield socket


async def next_text(socket: ChatSocket) -> str | None:
    async for row in socket.rows():
        if isinstance(row, ChatMessage) and row.category == "message":
            return row.text
    return None


async def test_lines_of_the_group_and_direct_ones_come_as_they_are_written(
    hangfm_sandbox: Sandbox, hangfm_settings: Settings
) -> None:
    async with opened(hangfm_settings) as socket:
        other = hangfm_sandbox.users.add("Ann")
        await other.join()
        await other.say("hello")
        await other.dm(hangfm_sandbox.bot.uid, "psst")
        async with asyncio.timeout(WITHIN):
            heard = [await next_text(socket), await next_text(socket)]

    assert heard == ["hello", "psst"]


async def test_the_bots_own_come_with_its_mark(hangfm_settings: Settings) -> None:
    async with open_clients(hangfm_settings) as clients:
        opening = open_chat_socket(clients.chat, app_id=None, within=WITHIN, clock=SystemClock())
        async with opening as socket, asyncio.timeout(WITHIN):
            await clients.chat.join()
            await clients.chat.send(Outgoing("one", clients.chat.group_id, "from the bot"))
            rows = socket.rows()
            row = await anext(rows)

    assert isinstance(row, ChatMessage)
    assert (row.text, row.raw["resource"]) == ("from the bot", clients.chat.resource)


@cases(
    "deed detail",
    ("closed", "close_deliberate", "close code 1000"),
    ("closed without a code", "close", "close code 1005"),
    ("aborted", "abort", "close code 1006"),
)
async def test_each_end_is_known(
    deed: str, detail: str, hangfm_sandbox: Sandbox, hangfm_settings: Settings
) -> None:
    async with opened(hangfm_settings) as socket:
        other = hangfm_sandbox.users.add("Ann")
        await other.join()
        hangfm_sandbox.faults.add("chat.ws", deed)
        await other.say("hello")
        async with asyncio.timeout(WITHIN):
            rows = [row.text async for row in socket.rows() if isinstance(row, ChatMessage)]
            ended = await socket.ended

    assert (ended.reason, ended.detail) == ("lost", detail)
    assert "hello" not in rows


async def test_a_deaf_connection_answers_pings_and_brings_nothing(
    hangfm_sandbox: Sandbox, hangfm_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat_socket, "PING_EVERY", 0.01)
    other = hangfm_sandbox.users.add("Ann")
    async with opened(hangfm_settings) as socket:
        await other.join()
        hangfm_sandbox.faults.add("chat.ws", "deaf")
        await other.say("one")
        await other.say("two")
        pongs = await hangfm_sandbox.journal.wait_for(
            lambda row: row.get("frame") == '{"action":"pong"}' and row["dir"] == "out", within=WITHIN
        )
        assert pongs
        assert not socket.ended.done()
    async with opened(hangfm_settings) as again:
        await other.say("three")
        async with asyncio.timeout(WITHIN):
            assert await next_text(again) == "three", "only that connection was deaf"


# -- servers written by hand


ACCEPTED = json.dumps({"type": "auth", "body": {"code": "200", "status": "OK"}})
REFUSED = json.dumps({"type": "auth", "body": {"code": "ERR_NO_AUTH", "status": "ERROR"}})


def line(number: object, text: str = "", **more: object) -> str:
    body = {"id": number, "sender": "ann", "receiverType": "group", "data": {"text": text}, **more}
    return json.dumps({"type": "message", "deviceId": "ann's", "body": body})


@asynccontextmanager
async def against(
    handler: Callable[[ServerConnection], Awaitable[None]], settings: Settings, clock: Clock | None = None
) -> AsyncIterator[ChatSocket]:
    """Open the socket of a server that was written by hand, with the sandbox's chat for its HTTP."""
    async with serve(handler, "127.0.0.1", 0, max_size=None) as server, open_clients(settings) as clients:
        port = next(iter(server.sockets)).getsockname()[1]
        await clients.chat.me()
        clients.chat.address = f"http://127.0.0.1:{port}"
        opening = open_chat_socket(clients.chat, app_id=None, within=WITHIN, clock=clock or SystemClock())
        async with opening as socket, asyncio.timeout(WITHIN):
            yield socket


async def test_what_cannot_be_read_stops_nothing(hangfm_settings: Settings) -> None:
    async def handle(server: ServerConnection) -> None:
        await server.recv()
        for frame in (
            "no JSON",
            ACCEPTED,
            "[]",
            "nul",
            b"\xff\xfe",
            json.dumps({"type": "message", "body": "text"}),
            json.dumps({"type": "message", "body": {"id": "x"}}),
            json.dumps({"type": "receipts", "body": None}),
            line("12", "as digits"),
            line(13, "an object", sender={"uid": "bob"}),
            line(13, "an object", sender={"uid": "bob"}),
            line(7, "late", sentAt=1_795_347_778_000),
        ):
            await server.send(frame)
        await server.close()

    async with against(handle, hangfm_settings) as socket:
        rows = [row async for row in socket.rows()]

    read = [(row.id, row.sender, row.text) for row in rows if isinstance(row, ChatMessage)]
    doubled = (13, "bob", "an object")
    assert read == [(12, "ann", "as digits"), doubled, doubled, (7, "ann", "late")]
    assert [row.why for row in rows if isinstance(row, Unreadable)] == [
        "it is no object, but str",
        "its id is none: 'x'",
    ]
    assert isinstance(rows[-1], ChatMessage)
    assert rows[-1].sent_at == 1_795_347_778.0


async def test_a_refused_token_is_exchanged_once(hangfm_settings: Settings, hangfm_sandbox: Sandbox) -> None:
    asked: list[str | bytes] = []

    async def handle(server: ServerConnection) -> None:
        asked.append(await server.recv())
        await server.send(REFUSED)
        asked.append(await server.recv())
        await server.send(ACCEPTED)
        await server.send(line(1, "in"))
        await server.wait_closed()

    async with against(handle, hangfm_settings) as socket:
        assert await next_text(socket) == "in"

    exchanges = hangfm_sandbox.journal.events(service="gateway", kind="http", dir="in")
    assert len(exchanges) == 2, "at the first request, and after the refusal"
    assert len(asked) == 2


@cases(
    "answers kind words",
    (
        "refused for good",
        [REFUSED, REFUSED],
        TokenRejected,
        r"refused the bot \(ERR_NO_AUTH\), with a new token",
    ),
    ("closed", [None], ConnectionLost, r"ended before it answered .* \(close code 1000\)"),
)
async def test_an_authentication_that_fails_says_why(
    answers: list[str | None], kind: type[ServiceError], words: str, hangfm_settings: Settings
) -> None:
    async def handle(server: ServerConnection) -> None:
        for answer in answers:
            await server.recv()
            if answer is None:
                await server.close()
                return
            await server.send(answer)
        await server.wait_closed()

    with pytest.raises(kind, match=words) as failed:
        async with against(handle, hangfm_settings):
            pass
    assert hangfm_settings.bot_user_token.get_secret_value() not in f"{failed.value!r} {failed.value.remedy}"


async def test_silence_after_the_authentication_is_not_waited_out_for_ever(
    hangfm_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat_socket, "AUTH_WITHIN", 0.05)

    async def handle(server: ServerConnection) -> None:
        await server.wait_closed()

    with pytest.raises(Unavailable, match=r"did not answer the bot's authentication in 0\.05 s"):
        async with against(handle, hangfm_settings):
            pass


async def test_a_server_that_answers_no_ping_has_gone(
    hangfm_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat_socket, "PING_EVERY", 0.02)
    monkeypatch.setattr(chat_socket, "SILENT_AFTER", 0.02)

    async def handle(server: ServerConnection) -> None:
        await server.recv()
        await server.send(ACCEPTED)
        await server.wait_closed()

    async with against(handle, hangfm_settings) as socket:
        assert [row async for row in socket.rows()] == []
        ended = await socket.ended

    assert (ended.reason, ended.detail) == ("silent", "no answer to a ping in 0.02 s")


async def test_a_flood_is_bounded_and_leaves_the_loop_its_turns(hangfm_settings: Settings) -> None:
    most = 20_000

    async def handle(server: ServerConnection) -> None:
        await server.recv()
        await server.send(ACCEPTED)
        for number in range(most):
            await server.send(line(number, "flood"))
        await server.close()

    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async with against(handle, hangfm_settings) as socket:
        turning = asyncio.create_task(turn())
        ids, longest = [], 0
        async for row in socket.rows():
            assert isinstance(row, ChatMessage)
            ids.append(row.id)
            longest = max(longest, len(socket._waiting))
        turning.cancel()

    assert ids == list(range(most))
    assert longest <= 256
    assert turns > most / 256


async def test_no_connection_is_an_error_like_any_other(hangfm_settings: Settings) -> None:
    async with open_clients(hangfm_settings) as clients:
        await clients.chat.me()
        clients.chat.address = "http://127.0.0.8:9"
        with pytest.raises(Unreachable, match=r"no connection to http://127\.0\.0\.8:9"):
            async with open_chat_socket(clients.chat, app_id=None, within=WITHIN, clock=SystemClock()):
                pass


@cases(
    "status words",
    ("in trouble", 503, "status 503"),
    ("no such path", 404, "status 404"),
    ("no upgrade", 426, "status 426"),
    ("refused", 403, "status 403"),
)
async def test_an_answer_that_is_no_upgrade(
    status: int, words: str, hangfm_sandbox: Sandbox, hangfm_settings: Settings
) -> None:
    hangfm_sandbox.faults.add("chat.ws", "status", status=status)

    with pytest.raises(Unavailable, match=words) as failed:
        async with opened(hangfm_settings):
            pass

    assert failed.value.service == "chat"
    assert status == 503 or "Check OPENCHAT_BASE_URL" in failed.value.remedy


async def test_the_socket_of_cometchat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_socket, "AUTH_WITHIN", 5.0)
    async with open_sandbox(dialect="cometchat") as sandbox:
        settings = Settings.from_env(sandbox.env())
        async with opened(settings) as socket:
            other = sandbox.users.add("Ann")
            await other.join()
            await other.say("hello")
            async with asyncio.timeout(WITHIN):
                assert await next_text(socket) == "hello"
