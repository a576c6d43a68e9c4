"""The outbox in SQL: tables, their version, and one function a question. Runs on the outbox's thread."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final

from hangbot.delivery.record import Settlement, State, Step, Stored
from hangbot.errors import OutboxUnusable, UnknownMessage, UsageError
from hangbot.wire.chat import Outgoing

VERSION: Final = 1
_APPLICATION: Final = 0x48414E47
"""``HANG``: tells an outbox from any other SQLite file."""

_TABLES: Final = """
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
CREATE INDEX step_of ON step (message);
"""
_COLUMNS: Final = (
    "id, receiver, direct, text, extra, state, tier, attempts, in_doubt,"
    " accepted_at, settled_at, reason, remedy"
)


def prepare(database: sqlite3.Connection) -> None:
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
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("PRAGMA foreign_keys = ON")
    with _writing(database):
        if _pragma(database, "user_version") == 0:  # looked at again: another process may have been first
            for statement in _TABLES.split(";\n"):
                if statement.strip():
                    database.execute(statement)
            database.execute(f"PRAGMA application_id = {_APPLICATION}")
            database.execute(f"PRAGMA user_version = {VERSION}")


def _pragma(database: sqlite3.Connection, name: str) -> int:
    return int(database.execute(f"PRAGMA {name}").fetchone()[0])


def _has_tables(database: sqlite3.Connection) -> bool:
    return database.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone() is not None


def _writing(database: sqlite3.Connection) -> AbstractContextManager[None]:
    return _transaction(database, "BEGIN IMMEDIATE")


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


def put(database: sqlite3.Connection, parts: Sequence[Outgoing], now: float) -> list[Stored]:
    """Write all parts, or none."""
    with _writing(database):
        for part in parts:
            row = (part.id, part.to, part.direct, part.text, _extra(part, len(parts)))
            known = database.execute(
                "SELECT id, receiver, direct, text, extra FROM message WHERE id = ?", (part.id,)
            ).fetchone()
            if known is not None and tuple(known) != row:
                raise UsageError(
                    f"the id {part.id} was used for another message; nothing was accepted",
                    remedy="Choose another --id, or leave it out.",
                )
            if known is None:
                seq = database.execute(
                    "INSERT INTO message (id, receiver, direct, text, extra, state, accepted_at)"
                    " VALUES (?, ?, ?, ?, ?, 'queued', ?)",
                    (*row, now),
                ).lastrowid
                _keep(database, seq, [Step(part.id, now, "accepted")])
    return [get(database, part.id) for part in parts]


def waiting(database: sqlite3.Connection, without: frozenset[str], most: int) -> list[Stored]:
    """Return queued messages and those a dead process left in sending, oldest first."""
    marks = ", ".join("?" * len(without))
    query = (
        f"SELECT {_COLUMNS} FROM message WHERE state IN ('queued', 'sending')"  # noqa: S608  marks
        f" AND receiver NOT IN ({marks}) ORDER BY seq LIMIT ?"
    )
    return [_stored(row) for row in database.execute(query, (*without, most))]


def mark_sending(database: sqlite3.Connection, key: str, steps: Sequence[Step]) -> bool:
    """Write that from here on the message may be in the room; ``False``: it has ended, and must not be."""
    with _writing(database):
        marked = database.execute(
            "UPDATE message SET state = 'sending', in_doubt = 1"
            " WHERE id = ? AND state IN ('queued', 'sending')",
            (key,),
        )
        if marked.rowcount:
            _note(database, key, steps)
    return bool(marked.rowcount)


def settle(
    database: sqlite3.Connection, key: str, settlement: Settlement, steps: Sequence[Step], now: float
) -> None:
    """Write the end of a message that is still open; what was dropped meanwhile stays dropped."""
    with _writing(database):
        doubt = settlement.state == "uncertain"
        database.execute(
            "UPDATE message SET state = ?, tier = ?, attempts = ?, reason = ?, remedy = ?, settled_at = ?,"
            " in_doubt = ? WHERE id = ? AND (state IN ('queued', 'sending') OR ? = 'delivered')",
            (
                settlement.state,
                settlement.tier,
                settlement.attempts,
                settlement.reason,
                settlement.remedy,
                now,
                doubt,
                key,
                settlement.state,
            ),
        )
        _keep(database, _seq(database, key), steps)


def note(database: sqlite3.Connection, key: str, steps: Sequence[Step]) -> None:
    """Keep steps and the number of attempts they tell of."""
    with _writing(database):
        _note(database, key, steps)


def _note(database: sqlite3.Connection, key: str, steps: Sequence[Step]) -> None:
    attempts = max((step.attempt for step in steps), default=0)
    database.execute("UPDATE message SET attempts = max(attempts, ?) WHERE id = ?", (attempts, key))
    _keep(database, _seq(database, key), steps)


def rows(database: sqlite3.Connection, states: Sequence[State]) -> list[Stored]:
    """Return the messages in these states, oldest first."""
    if not states:
        query = f"SELECT {_COLUMNS} FROM message ORDER BY seq"  # noqa: S608  a constant
        return [_stored(row) for row in database.execute(query)]
    marks = ", ".join("?" * len(states))
    query = f"SELECT {_COLUMNS} FROM message WHERE state IN ({marks}) ORDER BY seq"  # noqa: S608  marks
    return [_stored(row) for row in database.execute(query, states)]


def get(database: sqlite3.Connection, key: str) -> Stored:
    """Return one message."""
    query = f"SELECT {_COLUMNS} FROM message WHERE id = ?"  # noqa: S608  a constant
    row = database.execute(query, (key,)).fetchone()
    if row is None:
        raise UnknownMessage(f"no message {key} is in the outbox")
    return _stored(row)


def history(database: sqlite3.Connection, key: str) -> list[Step]:
    """Return the steps of a message, oldest first."""
    found = database.execute(
        "SELECT at, kind, attempt, detail, seconds FROM step WHERE message = ? ORDER BY rowid",
        (_seq(database, key),),
    )
    return [Step(key, *row) for row in found]


def requeue(database: sqlite3.Connection, keys: Sequence[str], now: float) -> list[Stored]:
    """Queue given-up messages again, in doubt wherever they were ever sent."""
    with _writing(database):
        for key in keys:
            seq = _seq(database, key)
            changed = database.execute(
                "UPDATE message SET state = 'queued', in_doubt = attempts > 0, settled_at = NULL,"
                " tier = NULL, reason = '', remedy = ''"
                " WHERE seq = ? AND state IN ('failed', 'uncertain', 'expired', 'dropped')",
                (seq,),
            ).rowcount
            if changed:
                _keep(database, seq, [Step(key, now, "accepted", detail="queued again by hand")])
    return [get(database, key) for key in keys]


def drop(database: sqlite3.Connection, keys: Sequence[str], now: float) -> list[Stored]:
    """Give up what is not delivered."""
    with _writing(database):
        for key in keys:
            seq = _seq(database, key)
            changed = database.execute(
                "UPDATE message SET state = 'dropped', tier = NULL, settled_at = ?,"
                " reason = 'dropped by hand', remedy = ''"
                " WHERE seq = ? AND state NOT IN ('delivered', 'dropped')",
                (now, seq),
            ).rowcount
            if changed:
                _keep(database, seq, [Step(key, now, "settled", detail="dropped by hand")])
    return [get(database, key) for key in keys]


def version(database: sqlite3.Connection) -> int:
    """Return SQLite's own counter of other connections' commits."""
    return _pragma(database, "data_version")


def _seq(database: sqlite3.Connection, key: str) -> int:
    row = database.execute("SELECT seq FROM message WHERE id = ?", (key,)).fetchone()
    if row is None:
        raise UnknownMessage(f"no message {key} is in the outbox")
    return int(row[0])


def _keep(database: sqlite3.Connection, seq: int | None, steps: Sequence[Step]) -> None:
    database.executemany(
        "INSERT INTO step (message, at, kind, attempt, detail, seconds) VALUES (?, ?, ?, ?, ?, ?)",
        [(seq, step.at, step.kind, step.attempt, step.detail, step.seconds) for step in steps],
    )


def _extra(part: Outgoing, parts: int) -> str:
    """Write what else makes the content; the number of parts too: no text passes for a longer one's start."""
    return json.dumps(
        {"mentions": list(part.mentions), "images": list(part.images), "parts": parts}, sort_keys=True
    )


def _stored(row: tuple[Any, ...]) -> Stored:
    key, receiver, direct, text, extra, state, tier, attempts, in_doubt, *rest = row
    more = json.loads(extra)
    message = Outgoing(key, receiver, text, bool(direct), tuple(more["mentions"]), tuple(more["images"]))
    return Stored(message, state, tier, attempts, bool(in_doubt), *rest)
