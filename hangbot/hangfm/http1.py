"""HTTP/1.1 below httpx, straight over asyncio: h11 reads and writes it, a future waits for it.

httpx's own transport serves every kind of loop and writes head and body of a request one after the
other; for the lone small requests of a bot that is most of the time (measured). Here a request leaves
in one write, and a connection that receives unrequested data is not used again: the data would pass for
the next response.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Final, cast

import h11
import httpx

from hangbot.clock import Clock
from hangbot.hangfm.dial import dial, is_address

__all__ = ["MAY_LEAVE", "Http1Transport"]

MAY_LEAVE: Final = "hangbot_may_leave"
"""The extension of a request that is asked just before it leaves: ``False`` keeps it here."""

_LARGEST_HEAD: Final = 100 * 1024
_MOST_UNREAD: Final = 256 * 1024
"""Bytes of a body that wait for their reader before reading from the socket pauses."""
_NO_LINGER: Final = b"\x01\x00\x00\x00\x00\x00\x00\x00"
"""``SO_LINGER`` zero: closing resets the connection. Otherwise the kernel keeps sending unsent data for
minutes after the bot gave up."""


class Http1Transport(httpx.AsyncBaseTransport):
    """Speaks HTTP/1.1 without a proxy; its errors are httpx's.

    Of a request's time-outs it knows ``connect``; how long a response may take is its caller's to
    bound. As many connections are opened as there are requests at a time.

    Args:
        context: How TLS is spoken.
        clock: Bounds a connection's making, and measures how long one is idle.
        idle_for: Seconds for which an idle connection is kept, as httpx has it: later it may be gone.
    """

    def __init__(self, context: ssl.SSLContext, clock: Clock, *, idle_for: float = 5.0) -> None:
        context.set_alpn_protocols(["http/1.1"])
        self._context = context
        self._clock = clock
        self._idle_for = idle_for
        self._open: set[_Connection] = set()
        self._idle: dict[tuple[str, str, int | None], list[_Connection]] = {}
        self._closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, and return the response once its head has arrived."""
        url = request.url
        idle = self._idle.setdefault((url.scheme, url.host, url.port), [])
        content = await request.aread()
        connection = _usable(idle, self._idle_for) or await self._connect(request, idle)
        if self._closed:  # meanwhile
            connection.abort()
            raise httpx.ConnectError("closed by this program")
        return await connection.send(request, content)

    async def aclose(self) -> None:
        """Abort what is open: the unsent rest of a request that was given up must not be sent later."""
        self._closed = True
        for connection in list(self._open):
            connection.abort()
        await asyncio.sleep(0)  # one loop iteration, in which the sockets are closed

    async def _connect(self, request: httpx.Request, idle: list["_Connection"]) -> "_Connection":
        url, host = request.url, request.url.raw_host.decode("ascii")
        if url.scheme not in {"http", "https"}:
            raise httpx.UnsupportedProtocol(f"{url.scheme}:// is not HTTP")
        secure = url.scheme == "https"
        port = url.port or (443 if secure else 80)
        tls, name = (self._context, host) if secure else (None, None)
        connection, loop = _Connection(self._open, idle, self._clock), asyncio.get_running_loop()

        async def connect() -> None:
            if is_address(host):
                await loop.create_connection(lambda: connection, host, port, ssl=tls, server_hostname=name)
            else:
                sock = await dial(host, port)
                await loop.create_connection(lambda: connection, sock=sock, ssl=tls, server_hostname=name)

        try:
            limit = request.extensions.get("timeout", {}).get("connect")
            await (connect() if limit is None else self._clock.wait_for(connect(), limit))
        except TimeoutError as exc:
            raise httpx.ConnectTimeout(str(exc)) from exc
        except OSError as exc:  # ssl.SSLError is one
            raise httpx.ConnectError(str(exc)) from exc
        return connection


