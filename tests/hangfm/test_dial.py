"""A name with several addresses, of which some are dead, over real sockets."""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest
import pytest_asyncio

from hangbot.hangfm.dial import dial
from tests.addresses import know, unanswering

LIVE: Final = "127.0.0.1"
OTHER: Final = "127.0.0.8"


@pytest_asyncio.fixture
async def server() -> AsyncIterator[asyncio.Server]:
    """Take connections at the live address."""

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(hang_up, LIVE, 0) as listening:
        yield listening


@pytest.fixture
def port(server: asyncio.Server) -> int:
    number: int = server.sockets[0].getsockname()[1]
    return number


@pytest_asyncio.fixture
async def tried(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that were connected to, in order."""
    loop, addresses = asyncio.get_running_loop(), list[str]()
    connect = loop.sock_connect

    async def noted(sock: socket.socket, address: Any) -> None:  # noqa: ANN401  as the loop has it
        addresses.append(address[0])
        await connect(sock, address)

    monkeypatch.setattr(loop, "sock_connect", noted)
    return addresses


async def test_dead_addresses_wait_once(port: int, tried: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with unanswering(port) as dead:
        know(monkeypatch, "dead.example", dead, LIVE)

        for _ in range(5):
            (await dial("dead.example", port)).close()

    assert tried == [dead, *[LIVE] * 5]


async def test_an_address_that_has_died_since_is_left_for_one_that_lives(
    server: asyncio.Server, port: int, tried: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    know(monkeypatch, "dying.example", LIVE, OTHER)
    (await dial("dying.example", port)).close()
    server.close()

    with socket.create_server((OTHER, port)):
        for _ in range(2):
            (await dial("dying.example", port)).close()

    assert tried == [LIVE, LIVE, OTHER, OTHER]


async def test_where_no_address_answers_the_cause_is_told(
    server: asyncio.Server, port: int, tried: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server.close()
    know(monkeypatch, "gone.example", LIVE)

    with pytest.raises(ConnectionRefusedError):
        await dial("gone.example", port)

    assert tried == [LIVE]
