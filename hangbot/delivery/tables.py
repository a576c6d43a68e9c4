"""The outbox's tables, what marks a file as one, and how an older one becomes a newer one."""

import math
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from hangbot.clock import Clock, SystemClock
from hangbot.errors import OutboxUnusable

__all__ = ["HEAD", "VERSION", "is_outbox", "prepare", "rewrite", "wait_in_doubt"]

_APPLICATION: Final = 0x48414E47
"""``HANG``: the mark by which an outbox is known from any other SQLite file."""

_MIGRATIONS: Final = (
    """
CREATE TABLE message (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    id          TEXT NOT NULL UNIQUE,
    receiver    TEXT NOT NULL,
    direct      INTEGER NOT NULL,
    text        TEXT NOT NULL,
    extra       TEXT NOT NULL,
    state       TEXT NOT NULL,
    tier        INTEGER,
    attempts    INTEGER NOT NULL DEFAULT 0,
    in_doubt    INTEGER NOT NULL DEFAULT 0,
    accepted_at REAL NOT NULL,
    settled_at  REAL,
    reason      TEXT NOT NULL DEFAULT '',
    remedy      TEXT NOT NULL DEFAULT ''
);
CREATE TABLE step (
    message INTEGER NOT NULL REFERENCES message (seq) ON DELETE CASCADE,
    at      REAL NOT NULL,
    kind    TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    detail  TEXT NOT NULL,
    seconds REAL NOT NULL
);
CREATE INDEX message_waiting ON message (seq) WHERE state IN ('queued', 'sending');
CREATE INDEX step_of ON step (message)
""",
    """
ALTER TABLE message ADD COLUMN whole TEXT;
UPDATE message SET whole = id;
ALTER TABLE message ADD COLUMN expires_at REAL;
DROP INDEX message_waiting;
CREATE INDEX message_waiting ON message (receiver, seq) WHERE state IN ('queued', 'sending')
""",
    """
CREATE TABLE owner (uid TEXT NOT NULL);
ALTER TABLE message ADD COLUMN room TEXT NOT NULL DEFAULT '';
UPDATE message SET room = receiver WHERE NOT direct;
ALTER TABLE message ADD COLUMN boot_id TEXT;
ALTER TABLE message ADD COLUMN boot_at REAL;
DROP INDEX message_waiting;
CREATE INDEX message_waiting ON message (room, receiver, seq) WHERE state IN ('queued', 'sending')
""",
    """
CREATE TABLE inbox (
    epoch      INTEGER NOT NULL,
    base       INTEGER,
    asks_until REAL
);
INSERT INTO inbox (epoch) VALUES (1);
CREATE TABLE conversation (
    key      TEXT PRIMARY KEY,
    low      INTEGER NOT NULL,
    epoch    INTEGER NOT NULL,
    begun_at REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE heard (
    conversation TEXT NOT NULL,
    id           INTEGER NOT NULL,
    PRIMARY KEY (conversation, id)
) WITHOUT ROWID;
CREATE TABLE witness (
    conversation TEXT NOT NULL,
    id           INTEGER NOT NULL,
    sent_at      INTEGER NOT NULL,
    fingerprint  TEXT NOT NULL,
    done         INTEGER NOT NULL,
    PRIMARY KEY (conversation, id)
) WITHOUT ROWID
""",
    """
CREATE TABLE kept (
    space      TEXT NOT NULL,
    key        TEXT NOT NULL,
    value      TEXT NOT NULL,
    expires_at REAL,
    PRIMARY KEY (space, key)
) WITHOUT ROWID;
CREATE INDEX kept_expiring ON kept (expires_at) WHERE expires_at IS NOT NULL;
CREATE TABLE timer (
    space TEXT NOT NULL,
    id    TEXT NOT NULL,
    due   REAL NOT NULL,
    what  TEXT NOT NULL,
    PRIMARY KEY (space, id)
) WITHOUT ROWID;
CREATE INDEX timer_due ON timer (space, due)
""",
)
"""What makes version *n* of version *n* - 1; a line that was ever released is never changed."""

