"""How messages get into the outbox, in SQL: run by its writer inside a transaction."""

import json
import math
import sqlite3
from collections.abc import Sequence
from typing import Final, NamedTuple

from hangbot.clock import Boot
from hangbot.delivery.message import Outgoing
from hangbot.delivery.read_sql import get, group
from hangbot.delivery.record import OutboxRow
from hangbot.errors import UsageError

__all__ = ["NewMessage", "Put", "put"]

_PUT: Final = (
    "INSERT INTO message (id, receiver, direct, text, extra,"
    " in_doubt, accepted_at, whole, expires_at, room, boot_id, boot_at, state)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'queued') ON CONFLICT (id) DO NOTHING"
)
_ASKS_FOR: Final = 3600.0
"""Seconds for which a copy of an outbox, from its first answer on, asks about each before it sends it."""
_NO_BOOT: Final = (None, None)


class NewMessage(NamedTuple):
    """All parts of a message.

    Attributes:
        parts: The first one's id is that of the whole.
        now: When it is accepted, in seconds since the epoch.
        expires_at: When it is not worth sending any more.
        room: The room for which it is accepted.
        boot: When it is accepted, by the machine's own count.
        first_wins: Whether what is known under its id stands for it, whatever it says and in how many parts.
    """

    parts: Sequence[Outgoing]
    now: float
    expires_at: float | None = None
    room: str = ""
    boot: Boot | None = None
    first_wins: bool = False


class Put(NamedTuple):
    """What came of it: what stands under the id of each text, and how many messages are new."""

    stored: list[list[OutboxRow]]
    new: int


def put(database: sqlite3.Connection, texts: Sequence[NewMessage]) -> Put:
    """Write all parts of each, or none of all.

    Raises:
        UsageError: The id of one was used for something else.
    """
    known = {
        place: there
        for place, text in enumerate(texts)
        if text.first_wins and (there := group(database, text.parts[0].id))
    }
    asks_until = _asks_until(database, texts)
    rows = [
        (
            part.id,
            part.to,
            part.direct,
            part.text,
            _extra(part, len(parts)),
            first_wins and asks_until > now,
            now,
            parts[0].id,
            expires_at,
            room,
            *(boot or _NO_BOOT),
        )
        for place, (parts, now, expires_at, room, boot, first_wins) in enumerate(texts)
        if place not in known
        for part in parts
    ]
    new = database.executemany(_PUT, rows).rowcount if rows else 0
    stored = [
        known.get(place) or (_as_written(text, asks_until) if new == len(rows) else _as_known(database, text))
        for place, text in enumerate(texts)
    ]
    return Put(stored, new)


def _asks_until(database: sqlite3.Connection, texts: Sequence[NewMessage]) -> float:
    """Return until when an answer may have been sent already by the bot that a copy was made of."""
    now = max((text.now for text in texts if text.first_wins), default=None)
    if now is None:
        return 0.0
    (until,) = database.execute("SELECT asks_until FROM inbox").fetchone()
    if until == math.inf:
        until = now + _ASKS_FOR
        database.execute("UPDATE inbox SET asks_until = ?", (until,))
    return until or 0.0


def _as_written(text: NewMessage, asks_until: float) -> list[OutboxRow]:
    """Return the rows of a text of which all parts are new."""
    parts, now, expires_at, room, boot, first_wins = text
    return [
        OutboxRow(
            part,
            "queued",
            None,
            0,
            in_doubt=first_wins and asks_until > now,
            accepted_at=now,
            settled_at=None,
            group_id=parts[0].id,
            expires_at=expires_at,
            room=room,
            boot=boot,
        )
        for part in parts
    ]


def _as_known(database: sqlite3.Connection, text: NewMessage) -> list[OutboxRow]:
    """Return a text as it stands, unless one of its parts is another message with the same id.

    Two that say different things under one id, put at once, fail here with all that is put with them, and
    are run again one by one: the second one finds the first.
    """
    query = "SELECT receiver, direct, text, extra FROM message WHERE id = ?"
    for part in text.parts:
        content = (part.to, part.direct, part.text, _extra(part, len(text.parts)))
        if database.execute(query, (part.id,)).fetchone() != content:
            raise UsageError(
                f"the id {part.id} was used for another message; nothing was accepted",
                remedy="Choose another --id, or leave it out.",
            )
    return [get(database, part.id) for part in text.parts]


def _extra(part: Outgoing, parts: int) -> str:
    """Write what else makes the content; the number of parts too: no text passes for a longer one's start."""
    if not part.mentions and not part.images:
        return f'{{"images": [], "mentions": [], "parts": {parts}}}'  # as below, for nearly every message
    return json.dumps(
        {"mentions": list(part.mentions), "images": list(part.images), "parts": parts}, sort_keys=True
    )
