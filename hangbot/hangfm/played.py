"""A network that is played: what a service answered once, in the place of httpx's and websockets' own.

Who plays it says what happens; here that becomes what a client of the two libraries meets.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from typing import Final, NamedTuple, Protocol
from urllib.parse import urlsplit

import httpx
import websockets.exceptions
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidHandshake, InvalidStatus
from websockets.frames import Close
from websockets.http11 import Response

from hangbot.clock import Clock
from hangbot.hangfm.http import TOO_LARGE
from hangbot.hangfm.network import Network
from hangbot.hangfm.socket import Connection
from hangbot.journal import Journal

__all__ = ["Answer", "Closed", "Failure", "Player", "played_network"]

_NEVER: Final = frozenset({"TimeoutError", "CancelledError"})
"""How something ended that never came: it never comes now, and it is the bot that gives it up."""
_LARGER: Final = 33 * 2**20


class Answer(NamedTuple):
    """A whole answer; header names in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Failure(NamedTuple):
    """How there was none: the name of what was raised then, and the number of the system's error."""

    how: str
    errno: int | None = None


class Closed(NamedTuple):
    """How a connection ended.

    Attributes:
        theirs: Whether the service closed or cut it; otherwise the library gave it up.
        code: The code; ``None``: it was cut.
        reason: In words, where there were any.
    """

    theirs: bool
    code: int | None
    reason: str


class Line(Protocol):
    """One connection, as it is played."""

    def heard(self, frame: str) -> None:
        """Take a frame of the client."""

    async def next(self) -> str | bytes | Closed:
        """Return the next frame for the client, or how the connection ended."""

    async def pong(self) -> float:
        """Return when the service answers a ping."""

    def left(self) -> None:
        """Note that the client closed it."""


class Player(Protocol):
    """Plays the services."""

    async def answer(self, service: str, method: str, target: str, body: bytes) -> Answer | Failure:
        """Return what a request is answered, when it is time."""

    async def open(self, service: str) -> Line | Answer | Failure:
        """Return a connection, or what is answered in its place, when it is time."""


def played_network(player: Player, services: Mapping[str, str], journal: Journal) -> Network:
    """Return a network that is played.

    Args:
        player: Plays it.
        services: Which service is at which host.
        journal: Keeps what happens.
    """

    @asynccontextmanager
    async def open_transport(*_: str, clock: Clock) -> AsyncIterator[httpx.AsyncBaseTransport]:  # noqa: ARG001  as the network's own
        yield _Transport(player, services)

    async def dial(url: str, *, local: bool) -> Connection:  # noqa: ARG001  as the network's own
        got = await player.open("room" if services.get(urlsplit(url).hostname or "") == "room" else "chat")
        match got:
            case Answer(status, headers, body):
                raise InvalidStatus(Response(status, "", Headers(headers), body))
            case Failure(how, errno):
                await _raise_socket(how, errno)
        return _Connection(got)  # type: ignore[arg-type]  # neither of the two

    return Network(open_transport, dial, journal)


class _Transport(httpx.AsyncBaseTransport):
    def __init__(self, player: Player, services: Mapping[str, str]) -> None:
        self._player = player
        self._services = services

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        service = self._services.get(request.url.host, "chat")
        target = request.url.raw_path.decode("ascii")
        got = await self._player.answer(service, request.method, target, body)
        if isinstance(got, Answer):
            return httpx.Response(
                got.status, headers=list(got.headers.items()), stream=httpx.ByteStream(got.body)
            )
        if got.how == TOO_LARGE:
            return httpx.Response(200, stream=httpx.ByteStream(bytes(_LARGER)))
        if got.how in _NEVER:
            await _never()
        kind = getattr(httpx, got.how, None)
        if isinstance(kind, type) and issubclass(kind, httpx.HTTPError):
            raise kind("as it was then")
        raise httpx.ReadError("as it was then")


class _Connection:
    def __init__(self, line: Line) -> None:
        self._line = line
        self._end: ConnectionClosed | None = None
        self._closing = asyncio.Event()

    async def send(self, message: str) -> None:
        if self._end:
            raise self._end
        self._line.heard(message)

    async def recv(self) -> str | bytes:
        if self._end:
            raise self._end
        coming = asyncio.ensure_future(self._line.next())
        closing = asyncio.ensure_future(self._closing.wait())
        try:
            await asyncio.wait([coming, closing], return_when=asyncio.FIRST_COMPLETED)
        finally:
            closing.cancel()
            if not coming.done():
                coming.cancel()
        if self._closing.is_set():
            self._end = ConnectionClosedError(None, Close(1000, ""))
            raise self._end
        got = coming.result()
        if not isinstance(got, Closed):
            return got
        close = None if got.code is None else Close(got.code, got.reason)
        self._end = ConnectionClosedError(close if got.theirs else None, None if got.theirs else close)
        raise self._end

    async def ping(self) -> Awaitable[float]:
        if self._end:
            raise self._end
        return asyncio.ensure_future(self._line.pong())

    async def close(self) -> None:
        self._line.left()
        self._closing.set()


async def _raise_socket(how: str, errno: int | None) -> None:
    """Raise what a connection that could not be made raised then."""
    if how in _NEVER:
        await _never()
    if errno is not None:
        raise OSError(errno, "as it was then")
    if how == "EOFError":
        raise EOFError
    kind = getattr(websockets.exceptions, how, None)
    if isinstance(kind, type) and issubclass(kind, InvalidHandshake):
        raise InvalidHandshake("as it was then")
    raise OSError("as it was then")


async def _never() -> None:
    await asyncio.get_running_loop().create_future()
