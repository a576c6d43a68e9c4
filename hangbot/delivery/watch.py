"""Notices that the open file is no longer the one under its name."""

import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Final

from hangbot.clock import Clock, file_date
from hangbot.delivery.descriptor import Descriptor

__all__ = ["FileWatch"]

_PAGE_SIZE_AT: Final = 16
_PAGES_AT: Final = 28
"""Where SQLite keeps these in the head of a file: two bytes and four."""
_LARGEST_PAGE: Final = 65_536
_CUT: Final = "was truncated"


class FileWatch:
    """Watch an open outbox from outside; only what is found twice in a row is reported.

    Args:
        path: The name of the outbox.
        file: What is open.
        clock: Dates the new name of a log.
    """

    def __init__(self, path: Path, file: Descriptor, clock: Clock) -> None:
        self._path = path
        self._file = file
        self._clock = clock
        self._log = Path(os.path.realpath(path) + "-wal")
        self._log_identity: tuple[int, int] | None = None
        self._had_pages = False
        self._suspicion: str | None = None

    def look(self) -> str | None:
        """Return what happened to the file, in words, or ``None`` while it is where it was."""
        found = self.look_once()
        known, self._suspicion = self._suspicion, found
        return found if found == known else None

    def look_once(self) -> str | None:
        """Return the same after a single look, which is enough once SQLite has reported an error."""
        try:
            return self._trouble()
        except OSError:
            return None  # not known at the moment; SQLite reports it at the next write

    def _trouble(self) -> str | None:
        status, here = os.fstat(self._file.number), _identity(self._path)
        if here is None:
            return "was moved away" if status.st_nlink else "was removed"
        if here != self._file.identity:
            return "was replaced by another file"
        if self._is_cut(status.st_size):
            return _CUT
        return self._trouble_with_the_log()

    def leave(self, database: sqlite3.Connection, /) -> None:
        """Write everything into the file that was taken away, and leave no log under its old name.

        SQLite would apply a log that it finds there to any new file of that name.
        """
        if self._trouble() in {None, _CUT}:
            return
        with suppress(sqlite3.Error):
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        if self._log_identity is None or _identity(self._log) != self._log_identity:
            return
        if self._log.stat().st_size:
            self._log.rename(self._log.with_name(f"{self._log.name}.lost-{file_date(self._clock)}"))
        else:
            self._log.unlink()
        with suppress(FileNotFoundError):
            self._log.with_name(self._log.name.removesuffix("-wal") + "-shm").unlink()

    def _is_cut(self, size: int) -> bool:
        """Return whether the file is shorter than its header says, or has lost the header."""
        head = os.pread(self._file.number, _PAGES_AT + 4, 0)
        if len(head) < _PAGES_AT + 4:
            return self._had_pages
        self._had_pages = True
        page = int.from_bytes(head[_PAGE_SIZE_AT : _PAGE_SIZE_AT + 2], "big")
        pages = int.from_bytes(head[_PAGES_AT : _PAGES_AT + 4], "big")
        return size < pages * (_LARGEST_PAGE if page == 1 else page)

    def _trouble_with_the_log(self) -> str | None:
        here = _identity(self._log)
        if self._log_identity is None:
            self._log_identity = here
        if here == self._log_identity:
            return None
        return f"has lost its log {self._log.name}" if here is None else f"has another log {self._log.name}"


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
