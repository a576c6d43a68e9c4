from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from hangbot.sandbox.room.variants import RoomVariants

if TYPE_CHECKING:
    from tests.preflight.conftest import Bench


async def test_an_upgrade_that_is_not_answered_is_not_a_host_that_is_away(bench: Bench) -> None:
    bench.fault("room.connect", "hang")

    result = await bench.check("room.connect", connect_timeout=0.1)

    assert (result.verdict, result.message) == (
        "cannot_tell",
        (
            f"no connection to {bench.sandbox.room_url} in 0.1 s: "
            "the host is reached, but does not answer the upgrade to a websocket"
        ),
    )
    assert "SOCKET_SERVER_URL" in result.remedy


@pytest.mark.parametrize("hangfm_sandbox_options", [{"variants": RoomVariants(bad_token="handshake")}])
async def test_a_token_that_the_room_refuses_is_rejected(bench: Bench) -> None:
    result = await bench.check("room.connect", ttfm_api_token="opaque")

    assert (result.verdict, "refused the connection with status 401" in result.message) == ("rejected", True)
    assert result.remedy.startswith("Renew BOT_USER_TOKEN (or TTFM_API_TOKEN")


@pytest.mark.parametrize("hangfm_sandbox_options", [{"variants": RoomVariants(spec=False)}])
async def test_a_server_that_does_not_tell_its_heartbeat_is_a_note(bench: Bench) -> None:
    result = await bench.check("room.heartbeat")

    assert (result.verdict, result.message) == (
        "ok",
        "the room server does not tell its heartbeat (/primus/spec is off); every 30 s is taken for granted",
    )


async def test_a_password_of_the_address_is_not_shown(bench: Bench) -> None:
    url = bench.sandbox.room_url.replace("://", "://me:hunter22@")

    result = await bench.check("room.heartbeat", room_url=url)

    assert "hunter22" not in result.message
    assert result.verdict == "ok"


async def test_where_the_gateway_cannot_be_asked_the_rooms_own_words_are_all_there_is(bench: Bench) -> None:
    bench.fault("room.joinRoom", body="not today")
    bench.fault("gateway.*", "refuse")

    result = await bench.check("room.joined")

    assert (result.verdict, result.message) == (
        "rejected",
        (
            "the room refused joinRoom (not today); "
            "these are the server's own words, and the gateway tells no cause"
        ),
    )


@pytest.mark.parametrize(("guests", "says"), [(0, "0 others"), (1, "1 other"), (2, "2 others")])
async def test_company_is_counted_in_words(guests: int, says: str, bench: Bench) -> None:
    for number in range(guests):
        await bench.sandbox.users.add(f"guest {number}").join()

    result = await bench.check("room.joined")

    assert result.message.endswith(f" with {says}")


NONE = "the room server sends no heartbeat (/primus/spec: pingInterval 0)"
SELDOM = (
    "the room server sends a heartbeat every 60 s only, and after 45 s of silence a connection counts as dead"
)


@pytest.mark.parametrize(
    ("interval", "message", "remedy"),
    [
        (0, NONE, "set pingInterval: the bot connects anew after 45 s of silence."),
        (60_000, SELDOM, "lower pingInterval: the official client waits 45 s as well."),
    ],
)
async def test_a_heartbeat_that_comes_too_seldom_is_warned_about(
    interval: int, message: str, remedy: str, bench: Bench
) -> None:
    async def describe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        spec = json.dumps({"pathname": "/primus", "pingInterval": interval})
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(spec)}\r\n\r\n{spec}".encode())
        writer.close()

    async with await asyncio.start_server(describe, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        result = await bench.check(
            "room.heartbeat", room_url=f"http://127.0.0.1:{port}", heartbeat_timeout=45.0
        )

    assert (result.verdict, result.message) == ("warn", message)
    assert result.remedy == f"Ask whoever runs the room server to {remedy}"
