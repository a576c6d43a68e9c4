"""What the outbox is asked, in SQL: one function a question, run by its writer."""

import json
import sqlite3
from collections.abc import Collection, Sequence
from typing import Any, Final

from hangbot.clock import Boot
from hangbot.delivery.message import MOST_PARTS, Outgoing
from hangbot.delivery.record import BY_HAND, ManualChange, MessageTiming, OutboxRow, Queue, State, Step
from hangbot.errors import UnknownMessage

WAITS: Final = "state IN ('queued', 'sending')"
QUEUED: Final = f"{WAITS} AND state = 'queued'"
"""SQLite only uses the index of what waits where its own condition is named."""
_COLUMNS: Final = (
    "id, receiver, direct, text, extra, state, tier, attempts, in_doubt,"
    " accepted_at, settled_at, reason, remedy, whole, expires_at, room, boot_id, boot_at"
)
_EARLIEST: Final = f"SELECT min(seq) FROM message WHERE {QUEUED} AND room = ? AND receiver = ?"  # noqa: S608  constants

Rooms = Collection[str] | None
"""The rooms whose messages are meant; ``None``: all."""


def owner(database: sqlite3.Connection) -> str | None:
    """Return the uid of the bot whose file this is, or ``None`` where it is no bot's yet."""
    row = database.execute("SELECT uid FROM owner").fetchone()
    return row[0] if row else None


def count_waiting(database: sqlite3.Connection, rooms: Rooms = None) -> int:
    """Count what is to be delivered."""
    if rooms is None:
        query = f"SELECT count(*) FROM message WHERE {WAITS}"  # noqa: S608  a constant
        return int(database.execute(query).fetchone()[0])
    query = f"SELECT count(*) FROM message WHERE {WAITS} AND room = ?"  # noqa: S608  a constant
    return sum(int(database.execute(query, (room,)).fetchone()[0]) for room in rooms)


def count_others(database: sqlite3.Connection, rooms: Rooms) -> int:
    """Count what waits for other rooms, in one look: between two of them a message may end."""
    if rooms is None:
        return 0
    marks = ", ".join("?" * len(rooms))
    query = f"SELECT count(*) FROM message WHERE {WAITS} AND room NOT IN ({marks})"  # noqa: S608  constants
    return int(database.execute(query, tuple(rooms)).fetchone()[0])


def receivers(database: sqlite3.Connection, without: frozenset[str], rooms: Rooms = None) -> list[str]:
    """Return the receivers of queued messages, the longest wait first; a step a receiver, not a message."""
    query = f"""
        WITH RECURSIVE waiting (receiver) AS (
            SELECT min(receiver) FROM message WHERE {QUEUED} AND room = :room
            UNION ALL
            SELECT (
                SELECT min(receiver) FROM message
                WHERE {QUEUED} AND room = :room AND receiver > waiting.receiver
            )
            FROM waiting WHERE waiting.receiver IS NOT NULL
        )
        SELECT receiver, (
            SELECT min(seq) FROM message
            WHERE {QUEUED} AND room = :room AND receiver = waiting.receiver
        )
        FROM waiting WHERE receiver IS NOT NULL
        """  # noqa: S608  constants
    earliest: dict[str, int] = {}
    for room in rooms_of(database, rooms):
        for receiver, seq in database.execute(query, {"room": room}):
            earliest[receiver] = min(seq, earliest.get(receiver, seq))
    return [receiver for receiver in sorted(earliest, key=earliest.__getitem__) if receiver not in without]


def rooms_of(database: sqlite3.Connection, rooms: Rooms) -> Collection[str]:
    """Return the rooms that are meant; of all, those for which something waits."""
    if rooms is not None:
        return rooms
    found: list[str] = []
    query = f"SELECT min(room) FROM message WHERE {WAITS} AND room > ?"  # noqa: S608  constant
    (room,) = database.execute(f"SELECT min(room) FROM message WHERE {WAITS}").fetchone()  # noqa: S608  constant
    while room is not None:
        found.append(room)
        (room,) = database.execute(query, (room,)).fetchone()
    return found


def first(database: sqlite3.Connection, receiver: str, rooms: Rooms = None) -> OutboxRow | None:
    """Return the oldest message that is queued for a receiver."""
    found = (
        database.execute(_EARLIEST, (room, receiver)).fetchone()[0] for room in rooms_of(database, rooms)
    )
    seq = min((seq for seq in found if seq is not None), default=None)
    if seq is None:
        return None
    return _stored(database.execute(f"SELECT {_COLUMNS} FROM message WHERE seq = ?", (seq,)).fetchone())  # noqa: S608  constant


def rows(database: sqlite3.Connection, states: Sequence[State], since: float) -> list[OutboxRow]:
    """Return messages in these states (all, when none is named), oldest first.

    ``since`` leaves out what had ended before that time.
    """
    marks = ", ".join("?" * len(states))
    named = f"state IN ({marks}) AND" if states else ""
    query = (
        f"SELECT {_COLUMNS} FROM message"  # noqa: S608  constants and marks
        f" WHERE {named} (settled_at IS NULL OR settled_at >= ?) ORDER BY seq"
    )
    return [_stored(row) for row in database.execute(query, (*states, since))]


