"""Notices from outside that something was written to an outbox, or done to its file: cheap where nothing was.

Time, size and number of its log are looked at by one thread for all outboxes of the process, those of the
file now and then: not by a thread that writes, because a folder that does not answer would keep it. What this
process has written is noticed as well: only the connection knows which was whose.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from hangbot.clock import Clock, SystemClock

__all__ = ["LOOKS", "FileLooks", "Looks"]

_TICK: Final = 0.05
"""Seconds after which a file's time has surely changed since: it is a coarse one."""


class Looks(Protocol):
    """Notices what is written to files: from outside here, and in a simulation by its disk."""

    def noticing(self, path: Path, notice: Callable[[], None]) -> AbstractContextManager[None]:
        """Call something after each write to an outbox for as long as the block lasts."""


@dataclass(eq=False, slots=True)
class _File:
    path: str
    log: str
    notice: Callable[[], None]
    whole: tuple[int, ...] = ()
    found: tuple[int, ...] = ()


@dataclass(eq=False, slots=True)
class FileLooks:
    """Looks at the files in use, on a thread that ends with the last of them.

    Attributes:
        every: Seconds between two looks at the logs.
        seldom: Looks at them between two at the files.
        clock: Says how long ago a file was written; by the wall clock.
    """

    every: float = 0.05
    seldom: int = 20
    clock: Clock = field(default_factory=SystemClock)
    _files: tuple[_File, ...] = ()
    _over: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def noticing(self, path: Path, notice: Callable[[], None]) -> Iterator[None]:
        """Call something, on the thread, after each write to an outbox for as long as the block lasts.

        Several writes may be noticed once, and one of them twice.
        """
        file = _File(str(path), os.path.realpath(path) + "-wal", notice)
        with self._lock:
            if not self._files:
                self._over = threading.Event()
                # A daemon: a folder that does not answer must not keep the process from ending.
                threading.Thread(
                    target=self._run, args=(self._over,), name="hangbot-outbox-looks", daemon=True
                ).start()
            self._files += (file,)
        try:
            yield
        finally:
            with self._lock:
                self._files = tuple(each for each in self._files if each is not file)
                if not self._files:
                    self._over.set()

    def _run(self, over: threading.Event) -> None:
        looks = 0
        while not over.wait(self.every):
            self._look(files=looks % self.seldom == 0)
            looks += 1

    def _look(self, *, files: bool) -> None:
        now = self.clock.wall()
        for file in self._files:
            whole = _whole(file.path) if files or not file.whole else file.whole
            found = _found(file.log, now)
            if found != file.found or whole != file.whole or not found:
                file.found, file.whole = found, whole
                file.notice()


def _found(log: str, now: float) -> tuple[int, ...]:
    """Return what changes when a log is written; nothing where that cannot be known yet."""
    try:
        status = os.stat(log)  # noqa: PTH116  200 of them, 20 times a second
    except OSError:
        return (-1,)
    if abs(now - status.st_mtime) < _TICK:
        return ()  # what is written in the same tick would not be seen
    return status.st_mtime_ns, status.st_size, status.st_ino


def _whole(path: str) -> tuple[int, ...]:
    """Return what changes when a file is taken away, replaced or cut."""
    try:
        status = os.stat(path)  # noqa: PTH116  as above
    except OSError:
        return (-1,)
    return status.st_ino, status.st_size


LOOKS: Final = FileLooks()
"""Those of all outboxes in this process."""
