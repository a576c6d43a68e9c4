"""Virtual time: an event loop of asyncio's own that never waits, but goes to when something happens next.

Nothing may happen outside of it: no thread, and no socket that anything else writes to.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

from hangbot.clock import Boot, SystemClock

__all__ = ["VirtualClock", "run_virtually"]

T = TypeVar("T")


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, start: float) -> None:
        self._virtual = start
        super().__init__(_Selector(self))

    def time(self) -> float:
        return self._virtual

    def skip(self, seconds: float) -> None:
        self._virtual += seconds


class _Selector(selectors.DefaultSelector):
    """Looks what is ready; where nothing is, the time passes at once for which it was to wait."""

    def __init__(self, loop: _Loop) -> None:
        super().__init__()
        self._of = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("nothing is left to happen: this would wait for ever")
        if not ready and timeout:
            self._of.skip(timeout)
        return ready


class VirtualClock(SystemClock):
    """The loop's time, by which the machine's own clock waits too; the wall clock goes with it.

    Args:
        wall: The time since the epoch at the loop's time 0.
    """

    def __init__(self, wall: float) -> None:
        self._wall = wall

    def wall(self) -> float:
        """Return the time since the epoch."""
        return self._wall + self.now()

    def boot(self) -> Boot | None:
        """Return nothing: no machine has started."""
        return None


def run_virtually(main: Coroutine[Any, Any, T], *, start: float = 0.0) -> T:
    """Run a coroutine to its end in virtual time, which begins at ``start`` seconds."""
    with asyncio.Runner(loop_factory=lambda: _Loop(start)) as runner:
        return runner.run(main)
