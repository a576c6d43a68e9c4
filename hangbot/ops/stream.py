"""Open pages: each gets what is new once a second; with none open, nothing is looked at."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, Protocol

from hangbot.clock import Clock

__all__ = ["MOST_STREAMS", "Seen", "Stream", "Streams", "TooMany"]

logger = logging.getLogger(__name__)

MOST_STREAMS: Final = 64
EVERY: Final = 1.0
"""Seconds between two looks."""
_BEHIND: Final = 8
"""Events that a reader may be behind."""


class Seen(Protocol):
    """What open pages show."""

    async def look(self) -> None:
        """Look at everything."""

    def whole(self) -> bytes:
        """Return an event with all that the last look found."""

    def news(self) -> bytes:
        """Return an event with what the last look found new, compared to the one before."""

    async def close(self) -> None:
        """Ask nothing more."""


class TooMany(Exception):
    """As many pages are open as may."""


class Stream:
    """What one page gets.

    Args:
        cut: Ends its connection: it does not read what comes.
    """

    def __init__(self, cut: Callable[[], None]) -> None:
        self._cut = cut
        self._events: asyncio.Queue[bytes | None] = asyncio.Queue(_BEHIND)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        event = await self._events.get()
        if event is None:
            raise StopAsyncIteration
        return event

    def put(self, event: bytes | None) -> None:
        """Give it an event; ``None``: that was the last. A reader too far behind is cut off."""
        try:
            self._events.put_nowait(event)
        except asyncio.QueueFull:
            self._cut()


class Streams:
    """All open pages.

    Args:
        feed: What they get.
        clock: Waits.
    """

    def __init__(self, feed: Seen, clock: Clock) -> None:
        self._feed = feed
        self._clock = clock
        self._coming = 0
        self._open: dict[Stream, None] = {}
        self._ticking: asyncio.Task[None] | None = None
        self._looking = asyncio.Lock()
        self._closed = False

    @asynccontextmanager
    async def opened(self, cut: Callable[[], None]) -> AsyncIterator[Stream]:
        """Yield what a page gets, the whole first; arguments as for `Stream`.

        Raises:
            TooMany: As many are open as may.
        """
        if self._closed or self._coming >= MOST_STREAMS:
            raise TooMany
        stream = Stream(cut)
        self._coming += 1
        try:
            async with self._looking:
                if self._ticking is None:
                    await self._feed.look()
                    self._ticking = asyncio.create_task(self._tick(), name="hangbot-page")
                stream.put(self._feed.whole())
                self._open[stream] = None
            if self._closed:
                stream.put(None)
            yield stream
        finally:
            self._coming -= 1
            self._open.pop(stream, None)
            if not self._coming:
                await self._stop_ticking()

    async def close(self) -> None:
        """Notify every page that this was all."""
        self._closed = True
        for stream in list(self._open):
            stream.put(None)
        await self._stop_ticking()
        await self._feed.close()

    async def _tick(self) -> None:
        try:
            while True:
                await self._clock.sleep(EVERY)
                async with self._looking:
                    await self._feed.look()
                    news = self._feed.news()
                    for stream in list(self._open):
                        stream.put(news)
        except Exception:
            logger.exception("[ERROR] the page has nothing new to show", extra={"action": "status_failed"})
            for stream in list(self._open):
                stream.put(None)  # a page that comes again begins anew
            self._ticking = None

    async def _stop_ticking(self) -> None:
        if self._ticking is not None:
            ticking, self._ticking = self._ticking, None
            ticking.cancel()
            await asyncio.gather(ticking, return_exceptions=True)
