"""The sandbox's own clock: real time that a test can push forward."""

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable

__all__ = ["SandboxClock", "TimerHandle", "call_in_loop_time", "happens_within", "wall_s"]

wall_s = time.time
"""Seconds since 1970 by the machine's own clock."""


class TimerHandle:
    """One appointment on the clock; ``cancel()`` as often as you like."""

    __slots__ = ("cancelled", "due_s", "fn")

    def __init__(self, due_s: float, fn: Callable[[], object]) -> None:
        self.due_s = due_s
        self.fn = fn
        self.cancelled = False

    def cancel(self) -> None:
        """Call the appointment off; does nothing once it has passed."""
        self.cancelled = True


class SandboxClock:
    """Wall clock plus whatever was advanced.

    Timers fire by themselves when real time reaches them (inside a running asyncio
    loop) and at once, in order, when the clock is advanced past them. While a timer
    runs because of ``advance``, the clock shows the moment that it was due, so that
    what it books in turn lands where it would have landed in real time.

    Args:
        wall_s: The time at its beginning, in seconds since 1970.
        monotonic_s: What moves it.
        speed: How many seconds pass on it in one real second.
    """

    def __init__(
        self,
        *,
        wall_s: Callable[[], float] = time.time,
        monotonic_s: Callable[[], float] = time.monotonic,
        speed: float = 1.0,
    ) -> None:
        self._monotonic_s = monotonic_s
        self._speed = speed
        self._ahead_s = wall_s() - speed * monotonic_s()
        self._frozen_s: float | None = None
        self._target_s = 0.0
        self._timers: list[tuple[float, int, TimerHandle]] = []
        self._order = itertools.count()
        self._wake: asyncio.TimerHandle | None = None
        self._closed = False

    def now_s(self) -> float:
        """Seconds since 1970 as the sandbox sees them."""
        if self._frozen_s is not None:
            return self._frozen_s
        return self._ahead_s + self._speed * self._monotonic_s()

    def now_ms(self) -> int:
        """Milliseconds since 1970 as the sandbox sees them."""
        frozen_s = self._frozen_s
        now_s = self._ahead_s + self._speed * self._monotonic_s() if frozen_s is None else frozen_s
        return int(now_s * 1000)

    def arrival_ms(self) -> int:
        """Milliseconds since 1970 as they will be when the jump that is under way, if any, is over."""
        return int((self.now_s() if self._frozen_s is None else self._target_s) * 1000)

    def call_later(self, seconds: float, fn: Callable[[], object]) -> TimerHandle:
        """Book ``fn`` for ``seconds`` from now; it runs in the event loop and must not block."""
        handle = TimerHandle(self.now_s() + max(0.0, seconds), fn)
        self._book(handle)
        return handle

    def call_every(self, seconds: float, fn: Callable[[], object]) -> TimerHandle:
        """Run ``fn`` every ``seconds``, which must be above 0.

        However far the clock jumps, ``fn`` runs once for the jump, as an interval timer
        does in a process that slept: several heartbeats in a row would close every
        connection without having let anybody answer.
        """
        handle = TimerHandle(self.now_s() + seconds, fn)

        def fire() -> None:
            missed = max(0.0, self._target_s - handle.due_s) // seconds if self._frozen_s is not None else 0
            handle.due_s += seconds * (missed + 1)
            self._book(handle)
            fn()

        handle.fn = fire
        self._book(handle)
        return handle

    def advance(self, seconds: float) -> None:
        """Push the clock forward and run what falls due, in order.

        Raises:
            ValueError: ``seconds`` is negative, infinite or not a number.
        """
        if not 0 <= seconds < float("inf"):
            raise ValueError("the clock only goes forward: advance by a finite number of seconds, 0 or more")
        target_s = self._target_s = self.now_s() + seconds
        try:
            while (due := self._next_due()) is not None and due <= target_s:
                handle = heapq.heappop(self._timers)[2]
                self._frozen_s = max(due, self._frozen_s or 0.0)
                handle.fn()
        finally:
            self._frozen_s = None
            self._ahead_s += seconds
            self._set_alarm()

    def close(self) -> None:
        """Forget every appointment; later ones are never kept."""
        self._closed = True
        self._timers.clear()
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None

    def _book(self, handle: TimerHandle) -> None:
        if not self._closed:
            heapq.heappush(self._timers, (handle.due_s, next(self._order), handle))
            if self._timers[0][2] is handle:
                self._set_alarm()

    def _next_due(self) -> float | None:
        while self._timers and self._timers[0][2].cancelled:
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def _set_alarm(self) -> None:
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None
        due = self._next_due()
        if due is None or self._frozen_s is not None:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # advanced by hand outside a loop: no real time passes here
            return
        self._wake = loop.call_later(max(0.0, due - self.now_s()) / self._speed, self._ring)

    def _ring(self) -> None:
        self._wake = None
        now = self.now_s()
        try:
            while (due := self._next_due()) is not None and due <= now:
                heapq.heappop(self._timers)[2].fn()
        finally:
            self._set_alarm()


def call_in_loop_time(seconds: float, fn: Callable[[], object]) -> asyncio.TimerHandle:
    """Book ``fn`` on the event loop's clock, which ``advance`` does not move."""
    return asyncio.get_running_loop().call_later(seconds, fn)


async def happens_within(event: asyncio.Event, seconds: float) -> bool:
    """Wait for an event on the event loop's clock, and return whether it came."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