class _Connection(asyncio.Protocol):
    """One connection; idle again when the whole response has arrived and nothing beyond it.

    Args:
        opened: The open connections, this one among them while it is open.
        idle: The idle ones to the same server.
        clock: Measures how long it is idle.
    """

    _transport: asyncio.Transport

    def __init__(self, opened: set["_Connection"], idle: list["_Connection"], clock: Clock) -> None:
        self._opened = opened
        self._idle = idle
        self._clock = clock
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LARGEST_HEAD)
        self._response: _Response | None = None
        self._idle_since = 0.0

    def is_stale(self, idle_for: float) -> bool:
        """Return whether it has been idle for too long, or the server has hung up."""
        return self._transport.is_closing() or self._clock.now() > self._idle_since + idle_for

    def abort(self) -> None:
        """Close it without sending the rest."""
        self._transport.abort()

    async def send(self, request: httpx.Request, content: bytes) -> httpx.Response:
        """Send a request in one write, and return the response once its head has arrived."""
        response = self._response = _Response(self._transport)
        try:
            target, headers = request.url.raw_path, request.headers.raw
            head = h11.Request(method=request.method, target=target, headers=headers)
            events = (head, h11.Data(data=content), h11.EndOfMessage())
            data = b"".join(self._http.send(event) or b"" for event in events)
            _refuse_unless(request.extensions.get(MAY_LEAVE))
            self._transport.write(data)
            return await response.begun()
        except BaseException as exc:
            await response.aclose()
            if isinstance(exc, h11.LocalProtocolError):  # it quotes the header, which may be the token
                raise httpx.LocalProtocolError("the request holds what HTTP cannot carry") from None
            raise

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name
        self._opened.add(self)
        with suppress(OSError):  # the server has hung up already
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)

    def data_received(self, data: bytes) -> None:
        if self._response is None:
            self._retire()  # unrequested
            return
        try:
            self._http.receive_data(data)
            self._read(self._response)
        except h11.RemoteProtocolError as exc:
            self._response.fail(httpx.RemoteProtocolError(str(exc)))
            self._retire()

    def eof_received(self) -> None:
        if self._response is None:
            self._retire()
        elif self._http.their_state is h11.SEND_RESPONSE:
            self._response.fail(httpx.RemoteProtocolError("the server hung up without an answer"))
        else:
            self.data_received(b"")

    def connection_lost(self, exc: Exception | None) -> None:
        self._opened.discard(self)
        self._retire()
        if self._response is not None:
            self._response.fail(httpx.ReadError(str(exc or "the connection was closed")))

    def _read(self, response: "_Response") -> None:
        while (event := self._http.next_event()) is not h11.NEED_DATA:
            if isinstance(event, h11.Response):
                response.begin(event)
            elif isinstance(event, h11.Data):
                response.more(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage):
                self._response = None
                response.end()
                self._become_idle()
                break

    def _become_idle(self) -> None:
        """Be idle, unless the server wants to close it, or has sent more than one response."""
        reusable = self._http.our_state is self._http.their_state is h11.DONE
        if not reusable or any(self._http.trailing_data):
            self._retire()
            return
        self._http.start_next_cycle()
        self._transport.resume_reading()
        self._idle_since = self._clock.now()
        self._idle.append(self)

    def _retire(self) -> None:
        """Leave the pool and abort on the next loop iteration.

        asyncio's TLS transport fails when it is aborted inside its own callback.
        """
        if self in self._idle:
            self._idle.remove(self)
        asyncio.get_running_loop().call_soon(self._transport.abort)


class _Response(httpx.AsyncByteStream):
    """The part of a response that has arrived and was not taken yet."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head: h11.Response | None = None
        self._chunks: list[bytes] = []
        self._unread = 0
        self._ended = False
        self._error: httpx.TransportError | None = None
        self._waiter: asyncio.Future[None] | None = None

    def begin(self, head: h11.Response) -> None:
        self._head = head
        self._wake()

    def more(self, data: bytes) -> None:
        self._chunks.append(data)
        self._unread += len(data)
        if self._unread > _MOST_UNREAD:
            self._transport.pause_reading()
        self._wake()

    def end(self) -> None:
        self._ended = True
        self._wake()

    def fail(self, error: httpx.TransportError) -> None:
        self._error = self._error or error
        self._wake()

    async def begun(self) -> httpx.Response:
        while self._head is None:
            await self._wait_for_more()
        head = self._head
        return httpx.Response(
            head.status_code,
            headers=head.headers.raw_items(),
            stream=self,
            extensions={"http_version": b"HTTP/" + head.http_version, "reason_phrase": head.reason},
        )

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            chunks, self._chunks, self._unread = self._chunks, [], 0
            for chunk in chunks:
                yield chunk
            if self._chunks:
                continue
            if self._ended:
                return
            self._transport.resume_reading()
            await self._wait_for_more()

    async def aclose(self) -> None:
        """Abort the connection, unless the response is whole: then it may serve another request already."""
        if not self._ended:
            self._transport.abort()

    async def _wait_for_more(self) -> None:
        """Wait until more has arrived."""
        if self._error:
            raise self._error
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)


def _refuse_unless(may_leave: Callable[[], bool] | None) -> None:
    if may_leave is not None and not may_leave():
        raise httpx.ConnectError("this worker may not act any more")


def _usable(idle: list[_Connection], idle_for: float) -> _Connection | None:
    """Take the connection that was used last; abort those that were idle for too long."""
    while idle:
        connection = idle.pop()
        if not connection.is_stale(idle_for):
            return connection
        connection.abort()
    return None
