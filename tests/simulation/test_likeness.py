"""What protocols see in memory is what they see over real sockets: each scene is played over both."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Final

import pytest

from pytest_hangfm.simulation.loop import simulated
from tests.bounds import WITHIN

LARGE: Final = b"x" * 1_000_000


class Side(asyncio.Protocol):
    """One side of a connection, which notes what it sees."""

    transport: asyncio.Transport

    def __init__(self, *, stays: bool = False) -> None:
        self.seen: list[str] = []
        self.got = 0
        self._stays = stays
        self._changed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._note("made")

    def data_received(self, data: bytes) -> None:
        self.got += len(data)
        self._note("data")

    def eof_received(self) -> bool:
        self._note("end")
        return self._stays

    def connection_lost(self, exc: Exception | None) -> None:
        self._note(
            "lost" if exc is None else f"lost, {'reset' if isinstance(exc, ConnectionError) else exc!r}"
        )

    def _note(self, what: str) -> None:
        if self.seen[-1:] != [what]:
            self.seen.append(what)
        self._changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something is the case."""
        async with asyncio.timeout(WITHIN):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def sees(self, what: str) -> None:
        await self.until(lambda: what in self.seen)

    async def gets(self, size: int) -> None:
        await self.until(lambda: self.got >= size)

    async def lost(self) -> None:
        await self.until(lambda: self.seen[-1].startswith("lost"))


Scene = Callable[[Side, Side], Awaitable[None]]


async def a_request_and_its_answer(client: Side, server: Side) -> None:
    client.transport.write(b"hello")
    await server.gets(5)
    server.transport.write(b"hello")
    await client.gets(5)
    client.transport.close()
    await client.lost()
    await server.lost()


async def the_server_closes(client: Side, server: Side) -> None:
    server.transport.write(b"bye")
    server.transport.close()
    await client.lost()
    await server.lost()


async def the_server_aborts(client: Side, server: Side) -> None:
    server.transport.abort()
    await client.lost()
    await server.lost()


async def the_server_aborts_what_must_not_linger(client: Side, server: Side) -> None:
    client.transport.write(b"hello")
    await server.gets(5)
    option = struct.pack("ii", 1, 0)
    server.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, option)
    server.transport.abort()
    await client.lost()
    await server.lost()


async def the_server_closes_without_having_read(client: Side, server: Side) -> None:
    server.transport.pause_reading()
    client.transport.write(b"hello")
    await asyncio.sleep(0.05)
    server.transport.close()
    await client.lost()
    await server.lost()


async def all_that_was_written_arrives_before_the_end(client: Side, server: Side) -> None:
    client.transport.write(LARGE)
    client.transport.close()
    await server.gets(len(LARGE))
    await server.lost()
    await client.lost()


async def half_of_it_is_closed(client: Side, server: Side) -> None:
    client.transport.write(b"all")
    client.transport.write_eof()
    await server.sees("end")
    server.transport.write(b"thanks")
    await client.gets(6)
    server.transport.close()
    await client.sees("end")
    client.transport.close()
    await client.lost()
    await server.lost()


async def who_writes_to_what_is_closed_is_reset(client: Side, server: Side) -> None:
    server.transport.close()
    await server.lost()
    await client.sees("end")
    async with asyncio.timeout(WITHIN):
        while not client.transport.is_closing():
            client.transport.write(b"more")
            await asyncio.sleep(0.01)
    await client.lost()


async def a_reader_that_pauses_gets_nothing_until_it_goes_on(client: Side, server: Side) -> None:
    server.transport.pause_reading()
    client.transport.write(b"later")
    await asyncio.sleep(0.05)
    assert not server.transport.is_reading()
    assert server.got == 0
    server.transport.resume_reading()
    await server.gets(5)
    client.transport.close()
    await server.lost()
    await client.lost()


async def an_end_waits_for_a_reader_that_pauses(client: Side, server: Side) -> None:
    server.transport.pause_reading()
    client.transport.write(b"later")
    client.transport.close()
    await client.lost()
    await asyncio.sleep(0.05)
    assert server.seen == ["made"]
    server.transport.resume_reading()
    await server.lost()


async def what_is_written_after_the_end_is_dropped(client: Side, server: Side) -> None:
    client.transport.write(b"all")
    client.transport.close()
    client.transport.write(b"never")
    client.transport.close()
    client.transport.abort()
    await server.lost()
    await client.lost()


async def play(scene: Scene) -> tuple[list[str], int, list[str], int]:
    """Play a scene over the loop that runs; return what both sides saw, and how much of it."""
    loop = asyncio.get_running_loop()
    stays = scene in {half_of_it_is_closed, who_writes_to_what_is_closed_is_reset}
    accepted: asyncio.Future[Side] = loop.create_future()

    def accept() -> Side:
        accepted.set_result(Side(stays=scene is half_of_it_is_closed))
        return accepted.result()

    server = await loop.create_server(accept, "127.0.0.1", 0 if PLAIN in repr(loop) else 4000)
    port = server.sockets[0].getsockname()[1] if server.sockets else 4000
    _, client = await loop.create_connection(lambda: Side(stays=stays), "127.0.0.1", port)
    there = await accepted
    await there.sees("made")
    await scene(client, there)
    server.close()
    return client.seen, client.got, there.seen, there.got


PLAIN: Final = "_UnixSelectorEventLoop"


@pytest.mark.parametrize(
    "scene",
    [
        a_request_and_its_answer,
        the_server_closes,
        the_server_aborts,
        the_server_aborts_what_must_not_linger,
        the_server_closes_without_having_read,
        all_that_was_written_arrives_before_the_end,
        half_of_it_is_closed,
        who_writes_to_what_is_closed_is_reset,
        a_reader_that_pauses_gets_nothing_until_it_goes_on,
        an_end_waits_for_a_reader_that_pauses,
        what_is_written_after_the_end_is_dropped,
    ],
    ids=lambda scene: scene.__name__,
)
def test_a_scene_is_the_same_in_memory(scene: Scene) -> None:
    real = asyncio.run(play(scene))

    memory = simulated(play(scene))

    assert memory == real
