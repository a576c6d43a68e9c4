"""HTTP clients that only press: raw keep-alive sockets, one request under way on each."""

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

__all__ = ["Posts", "post"]

_PATIENCE: Final = 120.0
_END_OF_HEAD: Final = b"\r\n\r\n"
_LENGTH: Final = b"\r\ncontent-length:"


@dataclass(frozen=True, slots=True)
class Posts:
    """What to send, how often.

    Attributes:
        url: The server.
        token: The chat token.
        group: The receiver, a group's GUID.
        count: How many requests in all.
        connections: Over how many connections.
        prefix: Begins each ``muid``, so that no two runs use one twice.
    """

    url: str
    token: str
    group: str
    count: int
    connections: int
    prefix: str


@dataclass(slots=True)
class _Score:
    begun: int = 0
    done: int = 0
    trouble: str = ""
    over: asyncio.Event = field(default_factory=asyncio.Event)


class _Poster(asyncio.Protocol):
    """One connection: a request, its answer, the next request."""

    def __init__(self, posts: Posts, score: _Score) -> None:
        self._posts = posts
        self._score = score
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    # -- called by asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  asyncio's own promise, for mypy
        self._transport = transport
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(f"a connection was lost ({exc})")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(_END_OF_HEAD)
        if not found:
            return
        at = head.lower().find(_LENGTH)
        size = int(head[at + len(_LENGTH) :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(body) < size:
            return
        self._buffer = b""
        if not head.startswith(b"HTTP/1.1 20"):
            self._end(f"a send was refused: {(head + body)[:300]!r}")
            return
        self._score.done += 1
        if self._score.done == self._posts.count:
            self._score.over.set()
        self._next()

    def _next(self) -> None:
        if self._score.begun < self._posts.count and self._transport is not None:
            self._score.begun += 1
            self._transport.write(self._request(self._score.begun))

    def _request(self, number: int) -> bytes:
        muid = f"{self._posts.prefix}-{number}"
        line = {"id": muid, "message": "a line of chat", "type": "user", "mentions": [], "imageUrls": []}
        body = json.dumps(
            {
                "receiver": self._posts.group,
                "receiverType": "group",
                "category": "message",
                "type": "text",
                "data": {"text": "a line of chat", "metadata": {"chatMessage": line}},
                "muid": muid,
            }
        )
        return (
            f"POST /v3.0/messages HTTP/1.1\r\nHost: {urlsplit(self._posts.url).netloc}\r\n"
            f"authToken: {self._posts.token}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        ).encode()

    def _end(self, trouble: str) -> None:
        self._score.trouble = self._score.trouble or trouble
        self._score.over.set()


async def post(posts: Posts) -> float:
    """Return how many requests a second were answered with success.

    Raises:
        ConnectionError: A connection was lost, or the server refused something.
        TimeoutError: It took minutes.
    """
    score, parts = _Score(), urlsplit(posts.url)
    loop, started, transports = asyncio.get_running_loop(), time.perf_counter(), []
    try:
        for _ in range(posts.connections):
            transport, _poster = await loop.create_connection(
                lambda: _Poster(posts, score), parts.hostname or "", parts.port or 0
            )
            transports.append(transport)
        async with asyncio.timeout(_PATIENCE):
            await score.over.wait()
        took = time.perf_counter() - started
        if score.done < posts.count:
            raise ConnectionError(score.trouble)
        return posts.count / took
    finally:
        for transport in transports:
            transport.abort()
