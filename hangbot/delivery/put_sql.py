"""How messages get into the outbox, in SQL: run by its writer inside a transaction."""

import json
import sqlite3
from collections.abc import Sequence
from typing import Final, NamedTuple

from hangbot.clock import Boot
from hangbot.delivery.message import Outgoing
from hangbot.delivery.read_sql import get, group
from hangbot.delivery.record import OutboxRow
from hangbot.errors import UsageError

__all__ = ["NewMessage", "put"]

_PUT: Final = (
    "INSERT INTO message"
    " (id, receiver, direct, text, extra, state, accepted_at, whole, expires_at, room, boot_id, boot_at)"
    " VALUES (?, ?, ?, ?, ?, 'queued', ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING"
)
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


def put(database: sqlite3.Connection, texts: Sequence[NewMessage]) -> list[list[OutboxRow]]:
    """Write all parts of each, or none of all; return what stands under the id of each.

    Raises:
        UsageError: The id of one was used for something else.
    """
    known = {
        place: there
        for place, text in enumerate(texts)
        if text.first_wins and (there := group(database, text.parts[0].id))
    }
    rows = [
        (
            part.id,
            part.to,
            part.direct,
            part.text,
            _extra(part, len(parts)),
            now,
            parts[0].id,
            expires_at,
            room,
            *(boot or _NO_BOOT),
        )
        for place, (parts, now, expires_at, room, boot, _) in enumerate(texts)
        if place not in known
        for part in parts
    ]
    all_new = not rows or database.executemany(_PUT, rows).rowcount == len(rows)
    standing = _as_written if all_new else _as_known
    return [known.get(place) or standing(database, text) for place, text in enumerate(texts)]


def _as_written(_: sqlite3.Connection, text: NewMessage) -> list[OutboxRow]:
    """Return the rows of a text of which all parts are new."""
    parts, now, expires_at, room, boot, _first_wins = text
    return [
        OutboxRow(
            part,
            "queued",
            None,
            0,
            in_doubt=False,
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
