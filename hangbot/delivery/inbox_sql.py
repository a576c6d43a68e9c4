"""What the inbox is asked and what changes it, in SQL: run by the outbox's writer inside a transaction.

Functions of the connection, as those of the outbox are: what is said and that its line is handled can be one
job, and so one transaction.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

__all__ = [
    "DIRECT",
    "MOST_DIRECT",
    "MOST_DIRECT_WITNESSES",
    "MOST_GROUPS",
    "MOST_WITNESSES",
    "ConversationMarks",
    "Handled",
    "Remembered",
    "Witness",
    "begin",
    "begin_direct",
    "handled",
    "load",
    "new_epoch",
]

DIRECT: Final = "user_"
"""How the key of a conversation with one user begins."""
MOST_GROUPS: Final = 100
"""Groups whose marks are kept: the ones that were begun last."""
MOST_DIRECT: Final = 1000
"""Direct conversations whose marks are kept: the ones with the newest lines."""
MOST_WITNESSES: Final = 100
"""Witnesses that are kept of a group: the newest."""
MOST_DIRECT_WITNESSES: Final = 10
"""The same of a direct conversation."""


class Witness(NamedTuple):
    """A line that was heard: by it, another line with its id is known, and the same line with another id.

    Attributes:
        id: Its id, within the epoch in which it was written.
        sent_at: Seconds since the epoch, by the server.
        fingerprint: What stands for its sender and its content.
        done: Whether it is handled.
    """

    id: int
    sent_at: int
    fingerprint: str
    done: bool


class ConversationMarks(NamedTuple):
    """Which lines of a conversation are handled.

    Attributes:
        low: Each line up to this id is.
        heard: The ids above it of lines that are, too.
        witnesses: The newest lines, by id.
        epoch: The epoch of these ids; in a later one they mean nothing, only the witnesses do.
        begun_at: Seconds since the epoch when it was begun, by the machine's clock.
    """

    low: int
    heard: frozenset[int] = frozenset()
    witnesses: Sequence[Witness] = ()
    epoch: int = 1
    begun_at: float = 0.0


class Remembered(NamedTuple):
    """All of the inbox.

    Attributes:
        epoch: How often ids went backwards, plus one.
        base: In a direct conversation that is not named below each line up to this id counts as handled;
            ``None`` before the first start.
        conversations: The others, by key: ``group_GUID`` or ``user_UID``.
    """

    epoch: int
    base: int | None
    conversations: dict[str, ConversationMarks]


class Handled(NamedTuple):
    """What is handled of a conversation since the last time; as the arguments of `Inbox.handled`."""

    key: str
    heard: Sequence[int]
    low: int
    witnesses: Sequence[Witness]
    now: float


def load(database: sqlite3.Connection) -> Remembered:
    """Return all of it."""
    epoch, base = database.execute("SELECT epoch, base FROM inbox").fetchone()
    heard: dict[str, set[int]] = {}
    for key, line in database.execute("SELECT conversation, id FROM heard"):
        heard.setdefault(key, set()).add(line)
    witnesses: dict[str, list[Witness]] = {}
    for key, line, sent_at, fingerprint, done in database.execute(
        "SELECT conversation, id, sent_at, fingerprint, done FROM witness ORDER BY conversation, id"
    ):
        witnesses.setdefault(key, []).append(Witness(line, sent_at, fingerprint, bool(done)))
    found = database.execute("SELECT key, low, epoch, begun_at FROM conversation ORDER BY begun_at, key")
    return Remembered(
        epoch,
        base,
        {
            key: ConversationMarks(low, frozenset(heard.get(key, ())), tuple(witnesses.get(key, ())), *rest)
            for key, low, *rest in found
        },
    )


def begin(database: sqlite3.Connection, key: str, low: int, witnesses: Sequence[Witness], now: float) -> None:
    """Have a conversation begin behind a line in the epoch of today, whatever was known of it before."""
    database.execute("DELETE FROM heard WHERE conversation = ?", (key,))
    database.execute("DELETE FROM witness WHERE conversation = ?", (key,))
    database.execute("DELETE FROM conversation WHERE key = ?", (key,))
    _add(database, key, low, now)
    _keep(database, key, witnesses)


def begin_direct(database: sqlite3.Connection, base: int) -> None:
    """Have direct conversations that are not known begin behind a line."""
    database.execute("UPDATE inbox SET base = ?", (base,))


def new_epoch(database: sqlite3.Connection, kept: int) -> int:
    """Count that ids went backwards to where a server kept them, and return the epoch of the new ones."""
    database.execute("UPDATE inbox SET epoch = epoch + 1, base = min(base, ?)", (kept,))
    return int(database.execute("SELECT epoch FROM inbox").fetchone()[0])


def handled(database: sqlite3.Connection, marks: Sequence[Handled]) -> list[None]:
    """Write what is handled, and forget what the low marks cover and the witnesses that are too many."""
    for key, heard, low, witnesses, now in _by_conversation(marks):
        found = database.execute(
            "UPDATE conversation SET low = max(low, ?) WHERE key = ? RETURNING low", (low, key)
        ).fetchone()
        if found is None:
            _add(database, key, low, now)
        reached = found[0] if found else low
        above = [(key, line) for line in heard if line > reached]
        if above:
            database.executemany("INSERT OR IGNORE INTO heard (conversation, id) VALUES (?, ?)", above)
        database.execute("DELETE FROM heard WHERE conversation = ? AND id <= ?", (key, reached))
        _keep(database, key, witnesses)
    return [None] * len(marks)


def _by_conversation(marks: Sequence[Handled]) -> Iterator[Handled]:
    """Yield the same as one mark for each conversation: many users speak in one group."""
    alike: dict[str, list[Handled]] = {}
    for mark in marks:
        alike.setdefault(mark.key, []).append(mark)
    for key, same in alike.items():
        yield Handled(
            key,
            [line for mark in same for line in mark.heard],
            max(mark.low for mark in same),
            [witness for mark in same for witness in mark.witnesses],
            same[0].now,
        )


def _add(database: sqlite3.Connection, key: str, low: int, now: float) -> None:
    database.execute(
        "INSERT INTO conversation (key, low, epoch, begun_at) SELECT ?, ?, epoch, ? FROM inbox",
        (key, low, now),
    )
    direct = key.startswith(DIRECT)
    # Of direct ones the ids say which was heard last: a service counts them over all conversations.
    order, most = ("epoch DESC, low DESC", MOST_DIRECT) if direct else ("begun_at DESC, key", MOST_GROUPS)
    surplus = database.execute(
        "SELECT key, low, epoch FROM conversation WHERE (substr(key, 1, ?) = ?) = ? AND key != ?"  # noqa: S608  constants
        f" ORDER BY {order} LIMIT -1 OFFSET ?",
        (len(DIRECT), DIRECT, direct, key, most - 1),
    ).fetchall()
    for other, other_low, epoch in surplus:
        for table, column in (
            ("heard", "conversation"),
            ("witness", "conversation"),
            ("conversation", "key"),
        ):
            database.execute(f"DELETE FROM {table} WHERE {column} = ?", (other,))  # noqa: S608  constants
        if direct:  # nothing of it is new again: what others said before that has long been heard, or too old
            database.execute(
                "UPDATE inbox SET base = max(coalesce(base, 0), ?) WHERE epoch = ?", (other_low, epoch)
            )


def _keep(database: sqlite3.Connection, key: str, witnesses: Sequence[Witness]) -> None:
    if not witnesses:
        return
    database.executemany(
        "INSERT INTO witness (conversation, id, sent_at, fingerprint, done) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (conversation, id) DO UPDATE"
        " SET sent_at = excluded.sent_at, fingerprint = excluded.fingerprint, done = excluded.done",
        [(key, *witness) for witness in witnesses],
    )
    database.execute(
        "DELETE FROM witness WHERE conversation = ? AND id <= ("
        "SELECT id FROM witness WHERE conversation = ? ORDER BY id DESC LIMIT 1 OFFSET ?)",
        (key, key, MOST_DIRECT_WITNESSES if key.startswith(DIRECT) else MOST_WITNESSES),
    )
