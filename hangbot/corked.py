"""httpx over asyncio's own streams: the head and the body of a request leave in one write.

httpx sends them one after the other, over a layer that serves trio too. On the lone small
requests of a bot that is a third of the time (measured: two sends and some dozens of scheduling
points against one send), and a head that arrives without its body is one more thing to lose.
"""

import asyncio
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import httpcore
import httpx

__all__ = ["CorkedTransport"]

_LARGEST_CORK: Final = 64 * 1024
"""Bytes held back at most; more are written as they come."""
_NEXT_ADDRESS_AFTER: Final = 0.25
"""Seconds until the next of a name's addresses is tried beside the first (RFC 8305)."""


class CorkedTransport(httpx.AsyncHTTPTransport):
    """Speaks HTTP/1.1 without a proxy; its errors are httpx's.

    Args:
        context: How TLS is spoken.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(verify=context)
        # httpx has no argument for it; libraries that mock httpx look for the class above, so it is kept.
        self._pool = httpcore.AsyncConnectionPool(ssl_context=context, network_backend=_Backend())


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
                streams = await asyncio.open_connection(
                    host,
                    port,
                    local_addr=(local_address, 0) if local_address else None,
                    happy_eyeballs_delay=_NEXT_ADDRESS_AFTER,
                )
        for option in socket_options or ():
            streams[1].get_extra_info("socket").setsockopt(*option)
        return _Stream(*streams)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _Stream(httpcore.AsyncNetworkStream):
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._held = bytearray()

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109  the base class has it
        self._held += buffer
        if len(self._held) > _LARGEST_CORK:
            await self._flush(timeout)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  the base class has it
        if self._held:
            await self._flush(timeout)
        with _told_as(httpcore.ReadError, httpcore.ReadTimeout):
            async with asyncio.timeout(timeout):
                return await self._reader.read(max_bytes)

    async def _flush(self, timeout: float | None) -> None:  # noqa: ASYNC109  as above
        held, self._held = self._held, bytearray()
        with _told_as(httpcore.WriteError, httpcore.WriteTimeout):
            self._writer.write(held)
            async with asyncio.timeout(timeout):
                await self._writer.drain()

    async def aclose(self) -> None:
        """Abort: what a given-up request has not sent yet must not be sent later."""
        self._writer.transport.abort()
        with suppress(OSError):
            await self._writer.wait_closed()

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
        """Return what is known of the connection; ``is_readable`` of an idle one: the server closed it."""
        if info == "is_readable":  # asyncio reads ahead: what has arrived is known without asking the system
            return self._reader.at_eof() or self._writer.is_closing()
        return self._writer.get_extra_info(
            {"client_addr": "sockname", "server_addr": "peername"}.get(info, info)
        )


@contextmanager
def _told_as(failed: type[Exception], late: type[Exception]) -> Iterator[None]:
    try:
        yield
    except TimeoutError as exc:
        raise late(str(exc)) from exc
    except OSError as exc:  # ssl.SSLError is one
        raise failed(str(exc)) from exc
