"""One port on loopback, and every connection that it took."""

import asyncio
import contextlib
import errno
import os
import socket
import ssl
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, cast
from weakref import WeakKeyDictionary

from hangbot.errors import HangbotError

__all__ = ["HOST", "Listener", "OpenServer"]

HOST: Final = "127.0.0.1"
_HANDSHAKE_S: Final = 10.0
_ITERATIONS_TO_ACCEPT: Final = 3
_ITERATIONS_TO_CLOSE: Final = 4

OpenServer = Callable[[Callable[[], asyncio.BaseProtocol]], Awaitable[asyncio.Server]]
"""Opens a server whose connections have the protocols that the function makes."""

_Transports = WeakKeyDictionary[asyncio.Transport, Callable[[], int] | None]


class Listener:
    """A port that takes connections, refuses them while its service is down, and takes them again.

    To end it: ``stop_accepting``, then what the owner of the protocols has to do, then ``abort_rest``.
    While it does not listen, a bound socket keeps the port. Nothing keeps that of a simulated loop, whose
    sockets have no file descriptor.

    Args:
        factory: Makes the protocol of a connection.
        port: Port, 0 = chosen by the system at the first start.
        tls: Server context, or ``None``.
        host: Address.
        open_server: Opens another server than one on ``host`` and ``port``.
    """

    def __init__(
        self,
        factory: Callable[[], asyncio.BaseProtocol],
        port: int,
        tls: ssl.SSLContext | None = None,
        *,
        host: str = HOST,
        open_server: OpenServer | None = None,
    ) -> None:
        self.port = port
        self._factory = factory
        self._host = host
        self._tls = tls
        self._open_server = open_server
        self._server: asyncio.Server | None = None
        self._holder: socket.socket | None = None
        self._accepted: _Transports = WeakKeyDictionary()

    @property
    def listening(self) -> bool:
        """Whether connections are taken."""
        return self._server is not None

    async def start(self) -> None:
        """Take connections.

        Raises:
            HangbotError: The port is taken.
        """
        if self._open_server is not None:
            self._server = await self._open_server(self._accept)
            return
        loop = asyncio.get_running_loop()
        listen = partial(loop.create_server, self._accept, host=self._host, port=self.port)
        try:
            try:
                # Beside the holder: once that is closed, anything may be given the port.
                self._server = await listen()
            except OSError:
                if self._holder is None:
                    raise
                self.release()  # some systems give a port to one socket only
                self._server = await listen()
        except OSError as exc:
            raise _refusal(self._host, self.port, exc) from exc
        self.release()
        if self._server.sockets:
            self.port = self._server.sockets[0].getsockname()[1]
        elif isinstance(self._server, asyncio.Server):
            self._server = None  # asyncio skips an address for which it gets no socket, and reports nothing
            none_left = OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            raise _refusal(self._host, self.port, none_left) from none_left

    async def stop_accepting(self, *, keeps_port: bool = True) -> None:
        """Refuse connections, and keep the port or not; return when all that were taken have their protocol.

        asyncio leaves open a connection that it accepted just before its server closed (seen on Python 3.11).
        """
        server, self._server = self._server, None
        if server is None:
            return
        loop = asyncio.get_running_loop()
        real = [listening for listening in server.sockets if hasattr(listening, "fileno")]
        for listening in real:
            loop.remove_reader(listening)
        try:
            for _ in range(_ITERATIONS_TO_ACCEPT):
                await asyncio.sleep(0)
        finally:
            server.close()
        if real and keeps_port:
            self._holder = _bound(self._host, self.port)

    async def abort_rest(self) -> None:
        """Abort every connection that is left, and return when they are gone.

        Left are those in a TLS handshake, and those that wait for a slow reader or for its TLS close.
        """
        for transport, fileno in tuple(self._accepted.items()):
            if fileno is None or fileno() != -1:  # asyncio's abort fails once the socket is closed
                transport.abort()
        for _ in range(_ITERATIONS_TO_CLOSE):
            await asyncio.sleep(0)

    def release(self) -> None:
        """Let the port go that was kept."""
        if self._holder is not None:
            self._holder.close()
            self._holder = None

    def _accept(self) -> "_Accepted":
        return _Accepted(self._accepted, self._factory, self._tls)


class _Accepted(asyncio.Protocol):
    """A connection until its own protocol takes over: at once, or after the TLS handshake.

    The handshake is begun here rather than by the server, which would not give the connection away before.
    """

    def __init__(
        self,
        accepted: _Transports,
        factory: Callable[[], asyncio.BaseProtocol],
        tls: ssl.SSLContext | None,
    ) -> None:
        self._accepted = accepted
        self._factory = factory
        self._tls = tls
        self._task: asyncio.Task[None] | None = None
        self._early = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        plain = cast("asyncio.Transport", transport)
        self._accepted[plain] = getattr(plain.get_extra_info("socket"), "fileno", None)
        if self._tls is None:
            self._hand_over(plain)
        else:
            plain.pause_reading()
            shake = self._shake_hands(plain, self._tls)
            self._task = asyncio.get_running_loop().create_task(shake, name="a TLS handshake")

    async def _shake_hands(self, plain: asyncio.Transport, tls: ssl.SSLContext) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):  # the client went, or is none of TLS: its connection is closed
            secure = await loop.start_tls(
                plain, self, tls, server_side=True, ssl_handshake_timeout=_HANDSHAKE_S
            )
            if secure is not None and not plain.is_closing():  # asyncio returns None for one cut meanwhile
                self._hand_over(secure)

    def _hand_over(self, transport: asyncio.BaseTransport) -> None:
        protocol = self._factory()
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        if self._early:
            cast("asyncio.Protocol", protocol).data_received(bytes(self._early))

    def data_received(self, data: bytes) -> None:
        """Keep what came with the end of the handshake."""
        self._early += data


def _bound(host: str, port: int) -> socket.socket:
    """Return a socket that has the port and does not listen."""
    holder = socket.socket()
    try:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind((host, port))
    except OSError as exc:
        holder.close()
        raise _refusal(host, port, exc) from exc
    return holder


def _refusal(host: str, port: int, exc: OSError) -> HangbotError:
    remedy = "Choose another port, or 0 and let the system choose."
    if exc.errno in {errno.EACCES, errno.EPERM}:
        remedy = (
            "A port below 1024 needs a right: start it as root, let users have it "
            f"(`sysctl net.ipv4.ip_unprivileged_port_start={port}`), or choose another port."
        )
    reason = os.strerror(exc.errno) if exc.errno else str(exc)
    if isinstance(exc, socket.gaierror):
        reason, remedy = "the name is not known", "Use an address, or a name of this machine."
    elif exc.errno == errno.EADDRNOTAVAIL:
        remedy = "Use an address of this machine."
    return HangbotError(f"cannot listen on {host}:{port}: {reason}", remedy=remedy)
