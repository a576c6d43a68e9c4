"""SIGINT and SIGTERM: the first asks to stop, the second stops."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from hangbot.cli import early_signals

__all__ = ["SecondSignal", "Signals", "Stopped", "stopping"]

_ONE_SIGNAL: Final = 1.0
"""Seconds within which a further signal is the same one again: `timeout`, npm and shells signal a process
and its group, and so it twice."""


class Stopped(Exception):
    """The operator asked to stop while there was nothing yet that could end in order."""


class SecondSignal(Exception):
    """The operator asked a second time."""


class Signals:
    """What signals do to the task that listens to them.

    Attributes:
        stop: What the first one calls; ``None``: it leaves the block with `Stopped`.
    """

    def __init__(self, stop: Callable[[], None] | None) -> None:
        self.stop = stop
        self.cause: type[Exception] | None = None
        """With what the block is left, once it was told to end at once."""
        self.first: int | None = None
        """Which one came first, if one came."""
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._first_at = 0.0

    def take(self, number: int) -> None:
        """Act on one that has come."""
        now = self._loop.time()
        if self.first is None:
            self.first, self._first_at = number, now
            if self.stop:
                self.stop()
            else:
                self._leave(Stopped)
        elif now - self._first_at > _ONE_SIGNAL:
            self._leave(SecondSignal)

    def _leave(self, cause: type[Exception]) -> None:
        self.cause = cause
        if self._task is not None:
            self._task.cancel()


@contextmanager
def stopping(stop: Callable[[], None] | None = None) -> Iterator[Signals]:
    """Call ``stop`` at the first signal; at one more than a second later, leave the block.

    After the block one that came is not answered any more, to the end of the process: it is ending.

    Raises:
        Stopped: The first came, and there was no ``stop`` to call.
        SecondSignal: A second came.
    """
    loop = asyncio.get_running_loop()
    signals = Signals(stop)
    for number in early_signals.SIGNALS:
        loop.add_signal_handler(number, signals.take, number)
    try:
        if known := early_signals.came():
            signals.take(known)
        yield signals
    except asyncio.CancelledError:
        if signals.cause:
            raise signals.cause from None
        raise
    finally:
        for number in early_signals.SIGNALS:
            loop.remove_signal_handler(number)
            if signals.first is not None:
                signal.signal(number, signal.SIG_IGN)
        if signals.first is None:
            early_signals.give_back()
