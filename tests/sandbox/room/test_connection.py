"""One connection on the wire, as bytes where it matters."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp
import pytest
from aiohttp import WSMsgType
from websockets.asyncio.client import connect

from hangbot.sandbox import RoomVariants, Sandbox, open_sandbox
from tests.bounds import WITHIN

if TYPE_CHECKING:
    from hangbot.sandbox.room.actionhero import Call
    from hangbot.sandbox.room.actions import Outcome
    from hangbot.sandbox.room.connection import RoomConnection
    from tests.sandbox.room.conftest import OpenClient


@asynccontextmanager
async def opened(sandbox: Sandbox) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection as bytes, after its handshake and its welcome."""
    reader, writer = await asyncio.open_connection("127.0.0.1", sandbox.room_port)
    head = f"GET /primus?token={sandbox.bot.token} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
    head += "Connection: Upgrade\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
    try:
        writer.write((head + "Sec-WebSocket-Version: 13\r\n\r\n").encode())
        async with asyncio.timeout(WITHIN):
            await reader.readuntil(b'"context":"api"}')
        yield reader, writer
    finally:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


def masked(text: str) -> bytes:
    payload = text.encode()
    return b"\x81\xfe" + len(payload).to_bytes(2) + b"\0\0\0\0" + payload


async def test_a_close_of_the_client_is_echoed_without_a_code(sandbox: Sandbox) -> None:
    async with opened(sandbox) as (reader, writer):
        writer.write(b"\x88\x80\0\0\0\0")

        async with asyncio.timeout(WITHIN):
            rest = await reader.read()

    assert rest == b"\x88\x00"
    closed = await sandbox.journal.wait_for(lambda e: e["kind"] == "close")
    assert (closed["dir"], closed["code"]) == ("in", None)


async def test_response_and_the_message_after_it_come_in_one_piece(sandbox: Sandbox) -> None:
    params = {"action": "joinRoom", "roomUuid": sandbox.room_uuid}
    async with opened(sandbox) as (reader, writer):
        writer.write(masked(json.dumps({"event": "action", "params": params, "messageId": 1})))

        async with asyncio.timeout(WITHIN):
            piece = await reader.read(100_000)

    assert b'"messageId":1' in piece
    assert b'"updatedUserData"' in piece


async def test_a_client_that_closes_its_half_is_closed_and_disturbs_nobody(
    sandbox: Sandbox, open_client: "OpenClient"
) -> None:
    bystander = await open_client(sandbox, token=sandbox.users.add("bystander").token)
    async with opened(sandbox) as (reader, writer):
        writer.write_eof()

        async with asyncio.timeout(WITHIN):
            rest = await reader.read()

    assert rest in (b"", b"\x88\x00")
    await sandbox.journal.wait_for(lambda e: e["kind"] == "close" and e["conn"] == 2)
    assert "error" not in await bystander.join()
    assert len(sandbox.server.connections) == 1


async def test_the_server_pings_in_text_and_never_with_ping_frames(sandbox: Sandbox) -> None:
    url = f"{sandbox.room_url}/primus?token={sandbox.bot.token}"
    async with aiohttp.ClientSession() as http, http.ws_connect(url, autoping=False) as ws:
        heard = [await ws.receive(WITHIN)]
        for _ in range(3):
            sandbox.clock.advance(30)
            heard.append(await ws.receive(WITHIN))
            await ws.send_str('"primus::pong::1"')
            await sandbox.journal.wait_for(
                lambda e: e["dir"] == "in" and e["kind"] == "frame", since=sandbox.journal.last_n - 1
            )

    assert [message.type for message in heard] == [WSMsgType.TEXT] * 4


async def test_a_state_of_more_than_a_mebibyte_is_too_much_for_a_client_of_default_size() -> None:
    async with open_sandbox(control=False, variants=RoomVariants(poster_bytes=1_100_000)) as sandbox:
        url = f"{sandbox.room_url.replace('http', 'ws', 1)}/primus?token={sandbox.bot.token}"
        async with connect(url, proxy=None) as ws:
            params = {"action": "joinRoom", "roomUuid": sandbox.room_uuid}
            await ws.send(json.dumps({"event": "action", "params": params, "messageId": 1}))
            await asyncio.wait_for(ws.wait_closed(), WITHIN)

        assert ws.protocol.close_sent is not None
        assert ws.protocol.close_sent.code == 1009
        assert (await sandbox.journal.wait_for(lambda e: e["kind"] == "close"))["code"] == 1009


