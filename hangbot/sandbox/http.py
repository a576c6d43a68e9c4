"""A request to the sandbox and its answer, as handlers see them, and the bytes that they are."""

import asyncio
import json
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import cache, lru_cache
from http import HTTPStatus
from typing import Any, Final, Protocol

import h11

__all__ = [
    "Headers",
    "Line",
    "Request",
    "Response",
    "Unserved",
    "Upgraded",
    "read_json",
    "unpacked",
    "written",
]

_ORIGIN: Final = re.compile(r"(?i)^https?://[^/?]*")
_PORT: Final = re.compile(r":\d*$")
_GZIP_OR_ZLIB: Final = 47
"""What zlib is told so that it finds out by itself which of the two it is."""
_FIRST_FINAL_STATUS: Final = 200
_BODILESS: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError("no such number")
    return number


def _no_constant(_text: str) -> None:
    raise ValueError("NaN and Infinity are no JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of fields with one name the first counts (measured on OpenChat)."""
    made = dict(pairs)
    return made if len(made) == len(pairs) else dict(reversed(pairs))


read_json: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_finite, parse_constant=_no_constant
).decode
"""The value of a JSON text; what is none, or nested too deep, is a ``ValueError`` or a ``RecursionError``."""


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


class Upgraded(Protocol):
    """Another protocol that takes a connection over."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called when it has the connection."""

    def data_received(self, data: bytes) -> None:
        """Called with the request's head, then with what came behind it."""


class Line(Protocol):
    """The connection on which a request came."""

    transport: asyncio.Transport
    number: int
    service: str

    def write(self, response: Response, *, method: str, last: bool) -> None:
        """Write an answer."""

    def hand_over(self, protocol: Upgraded, head: bytes) -> None:
        """Be replaced by another protocol, which is told the request's head, and what comes behind it."""


class Request:
    """One request, read whole (or as far as it came).

    Attributes:
        method: As it was sent.
        target: Path and query, as they were sent; without the host that stands before them for a proxy.
        headers: Its headers.
        body: Its body, unpacked; ``None`` if it cannot be.
        size: Bytes of its body, as they came.
        too_large: Whether the body was larger than is taken; ``body`` is empty then.
        answered: Whether its answer was sent.
        noted: Whether it stands in the journal.
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
        self._whole_target = head.target.decode("ascii")
        self.method = head.method.decode("ascii")
        self.target = _ORIGIN.sub("", self._whole_target)
        self.headers = headers
        self.body = body
        self.size = size
        self.too_large = too_large
        self.answered = False
        self.noted = False

    @property
    def conn(self) -> int:
        """Number of its connection, counted per port from 1."""
        return self._line.number

    @property
    def host(self) -> str:
        """The host that it names, lower case, without a port; one before the path counts more (RFC 9112)."""
        named = _ORIGIN.match(self._whole_target)
        host = named[0].partition("://")[2] if named else self.headers.get("Host", "")
        return _PORT.sub("", host).lower()

    @property
    def gone(self) -> bool:
        """Whether nobody is there any more who could hear an answer."""
        return self._line.transport.is_closing()

    @property
    def is_last(self) -> bool:
        """Whether its client will ask no more on this connection."""
        return self._head.http_version < b"1.1" or "close" in self.headers.get("Connection", "").lower()

    @property
    def can_upgrade(self) -> bool:
        """Whether it may become a WebSocket; whether it wants to, its headers say."""
        return self.method == "GET" and not self.size

    def note(self, value: object = None) -> dict[str, Any]:
        """What the journal says of it: method, path and body as they came. It counts as noted then.

        A body that says that it is JSON, and is, is shown as its value; every other as its text, bytes
        that are none by their number, and no body as ``None``.

        Args:
            value: The value of a JSON body, for a caller that has read it.
        """
        self.noted = True
        row: dict[str, Any] = {"method": self.method, "path": self.target, "body": self._shown(value)}
        if self._whole_target != self.target:
            row["target"] = self._whole_target
        if self._head.http_version != b"1.1":
            row["http"] = self._head.http_version.decode("ascii")
        return row

    def _shown(self, value: object) -> object:
        if self.too_large or self.body is None:
            return f"<{self.size} bytes>"
        if value is not None and self._is_json:
            return value
        text = _text(self.body)
        if text is None or not self._is_json:
            return text
        try:
            return read_json(text)
        except (ValueError, RecursionError):
            return text

    @property
    def _is_json(self) -> bool:
        return bool(self.body) and "json" in self.headers.get("Content-Type", "").lower()

    def serve_as(self, service: str) -> None:
        """Count its connection as one of that service, for whoever cuts those."""
        self._line.service = service

    def answer(self, response: Response) -> None:
        """Send an answer; for a handler that has more to do after it, and returns ``None``."""
        self._line.write(response, method=self.method, last=self.is_last)
        self.answered = True

    def abort(self) -> None:
        """Cut the connection."""
        self._line.transport.abort()

    def hand_over(self, protocol: Upgraded) -> None:
        """Let another protocol have the connection; it is told everything from the request's head on."""
        head = self._head
        lines = [b"%b %b HTTP/%b\r\n" % (head.method, head.target, head.http_version)]
        lines += [b"%b: %b\r\n" % header for header in head.headers.raw_items()]
        self._line.hand_over(protocol, b"".join(lines) + b"\r\n")


def _text(raw: bytes) -> str | None:
    """Bytes as their text, or as their number where they are none; ``None`` for none at all."""
    try:
        return raw.decode() or None
    except UnicodeDecodeError:
        return f"<{len(raw)} bytes>"


@dataclass(frozen=True, slots=True)
class Unserved:
    """What came, and no handler could write into the journal.

    Attributes:
        request: The request as far as it came, or ``None`` where not even its head could be read.
        status: What the server itself answered, or ``None``: its client had gone.
        raw: Without a head: what came.
        problem: What is wrong with it, in words; empty for a client that has gone.
    """

    request: Request | None
    status: int | None = None
    raw: bytes = b""
    problem: str = ""

    def note(self) -> dict[str, Any]:
        """What the journal says of it."""
        if self.request is not None:
            row = self.request.note()
        else:
            line, whole, _ = self.raw.partition(b"\n")
            method, _, rest = line.decode("utf-8", "backslashreplace").strip().partition(" ")
            target = rest.rpartition(" ")[0] if whole and " " in rest else rest
            # Of a line that was cut in its query, what is left of a token would be known by nobody.
            path = target if whole else target.partition("?")[0]
            row = {"method": method, "path": path, "body": _text(self.raw.partition(b"\r\n\r\n")[2])}
        if self.problem:
            row["malformed"] = self.problem
        if self.status is None:
            row["gone"] = True
        return row


def unpacked(body: bytes, how: str, largest: int) -> bytes | None:
    """What was packed, cut where it is more than the largest; ``None`` if that cannot be told."""
    if how.lower() not in {"gzip", "deflate"}:
        return body
    unpacking = zlib.decompressobj(_GZIP_OR_ZLIB)
    try:
        whole = unpacking.decompress(body, largest + 1)
    except zlib.error:
        return None
    return whole if unpacking.eof or len(whole) > largest else None


def written(response: Response, method: str, *, last: bool, now_s: float) -> tuple[bytes, bool]:
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
        added["Date"] = _date(int(now_s))
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
