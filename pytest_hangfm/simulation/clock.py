"""The clock of a machine in a simulated loop."""

import asyncio
from collections.abc import Awaitable
from typing import Final, TypeVar

from hangbot.clock import Boot

__all__ = ["SimulatedClock"]

T = TypeVar("T")

_EPOCH: Final = 1_800_000_000.0


class SimulatedClock:
    """The loop's own time, and a wall clock that began with it and can be set."""

    def __init__(self) -> None:
        self._wall, self._since, self._rate = _EPOCH, 0.0, 1.0
        self._boots, self._boot_at = 1, 0.0

    # -- what goes wrong: only `wall` knows of it

    def jump(self, seconds: float) -> None:
        """Set the wall clock forward, or back by negative seconds."""
        self._wall, self._since = self.wall() + seconds, self.now()

    def drift(self, rate: float) -> None:
        """Have the wall clock gain so many seconds each second from now on; 0: it is right again."""
        self.jump(0.0)
        self._rate = 1.0 + rate

    def reboot(self) -> None:
        """Have the machine begin anew; its wall clock goes on."""
        self._boots += 1
        self._boot_at = self.now()

    # -- what a bot asks

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def wall(self) -> float:
        return self._wall + (self.now() - self._since) * self._rate

    def boot(self) -> Boot:
        return Boot(f"simulated-{self._boots}", self.now() - self._boot_at)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def wait_for(self, awaitable: Awaitable[T], seconds: float) -> T:
        async with asyncio.timeout(seconds):
            return await awaitable
