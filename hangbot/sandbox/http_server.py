"""HTTP/1.1 for chat, gateway and control: h11 reads it, a task answers each request.

A request is read whole before it is handled, and the answer goes out in one write. The handler
may do to the connection what no service should: cut it, or never answer.
"""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final, cast

import h11

from hangbot.sandbox.http import Headers, Request, Response, unpacked, written
from hangbot.sandbox.ports import bound_socket

__all__ = ["Handler", "serve_http"]

_log: Final = logging.getLogger(__name__)
_LARGEST_HEAD: Final = 64 * 1024
_LONGEST_TARGET: Final = 8000
_HANDSHAKE_S: Final = 10.0

Handler = Callable[[Request], Awaitable[Response | None]]
"""Answers a request; ``None`` says that it was answered, cut or handed over already."""


async def serve_http(
    stack: contextlib.AsyncExitStack,
    handler: Handler,
    port: int,
    tls: ssl.SSLContext | None = None,
    *,
    largest_body: int,
) -> int:
    """Serve on loopback until the stack is closed; returns the port.

    Args:
        stack: What closes it.
        handler: Answers; it is cancelled when its client goes.
        port: Port, 0 = chosen by the kernel.
        tls: Server context, or ``None``.
        largest_body: Bytes of a body, packed and unpacked; of a larger one the handler hears only that.

    Raises:
        HangbotError: The port is taken.
    """
    sock = bound_socket(port)
    stack.callback(sock.close)
    connections: set[_Connection] = set()
    server = await asyncio.get_running_loop().create_server(
        lambda: _Connection(handler, connections, largest_body),
        sock=sock,
        ssl=tls,
        ssl_handshake_timeout=None if tls is None else _HANDSHAKE_S,
    )

    async def close() -> None:
        await sock.refuse()
        server.close()
        ended = [connection.end() for connection in tuple(connections)]
        await asyncio.gather(*filter(None, ended), return_exceptions=True)
        await sock.hang_up()
        await server.wait_closed()

    stack.push_async_callback(close)
    return int(sock.getsockname()[1])


class _Connection(asyncio.Protocol):
    """One connection, on which one request is answered after the other."""

    transport: asyncio.Transport

    def __init__(self, handler: Handler, everyone: set["_Connection"], largest_body: int) -> None:
        self._handler = handler
        self._everyone = everyone
        self._largest_body = largest_body
        self._http = _reader()
        self._head: h11.Request | None = None
        self._body = bytearray()
        self._size = 0
        self._task: asyncio.Task[None] | None = None
        self._stalled = False

    # -- what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name
        self._everyone.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  asyncio's signature
        self._everyone.discard(self)
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        self._stalled = True  # who does not read is not read either
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        self._stalled = False
        # Later: a transport that is closed from within this call loses its connection twice.
        asyncio.get_running_loop().call_soon(self._go_on)

    def data_received(self, data: bytes) -> None:
        self._http.receive_data(data)
        if self._task is not None and len(self._http.trailing_data[0]) > _LARGEST_HEAD:
            self.transport.pause_reading()  # enough for later
        self._go_on()

    # -- in

    def _go_on(self) -> None:
        """Begin with the next request, unless one is at work, or nobody reads its answer."""
        if self._task is None and not self._stalled and not self.transport.is_closing():
            self._read()

    def _read(self) -> None:
        try:
            while isinstance(event := self._http.next_event(), h11.Event):
                if isinstance(event, h11.Request):
                    if len(event.target) > _LONGEST_TARGET:
                        self.write(Response(HTTPStatus.REQUEST_URI_TOO_LONG), last=True)
                        return
                    self._head, self._body, self._size = event, bytearray(), 0
                elif isinstance(event, h11.Data):
                    self._keep(event.data)
                elif isinstance(event, h11.EndOfMessage):
                    self._begin()
                    return
        except h11.RemoteProtocolError as exc:
            self.write(Response(exc.error_status_hint), last=True)
            return
        self.transport.resume_reading()
        if self._http.they_are_waiting_for_100_continue:
            go_on = h11.InformationalResponse(status_code=HTTPStatus.CONTINUE, headers=[])
            self.transport.write(self._http.send(go_on) or b"")

    def _keep(self, piece: bytes) -> None:
        """Keep a piece of the body. What is too large is read to its end, or nobody would hear the answer."""
        self._size += len(piece)
        if self._size <= self._largest_body:
            self._body += piece
        else:
            self._body.clear()

    def _begin(self) -> None:
        assert self._head is not None  # noqa: S101  a message has a head
        raw, self._body = bytes(self._body), bytearray()
        headers = Headers(self._head.headers.raw_items())
        body = unpacked(raw, headers.get("Content-Encoding", ""), self._largest_body)
        too_large = max(self._size, len(body or b"")) > self._largest_body
        body = b"" if too_large else body
        request = Request(self, self._head, headers, body, too_large=too_large)
        self._task = asyncio.get_running_loop().create_task(self._handle(request), name="sandbox: a request")

    async def _handle(self, request: Request) -> None:
        try:
            response = await self._handler(request)
            if response is not None:
                request.answer(response)
        except Exception:  # noqa: BLE001  a service answers whatever happens in it
            _log.exception("%s %s failed", request.method, request.target.partition("?")[0])
            if not request.answered:  # a second answer would be taken for the next request's
                request.answer(Response(HTTPStatus.INTERNAL_SERVER_ERROR))
        self._task = None
        if self.transport.get_protocol() is self:
            behind, self._http = self._http.trailing_data[0], _reader()
            if behind:  # nothing would mean to h11 that the client has hung up
                self._http.receive_data(behind)
            self._go_on()

    # -- out

    def write(self, response: Response, *, method: str = "", last: bool) -> None:
        """Write an answer; after the last one, and after one that says so, the connection is closed."""
        if self.transport.is_closing():
            return
        data, last = written(response, method, last=last)
        self.transport.write(data)
        if last:
            self.transport.close()

    def hand_over(self, protocol: asyncio.Protocol, head: bytes) -> None:
        """Be replaced by another protocol."""
        self._everyone.discard(self)
        self.transport.set_protocol(protocol)
        protocol.connection_made(self.transport)
        protocol.data_received(head)
        behind = self._http.trailing_data[0]
        if behind:  # apart: what answers the head must be out before what answers this
            protocol.data_received(behind)

    def end(self) -> asyncio.Task[None] | None:
        """Cut it, which cancels what works on its request; returns that, for those who wait for it."""
        self.transport.abort()
        return self._task


def _reader() -> h11.Connection:
    """What reads one request, and keeps what comes behind it."""
    return h11.Connection(h11.SERVER, max_incomplete_event_size=_LARGEST_HEAD)
