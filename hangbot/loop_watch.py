"""Asks an event loop for signs of life, from a thread: one that is held up cannot say so itself."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["LoopWatch"]


class LoopWatch:
    """Looks again and again whether a loop still turns.

    It counts looks, not time: a machine that stood still has held up nothing.

    Args:
        loop: The loop.
        every: Seconds between two looks.
        on_silence: Called in the watching thread at each look at which the loop has given no sign of life,
            with their number so far; what it returns is whether to count anew.
        on_sign: Called there at each look at which it has, and before the first.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        every: float,
        on_silence: Callable[[int], bool],
        on_sign: Callable[[], None] = lambda: None,
    ) -> None:
        self._loop = loop
        self._every = every
        self._on_silence = on_silence
        self._on_sign = on_sign
        self._stop = threading.Event()
        self._alive = threading.Event()

    @property
    def is_silent(self) -> bool:
        """Whether the loop has not turned since it was last asked to."""
        return not self._alive.is_set()

    @contextmanager
    def running(self, name: str) -> Iterator[None]:
        """Look while the block runs, in a thread of that name; not again once the loop is closed."""
        thread = threading.Thread(target=self._run, name=name, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def _run(self) -> None:
        silent = 0
        self._on_sign()
        self._ask()
        while not self._stop.wait(self._every):
            if self._alive.is_set():
                silent = 0
                self._on_sign()
                self._ask()
            elif self._on_silence(silent := silent + 1):
                silent = 0

    def _ask(self) -> None:
        self._alive.clear()
        try:
            self._loop.call_soon_threadsafe(self._alive.set)
        except RuntimeError:  # the loop is closed
            self._stop.set()
