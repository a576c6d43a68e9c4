"""Clients that only press: raw sockets that keep actions under way and count the answers.

They do as little as a client can (the mask is zero, frames are not decoded), so that the
server is what is measured.
"""

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

__all__ = ["Press", "Score", "press"]

_UNDER_WAY: Final = 4
_SETTLE: Final = 0.5
_PATIENCE: Final = 20.0
_TEXT: Final = 0x81
_SHORT: Final = 126
_MASKED: Final = 0x80


@dataclass(frozen=True, slots=True)
class Press:
    """What one connection does.

    Attributes:
        url: The server.
        token: Who it is.
        room: The room's uuid.
        frames: Texts of actions to send in turn, with ``%d`` for the ``messageId``.
        joins: Whether the server is a room to be joined first; an echo is not.
    """

    url: str
    token: str
    room: str
    frames: Sequence[str]
    joins: bool = True


@dataclass(frozen=True, slots=True)
class Score:
    """``rate``: answered actions a second; ``all``: how many were answered, before and after too."""

    rate: float
    all: int


@dataclass(slots=True)
class _Count:
    answers: int = 0
    ready: int = 0
    trouble: str = ""
    wake: asyncio.Event = field(default_factory=asyncio.Event)


class _Presser(asyncio.Protocol):
    """One connection: handshake, join, then four actions under way, for ever."""

    def __init__(self, press: Press, count: _Count) -> None:
        self._press = press
        self._count = count
        self._buffer = b""
        self._open = False
        self._sent = 0
        self._transport: asyncio.Transport | None = None
        self._take: Callable[[bytes], None] = self._take_welcome if press.joins else self._take_answer

    # -- called by asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  asyncio's own promise, for mypy
        self._transport = transport
        transport.write(
            f"GET /primus?token={self._press.token} HTTP/1.1\r\nHost: {urlsplit(self._press.url).netloc}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
        )

    def connection_lost(self, exc: Exception | None) -> None:
        self._count.trouble = self._count.trouble or f"a connection was lost ({exc})"
        self._count.wake.set()

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data
        if not self._open:
            head, found, buffer = buffer.partition(b"\r\n\r\n")
            if not found:
                self._buffer = head
                return
            self._open = True
            if not self._press.joins:
                self._begin()
        at = 0
        while (frame := _next_frame(buffer, at)) is not None:
            begin, at = frame
            self._take(buffer[begin:at])
        self._buffer = buffer[at:]

    # -- what a frame means depends on how far we are

    def _take_welcome(self, _: bytes) -> None:
        params = {"action": "joinRoom", "roomUuid": self._press.room}
        self._send(json.dumps({"event": "action", "params": params, "messageId": 1}))
        self._take = self._take_join

    def _take_join(self, frame: bytes) -> None:
        if b'"messageId"' not in frame:
            return
        if b'"error"' in frame[:200]:
            self._count.trouble = f"the join was refused: {frame[:200]!r}"
            self._count.wake.set()
            return
        self._take = self._take_answer
        self._begin()

    def _begin(self) -> None:
        self._count.ready += 1
        self._count.wake.set()
        for _ in range(_UNDER_WAY):
            self._act()

    def _take_answer(self, frame: bytes) -> None:
        if b'"messageId"' not in frame:
            return  # a room message, the action's other effect
        if b'"error"' in frame:
            self._count.trouble = f"an action was refused: {frame[:200]!r}"
            self._count.wake.set()
            return
        self._count.answers += 1
        self._act()

    def _act(self) -> None:
        self._sent += 1
        frames = self._press.frames
        self._send(frames[self._sent % len(frames)] % (self._sent + 1))

    def _send(self, text: str) -> None:
        data = text.encode()
        size = len(data)
        short = bytes((_TEXT, _MASKED | size)) if size < _SHORT else None
        head = short or bytes((_TEXT, _MASKED | _SHORT)) + size.to_bytes(2)
        assert self._transport is not None  # noqa: S101  frames come after the connection
        self._transport.write(head + b"\0\0\0\0" + data)


def _next_frame(buffer: bytes, at: int) -> tuple[int, int] | None:
    """Return where the payload of the next frame begins and ends, or ``None`` while it is not whole."""
    if len(buffer) < at + 2:
        return None
    size, begin = buffer[at + 1], at + 2
    if size >= _SHORT:
        width = 2 if size == _SHORT else 8
        begin += width
        if len(buffer) < begin:
            return None
        size = int.from_bytes(buffer[at + 2 : begin])
    return (begin, begin + size) if len(buffer) >= begin + size else None


async def press(presses: Sequence[Press], seconds: float) -> Score:
    """Press over these connections together.

    Raises:
        ConnectionError: A connection was lost, or the server refused something.
        TimeoutError: Not all connections were ready in time.
    """
    count, loop = _Count(), asyncio.get_running_loop()
    transports = []
    try:
        for one in presses:
            parts = urlsplit(one.url)
            transport, _ = await loop.create_connection(
                lambda one=one: _Presser(one, count),  # type: ignore[misc]  # mypy infers no type for a lambda with a default
                parts.hostname or "",
                parts.port or 0,
            )
            transports.append(transport)
        async with asyncio.timeout(_PATIENCE):
            while count.ready < len(presses) and not count.trouble:
                count.wake.clear()
                await count.wake.wait()
        await asyncio.sleep(_SETTLE)
        before, started = count.answers, time.perf_counter()
        await asyncio.sleep(seconds)
        rate = (count.answers - before) / (time.perf_counter() - started)
        if count.trouble:
            raise ConnectionError(count.trouble)
        return Score(rate, count.answers)
    finally:
        for transport in transports:
            transport.abort()
