"""httpx over asyncio's own streams: the head and the body of a request leave in one write.

httpx sends them one after the other, over a layer that serves trio too. On the lone small
requests of a bot that is a third of the time (measured: two sends and some dozens of scheduling
points against one send), and a head that arrives without its body is one more thing to lose.
"""

import asyncio
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any, Final

import httpcore
import httpx

__all__ = ["CorkedTransport"]

_LARGEST_CORK: Final = 64 * 1024
"""Bytes held back at most; more are written as they come."""
_NEXT_ADDRESS_AFTER: Final = 0.25
"""Seconds until the next of a name's addresses is tried beside the first (RFC 8305)."""
_MOST_CONNECTIONS: Final = 100
_IDLE_FOR: Final = 5.0
"""Seconds for which an idle connection is kept, as httpx has it: later it may be gone without a word."""


class CorkedTransport(httpx.AsyncHTTPTransport):
    """Speaks HTTP/1.1 without a proxy; its errors are httpx's.

    Args:
        context: How TLS is spoken.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(verify=context)
        # httpx has no argument for it; libraries that mock httpx look for the class above, so it is kept.
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            max_connections=_MOST_CONNECTIONS,
            keepalive_expiry=_IDLE_FOR,
            network_backend=_Backend(),
        )


class _Backend(httpcore.AsyncNetworkBackend):
    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  the base class has it
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        with _told_as(httpcore.ConnectError, httpcore.ConnectTimeout):
            async with asyncio.timeout(timeout):
                loop = asyncio.get_running_loop()
                reader = _Reader(loop=loop)
                protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
                transport, _ = await loop.create_connection(
                    lambda: protocol,
                    host,
                    port,
                    local_addr=(local_address, 0) if local_address else None,
                    # A race that is given up leaves sockets open (Python 3.11): only where there can be one.
                    happy_eyeballs_delay=None if _is_address(host) else _NEXT_ADDRESS_AFTER,
                )
        for option in socket_options or ():
            transport.get_extra_info("socket").setsockopt(*option)
        return _Stream(reader, asyncio.StreamWriter(transport, protocol, reader, loop))

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _Reader(asyncio.StreamReader):
    """A reader that can tell whether something waits in it."""

    fed = 0
    """Bytes that have arrived so far."""

    def feed_data(self, data: bytes) -> None:  # type: ignore[override]  # a transport feeds bytes
        self.fed += len(data)
        super().feed_data(data)


class _Stream(httpcore.AsyncNetworkStream):
    def __init__(self, reader: _Reader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._held = bytearray()
        self._taken = 0

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109  the base class has it
        self._held += buffer
        if len(self._held) > _LARGEST_CORK:
            await self._flush(timeout)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  the base class has it
        if self._held:
            await self._flush(timeout)
        with _told_as(httpcore.ReadError, httpcore.ReadTimeout):
            async with asyncio.timeout(timeout):
                data = await self._reader.read(max_bytes)
        self._taken += len(data)
        return data

    async def _flush(self, timeout: float | None) -> None:  # noqa: ASYNC109  as above
        held, self._held = self._held, bytearray()
        with _told_as(httpcore.WriteError, httpcore.WriteTimeout):
            self._writer.write(held)
            async with asyncio.timeout(timeout):
                await self._writer.drain()

    async def aclose(self) -> None:
        """Abort: what a given-up request has not sent yet must not be sent later."""
        self._writer.transport.abort()
        # One turn, in which the socket is closed. To wait to be told would be for ever where TLS had only
        # begun: asyncio tells nobody then.
        await asyncio.sleep(0)

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109  the base class has it
    ) -> httpcore.AsyncNetworkStream:
        try:
            with _told_as(httpcore.ConnectError, httpcore.ConnectTimeout):
                async with asyncio.timeout(timeout):
                    await self._writer.start_tls(ssl_context, server_hostname=server_hostname)
        except BaseException:
            await self.aclose()
            raise
        return self

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401  the base class has it
        """Return what is known of the connection; ``is_readable`` of an idle one: it is of no use any more.

        The server closed it, or sent what nobody asked for: that would pass for the next answer.
        """
        if info == "is_readable":  # asyncio reads ahead: what has arrived is known without asking the system
            return self._reader.fed > self._taken or self._reader.at_eof() or self._writer.is_closing()
        return self._writer.get_extra_info(
            {"client_addr": "sockname", "server_addr": "peername"}.get(info, info)
        )


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return host == "localhost"
    return True


@contextmanager
def _told_as(failed: type[Exception], late: type[Exception]) -> Iterator[None]:
    try:
        yield
    except TimeoutError as exc:
        raise late(str(exc)) from exc
    except OSError as exc:  # ssl.SSLError is one
        raise failed(str(exc)) from exc