VERSION: Final = len(_MIGRATIONS)
HEAD: Final = 100
"""Bytes that say what a file is."""
_APPLICATION_AT: Final = 68
"""Where SQLite keeps the application's mark, in the first hundred bytes of a file."""
_SWITCHED_WITHIN: Final = 5.0
"""Seconds until a file that others are opening counts as unusable."""
_SWITCH_AGAIN_AFTER: Final = 0.005


def prepare(database: sqlite3.Connection, clock: Clock | None = None) -> None:
    """Make the tables where there are none, and migrate those of an earlier version.

    Raises:
        OutboxUnusable: The file is another program's, or of a later version.
        sqlite3.Error: It is no database, or cannot be written.
    """
    with _transaction(database, "BEGIN"):  # one look: another process may be making the tables just now
        application = _pragma(database, "application_id")
        version = _pragma(database, "user_version")
        foreign = application != _APPLICATION and _has_tables(database)
    if foreign:
        raise OutboxUnusable("the file is another program's database; it was left as it is")
    if version > VERSION:
        raise OutboxUnusable(
            f"the outbox is of version {version}, this hangbot knows up to {VERSION}",
            remedy="Use the hangbot that made it, or a newer one.",
        )
    _write_ahead(database, clock or SystemClock())
    database.execute("PRAGMA synchronous = FULL")
    database.execute("PRAGMA foreign_keys = ON")
    if version == VERSION:
        return
    with _transaction(database, "BEGIN IMMEDIATE"):
        version = _pragma(database, "user_version")  # looked at again: another process may have been first
        for migration in _MIGRATIONS[version:]:
            for statement in migration.split(";\n"):
                database.execute(statement)
        database.execute(f"PRAGMA application_id = {_APPLICATION}")
        database.execute(f"PRAGMA user_version = {max(version, VERSION)}")


def wait_in_doubt(database: sqlite3.Connection) -> None:
    """Put what waits in doubt, and the answers to come: a copy does not know what was sent since.

    Its marks are old: the lines since then are heard again, and most of them were answered.
    """
    database.execute("UPDATE message SET in_doubt = 1 WHERE state IN ('queued', 'sending')")
    database.execute("UPDATE inbox SET asks_until = ?", (math.inf,))


def rewrite(database: sqlite3.Connection) -> None:
    """Write what stands there already: whether the file can be written is known only then."""
    database.execute(f"PRAGMA user_version = {_pragma(database, 'user_version')}")


def _write_ahead(database: sqlite3.Connection, clock: Clock) -> None:
    """Switch to a write-ahead log: while others open the file, SQLite refuses that without waiting."""
    deadline = clock.now() + _SWITCHED_WITHIN
    while True:
        try:
            database.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as exc:
            if exc.sqlite_errorcode != sqlite3.SQLITE_BUSY or clock.now() > deadline:
                raise
        else:
            return
        threading.Event().wait(_SWITCH_AGAIN_AFTER)  # on the writer's thread, which has no loop


def _pragma(database: sqlite3.Connection, name: str) -> int:
    return int(database.execute(f"PRAGMA {name}").fetchone()[0])


def _has_tables(database: sqlite3.Connection) -> bool:
    return database.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone() is not None


@contextmanager
def _transaction(database: sqlite3.Connection, begin: str) -> Iterator[None]:
    database.execute(begin)
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:  # SQLite ends it by itself on a full disk
            database.execute("ROLLBACK")
        raise


def is_outbox(head: bytes) -> bool:
    """Tell from a file's first hundred bytes whether it was ever an outbox, whatever became of the rest."""
    mark = head[_APPLICATION_AT : _APPLICATION_AT + 4]
    return head.startswith(b"SQLite format 3\0") and mark == _APPLICATION.to_bytes(4, "big")
