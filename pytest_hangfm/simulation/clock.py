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
        return asyncio.get_running_loop().time()

    def wall(self) -> float:
        return _EPOCH + self.now()

    def boot(self) -> Boot:
        return Boot("simulated", self.now())

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def wait_for(self, awaitable: Awaitable[T], seconds: float) -> T:
        async with asyncio.timeout(seconds):
            return await awaitable
