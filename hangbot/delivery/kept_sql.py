"""What an app keeps, and what it is woken for, in SQL: run by the outbox's writer inside a transaction.

Functions of the connection, as those of the outbox are: what a handler says, stores and schedules, and that
its line is handled, is one job, and so one transaction.
"""

import math
import sqlite3
from collections.abc import Sequence
from typing import Final, NamedTuple

from hangbot.errors import StoreConflict

__all__ = [
    "UNREAD",
    "Change",
    "Kept",
    "Timer",
    "TimerChange",
    "change",
    "keys",
    "read",
    "schedule",
    "timers_called",
    "timers_due",
]

_ALIVE: Final = "(expires_at IS NULL OR expires_at > ?)"
_READ: Final = f"SELECT value FROM kept WHERE space = ? AND key = ? AND {_ALIVE}"  # noqa: S608  constants
_REPLACE: Final = (
    f"UPDATE kept SET value = ?, expires_at = ? WHERE space = ? AND key = ? AND value = ? AND {_ALIVE}"  # noqa: S608  constants
)
_SET: Final = (
    "INSERT INTO kept (space, key, value, expires_at) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (space, key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at"
)

UNREAD: Final = "\0"
"""Stands for what was there in a change that asks for nothing of it; no JSON is this text."""


class Kept(NamedTuple):
    """A value that is kept.

    Attributes:
        value: As JSON.
        expires_at: Seconds since the epoch from which on it counts as gone; ``None``: never.
    """

    value: str
    expires_at: float | None


class Wanted(NamedTuple):
    """A value that is asked for: as the arguments of `read`."""

    space: str
    key: str
    now: float


class Change(NamedTuple):
    """A change of a value.

    Attributes:
        space: Whose it is.
        key: What it is called there.
        value: The new one as JSON; ``None``: none.
        expires_at: As in `Kept`.
        was: What must be there for the change to be made: a value, ``None`` for none, or `UNREAD` for
            anything.
    """

    space: str
    key: str
    value: str | None
    expires_at: float | None = None
    was: str | None = UNREAD


class Timer(NamedTuple):
    """What is to happen at a time: ``due`` in seconds since the epoch, ``what`` as JSON."""

    space: str
    id: str
    due: float
    what: str


class TimerChange(NamedTuple):
    """A timer that is set, in place of one with its id; ``due`` is ``None`` for one that is taken back."""

    space: str
    id: str
    due: float | None
    what: str = ""


def read(database: sqlite3.Connection, space: str, key: str, now: float) -> str | None:
    """Return a value, or ``None`` where there is none that has not expired."""
    found = database.execute(_READ, (space, key, now)).fetchone()
    return None if found is None else str(found[0])


def read_all(database: sqlite3.Connection, wanted: Sequence[Wanted]) -> list[str | None]:
    """Return several values, as they are at one moment: a look at the file for each costs twice as much."""
    begins = len(wanted) > 1 and not database.in_transaction
    if begins:
        database.execute("BEGIN")
    try:
        return [read(database, *each) for each in wanted]
    finally:
        if begins and database.in_transaction:
            database.execute("ROLLBACK")


def keys(database: sqlite3.Connection, space: str, now: float) -> list[str]:
    """Return what is kept in a space, in the order of the keys."""
    found = database.execute(
        "SELECT key FROM kept WHERE space = ? AND (expires_at IS NULL OR expires_at > ?) ORDER BY key",
        (space, now),
    )
    return [key for (key,) in found]


def change(database: sqlite3.Connection, changes: Sequence[Change], now: float) -> None:
    """Change values, and forget what has expired.

    Raises:
        StoreConflict: One is not what it must be.
    """
    for each in changes:
        if not _make(database, each, now):
            raise StoreConflict(
                f"{each.key!r} was changed meanwhile; nothing more of this handler was kept or said"
            )
    if changes:
        database.execute("DELETE FROM kept WHERE expires_at <= ?", (now,))


def _make(database: sqlite3.Connection, change: Change, now: float) -> bool:
    """Make one change; ``False`` where the value is not what it must be."""
    space, key, value, expires_at, was = change
    if value is not None and was is not None and was != UNREAD:  # nearly all: asked and changed at once
        return database.execute(_REPLACE, (value, expires_at, space, key, was, now)).rowcount == 1
    if was != UNREAD and read(database, space, key, now) != was:
        return False
    if value is None:
        database.execute("DELETE FROM kept WHERE space = ? AND key = ?", (space, key))
    else:
        database.execute(_SET, (space, key, value, expires_at))
    return True


def schedule(database: sqlite3.Connection, changes: Sequence[TimerChange]) -> None:
    """Set timers and take some back."""
    for space, timer, due_at, what in changes:
        if due_at is None:
            database.execute("DELETE FROM timer WHERE space = ? AND id = ?", (space, timer))
        else:
            database.execute(
                "INSERT INTO timer (space, id, due, what) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (space, id) DO UPDATE SET due = excluded.due, what = excluded.what",
                (space, timer, due_at, what),
            )


def timers_called(database: sqlite3.Connection, space: str, begins: str) -> list[Timer]:
    """Return the timers of a space whose ids begin so."""
    behind = begins[:-1] + chr(ord(begins[-1]) + 1)
    query = "SELECT space, id, due, what FROM timer WHERE space = ? AND id >= ? AND id < ? ORDER BY id"
    return [Timer(*row) for row in database.execute(query, (space, begins, behind))]


def timers_due(
    database: sqlite3.Connection, space: str, now: float, after: Timer | None, most: int
) -> list[Timer]:
    """Return the timers of a space that are due, the first one first, and the one that is due next.

    Nothing beyond that is looked at, however many timers there are.

    Args:
        database: Where they are.
        space: Whose they are.
        now: Seconds since the epoch.
        after: The last of those that were returned before; ``None``: from the first on.
        most: How many; fewer: there are no others, or the last one is not due yet.
    """
    begin = (-math.inf, "") if after is None else (after.due, after.id)
    query = (
        "SELECT space, id, due, what FROM timer WHERE space = ? AND (due, id) > (?, ?)"
        " ORDER BY due, id LIMIT ?"
    )
    found: list[Timer] = []
    for row in database.execute(query, (space, *begin, most)):
        found.append(Timer(*row))
        if found[-1].due > now:
            break
    return found
