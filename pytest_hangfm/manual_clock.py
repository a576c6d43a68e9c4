"""A clock that a test moves: no real time passes, and every wait can be seen."""

import asyncio
from bisect import insort
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Final, TypeVar

from hangbot.clock import Boot, Clock

__all__ = ["ManualClock"]

T = TypeVar("T")

_CLOSE: Final = 1e-6
"""Seconds that two sums of the same waits may differ by."""
_boots = count(1)
_ITERATIONS: Final = 25
"""Iterations of the event loop that a woken task gets before time moves on."""


@dataclass(order=True, slots=True)
class _Deadline:
    at: float
    number: int
    limit: bool = field(compare=False)
    fire: Callable[[], object] = field(compare=False)


class ManualClock(Clock):
    """A `hangbot.clock.Clock` that stands still until it is moved. Everything is in seconds.

    Args:
        now: The monotonic time to begin with.
        wall: The time since the epoch to begin with.
        auto: Whether every sleep moves the time by itself and returns at once. A time-out
            (`wait_for`) does not move it: what answers in real time is given real time.

    Attributes:
        auto: See above; may be changed while the clock runs.
        slept: Every sleep of more than no time, in the order in which they began.
    """

    def __init__(self, *, now: float = 1_000.0, wall: float = 1_800_000_000.0, auto: bool = False) -> None:
        self.auto = auto
        self.slept: list[float] = []
        self._now = now
        self._epoch = wall - now
        self._pending: list[_Deadline] = []
        self._numbers = 0
        self._begun = asyncio.Event()
        self._boot = f"manual-{next(_boots)}"

    def now(self) -> float:
        """Return the monotonic time."""
        return self._now

    def wall(self) -> float:
        """Return the time since the epoch."""
        return self._epoch + self._now

    def boot(self) -> Boot:
        """Return the time that `set_wall` does not change."""
        return Boot(self._boot, self._now)

    def set_wall(self, wall: float) -> None:
        """Set the wall clock, as an operator or NTP does; no time passes."""
        self._epoch = wall - self._now

    async def sleep(self, seconds: float) -> None:
        """Return when the time has been moved so far; at once in ``auto``, having moved it."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        self.slept.append(seconds)
        if self.auto:
            self._move_to(self._now + seconds)
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def wake() -> None:
            if not woken.done():  # it may have been cancelled in this iteration of the loop
                woken.set_result(None)

        with self._deadline(seconds, wake, limit=False):
            await woken

    async def wait_for(self, awaitable: Awaitable[T], seconds: float) -> T:
        """Await something until the time has been moved so far; cancel it and raise `TimeoutError` then."""
        async with asyncio.timeout(None) as scope:
            with self._deadline(seconds, lambda: scope.reschedule(0), limit=True):
                return await awaitable

    async def advance(self, seconds: float) -> None:
        """Move the time, stopping at every deadline on the way so that what it wakes can run.

        A task that is woken and hands work to a thread or a socket is not waited for: follow
        that with `next_wait`.
        """
        end = self._now + seconds
        await _give_way()
        while self._pending and self._pending[0].at <= end + _CLOSE:
            self._move_to(self._pending[0].at)
            await _give_way()
        self._move_to(end)
        await _give_way()

    async def next_wait(self, *, limits: bool = False, within: float = 5.0) -> float:
        """Wait until something sleeps, and return the seconds to the earliest awakening.

        Args:
            limits: Whether time-outs (`wait_for`) count as well.
            within: Real seconds to wait.

        Raises:
            TimeoutError: Nothing slept.
        """
        async with asyncio.timeout(within):
            while True:
                self._begun.clear()
                await _give_way()
                waits = self.waits(limits=limits)
                if waits:
                    return waits[0]
                await self._begun.wait()

    def waits(self, *, limits: bool = False) -> list[float]:
        """Return the seconds to each awakening (with ``limits`` each time-out too), earliest first."""
        return [round(each.at - self._now, 6) for each in self._pending if limits or not each.limit]

    @contextmanager
    def _deadline(self, seconds: float, fire: Callable[[], object], *, limit: bool) -> Iterator[None]:
        self._numbers += 1
        deadline = _Deadline(self._now + seconds, self._numbers, limit, fire)
        insort(self._pending, deadline)
        self._begun.set()
        if seconds <= 0:
            self._move_to(self._now)
        try:
            yield
        finally:
            if deadline in self._pending:
                self._pending.remove(deadline)

    def _move_to(self, moment: float) -> None:
        """Set the time, and wake what has waited for it."""
        self._now = max(self._now, moment)
        while self._pending and self._pending[0].at <= self._now + _CLOSE:
            self._pending.pop(0).fire()


async def _give_way() -> None:
    for _ in range(_ITERATIONS):
        await asyncio.sleep(0)
