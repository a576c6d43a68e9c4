"""What is written in one transaction with the messages of a handler. PURE but for the connection."""

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from hangbot.delivery import inbox_sql, kept_sql

__all__ = ["Writes", "write"]


class Writes(NamedTuple):
    """What is written together with messages that are accepted.

    Attributes:
        changes: Of what an app keeps.
        timers: That an app sets or takes back.
        handled: Of the line that all this is the answer to.
    """

    changes: Sequence[kept_sql.Change] = ()
    timers: Sequence[kept_sql.TimerChange] = ()
    handled: inbox_sql.Handled | None = None


def write(database: sqlite3.Connection, writes: Sequence[Writes], now: float) -> None:
    """Write what belongs to several handlers, or nothing of it.

    Raises:
        StoreConflict: A value is not what it must be.
    """
    kept_sql.change(database, [change for each in writes for change in each.changes], now)
    kept_sql.schedule(database, [timer for each in writes for timer in each.timers])
    inbox_sql.handled(database, [each.handled for each in writes if each.handled])
