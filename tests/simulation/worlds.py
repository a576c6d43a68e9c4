"""What tests of the simulated machine share: loops to run in, and connections to look at."""

import asyncio
import socket
import struct
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from pytest_hangfm.simulation.loop import SimulatedLoop

T = TypeVar("T")
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]

PORT = 4000


def run(main: Callable[[SimulatedLoop], Coroutine[Any, Any, T]]) -> tuple[T, SimulatedLoop]:
    """Run a coroutine to its end in virtual time, and close the loop."""
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, SimulatedLoop)
        return runner.run(main(loop)), loop


class Accepting(asyncio.StreamReaderProtocol):
    """A stream's server side."""

    def __init__(self, serve: Serve) -> None:
        super().__init__(asyncio.StreamReader(), serve)


async def listen(serve: Serve, port: int = PORT) -> asyncio.AbstractServer:
    """Serve streams."""
    return await asyncio.get_running_loop().create_server(lambda: Accepting(serve), "127.0.0.1", port)


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send back all that comes, until the other side has ended."""
    while data := await reader.read(4096):
        writer.write(data)
        await writer.drain()
    writer.close()


def no_linger(writer: asyncio.StreamWriter) -> None:
    """Have the end of a connection be a reset, which drops what was not sent."""
    option = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, option)


async def connect(port: int = PORT) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect a stream."""
    return await asyncio.open_connection("127.0.0.1", port)


class Seen:
    """A server that notes what each of its connections sees, and when."""

    def __init__(self, loop: SimulatedLoop) -> None:
        self.events: list[tuple[float, str]] = []
        self.writers: list[asyncio.StreamWriter] = []
        self._got: list[bytes] = []
        self._loop = loop

    @property
    def got(self) -> bytes:
        """All that came."""
        return b"".join(self._got)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        try:
            while data := await reader.read(4096):
                self._got.append(data)
                self.note(data.decode(errors="replace"))
        except OSError as exc:
            self.note(type(exc).__name__)
        else:
            self.note("end")
        writer.close()

    def note(self, what: str) -> None:
        self.events.append((round(self._loop.time(), 2), what))

    @property
    def what(self) -> list[str]:
        """What was seen, without the times."""
        return [what for _, what in self.events]
