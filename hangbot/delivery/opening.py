"""Opening an outbox's file; a damaged one is put aside, as it is, for whoever wants to rescue something."""

import os
import sqlite3
import time
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Final

from hangbot.delivery import tables
from hangbot.delivery.lock import exclusive
from hangbot.errors import OutboxBusy, OutboxUnusable

__all__ = ["connect"]

_BUSY_TIMEOUT: Final = 5.0
"""Seconds to wait for another process's write before the file counts as unusable."""
_BROKEN: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def connect(path: Path, *, check: bool) -> sqlite3.Connection:
    """Open the file, make or migrate its tables; with ``check`` look through all of it for damage.

    Who checks holds the outbox's lock.

    Raises:
        OutboxUnusable: It is another program's, of a later version, or damaged.
        sqlite3.Error: It cannot be read or written.
        OSError: Its folder cannot be looked into.
    """
    if not path.parent.is_dir():
        raise OutboxUnusable(f"the outbox {path} cannot be made: its folder does not exist")
    # Absolute: SQLite would take `:memory:` for a wish, and accepted means on disk.
    database = sqlite3.connect(
        path.absolute(), timeout=_BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
    )
    try:
        tables.prepare(database)
        if check:
            _check(database)
    except BaseException as exc:
        here = _identity(path)  # of the file that was looked at, not of one that took its place
        database.close()
        if isinstance(exc, OutboxUnusable):
            raise OutboxUnusable(f"the outbox {path} cannot be used: {exc}", remedy=exc.remedy) from None
        code = getattr(exc, "sqlite_errorcode", 0) & 0xFF  # without what extends it
        if isinstance(exc, _Damaged) or code in _BROKEN:
            raise _broken(path, here, exc, alone=check) from None
        raise
    return database


class _Damaged(Exception):
    """The file opens, but its pages do not fit together."""


def _check(database: sqlite3.Connection) -> None:
    found = database.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise _Damaged(found)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _broken(
    path: Path, damaged: tuple[int, int] | None, cause: BaseException, *, alone: bool
) -> OutboxUnusable:
    """Say that an outbox is damaged, and put it aside unless a bot delivers from it just now."""
    if not tables.is_outbox(path):  # never was one: left where it stands
        return OutboxUnusable(f"the outbox {path} cannot be used: {cause}")
    try:
        with nullcontext() if alone else exclusive(path, brief=True):
            if _identity(path) != damaged:  # another process was first, and a third may have made a new one
                return OutboxUnusable(f"the outbox {path} was damaged", remedy="Run the same command again.")
            aside = _put_aside(Path(os.path.realpath(path)))
    except OutboxBusy:
        return OutboxUnusable(
            f"the outbox {path} is damaged ({cause}); it was left to the bot that uses it",
            remedy="Stop the bot and start it again: it puts the damaged outbox aside.",
        )
    return OutboxUnusable(
        f"the outbox {path} is damaged; it was put aside as {aside}, unchanged",
        remedy="Start again with a new outbox; `sqlite3 FILE .recover` gets back what can be read.",
    )


def _put_aside(path: Path) -> str:
    """Rename a file with all that belongs to it, as it is, and return its new name."""
    name = f"{path.name}.damaged-{time.strftime('%Y%m%d-%H%M%S')}"
    while path.with_name(name).exists():
        name += "-too"
    for suffix in ("-wal", "-shm", ""):
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(path.with_name(name + suffix))
    return name
