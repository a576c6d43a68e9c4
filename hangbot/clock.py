"""Time as an argument: what waits and measures takes a `Clock`, so that a test can hand in its own."""

import asyncio
import time
from collections.abc import Awaitable
from typing import Protocol, TypeVar

__all__ = ["Clock", "SystemClock"]

T = TypeVar("T")


class Clock(Protocol):
    """The time and the ways to wait. Everything is in seconds."""

    def now(self) -> float:
        """Return the monotonic time."""

    def wall(self) -> float:
        """Return the time since the epoch."""

    async def sleep(self, seconds: float) -> None:
        """Return after so many seconds."""

    async def wait_for(self, awaitable: Awaitable[T], seconds: float) -> T:
        """Await something for so many seconds at most; cancel it and raise `TimeoutError` then."""


class SystemClock:
    """The machine's own time."""

    def now(self) -> float:
        """Return the monotonic time."""
        return time.monotonic()

    def wall(self) -> float:
        """Return the time since the epoch."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Return after so many seconds."""
        await asyncio.sleep(seconds)

    async def wait_for(self, awaitable: Awaitable[T], seconds: float) -> T:
        """Await something for so many seconds at most."""
        async with asyncio.timeout(seconds):
            return await awaitable
