"""SIGINT, SIGTERM and SIGHUP: the first asks a command to stop, the second ends it at once."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final

from hangbot.cli import early_signals
from hangbot.exit_codes import FAILED

__all__ = ["SecondSignal", "Signals", "Stopped", "run_until_stopped", "stopping"]

_ONE_SIGNAL: Final = 1.0
"""Seconds within which a further signal counts as the same one: `timeout`, npm and shells signal both a
process and its group."""


class Stopped(Exception):
    """The operator asked to stop before there was anything to end in order."""


class SecondSignal(Exception):
    """The operator asked a second time."""


class Signals:
    """The effect of signals on the task that handles them.

    Attributes:
        stop: Called at the first signal; with ``None`` the block ends with `Stopped`.
    """

    def __init__(self, stop: Callable[[], None] | None) -> None:
        self.stop = stop
        self.cause: type[Exception] | None = None
        """The exception that ends the block at once, if any."""
        self.first: int | None = None
        """The first signal, if there was one."""
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._first_at = 0.0

    def take(self, number: int) -> None:
        """Act on a signal."""
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

    If there was one, further signals are ignored behind the block: the process is ending.

    Raises:
        Stopped: At the first signal, without a ``stop`` to call.
        SecondSignal: At the second.
    """
    loop = asyncio.get_running_loop()
    signals = Signals(stop)
    numbers = early_signals.heard()
    for number in numbers:
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
        for number in numbers:
            loop.remove_signal_handler(number)
            if signals.first is not None:
                signal.signal(number, signal.SIG_IGN)
        if signals.first is None:
            early_signals.give_back()


def run_until_stopped(serve: Callable[[asyncio.Event], Awaitable[int]]) -> int:
    """Run a loop that does what follows, and return what that returns."""
    early_signals.hold()
    return asyncio.run(_serve(serve))


async def _serve(serve: Callable[[asyncio.Event], Awaitable[int]]) -> int:
    """Return what a function returns that is given what the first signal sets; at the second, a failure."""
    stop = asyncio.Event()
    try:
        with stopping(stop.set):
            return await serve(stop)
    except SecondSignal:
        return FAILED
