"""The clock of a simulated loop."""

import asyncio
from collections.abc import Awaitable
from typing import Final, TypeVar

from hangbot.clock import Boot

__all__ = ["SimulatedClock"]

T = TypeVar("T")

_EPOCH: Final = 1_800_000_000.0


class SimulatedClock:
    """The loop's own time, and a wall clock that began with it."""

    def now(self) -> float:
        """Return the loop's time."""
        return asyncio.get_running_loop().time()

    def wall(self) -> float:
        """Return the time since the epoch."""
        return _EPOCH + self.now()

    def boot(self) -> Boot:
        """Return the time since the machine's start, which is the loop's."""
        return Boot("simulated", self.now())

    async def sleep(self, seconds: float) -> None:
        """Return after so many seconds."""
        await asyncio.sleep(seconds)

    async def wait_for(self, awaitable: Awaitable[T], seconds: float) -> T:
        """Await something for so many seconds at most."""
        async with asyncio.timeout(seconds):
            return await awaitable
