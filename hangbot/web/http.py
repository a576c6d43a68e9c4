"""A request and its answer, as handlers see them."""

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import h11

__all__ = [
    "Headers",
    "Line",
    "Request",
    "Response",
    "Unserved",
    "Upgraded",
]

_ORIGIN: Final = re.compile(r"(?i)^https?://[^/?]*")
_PORT: Final = re.compile(r":\d*$")


class Headers(Mapping[str, str]):
    """The headers of a request, by names in any case; the first of several with one name counts."""

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
    """An answer. Length, content type and date are added unless the headers have them."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class Upgraded(Protocol):
    """Another protocol that takes over a connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take over the connection."""

    def data_received(self, data: bytes) -> None:
        """Read the request's head, then whatever came after it."""


class Line(Protocol):
    """The connection of a request."""

    transport: asyncio.Transport
    number: int
    service: str

    def write(self, response: Response, *, method: str, last: bool) -> None:
        """Write an answer."""

    def hand_over(self, protocol: Upgraded, head: bytes) -> None:
        """Give the connection to another protocol, with the request's head and what comes after it."""


class Request:
    """A request, read whole or as far as it came.

    Attributes:
        method: The method as it was sent.
        target: Path and query as they were sent, without the host that a request to a proxy has there.
        whole_target: With it.
        version: That of HTTP, such as ``1.1``.
        headers: Its headers.
        body: Its body, decompressed; ``None`` if that failed.
        size: The number of bytes of its body, as they came.
        too_large: Whether the body was over the limit; ``body`` is empty then.
        answered: Whether its answer was sent.
        noted: Whether its handler has noted it, so that the witness need not.
    """

    def __init__(
        self,
        line: Line,
        head: h11.Request,
        headers: Headers,
        body: bytes | None,
        *,
        size: int = 0,
        too_large: bool = False,
    ) -> None:
        self._line = line
        self._head = head
        self.whole_target = head.target.decode("ascii")
        self.version = head.http_version.decode("ascii")
        self.method = head.method.decode("ascii")
        self.target = _ORIGIN.sub("", self.whole_target)
        self.headers = headers
        self.body = body
        self.size = size
        self.too_large = too_large
        self.answered = False
        self.noted = False

    @property
    def conn(self) -> int:
        """The number of its connection, counted per port from 1."""
        return self._line.number

    @property
    def host(self) -> str:
        """The host that it names, lower case and without port; one in the target comes first (RFC 9112)."""
        named = _ORIGIN.match(self.whole_target)
        host = named[0].partition("://")[2] if named else self.headers.get("Host", "")
        return _PORT.sub("", host).lower()

    @property
    def gone(self) -> bool:
        """Whether its client has disconnected."""
        return self._line.transport.is_closing()

    @property
    def is_last(self) -> bool:
        """Whether its client will send no other request on this connection."""
        return self._head.http_version < b"1.1" or "close" in self.headers.get("Connection", "").lower()

    @property
    def can_upgrade(self) -> bool:
        """Whether it may become a WebSocket; its headers say whether it asks for that."""
        return self.method == "GET" and not self.size

    def serve_as(self, service: str) -> None:
        """Count its connection as one of this service, whose connections can be cut together."""
        self._line.service = service

    def answer(self, response: Response) -> None:
        """Send an answer: for a handler that has more to do afterwards, and returns ``None``."""
        self._line.write(response, method=self.method, last=self.is_last)
        self.answered = True

    def abort(self) -> None:
        """Cut the connection."""
        self._line.transport.abort()

    def hand_over(self, protocol: Upgraded) -> None:
        """Give the connection to another protocol, which reads everything from the request's head on."""
        head = self._head
        lines = [b"%b %b HTTP/%b\r\n" % (head.method, head.target, head.http_version)]
        lines += [b"%b: %b\r\n" % header for header in head.headers.raw_items()]
        self._line.hand_over(protocol, b"".join(lines) + b"\r\n")


@dataclass(frozen=True, slots=True)
class Unserved:
    """A request that no handler has noted.

    Attributes:
        request: The request as far as it came, or ``None`` if not even its head could be read.
        status: The status that the server itself answered, or ``None`` if the client had disconnected.
        raw: The bytes that came, if there is no request.
        problem: What is wrong with it, in words; empty if the client had disconnected.
    """

    request: Request | None
    status: int | None = None
    raw: bytes = b""
    problem: str = ""