def newest(database: sqlite3.Connection, most: int, states: Sequence[State]) -> list[OutboxRow]:
    """Return the newest messages in these states (all, when none is named), newest first."""
    marks = ", ".join("?" * len(states))
    named = f"WHERE state IN ({marks})" if states else ""
    query = f"SELECT {_COLUMNS} FROM message {named} ORDER BY seq DESC LIMIT ?"  # noqa: S608  constants and marks
    return [_stored(row) for row in database.execute(query, (*states, most))]


def queue(database: sqlite3.Connection, rooms: Rooms = None) -> Queue:
    """Return how many messages wait, and since when the oldest does."""
    query = f"SELECT count(*), min(seq) FROM message WHERE {WAITS} AND room = ?"  # noqa: S608  a constant
    counts = [database.execute(query, (room,)).fetchone() for room in rooms_of(database, rooms)]
    first = min((seq for _, seq in counts if seq is not None), default=None)
    found = database.execute("SELECT accepted_at FROM message WHERE seq = ?", (first,)).fetchone()
    return Queue(sum(count for count, _ in counts), found[0] if found else None)


def timings(database: sqlite3.Connection, since: float) -> list[MessageTiming]:
    """Return the figures of what had not ended before that time, oldest first."""
    found = database.execute(
        "SELECT state, tier, accepted_at, settled_at FROM message"
        " WHERE settled_at IS NULL OR settled_at >= ? ORDER BY seq",
        (since,),
    )
    return [MessageTiming(*row) for row in found]


def group_ids(database: sqlite3.Connection) -> dict[str, str]:
    """Return every id with that of the text that it is a part of, oldest first."""
    return dict(database.execute("SELECT id, whole FROM message ORDER BY seq"))


def get(database: sqlite3.Connection, key: str) -> OutboxRow:
    """Return one message."""
    query = f"SELECT {_COLUMNS} FROM message WHERE id = ?"  # noqa: S608  a constant
    row = database.execute(query, (key,)).fetchone()
    if row is None:
        raise UnknownMessage(f"no message {key} is in the outbox")
    return _stored(row)


def group(database: sqlite3.Connection, key: str) -> list[OutboxRow]:
    """Return the message with an id and the other parts of its text; nothing where it is not known."""
    found = database.execute("SELECT seq FROM message WHERE id = ?", (key,)).fetchone()
    if found is None:
        return []
    query = (  # the parts of a text were written one after the other
        f"SELECT {_COLUMNS} FROM message"  # noqa: S608  a constant
        " WHERE seq BETWEEN ? AND ? AND (id = ? OR whole = ?) ORDER BY seq"
    )
    return [_stored(row) for row in database.execute(query, (*found, found[0] + MOST_PARTS - 1, key, key))]


def history(database: sqlite3.Connection, key: str) -> list[Step]:
    """Return the steps of a message, oldest first."""
    seq, accepted_at = database.execute(
        "SELECT seq, accepted_at FROM message WHERE id = ?", (key,)
    ).fetchone() or (None, 0.0)
    if seq is None:
        raise UnknownMessage(f"no message {key} is in the outbox")
    found = database.execute(
        "SELECT at, kind, attempt, detail, seconds FROM step WHERE message = ? ORDER BY rowid", (seq,)
    )
    return [Step(key, accepted_at, "accepted"), *(Step(key, *row) for row in found)]


def done_by_hand(
    database: sqlite3.Connection, after: int | None, rooms: Rooms = None
) -> tuple[int, list[tuple[ManualChange, str]]]:
    """Return the number of the last step, and what operators did behind an earlier one: changes and ids.

    Args:
        database: The outbox.
        after: The number of the earlier one; ``None``: only the number of the last one is wanted.
        rooms: Whose messages are meant.
    """
    (last,) = database.execute("SELECT coalesce(max(rowid), 0) FROM step").fetchone()
    if after is None:
        return last, []
    changes = {detail: change for change, detail in BY_HAND.items()}
    query = (
        "SELECT step.detail, message.id, message.room FROM step JOIN message ON message.seq = step.message"
        " WHERE step.rowid > ? AND step.detail IN (?, ?) ORDER BY step.rowid"
    )
    found = database.execute(query, (after, *changes)).fetchall()
    return last, [(changes[detail], key) for detail, key, room in found if rooms is None or room in rooms]


def version(database: sqlite3.Connection) -> int:
    """Return SQLite's own counter of other connections' commits."""
    return int(database.execute("PRAGMA data_version").fetchone()[0])


def _stored(row: tuple[Any, ...]) -> OutboxRow:
    key, receiver, direct, text, extra, state, tier, attempts, in_doubt, *rest, boot_id, boot_at = row
    more = json.loads(extra)
    message = Outgoing(key, receiver, text, bool(direct), tuple(more["mentions"]), tuple(more["images"]))
    boot = None if boot_id is None else Boot(boot_id, boot_at)
    return OutboxRow._make((message, state, tier, attempts, bool(in_doubt), *rest, boot))
