"""The connections of the page's server: so many and no more, and none that says nothing."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final
from weakref import WeakKeyDictionary

from aiohttp import web

from hangbot.clock import Clock
from hangbot.status.pages import SWEEP_EVERY
from hangbot.web.listen import Listener

__all__ = ["MOST_CONNECTIONS", "Connections"]

MOST_CONNECTIONS: Final = 256
"""Twice over what the streams may take: who opens a page still gets the answer that there are too many."""


class Connections:
    """Takes connections for a runner.

    Args:
        clock: Waits between two looks for connections on which no request comes.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._quiet: WeakKeyDictionary[asyncio.BaseTransport, int] = WeakKeyDictionary()
        """How often each was found without a request."""
        self._asking: dict[asyncio.BaseTransport, None] = {}

    @asynccontextmanager
    async def taken(self, runner: web.AppRunner, host: str, port: int) -> AsyncIterator[int]:
        """Take connections on an address while the block runs, then clean the runner up; yield the port.

        Raises:
            HangbotError: The port cannot be had.
        """
        await runner.setup()
        server = runner.server
        assert server is not None  # noqa: S101  it is set up

        def protocol() -> asyncio.BaseProtocol:
            return server() if len(server.connections) < MOST_CONNECTIONS else _Refusing()

        listener = Listener(protocol, port, host=host)
        sweeping = None
        try:
            await listener.start()
            sweeping = asyncio.create_task(self._sweep(server), name="hangbot-page-sweep")
            yield listener.port
        finally:
            if sweeping is not None:
                sweeping.cancel()
                await asyncio.gather(sweeping, return_exceptions=True)
            await listener.stop_accepting(keeps_port=False)
            await runner.cleanup()  # lets answers that have begun end
            await listener.abort_rest()
            listener.release()

    @contextmanager
    def asking(self, request: web.Request) -> Iterator[None]:
        """Note that a connection's request is answered, for as long as the block runs."""
        transport = request.transport
        if transport is None:
            yield
            return
        self._asking[transport] = None
        try:
            yield
        finally:
            self._asking.pop(transport, None)
            self._quiet.pop(transport, None)

    async def _sweep(self, server: web.Server) -> None:
        """Cut connections that were found without a request twice in a row."""
        while True:
            await self._clock.sleep(SWEEP_EVERY)
            for connection in server.connections:
                transport = connection.transport
                if transport is None or transport in self._asking:
                    continue
                self._quiet[transport] = self._quiet.get(transport, 0) + 1
                if self._quiet[transport] > 1:
                    transport.abort()


class _Refusing(asyncio.Protocol):
    """Takes a connection that is one too many, and cuts it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Cut it."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  as for every stream
        transport.abort()
