"""A network in memory: connections that are pairs of transports, a fixed time apart, and what hits them."""

import asyncio
import contextvars
import errno
import os
import socket
from collections.abc import Callable
from typing import Any, Final, Literal, TypeAlias

from pytest_hangfm.simulation.link import LATENCY, Link
from pytest_hangfm.simulation.process import current_process
from pytest_hangfm.simulation.rules import Rules
from pytest_hangfm.simulation.transport import Transport

__all__ = ["Network", "Rules"]

WebSocketChange: TypeAlias = Literal["opened", "let go", "closed"]

_FIRST_PORT: Final = 40_000
_END_OF_HEAD: Final = b"\r\n\r\n"
_TRIES_TO_CONNECT: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
"""Seconds between those of Linux, by its default."""


class Network:
    """What listens, by host and port, and who is connected.

    Attributes:
        loop: In which it is.
        rules: What goes wrong.
        tries: When which port was first asked for a connection, and whether one was made; in the order in
            which that was known.
        late: When data reached which port, from a client of which port that had closed or crashed before.
        websockets: When which client of which port had a WebSocket opened, let go of it, or had it closed by
            the service; by the number of the client's own port.
        transports: Those that are open, in the order in which they began.
        stuck: The links with something that has to be sent again.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.rules = Rules(self)
        self.tries: list[tuple[float, int, bool]] = []
        self.late: list[tuple[float, int, int]] = []
        self.websockets: list[tuple[float, WebSocketChange, int, int]] = []
        self._upgraded: set[int] = set()
        self._heads: dict[int, bytes] = {}
        """What came so far of the first request of each connection, as long as that is not whole."""
        self.transports: dict[Transport, None] = {}
        self.stuck: dict[Link, None] = {}
        self._servers: dict[tuple[str, int], Server] = {}
        self._ports = iter(range(_FIRST_PORT, 1 << 31))

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
        server = self._servers[host, port] = Server(self.loop, make, (host, port), self._servers)
        return server

    async def connect(
        self, make: Callable[[], asyncio.BaseProtocol], host: str, port: int, **options: object
    ) -> tuple[Transport, asyncio.BaseProtocol]:
        """Connect to a server; raises `ConnectionRefusedError` where none listens."""
        _refuse(options, "sock", "ssl")
        begun = self.loop.time()
        try:
            server = await self._reach(host, port)
        except (OSError, asyncio.CancelledError):  # a caller that does not wait so long has tried, too
            self.tries.append((begun, port, False))
            raise
        self.tries.append((begun, port, True))
        here, there = (host, next(self._ports)), (host, port)
        client = Transport(self, here, there)
        accepted = server.context.copy().run(Transport, self, there, here)
        client.join(accepted, Link(self, port, "out", client, accepted), make())
        accepted.join(client, Link(self, port, "in", accepted, client), server.make())
        self.transports[client] = self.transports[accepted] = None
        self._heads[client.out.client] = b""
        self.loop.call_soon(accepted.begin, context=accepted.context)
        client.begin()
        await asyncio.sleep(0)
        return client, client.get_protocol()

    async def _reach(self, host: str, port: int) -> "Server":
        await asyncio.sleep(LATENCY + self.rules.connecting(port))
        for seconds in _TRIES_TO_CONNECT:
            hole = self.rules.hole(port, "out") or self.rules.hole(port, "in")
            if hole is None:
                break
            hole.hits += 1
            await asyncio.sleep(seconds)
        else:
            raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
        if (host, port) not in self._servers:
            raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
        return self._servers[host, port]

    def close(self) -> None:
        """End all that is still open, with the loop; nothing is called any more."""
        for transport in self.transports:
            transport.dispose()
        self.transports.clear()
        self.stuck.clear()
        self._servers.clear()

    # -- for transports and links

    def forget(self, transport: Transport) -> None:
        """Drop a transport that is closed."""
        self.transports.pop(transport, None)
        link = transport.out
        self._heads.pop(link.client, None)
        if link.client in self._upgraded:
            change: WebSocketChange = "let go" if link.direction == "out" else "closed"
            self.websockets.append((self.loop.time(), change, link.port, link.client))

    def note_delivery(self, link: Link, data: bytes) -> None:
        """Note that data reached a server: late, where its client had given up; or asking for a WebSocket."""
        if link.direction != "out":
            return
        if link.sender.is_closing():  # what it opens now is none that its client has
            self.late.append((self.loop.time(), link.port, link.client))
            return
        if link.client in self._heads:  # of its first request, which may come in pieces
            head = self._heads[link.client] + data
            if _END_OF_HEAD not in head:
                self._heads[link.client] = head
                return
            del self._heads[link.client]
            if head.startswith(b"GET ") and b"\nupgrade: websocket" in head.lower():
                self._upgraded.add(link.client)
                self.websockets.append((self.loop.time(), "opened", link.port, link.client))


class Server(asyncio.AbstractServer):
    """A port that listens, for the process in which it began. It shows no sockets, since it has none.

    Attributes:
        make: Makes the protocol of a connection.
        context: In which that is called.
    """

    sockets = ()

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        make: Callable[[], asyncio.BaseProtocol],
        address: tuple[str, int],
        everyone: dict[tuple[str, int], "Server"],
    ) -> None:
        self.context = contextvars.copy_context()
        self.make = make
        self._loop = loop
        self._address = address
        self._everyone = everyone
        owner = current_process()
        if owner is not None:
            owner.at_crash(self.close)

    def close(self) -> None:
        """Accept no more; what is connected stays."""
        if self._everyone.get(self._address) is self:
            del self._everyone[self._address]

    def is_serving(self) -> bool:
        return self._everyone.get(self._address) is self

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

    async def start_serving(self) -> None:
        """It does from the beginning."""

    async def serve_forever(self) -> None:
        await self._loop.create_future()

    async def wait_closed(self) -> None:
        """Return at once, as asyncio does up to Python 3.11."""


def _refuse(options: dict[str, object], *names: str) -> None:
    for name in names:
        if options.get(name) is not None:
            raise NotImplementedError(f"{name}= is not simulated")
