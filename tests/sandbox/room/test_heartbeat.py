"""The heartbeat: what keeps a connection, and what ends one."""

import asyncio
import json
from typing import TYPE_CHECKING

import aiohttp
from aiohttp import WSMsgType

from hangbot.sandbox import Sandbox
from tests.bounds import WITHIN
from tests.cases import cases

if TYPE_CHECKING:
    from tests.sandbox.room.conftest import Client, OpenClient


@cases(
    "answer lives",
    ("a pong", '"primus::pong::7"', True),
    ("with a number of one's own", '"primus::pong::1795347208843"', True),
    ("with none", '"primus::pong::"', True),
    ("a ping frame", "ping", True),
    ("a pong without quotes", "primus::pong::1", False),
    ("other traffic", '{"event":"nonsense"}', False),
    ("nothing", "", False),
)
async def test_what_counts_as_life(sandbox: Sandbox, client: "Client", answer: str, *, lives: bool) -> None:
    sandbox.clock.advance(30)
    ping = await client.next()

    if answer == "ping":
        await asyncio.wait_for(await client.ws.ping(), WITHIN)
    elif answer:
        await client.send(answer)
        await sandbox.journal.wait_for(lambda e: e["dir"] == "in" and e["kind"] == "frame")
    sandbox.clock.advance(30)

    assert ping.startswith("primus::ping::")
    if lives:
        while not (await client.next()).startswith("primus::ping::"):
            pass
    else:
        assert await client.end() == 1005
        assert "primus::server::close" not in json.dumps(client.heard)


async def test_one_beat_for_all_whenever_they_came(sandbox: Sandbox, open_client: "OpenClient") -> None:
    early = await open_client()
    sandbox.clock.advance(20)
    late = await open_client()

    sandbox.clock.advance(10)

    assert await early.next() == await late.next()
    assert sandbox.journal.events(dir="out", kind="frame")[-1]["conn"] == 2


async def test_the_interval_of_the_heartbeat_is_a_variant(open_client: "OpenClient") -> None:
    client = await open_client(ping_interval_s=5)

    client.sandbox.clock.advance(5)

    assert (await client.next()).startswith("primus::ping::")


async def test_the_server_pings_in_text_and_never_with_ping_frames(sandbox: Sandbox) -> None:
    url = f"{sandbox.room_url}/primus?token={sandbox.bot.token}"
    async with aiohttp.ClientSession() as http, http.ws_connect(url, autoping=False) as ws:
        heard = [await ws.receive(WITHIN)]
        sandbox.clock.advance(30)
        heard.append(await ws.receive(WITHIN))

    assert [message.type for message in heard] == [WSMsgType.TEXT] * 2


async def test_join_and_ping_tell_the_servers_own_time(sandbox: Sandbox, open_client: "OpenClient") -> None:
    sandbox.clock.advance(365 * 24 * 3600)
    client = await open_client()

    joined = await client.join()
    sandbox.server.heartbeat.tick()
    ping = await client.next()

    now = sandbox.clock.now_ms()
    assert 0 <= now - joined["serverTime"] < 10_000
    assert 0 <= now - int(ping.rpartition("::")[2]) < 10_000


async def test_a_long_jump_of_the_clock_leaves_answerers_alone(sandbox: Sandbox, client: "Client") -> None:
    async def answer() -> None:
        while True:
            await client.send(json.dumps((await client.next()).replace("ping", "pong")))

    answering = asyncio.create_task(answer())
    for _ in range(5):
        await sandbox.advance(3600)

    answering.cancel()
    assert len(sandbox.server.connections) == 1
