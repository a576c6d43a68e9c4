"""A copy of an outbox while it is in use, by SQLite's own backup API."""

import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from hangbot.delivery.tables import wait_in_doubt
from hangbot.errors import HangbotError
from hangbot.new_file import new_file

__all__ = ["back_up"]

_BESIDE: Final = ("-journal", "-wal", "-shm")


def back_up(database: sqlite3.Connection, place: Path) -> int:
    """Copy all of an outbox into one new file, and return the number of its messages.

    In the copy every waiting message is in doubt: a bot that is given the copy asks whether the message
    arrived in the meantime before sending it again.

    Raises:
        UsageError: The place was taken in the meantime.
        HangbotError: It cannot be written; nothing stays there.
    """
    with new_file(place, "copy") as part:
        try:
            with closing(sqlite3.connect(part.absolute(), isolation_level=None)) as copy:
                database.backup(copy)
                copy.execute("PRAGMA journal_mode = DELETE")  # a single file without a log
                copy.execute("PRAGMA synchronous = FULL")
                wait_in_doubt(copy)
                (messages,) = copy.execute("SELECT count(*) FROM message").fetchone()
        except sqlite3.Error as exc:
            raise HangbotError(
                f"the copy {place} cannot be written: {exc}",
                remedy="Name a file in a folder that exists, can be written and has room.",
            ) from exc
        finally:
            for ending in _BESIDE:
                with suppress(OSError):
                    part.with_name(part.name + ending).unlink()
    return int(messages)
