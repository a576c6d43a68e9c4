"""HTTP/1.1: h11 reads it, a task answers each request.

A request is read whole before it is handled, and the answer goes out in one write. A handler may
do what no server should: cut the connection, or never answer.
"""

import asyncio
import logging
import math
import ssl
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final, cast

import h11

from hangbot.web.http import Headers, Request, Response, Unserved, Upgraded
from hangbot.web.http_bytes import unpacked, written
from hangbot.web.listen import HOST, Listener, OpenServer

__all__ = ["Handler", "HttpServer", "Witness"]

_log: Final = logging.getLogger(__name__)
_LARGEST_HEAD: Final = 64 * 1024
_LONGEST_TARGET: Final = 8000

Handler = Callable[[Request], Awaitable[Response | None]]
"""Answers a request; returns ``None`` if it was answered, cut or handed over already."""

Witness = Callable[[Unserved], object]
"""Given each request that no handler has noted: cut, unreadable, or its handler failed."""


class HttpServer:
    """HTTP on one port, which stays reserved while the server is stopped.

    Args:
        handler: Answers requests; it is cancelled when its client disconnects.
        port: Port, 0 = chosen by the kernel.
        tls: Server context, or ``None``.
        largest_body: The limit for a body in bytes, compressed or not; a larger one is dropped.
        now_s: The time for the answers' dates, in seconds since 1970.
        witness: Given the requests that no handler has noted.
        most: Connections at a time; one more is cut.
        host: Address.
        open_server: Opens another server than one on ``host`` and ``port``.
    """

    def __init__(  # noqa: PLR0913  all but two have a default
        self,
        handler: Handler,
        port: int,
        tls: ssl.SSLContext | None = None,
        *,
        largest_body: int,
        now_s: Callable[[], float],
        witness: Witness = lambda _: None,
        most: float = math.inf,
        host: str = HOST,
        open_server: OpenServer | None = None,
    ) -> None:
        self.handler = handler
        self.largest_body = largest_body
        self.witness = witness
        self.now_s = now_s
        self.most = most
        self._listener = Listener(self._new_connection, port, tls, host=host, open_server=open_server)
        self._connections: dict[_Connection, None] = {}  # in order, so that a simulation ends them alike
        self._numbers = 0

    @property
    def listening(self) -> bool:
        """Whether connections are accepted."""
        return self._listener.listening

    @property
    def port(self) -> int:
        """Its port; one that the system chose is known once it has listened."""
        return self._listener.port

    async def listen(self) -> None:
        """Accept connections.

        Raises:
            HangbotError: The port is taken.
        """
        await self._listener.start()

    async def stop(self, *, keeps_port: bool = True) -> None:
        """End every connection and refuse new ones, but keep the port."""
        await self._listener.stop_accepting(
            keeps_port=keeps_port
        )  # first, or a connection accepted meanwhile would stay open
        ended = [connection.end() for connection in tuple(self._connections)]
        await asyncio.gather(*filter(None, ended), return_exceptions=True)
        await self._listener.abort_rest()

    async def close(self) -> None:
        """End every connection and release the port; idempotent."""
        await self.stop(keeps_port=False)
        self._listener.release()

    def cut(self, service: str) -> None:
        """End the connections whose last request was for this service."""
        for connection in tuple(self._connections):
            if connection.service == service:
                connection.end()

    def sweep(self) -> None:
        """End connections of which no request came whole since the last sweep but one."""
        for connection in tuple(self._connections):
            connection.sweeps += 1
            if connection.sweeps > 1:
                connection.end()

    def _new_connection(self) -> "_Connection":
        self._numbers += 1
        return _Connection(self, self._connections, self._numbers)


