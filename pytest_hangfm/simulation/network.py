"""A network in memory: connections that are pairs of transports, a fixed time apart."""

import asyncio
import errno
import socket
import sys
from collections import deque
from collections.abc import Callable
from typing import Any, Final, cast

__all__ = ["Network"]

_LATENCY: Final = 0.001
"""Seconds that each piece of data is on its way."""
_FIRST_PORT: Final = 40_000
_HIGH_WATER: Final = 64 * 1024


class Network:
    """What listens, by host and port.

    Attributes:
        tries: When which port was connected to, and whether something listened there.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.tries: list[tuple[float, int, bool]] = []
        self._loop = loop
        self._servers: dict[tuple[str, int], Server] = {}
        self._ports = iter(range(_FIRST_PORT, 65_536))

    def look_up(self, host: str, port: int) -> list[Any]:
        """Return one row of `getaddrinfo`; no name is looked up outside."""
        if not host.replace(".", "").isdigit():
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port))]

    def listen(
        self, make: Callable[[], asyncio.BaseProtocol], host: str, port: int, **options: object
    ) -> "Server":
        """Accept connections."""
        _refuse(options, "sock", "ssl")
        if (host, port) in self._servers:
            raise OSError(errno.EADDRINUSE, "Address already in use")
        server = self._servers[host, port] = Server(self._loop, make, (host, port), self._servers)
        return server

    async def connect(
        self, make: Callable[[], asyncio.BaseProtocol], host: str, port: int, **options: object
    ) -> tuple["Transport", asyncio.BaseProtocol]:
        """Connect to a server; raises `ConnectionRefusedError` where none listens."""
        _refuse(options, "sock", "ssl")
        await asyncio.sleep(_LATENCY)
        server = self._servers.get((host, port))
        self.tries.append((self._loop.time(), port, server is not None))
        if server is None:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
        here, there = (host, next(self._ports)), (host, port)
        client, accepted = Transport(self._loop, here, there), Transport(self._loop, there, here)
        client.join(accepted, make())
        accepted.join(client, server.make())
        self._loop.call_soon(accepted.begin)
        client.begin()
        await asyncio.sleep(0)
        return client, client.get_protocol()


class Server(asyncio.AbstractServer):
    """A port that listens. It shows no sockets, since it has none."""

    sockets = ()

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        make: Callable[[], asyncio.BaseProtocol],
        address: tuple[str, int],
        everyone: dict[tuple[str, int], "Server"],
    ) -> None:
        self.make = make
        self._loop = loop
        self._address = address
        self._everyone = everyone

    def close(self) -> None:
        """Accept no more; what is connected stays."""
        self._everyone.pop(self._address, None)

    def is_serving(self) -> bool:
        return self._address in self._everyone

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

    async def start_serving(self) -> None:
        """It does from the beginning."""

    async def serve_forever(self) -> None:
        await self._loop.create_future()

    async def wait_closed(self) -> None:
        """Return at once, as asyncio does up to Python 3.11."""


class Socket:
    """What a transport shows as its socket: two addresses, and options that change nothing."""

    def __init__(self, here: tuple[str, int], there: tuple[str, int]) -> None:
        self.family, self.type, self.proto = socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP
        self.open = True
        self._here, self._there = here, there

    def fileno(self) -> int:
        """Return a number that is no descriptor; -1 once it is closed."""
        return sys.maxsize if self.open else -1

    def getsockname(self) -> tuple[str, int]:
        return self._here

    def getpeername(self) -> tuple[str, int]:
        return self._there

    def setsockopt(self, *_: object) -> None:
        """Change nothing."""


class Transport(asyncio.Transport):
    """One side of a connection. What it writes reaches the other side after the latency, in order."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, here: tuple[str, int], there: tuple[str, int]
    ) -> None:
        self._socket = Socket(here, there)
        super().__init__({"socket": self._socket, "sockname": here, "peername": there})
        self._loop = loop
        self._inbox: deque[bytes | None] = deque()
        """What has arrived and was not read yet; ``None`` is the end."""
        self._under_way = 0
        """Bytes that the other side has not read yet."""
        self._reading = True
        self._closing = False
        self._over = False
        self._ended_writing = False
        self._paused = False

    def join(self, peer: "Transport", protocol: asyncio.BaseProtocol) -> None:
        self._peer = peer
        self._protocol = protocol

    def begin(self) -> None:
        self._protocol.connection_made(self)

    # -- writing

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send; what is written after the end is dropped, as a socket does with a warning."""
        data = bytes(data)
        if self._closing or self._ended_writing or not data:
            return
        self._under_way += len(data)
        self._loop.call_later(_LATENCY, self._peer.arrive, data)
        if self._under_way > _HIGH_WATER and not self._paused:
            self._paused = True
            self._protocol.pause_writing()

    def write_eof(self) -> None:
        if not self._ended_writing:
            self._ended_writing = True
            self._loop.call_later(_LATENCY, self._peer.arrive, None)

    def can_write_eof(self) -> bool:
        return True

    def get_write_buffer_size(self) -> int:
        return self._under_way

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Keep the one limit that there is."""

    def was_read(self, size: int) -> None:
        """Called by the other side."""
        self._under_way -= size
        if self._paused and self._under_way <= _HIGH_WATER // 4 and not self._over:
            self._paused = False
            self._protocol.resume_writing()

    # -- reading

    def arrive(self, data: bytes | None) -> None:
        """Take what the other side has sent."""
        self._inbox.append(data)
        self._read()

    def _read(self) -> None:
        while self._inbox and self._reading and not self._over:
            data = self._inbox.popleft()
            if data is None:
                keep = cast("asyncio.Protocol", self._protocol).eof_received()
                if not keep:
                    self.close()
                continue
            self._peer.was_read(len(data))
            if self._closing:
                continue
            if isinstance(self._protocol, asyncio.BufferedProtocol):
                self._fill(self._protocol, data)
            else:
                cast("asyncio.Protocol", self._protocol).data_received(data)

    def _fill(self, protocol: asyncio.BufferedProtocol, data: bytes) -> None:
        """Give a protocol with a buffer of its own what fits, and the rest again."""
        while data and protocol is self._protocol:
            buffer = memoryview(protocol.get_buffer(-1)).cast("B")
            size = min(len(buffer), len(data))
            buffer[:size], data = data[:size], data[size:]
            protocol.buffer_updated(size)

    def pause_reading(self) -> None:
        """Keep what arrives."""
        self._reading = False

    def resume_reading(self) -> None:
        self._reading = True
        self._loop.call_soon(self._read)

    def is_reading(self) -> bool:
        return self._reading and not self._closing

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    # -- the end

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        """Send what was written, then the end."""
        if not self._closing:
            self.write_eof()
            self._closing = True
            self._loop.call_soon(self._lose, None)

    def abort(self) -> None:
        """Reset the connection: the other side sees an error."""
        if not self._closing:
            self._loop.call_later(_LATENCY, self._peer.reset)
        self._closing = self._ended_writing = True
        self._loop.call_soon(self._lose, None)

    def reset(self) -> None:
        """Called by the other side's `abort`."""
        self._closing = self._ended_writing = True
        self._lose(ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"))

    def _lose(self, error: Exception | None) -> None:
        if not self._over:
            self._over = True
            self._socket.open = False
            self._inbox.clear()
            self._protocol.connection_lost(error)


def _refuse(options: dict[str, object], *names: str) -> None:
    for name in names:
        if options.get(name) is not None:
            raise NotImplementedError(f"{name}= is not simulated")
