"""A websocket of which the journal keeps every frame, and the end."""

import asyncio
from collections.abc import Awaitable
from functools import partial
from typing import TYPE_CHECKING

from websockets.exceptions import ConnectionClosed

from hangbot.journal import Journal

if TYPE_CHECKING:
    from hangbot.hangfm.socket import Connection

__all__ = ["KeptConnection"]


class KeptConnection:
    """A connection that writes into a journal what passes over it.

    Args:
        connection: The open websocket.
        journal: The journal.
        number: The connection's number in it.
    """

    def __init__(self, connection: "Connection", journal: Journal, number: int) -> None:
        self._connection = connection
        self._journal = journal
        self._number = number
        self._closed = False

    async def send(self, message: str) -> None:
        """Send a text frame."""
        self._journal.keep("out", (self._number, message), message.__sizeof__())
        await self._connection.send(message)

    async def recv(self) -> str | bytes:
        """Return the next frame."""
        try:
            frame = await self._connection.recv()
        except ConnectionClosed as exc:
            theirs = exc.rcvd is not None or exc.sent is None
            close = exc.rcvd or exc.sent
            self._end(theirs=theirs, code=close.code if close else None, reason=close.reason if close else "")
            raise
        self._journal.keep("in", (self._number, frame), frame.__sizeof__())
        return frame

    async def ping(self) -> Awaitable[float]:
        """Send a ping, and return what is done when it has been answered."""
        number = self._journal.number()
        self._journal.add("ping", self._number, number)
        pong = asyncio.ensure_future(await self._connection.ping())
        pong.add_done_callback(partial(self._answered, number))
        return pong

    async def close(self) -> None:
        """Close it, within a bounded time."""
        self._end(theirs=False, code=None, reason="")
        await self._connection.close()

    def _answered(self, ping: int, pong: asyncio.Future[float]) -> None:
        if not pong.cancelled() and pong.exception() is None:
            self._journal.add("pong", self._number, ping)

    def _end(self, *, theirs: bool, code: int | None, reason: str) -> None:
        if not self._closed:
            self._closed = True
            self._journal.closed(self._number, theirs=theirs, code=code, reason=reason)
