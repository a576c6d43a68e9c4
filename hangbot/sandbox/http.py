"""HTTP/1.1 for chat, gateway and control: h11 reads it, a task answers each request.

A request is read whole before it is handled, and the answer goes out in one write. The handler
may do to the connection what no service should: cut it, or never answer.
"""

import asyncio
import contextlib
import logging
import re
import ssl
import time
import zlib
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import cache, lru_cache
from http import HTTPStatus
from typing import Final

import h11

from hangbot.sandbox.ports import bound_socket

__all__ = ["Handler", "Headers", "Request", "Response", "serve_http"]

_log: Final = logging.getLogger(__name__)
_LARGEST_HEAD: Final = 64 * 1024
_LONGEST_TARGET: Final = 8000
_HANDSHAKE_S: Final = 10.0
_ORIGIN: Final = re.compile(r"(?i)^https?://[^/?]*")
_GZIP_OR_ZLIB: Final = 47
"""What zlib is told so that it finds out by itself which of the two it is."""
_FIRST_FINAL_STATUS: Final = 200
_BODILESS: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})


class Headers(Mapping[str, str]):
    """The headers of a request: names in any case; of several with one name the first."""

    def __init__(self, raw: Sequence[tuple[bytes, bytes]]) -> None:
        self._values = {name.lower(): value for name, value in reversed(raw)}

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower().encode()].decode("utf-8", "surrogateescape")

    def __iter__(self) -> Iterator[str]:
        return (name.decode() for name in self._values)

    def __len__(self) -> int:
        return len(self._values)


@dataclass(slots=True)
class Response:
    """An answer. Length, kind and date are added where the headers do not give them."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class Request:
    """One request, read whole.

    Attributes:
        method: As it was sent.
        target: Path and query, as they were sent; without the host that stands before them for a proxy.
        headers: Its headers.
        body: Its body, unpacked; ``None`` if it cannot be.
        too_large: Whether the body was larger than is taken; ``body`` is empty then.
        answered: Whether its answer was sent.
    """

    def __init__(
        self,
        connection: "_Connection",
        head: h11.Request,
        headers: Headers,
        body: bytes | None,
        *,
        too_large: bool,
    ) -> None:
        self._connection = connection
        self._head = head
        self.method = head.method.decode("ascii")
        self.target = _ORIGIN.sub("", head.target.decode("ascii"))
        self.headers = headers
        self.body = body
        self.too_large = too_large
        self.answered = False

    @property
    def gone(self) -> bool:
        """Whether nobody is there any more who could hear an answer."""
        return self._connection.transport.is_closing()

    @property
    def is_last(self) -> bool:
        """Whether its client will ask no more on this connection."""
        return self._head.http_version < b"1.1" or "close" in self.headers.get("Connection", "").lower()

    def answer(self, response: Response) -> None:
        """Send an answer; for a handler that has more to do after it, and returns ``None``."""
        self._connection.write(response, method=self.method, last=self.is_last)
        self.answered = True

    def abort(self) -> None:
        """Cut the connection."""
        self._connection.transport.abort()

    def hand_over(self, protocol: asyncio.Protocol) -> None:
        """Let another protocol have the connection; it is told everything from the request's head on."""
        head = self._head
        lines = [b"%b %b HTTP/%b\r\n" % (head.method, head.target, head.http_version)]
        lines += [b"%b: %b\r\n" % header for header in head.headers.raw_items()]
        self._connection.hand_over(protocol, b"".join(lines) + b"\r\n")


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
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  as `create_server` makes them
        self.transport = transport
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
        body = _unpacked(raw, headers.get("Content-Encoding", ""), self._largest_body)
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
        data, last = _written(response, method, last=last)
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


def _unpacked(body: bytes, how: str, largest: int) -> bytes | None:
    """What was packed, cut where it is more than the largest; ``None`` if that cannot be told."""
    if how.lower() not in {"gzip", "deflate"}:
        return body
    unpacking = zlib.decompressobj(_GZIP_OR_ZLIB)
    try:
        unpacked = unpacking.decompress(body, largest + 1)
    except zlib.error:
        return None
    return unpacked if unpacking.eof or len(unpacked) > largest else None


def _written(response: Response, method: str, *, last: bool) -> tuple[bytes, bool]:
    """What goes over the wire, and whether it is the last that does."""
    given = {name.lower(): value for name, value in response.headers.items()}
    added = {}
    length = str(len(response.body))
    interim = response.status < _FIRST_FINAL_STATUS
    bodiless = interim or response.status in _BODILESS
    silent = bodiless or method == "HEAD"
    misleads = not silent and ("transfer-encoding" in given or given.get("content-length", length) != length)
    # Where the next answer begins, a client could not tell after these.
    last = last or interim or misleads or "close" in given.get("connection", "").lower()
    if not bodiless and "content-length" not in given:
        added["Content-Length"] = length
    if response.body and "content-type" not in given:
        added["Content-Type"] = "application/octet-stream"
    if "date" not in given:
        added["Date"] = _date(int(time.time()))
    if last and "connection" not in given:
        added["Connection"] = "close"
    lines = [f"HTTP/1.1 {response.status} {_phrase(response.status)}"]
    lines += [f"{name}: {value}" for name, value in (*response.headers.items(), *added.items())]
    head = "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n"
    return (head if silent else head + response.body), last


@lru_cache(maxsize=1)
def _date(now_s: int) -> str:
    return formatdate(now_s, usegmt=True)


@cache
def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