@pytest.mark.parametrize("number", ["7", "1795347208843", ""])
async def test_any_number_in_a_pong_will_do(sandbox: Sandbox, open_client: "OpenClient", number: str) -> None:
    client = await open_client(sandbox)
    sandbox.clock.advance(30)
    await client.send(f'"primus::pong::{number}"')
    await sandbox.journal.wait_for(lambda e: e["dir"] == "in" and e["kind"] == "frame")

    sandbox.clock.advance(30)

    assert [(await client.next()).rpartition("::")[0] for _ in range(2)] == ["primus::ping"] * 2


async def test_one_beat_for_all_whenever_they_came(sandbox: Sandbox, open_client: "OpenClient") -> None:
    early = await open_client(sandbox)
    sandbox.clock.advance(20)
    late = await open_client(sandbox)

    sandbox.clock.advance(10)

    assert await early.next() == await late.next()
    assert sandbox.journal.events(dir="out", kind="frame")[-1]["conn"] == 2


async def test_the_interval_of_the_heartbeat_is_a_variant(open_client: "OpenClient") -> None:
    async with open_sandbox(control=False, variants=RoomVariants(ping_interval_s=5)) as sandbox:
        client = await open_client(sandbox)

        sandbox.clock.advance(5)

        assert (await client.next()).startswith("primus::ping::")


async def test_join_and_ping_tell_the_servers_own_time(sandbox: Sandbox, open_client: "OpenClient") -> None:
    sandbox.clock.advance(365 * 24 * 3600)
    client = await open_client(sandbox)

    joined = await client.join()
    sandbox.server.heartbeat.tick()
    ping = await client.next()

    now = sandbox.clock.now_ms()
    assert 0 <= now - joined["serverTime"] < 10_000
    assert 0 <= now - int(ping.rpartition("::")[2]) < 10_000


async def test_a_frame_that_comes_byte_by_byte_is_read_like_any_other(sandbox: Sandbox) -> None:
    frame = masked(json.dumps({"event": "roomView", "room": sandbox.room_uuid, "messageId": "x" * 100}))
    async with opened(sandbox) as (reader, writer):
        for byte in frame:
            writer.write(bytes([byte]))
            await asyncio.sleep(0)

        async with asyncio.timeout(WITHIN):
            answer = await reader.readuntil(b'"messageId":"' + b"x" * 100)

    assert b'"context":"response"' in answer


async def test_a_frame_of_which_the_end_never_comes_is_no_frame(sandbox: Sandbox) -> None:
    async with opened(sandbox) as (reader, writer):
        writer.write(masked('{"event":"roomView"}')[:-1])
        writer.write_eof()

        async with asyncio.timeout(WITHIN):
            await reader.read()

    assert sandbox.journal.events(dir="in", kind="frame") == []
    assert len(sandbox.journal.events(dir="in", kind="close")) == 1


async def test_pings_and_parts_between_texts_are_answered_in_their_order(sandbox: Sandbox) -> None:
    ping, first, rest = b"\x89\x81\0\0\0\0!", b"\x01\x81\0\0\0\0[", b"\x80\x81\0\0\0\0]"
    view = masked(json.dumps({"event": "roomView", "room": sandbox.room_uuid, "messageId": 7}))
    async with opened(sandbox) as (reader, writer):
        writer.write(view + ping + first + ping + rest + view)

        async with asyncio.timeout(WITHIN):
            heard = await reader.readuntil(b"\x8a\x01!")
            heard += await reader.readuntil(b'"messageId":7}')

    assert heard.index(b'"messageId":7}') < heard.index(b"\x8a\x01!")
    frames = [event["frame"] for event in sandbox.journal.events(dir="in", kind="frame")]
    assert frames[1] == "[]"
    assert len(frames) == 3


async def test_an_answer_too_deep_to_be_written_ends_its_connection_alone(
    sandbox: Sandbox, open_client: "OpenClient", monkeypatch: pytest.MonkeyPatch
) -> None:
    deep, other = await open_client(sandbox), await open_client(sandbox, sandbox.users.add("ben").token)
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
