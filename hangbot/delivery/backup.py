"""A copy of an outbox while it is in use, by SQLite's own backup API."""

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from hangbot.delivery.tables import wait_in_doubt
from hangbot.errors import HangbotError, UsageError

__all__ = ["back_up", "refuse_place"]

_OWN: Final = ("", "-wal", "-shm", "-journal", ".lock")


def refuse_place(outbox: Path, place: Path) -> None:
    """Refuse a place for a copy that is taken or belongs to the outbox.

    Raises:
        UsageError: Nothing was written.
    """
    own = {os.path.realpath(outbox) + ending for ending in _OWN}
    if os.path.realpath(place) in own:
        raise UsageError(
            f"{place} belongs to the outbox itself; nothing was written", remedy="Name another file."
        )
    if os.path.lexists(place):
        raise UsageError(
            f"{place} exists; it was left as it is", remedy="Name a new file, or remove that one before."
        )


def back_up(database: sqlite3.Connection, place: Path) -> int:
    """Copy all of an outbox into one new file, and return the number of its messages.

    In the copy every waiting message is in doubt: a bot that is given the copy asks whether the message
    arrived in the meantime before sending it again.

    Raises:
        UsageError: The place was taken in the meantime.
        HangbotError: It cannot be written; nothing stays there.
    """
    part = place.with_name(f".{place.name}.{os.getpid()}.part")
    try:
        os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        with closing(sqlite3.connect(part.absolute(), isolation_level=None)) as copy:
            database.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # a single file without a log
            copy.execute("PRAGMA synchronous = FULL")
            wait_in_doubt(copy)
            (messages,) = copy.execute("SELECT count(*) FROM message").fetchone()
        os.link(part, place)  # unlike a rename it replaces no file
    except FileExistsError:
        raise UsageError(f"{place} exists; it was left as it is", remedy="Name a new file.") from None
    except (OSError, sqlite3.Error) as exc:
        cause = exc.strerror if isinstance(exc, OSError) else exc
        raise HangbotError(
            f"the copy {place} cannot be written: {cause}",
            remedy="Name a file in a folder that exists, can be written and has room.",
        ) from exc
    finally:
        for ending in ("", "-journal", "-wal", "-shm"):
            with suppress(OSError):
                part.with_name(part.name + ending).unlink()
    return int(messages)
