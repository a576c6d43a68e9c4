"""A name with several addresses, of which some are dead, over real sockets."""

import asyncio
import socket
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any, Final
from unittest.mock import Mock

import pytest
import pytest_asyncio

from hangbot.hangfm.dial import dial
from tests.addresses import know, unanswering
from tests.bounds import WITHIN

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


async def test_a_name_whose_lookup_hangs_holds_up_no_other(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    know(monkeypatch, "fine.example", LIVE)
    asks, hung = socket.getaddrinfo, Event()

    def ask(host: Any, *args: Any, **more: Any) -> Any:  # noqa: ANN401  as the function itself
        if host == "hangs.example":
            hung.wait(WITHIN)
        return asks("fine.example", *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", ask)
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(2))

    try:
        for _ in range(4):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(dial("hangs.example", port), 0.01)
        (await asyncio.wait_for(dial("fine.example", port), WITHIN / 2)).close()
    finally:
        hung.set()
    (await dial("hangs.example", port)).close()


async def test_a_name_is_looked_up_again_after_it_could_not_be(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asks = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", Mock(side_effect=socket.gaierror(socket.EAI_AGAIN, "later")))
    with pytest.raises(socket.gaierror):
        await dial("late.example", port)
    monkeypatch.setattr(socket, "getaddrinfo", asks)
    know(monkeypatch, "late.example", LIVE)

    connected = await dial("late.example", port)

    connected.close()


async def test_where_no_address_answers_the_cause_is_told(
    server: asyncio.Server, port: int, tried: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server.close()
    know(monkeypatch, "gone.example", LIVE)

    with pytest.raises(ConnectionRefusedError):
        await dial("gone.example", port)

    assert tried == [LIVE]
