"""A port on loopback in front of another, which can be cut: no byte passes, and connections stay.

Bytes that come while it is cut are held, as a network that loses packets holds them: they arrive late,
unless the connections are reset when it is whole again.
"""

import asyncio
from contextlib import suppress
from typing import Final

__all__ = ["Forwarder"]

_PIECE: Final = 64 * 1024


class Forwarder:
    """One of them.

    Args:
        host: The address that it listens on.
        target: The port on 127.0.0.1 that it stands for.

    Attributes:
        port: Where it listens, once it is open.
        target: As above.
    """

    def __init__(self, host: str, target: int = 0) -> None:
        self.port = 0
        self.target = target
        self._host = host
        self._whole = asyncio.Event()
        self._whole.set()
        self._server: asyncio.Server | None = None
        self._carrying: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> str:
        """Where it listens, as ``HOST:PORT``."""
        return f"{self._host}:{self.port}"

    @property
    def is_cut(self) -> bool:
        """Whether no byte passes."""
        return not self._whole.is_set()

    async def open(self) -> None:
        """Take connections."""
        self._server = await asyncio.start_server(self._take, self._host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """End every connection, and take no more."""
        if self._server is not None:
            self._server.close()
        await self.reset()

    def cut(self) -> None:
        """Let no byte pass from now on."""
        self._whole.clear()

    async def mend(self, *, resets: bool = False) -> None:
        """Let bytes pass again: those that were held, too, unless the connections are reset."""
        if resets:
            await self.reset()
        self._whole.set()

    async def reset(self) -> None:
        """End every connection; new ones are taken."""
        carrying = [*self._carrying]
        for task in carrying:
            task.cancel()
        await asyncio.gather(*carrying, return_exceptions=True)

    def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._carry(reader, writer), name=f"a connection to {self.target}")
        self._carrying.add(task)
        task.add_done_callback(self._carrying.discard)
        task.add_done_callback(lambda _: writer.transport.abort())  # it may have ended before it began

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry bytes both ways until one side ends."""
        there: asyncio.StreamWriter | None = None
        pumps: list[asyncio.Task[None]] = []
        try:
            await self._whole.wait()
            back, there = await asyncio.open_connection("127.0.0.1", self.target)
            pumps = [
                asyncio.create_task(self._pump(reader, there), name="there"),
                asyncio.create_task(self._pump(back, writer), name="back"),
            ]
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        except OSError:
            return  # nothing listens there: this end is closed, too
        finally:
            for pump in pumps:
                pump.cancel()
            if there is not None:
                there.transport.abort()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(_PIECE):
                await self._whole.wait()
                writer.write(data)
                await writer.drain()
