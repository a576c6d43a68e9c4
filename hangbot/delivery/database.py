"""Opening an outbox's file; a damaged one is quarantined as it is, for a rescue."""

import os
import sqlite3
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Final

from hangbot.clock import Clock, SystemClock, file_date
from hangbot.delivery import tables
from hangbot.delivery.descriptor import DELIVERS, Descriptor, borrow
from hangbot.delivery.lock import exclusive
from hangbot.delivery.surroundings import has_second_name, is_mounted_alone
from hangbot.errors import OutboxBusy, OutboxUnusable

__all__ = ["SQLITE", "Connection", "broken", "connect", "connect_in_memory", "is_damage", "look_through"]

SQLITE: Final = sqlite3.sqlite_version
"""The version of the library."""
_BUSY_TIMEOUT: Final = 0.05
"""Seconds that SQLite itself waits for another process's write; `Writer` tries again after that, and lends
the thread to other outboxes in between."""
_BROKEN: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_BESIDE: Final = ("-wal", "-shm", "")
_PRIVATE: Final = 0o600


class Connection(sqlite3.Connection):
    """SQLite's connection with the descriptor that outlives it.

    Attributes:
        file: The file that SQLite has open.
    """

    file: Descriptor | None = None

    def close(self) -> None:
        """Close the connection, and only then be done with the file."""
        super().close()
        if self.file is not None:
            self.file.give_back()
            self.file = None


def connect(path: Path, *, check: bool, clock: Clock | None = None) -> Connection:
    """Open the file, make or migrate its tables; with ``check`` look through all of it for damage.

    Who checks holds the outbox's lock.

    Raises:
        OutboxUnusable: It is another program's, of a later version, or damaged.
        sqlite3.Error: It cannot be read or written.
        OSError: Its folder cannot be looked into.
    """
    if not path.parent.is_dir():
        raise OutboxUnusable(f"the outbox {path} cannot be made: its folder does not exist")
    clock = clock or SystemClock()
    file = borrow(path)
    try:
        _refuse_a_second_log(path, file)
        # Absolute: SQLite would take `:memory:` for a wish, and accepted means on disk.
        database = sqlite3.connect(
            path.absolute(),
            timeout=_BUSY_TIMEOUT,
            isolation_level=None,
            check_same_thread=False,
            factory=Connection,
        )
    except BaseException:
        file.give_back()
        raise
    database.file = file
    try:
        tables.prepare(database, clock)
        _keep_private(path, file)
        if check:
            look_through(database)
    except BaseException as exc:
        database.file = None  # given back below: as long as it is open, no new file can pass for this one
        database.close()
        try:
            if isinstance(exc, OutboxUnusable):
                raise OutboxUnusable(f"the outbox {path} cannot be used: {exc}", remedy=exc.remedy) from None
            if is_damage(exc):
                raise broken(path, file, exc, alone=check, clock=clock) from None
        finally:
            file.give_back()
        raise
    return database


def connect_in_memory() -> Connection:
    """Open a database without a file, and make its tables; it is gone when it is closed."""
    database = sqlite3.connect(":memory:", isolation_level=None, factory=Connection)
    try:
        tables.prepare(database)
    except BaseException:
        database.close()
        raise
    return database


def _refuse_a_second_log(path: Path, file: Descriptor) -> None:
    """Keep away from a file that another process has open under another name, with its log beside that.

    Written from both, the file would be damaged, and what is accepted here never seen there.

    Raises:
        OutboxUnusable: It is so.
    """
    other = file.is_locked(DELIVERS) and not file.holds(DELIVERS)
    # Where the file has one name only, the process that delivers is about to make that log.
    if other and (has_second_name(path) or is_mounted_alone(path)) and not _log_of(path).exists():
        raise OutboxUnusable(
            f"the outbox {path} is in use under another name, with its log beside that; nothing was written",
            remedy="Use the name that the bot uses (HANGBOT_OUTBOX).",
        )


def _log_of(path: Path) -> Path:
    return Path(os.path.realpath(path) + "-wal")


def _keep_private(path: Path, file: Descriptor) -> None:
    """Keep what is said from other users: also in a file that was made before, or by hand."""
    with suppress(PermissionError):  # another's file, which its owner lets this user write
        if os.fstat(file.number).st_mode & 0o777 != _PRIVATE:
            os.fchmod(file.number, _PRIVATE)
        real = os.path.realpath(path)
        for ending in ("-wal", "-shm"):
            with suppress(FileNotFoundError):
                Path(real + ending).chmod(_PRIVATE)


class _Damaged(Exception):
    """The file opens, but its pages do not fit together."""


def is_damage(error: BaseException) -> bool:
    """Tell whether an error says that the file is damaged, or no database at all."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # without what extends it
    return isinstance(error, _Damaged) or code in _BROKEN


def look_through(database: sqlite3.Connection) -> None:
    """Look through all pages; raises what `is_damage` knows where they do not fit together."""
    found = database.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise _Damaged(found)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def broken(
    path: Path, damaged: Descriptor, cause: BaseException, *, alone: bool, clock: Clock
) -> OutboxUnusable:
    """Say that an outbox is damaged, and put it aside unless a bot delivers from it just now.

    Args:
        path: Where it is.
        damaged: Which file was looked at; no connection to it is open any more.
        cause: What is wrong with it.
        alone: Whether this process holds its lock.
        clock: Dates its new name.
    """
    if not tables.is_outbox(os.pread(damaged.number, tables.HEAD, 0)):  # never was one: left where it stands
        return OutboxUnusable(f"the outbox {path} cannot be used: {cause}")
    try:
        with nullcontext() if alone else exclusive(path, brief=True):
            # Another process may have been first, and a third may have made a new one.
            if _identity(path) != damaged.identity:
                return OutboxUnusable(f"the outbox {path} was damaged", remedy="Run the same command again.")
            aside = _quarantine(Path(os.path.realpath(path)), clock)
    except OutboxBusy:
        return OutboxUnusable(
            f"the outbox {path} is damaged ({cause}); it was left to the bot that uses it",
            remedy="Stop the bot and start it again: it puts the damaged outbox aside.",
        )
    return OutboxUnusable(
        f"the outbox {path} is damaged; it was put aside as {aside}, unchanged",
        remedy="Start again with a new outbox; `sqlite3 FILE .recover` gets back what can be read.",
    )


def _quarantine(path: Path, clock: Clock) -> str:
    """Rename a file with all that belongs to it, as it is, and return its new name."""
    name = f"{path.name}.damaged-{file_date(clock)}"
    while path.with_name(name).exists():
        name += "-too"
    for ending in _BESIDE:
        with suppress(FileNotFoundError):
            moved = path.with_name(path.name + ending).rename(path.with_name(name + ending))
            moved.chmod(_PRIVATE)
    return name
