"""One connection on the wire, as bytes where it matters."""

import asyncio
import json
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
    from tests.sandbox.room.conftest import Client, OpenClient


async def test_response_and_the_message_after_it_come_in_one_piece(
    sandbox: Sandbox, client: "Client"
) -> None:
    socket = sandbox.server.connections[0].socket
    before = socket.flushes

    await client.join()

    assert [frame.get("context") for frame in client.heard] == ["api", "response", "user"]
    assert socket.flushes - before == 1


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
async def test_any_number_in_a_pong_will_do(sandbox: Sandbox, client: "Client", number: str) -> None:
    sandbox.clock.advance(30)
    await client.send(f'"primus::pong::{number}"')
    await sandbox.journal.wait_for(lambda e: e["dir"] == "in" and e["kind"] == "frame")

    sandbox.clock.advance(30)

    assert [(await client.next()).rpartition("::")[0] for _ in range(2)] == ["primus::ping"] * 2


async def test_one_beat_for_all_whenever_they_came(sandbox: Sandbox, open_client: "OpenClient") -> None:
    early = await open_client()
    sandbox.clock.advance(20)
    late = await open_client()

    sandbox.clock.advance(10)

    assert await early.next() == await late.next()
    assert sandbox.journal.events(dir="out", kind="frame")[-1]["conn"] == 2


async def test_the_interval_of_the_heartbeat_is_a_variant(open_client: "OpenClient") -> None:
    client = await open_client(ping_interval_s=5)
    sandbox = client.sandbox

    sandbox.clock.advance(5)

    assert (await client.next()).startswith("primus::ping::")


async def test_join_and_ping_tell_the_servers_own_time(sandbox: Sandbox, open_client: "OpenClient") -> None:
    sandbox.clock.advance(365 * 24 * 3600)
    client = await open_client()

    joined = await client.join()
    sandbox.server.heartbeat.tick()
    ping = await client.next()

    now = sandbox.clock.now_ms()
    assert 0 <= now - joined["serverTime"] < 10_000
    assert 0 <= now - int(ping.rpartition("::")[2]) < 10_000


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
