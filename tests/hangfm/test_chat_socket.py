"""The chat's socket: how it is opened, what it yields, and every way it ends."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.utils import accept_key

from hangbot.bot.events import ChatMessage
from hangbot.bot.ports import Unreadable
from hangbot.clock import SystemClock
from hangbot.config import Settings
from hangbot.delivery.message import Outgoing
from hangbot.errors import ConnectionLost, ServiceError, TokenRejected, Unavailable, Unreachable
from hangbot.factory import open_clients
from hangbot.hangfm import chat_socket
from hangbot.hangfm.chat_socket import ChatSocket, open_chat_socket
from hangbot.hangfm.wire import chat_socket as wire
from hangbot.sandbox import open_sandbox
from pytest_hangfm.manual_clock import ManualClock
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


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(WITHIN):
        while not true():  # noqa: ASYNC110  nothing tells
            await asyncio.sleep(0.001)


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


async def test_a_ping_is_sent_every_15_s_and_any_frame_after_it_shows_life(hangfm_settings: Settings) -> None:
    pings: asyncio.Queue[float] = asyncio.Queue()
    clock = ManualClock()

    async def handle(server: ServerConnection) -> None:
        await server.recv()
        await server.send(ACCEPTED)
        async for frame in server:
            assert frame == '{"action":"ping","ack":"true"}'
            pings.put_nowait(clock.now())
            await server.send('{"action":"pong"}' if pings.qsize() % 2 else '{"type":"receipts"}')

    async with against(handle, hangfm_settings, clock) as socket:
        began, heard = clock.now(), []
        for _ in range(3):
            assert await clock.next_wait() == 15
            await clock.advance(15)
            heard.append(await pings.get() - began)

        assert not socket.ended.done()
    assert heard == [15, 30, 45]


async def test_half_a_frame_is_no_sign_of_life(
    hangfm_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat_socket, "PING_EVERY", 0.05)
    monkeypatch.setattr(chat_socket, "SILENT_AFTER", 0.05)

    async def handle(server: ServerConnection) -> None:
        await server.recv()
        await server.send(ACCEPTED)
        server.transport.write(b"\x81\x7e\x10\x00" + b'{"type":"message"')
        await server.wait_closed()

    async with against(handle, hangfm_settings) as socket:
        ended = await socket.ended

    assert ended.reason == "silent"


@cases(
    "frames detail",
    ("too large", [b"\x81\x7f" + (17 * 2**20).to_bytes(8, "big") + b"x"], "closed with code 1009"),
    ("no frame", [b"\xff\xff\xff\xff"], "closed with code 1002"),
    ("no UTF-8", [b"\x81\x02\xff\xfe"], "closed with code 1007"),
)
async def test_what_breaks_the_protocol_ends_it_and_is_named(
    frames: list[bytes], detail: str, hangfm_settings: Settings
) -> None:
    async def handle(server: ServerConnection) -> None:
        await server.recv()
        await server.send(ACCEPTED)
        for frame in frames:
            server.transport.write(frame)
        await server.wait_closed()

    async with against(handle, hangfm_settings) as socket:
        assert [row async for row in socket.rows()] == []
        ended = await socket.ended

    assert ended.reason == "lost"
    assert ended.detail.startswith(detail)


async def test_a_bug_in_reading_ends_it_instead_of_making_the_bot_deaf(
    hangfm_settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: object) -> None:
        raise ZeroDivisionError

    async def handle(server: ServerConnection) -> None:
        await server.recv()
        await server.send(ACCEPTED)
        await server.recv()
        await server.send(line(1))
        await server.wait_closed()

    async with against(handle, hangfm_settings) as socket:
        monkeypatch.setattr(wire, "decode", fail)
        await socket._connection.send("go on")
        assert [row async for row in socket.rows()] == []
        ended = await socket.ended

    assert (ended.reason, ended.detail) == ("lost", "reading it failed")
    assert "a task of the chat's socket failed" in caplog.text


async def test_a_server_that_never_answers_the_close_holds_nothing_up(hangfm_settings: Settings) -> None:
    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        key = next(row.split(": ")[1] for row in head.split("\r\n") if row.startswith("Sec-WebSocket-Key"))
        upgrade = ("HTTP/1.1 101 X", "Upgrade: websocket", "Connection: Upgrade")
        answer = "\r\n".join((*upgrade, f"Sec-WebSocket-Accept: {accept_key(key)}", "", ""))
        writer.write(answer.encode() + bytes([0x81, len(ACCEPTED)]) + ACCEPTED.encode())
        with suppress(OSError):
            while await reader.read(1000):
                pass
        writer.close()

    server = await asyncio.start_server(serve_one, "127.0.0.1", 0)
    async with server, open_clients(hangfm_settings) as clients:
        await clients.chat.me()
        clients.chat.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with open_chat_socket(clients.chat, app_id=None, within=WITHIN, clock=SystemClock()) as socket:
            began = asyncio.get_running_loop().time()
        took = asyncio.get_running_loop().time() - began

    assert socket.ended.result().reason == "left"
    assert took < 9  # websockets would wait for ten seconds


async def test_cancelled_at_any_moment_it_leaves_no_task_and_no_connection(
    hangfm_sandbox: Sandbox, hangfm_settings: Settings
) -> None:
    async with open_clients(hangfm_settings) as clients:
        await clients.chat.me()

        async def use() -> None:
            async with open_chat_socket(
                clients.chat, app_id=None, within=WITHIN, clock=SystemClock()
            ) as socket:
                async for _ in socket.rows():
                    pass

        for turns in range(60):
            task = asyncio.create_task(use())
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("hangbot-")]

    journal = hangfm_sandbox.journal
    opened = journal.events(service="chat", kind="open")
    assert 5 < len(opened) < 60
    await until(lambda: len(journal.events(service="chat", kind="close")) == len(opened))


async def test_large_frames_wait_at_the_server(hangfm_settings: Settings) -> None:
    sent = 0

    async def handle(server: ServerConnection) -> None:
        nonlocal sent
        await server.recv()
        await server.send(ACCEPTED)
        for number in range(64):
            await server.send(line(number, "x" * 2**20))
            sent += 1
        await server.close()

    async with against(handle, hangfm_settings) as socket:
        await until(lambda: not socket._room.is_set())
        waiting = len(socket._waiting)
        rows = [row async for row in socket.rows()]

    assert waiting == 4
    assert len(rows) == sent == 64


async def test_unknown_kinds_are_told_once(
    hangfm_settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "hangbot")

    async def handle(server: ServerConnection) -> None:
        await server.recv()
        await server.send(ACCEPTED)
        for kind in ("receipts", "newest_fashion", "newest_fashion", "presence", *map(str, range(100))):
            await server.send(json.dumps({"type": kind, "body": {}}))
        await server.close()

    async with against(handle, hangfm_settings) as socket:
        assert [row async for row in socket.rows()] == []

    told = [row.getMessage() for row in caplog.records if "not known" in row.getMessage()]
    assert told[0].endswith("not known: newest_fashion")
    assert len(told) == 20


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
    ("unauthorised", 401, "status 401"),
)
async def test_an_answer_that_is_no_upgrade(
    status: int, words: str, hangfm_sandbox: Sandbox, hangfm_settings: Settings
) -> None:
    hangfm_sandbox.faults.add("chat.ws", "status", status=status)

    with pytest.raises(Unavailable, match=words) as failed:
        async with opened(hangfm_settings):
            pass

    assert failed.value.service == "chat"
    assert hangfm_settings.chat_url in str(failed.value)
    assert status == 503 or "Check OPENCHAT_BASE_URL" in failed.value.remedy


@cases(
    "deed kind words",
    ("hanging", "hang", Unreachable, r"no connection to http://127\.0\.0\.1:\d+ in 0\.2 s"),
    ("cut off", "refuse", Unavailable, "does not speak websocket"),
    ("cut off later", "cut_after_store", Unavailable, "does not speak websocket"),
)
async def test_an_upgrade_without_an_answer(
    deed: str, kind: type[ServiceError], words: str, hangfm_sandbox: Sandbox, hangfm_settings: Settings
) -> None:
    hangfm_sandbox.faults.add("chat.ws", deed)

    async with open_clients(hangfm_settings) as clients:
        opening = open_chat_socket(clients.chat, app_id=None, within=0.2, clock=SystemClock())
        with pytest.raises(kind, match=words):
            async with opening:
                pass


@cases(
    "deed kind words",
    ("silent", "drop", Unavailable, r"did not answer the bot's authentication in 0\.2 s"),
    ("closed", "close_deliberate", ConnectionLost, r"before it answered .* \(close code 1000\)"),
    ("closed without a code", "close", ConnectionLost, r"\(close code 1005\)"),
    ("aborted", "abort", ConnectionLost, r"\(close code 1006\)"),
    ("refused twice", "garbage", TokenRejected, r"refused the bot \(ERR_NO_AUTH\)"),
)
async def test_the_sandbox_answers_an_authentication_in_every_bad_way(
    deed: str,
    kind: type[ServiceError],
    words: str,
    hangfm_sandbox: Sandbox,
    hangfm_settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(chat_socket, "AUTH_WITHIN", 0.2)
    hangfm_sandbox.faults.add("chat.ws", deed, times=2 if deed == "garbage" else 1, body=json.loads(REFUSED))

    with pytest.raises(kind, match=words):
        async with opened(hangfm_settings):
            pass
    async with opened(hangfm_settings):
        pass


@cases(
    "deed said heard",
    ("twice", "duplicate", ["one", "two"], ["one", "one", "two"]),
    ("out of order", "reorder", ["one", "two", "three"], ["two", "one", "three"]),
    ("lost", "drop", ["one", "two"], ["two"]),
    ("garbled", "garbage", ["one", "two"], ["two"]),
    ("held back", "delay", ["one", "two"], ["one", "two"]),
)
async def test_frames_come_as_a_bad_server_sends_them(
    deed: str, said: list[str], heard: list[str], hangfm_sandbox: Sandbox, hangfm_settings: Settings
) -> None:
    other = hangfm_sandbox.users.add("Ann")
    await other.join()
    async with opened(hangfm_settings) as socket, asyncio.timeout(WITHIN):
        hangfm_sandbox.faults.add("chat.ws", deed, ms=20 if deed == "delay" else None)
        for text in said:
            await other.say(text)

        assert [await next_text(socket) for _ in heard] == heard


@cases(
    "status headers words",
    ("a redirect", 302, {"Location": "https://login.example/?token=1"}, "302, a redirect to login.example$"),
    ("a page", 403, {"Content-Type": "text/html"}, "status 403, a web page$"),
)
async def test_what_answers_in_the_chats_place_is_named_and_not_followed(
    status: int, headers: dict[str, str], words: str, hangfm_sandbox: Sandbox, hangfm_settings: Settings
) -> None:
    hangfm_sandbox.faults.add("chat.ws", "status", status=status, headers=headers, body="<html>")

    with pytest.raises(Unavailable, match=words) as failed:
        async with opened(hangfm_settings):
            pass

    assert "Check OPENCHAT_BASE_URL" in failed.value.remedy


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
