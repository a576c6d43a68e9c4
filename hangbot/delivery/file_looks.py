"""Notices from outside that something was written to an outbox: cheap where nothing was.

The log's time, size and number are looked at on a shared thread, for all outboxes of the process in one
turn. What this process has written is noticed as well: only the connection knows which was whose.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hangbot.clock import Clock, SystemClock
from hangbot.delivery.shared_threads import OUTBOXES, Series, SharedThreads

__all__ = ["LOOKS", "FileLooks"]

_TICK: Final = 0.05
"""Seconds after which a file's time has surely changed since: it is a coarse one."""


@dataclass(eq=False, slots=True)
class _File:
    log: str
    notice: Callable[[], None]
    found: tuple[int, ...] = ()


@dataclass(eq=False, slots=True)
class FileLooks:
    """Looks at the files in use.

    Attributes:
        threads: What looks.
        every: Seconds between two looks.
        clock: Says how long ago a file was written; by the wall clock.
    """

    threads: SharedThreads
    every: float = 0.05
    clock: Clock = field(default_factory=SystemClock)
    _files: tuple[_File, ...] = ()
    _series: Series | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def noticing(self, path: Path, notice: Callable[[], None]) -> Iterator[None]:
        """Call something, on a thread, after each write to an outbox for as long as the block lasts.

        Several writes may be noticed once, and one of them twice.
        """
        file = _File(os.path.realpath(path) + "-wal", notice)
        with self._lock:
            self._files += (file,)
            if self._series is None:
                self._series = self.threads.join(self._look)
                self.threads.run_soon(self._series)
        try:
            yield
        finally:
            with self._lock:
                self._files = tuple(each for each in self._files if each is not file)
                if not self._files and self._series:
                    self.threads.leave(self._series)
                    self._series = None

    def _look(self) -> float:
        now = self.clock.wall()
        for file in self._files:
            try:
                status = os.stat(file.log)  # noqa: PTH116  200 of them, 20 times a second
            except OSError:
                found: tuple[int, ...] = (-1,)
            else:
                found = (status.st_mtime_ns, status.st_size, status.st_ino)
                if abs(now - status.st_mtime) < _TICK:
                    found = ()  # what is written in the same tick would not be seen
            if found != file.found or not found:
                file.found = found
                file.notice()
        return self.every


LOOKS: Final = FileLooks(OUTBOXES)
"""Those of all outboxes in this process."""