class _Connection(asyncio.Protocol):
    """A connection, whose requests are answered one after the other.

    Attributes:
        number: Its number, counted per server from 1.
        service: The service of its last request.
        sweeps: How often the server was swept since a request came whole.
    """

    transport: asyncio.Transport

    def __init__(self, server: HttpServer, everyone: dict["_Connection", None], number: int) -> None:
        self.number = number
        self.service = ""
        self.sweeps = 0
        self._server = server
        self._everyone = everyone
        self._http = _reader()
        self._came: list[bytes] = []
        self._head: h11.Request | None = None
        self._request: Request | None = None
        self._body = bytearray()
        self._size = 0
        self._task: asyncio.Task[None] | None = None
        self._stalled = False

    # -- what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name
        self._everyone[self] = None
        if len(self._everyone) > self._server.most:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  asyncio's signature
        self._everyone.pop(self, None)
        if self._task is not None:
            self._task.cancel()
        request = self._request
        if request is None and self._head is not None:
            request = self._as_far_as_it_came(self._head)
        if request is not None:
            self._report(Unserved(request))
        elif (raw := b"".join(self._came)).strip():
            self._report(Unserved(None, raw=raw))

    def pause_writing(self) -> None:
        self._stalled = True  # a client that does not read is not read from either
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        self._stalled = False
        # Later: a transport that is closed within this call reports the loss twice.
        asyncio.get_running_loop().call_soon(self._go_on)

    def data_received(self, data: bytes) -> None:
        if self._head is None:
            self._came.append(data)  # an unreadable request is shown as it came
        self._http.receive_data(data)
        if self._task is not None and len(self._http.trailing_data[0]) > _LARGEST_HEAD:
            self.transport.pause_reading()  # enough for later
        self._go_on()

    # -- in

    def _go_on(self) -> None:
        """Begin with the next request, unless one is being handled or the client does not read."""
        if self._task is None and not self._stalled and not self.transport.is_closing():
            self._read()

    def _read(self) -> None:
        try:
            while isinstance(event := self._http.next_event(), h11.Event):
                if isinstance(event, h11.Request):
                    self._head, self._body, self._size = event, bytearray(), 0
                    self._came.clear()
                    if len(event.target) > _LONGEST_TARGET:
                        self._refuse(HTTPStatus.REQUEST_URI_TOO_LONG, "its target is too long")
                        return
                elif isinstance(event, h11.Data):
                    self._keep(event.data)
                elif isinstance(event, h11.EndOfMessage):
                    self._begin()
                    return
        except h11.RemoteProtocolError as exc:
            self._refuse(exc.error_status_hint, str(exc))
            return
        self.transport.resume_reading()
        if self._http.they_are_waiting_for_100_continue:
            go_on = h11.InformationalResponse(status_code=HTTPStatus.CONTINUE, headers=[])
            self.transport.write(self._http.send(go_on) or b"")

    def _refuse(self, status: int, problem: str) -> None:
        """Answer a request that cannot be read, and close the connection."""
        request = None if self._head is None else self._as_far_as_it_came(self._head)
        self._report(Unserved(request, status, b"".join(self._came), problem))
        self._came.clear()
        self._head = None
        self.write(Response(status), last=True)

    def _report(self, unserved: Unserved) -> None:
        """Give the witness a request that no handler has noted."""
        if unserved.request is None or not unserved.request.noted:
            self._server.witness(unserved)

    def _keep(self, piece: bytes) -> None:
        """Keep a piece of the body; one over the limit is read to its end, for an answer."""
        self._size += len(piece)
        if self._size <= self._server.largest_body:
            self._body += piece
        else:
            self._body.clear()

    def _begin(self) -> None:
        assert self._head is not None  # noqa: S101  a message has a head
        self.sweeps = 0
        self._request = request = self._as_far_as_it_came(self._head)
        self._head, self._body = None, bytearray()
        self._task = asyncio.get_running_loop().create_task(self._handle(request), name="a request")

    def _as_far_as_it_came(self, head: h11.Request) -> Request:
        raw, largest = bytes(self._body), self._server.largest_body
        headers = Headers(head.headers.raw_items())
        body = unpacked(raw, headers.get("Content-Encoding", ""), largest)
        too_large = max(self._size, len(body or b"")) > largest
        body = b"" if too_large else body
        return Request(self, head, headers, body, size=self._size, too_large=too_large)

    async def _handle(self, request: Request) -> None:
        try:
            response = await self._server.handler(request)
            if response is not None:
                request.answer(response)
        except Exception as exc:  # noqa: BLE001  a service answers in any case
            _log.exception("%s %s failed", request.method, request.target.partition("?")[0])
            if not request.answered:  # the client would take a second answer for the next request's
                status = HTTPStatus.INTERNAL_SERVER_ERROR
                self._report(Unserved(request, status, problem=type(exc).__name__))
                request.answer(Response(status))
        self._task = self._request = None
        if self.transport.get_protocol() is self:
            behind, self._http = self._http.trailing_data[0], _reader()
            self._came = [behind]
            if behind:  # h11 takes empty data for the end of the connection
                self._http.receive_data(behind)
            self._go_on()

    # -- out

    def write(self, response: Response, *, method: str = "", last: bool) -> None:
        """Write an answer, and close the connection after the last one or one that says so."""
        if self.transport.is_closing():
            return
        data, last = written(response, method, last=last, now_s=self._server.now_s())
        self.transport.write(data)
        if last:
            self.transport.close()

    def hand_over(self, protocol: Upgraded, head: bytes) -> None:
        """Give the connection to another protocol."""
        self._everyone.pop(self, None)
        self._request = None
        # The type asks for asyncio's class; its methods are enough.
        self.transport.set_protocol(cast("asyncio.Protocol", protocol))
        protocol.connection_made(self.transport)
        protocol.data_received(head)
        self.transport.resume_reading()
        behind = self._http.trailing_data[0]
        if behind:  # separately: the answer to the head must go out first
            protocol.data_received(behind)

    def end(self) -> asyncio.Task[None] | None:
        """Cut it, which cancels the task of its request; return that task for callers that wait for it."""
        self.transport.abort()
        return self._task


def _reader() -> h11.Connection:
    """Return a reader for one request, which keeps what comes after it."""
    return h11.Connection(h11.SERVER, max_incomplete_event_size=_LARGEST_HEAD)
