"""The rows that a chat server keeps: by conversation, by id, by muid.

PURE. A conversation keeps a bounded number of rows; it drops the oldest, and those past the
retention time.
"""

from bisect import bisect_left
from collections.abc import Callable, Mapping
from typing import Any, Final

from hangbot.sandbox.chat.rows import SYSTEM, Row, conversation_of, group_conversation, sent_at
from hangbot.sandbox.chat.rules import ChatRefusal
from hangbot.sandbox.chat.values import text_of

__all__ = ["ChatStore"]

RETENTION_S: Final = 30 * 24 * 3600
"""OpenChat keeps a group's rows for 30 days by default."""


class ChatStore:
    """Rows, and the counter that numbers them.

    Args:
        now_s: The clock, epoch seconds.
        history: Rows kept in each conversation.
        sparse_ids: Ids are 41 bits of milliseconds and 12 bits of counter.
        on_forget: Given the id of each row that is dropped.

    Attributes:
        on_new: Given each row that is stored for the first time; may be replaced.
    """

    def __init__(
        self,
        now_s: Callable[[], float],
        *,
        history: int,
        sparse_ids: bool,
        on_forget: Callable[[int], object],
    ) -> None:
        self._now_s = now_s
        self._history = history
        self._sparse_ids = sparse_ids
        self._on_forget = on_forget
        self.on_new: Callable[[Row], object] = lambda _: None
        self._rows: dict[str, list[Row]] = {}
        self._by_id: dict[int, Row] = {}
        self._by_muid: dict[str, Row] = {}
        self._last_id = 0

    def clear(self) -> None:
        """Drop every row and count from 1 again."""
        for rows in (self._rows, self._by_id, self._by_muid):
            rows.clear()
        self._last_id = 0

    @property
    def now(self) -> int:
        """The clock, whole seconds."""
        return int(self._now_s())

    def start_counting_from(self, number: int) -> None:
        """Give the next row this number."""
        self._last_id = number - 1

    def next_id(self) -> int:
        """Number the next row."""
        if self._sparse_ids:
            self._last_id = max(self._last_id + 1, (int(self._now_s() * 1000) & (2**41 - 1)) << 12)
        else:
            self._last_id += 1
        return self._last_id

    def keep(self, row: Row) -> None:
        """Store a new row, or a new state of a stored one; the newest row of a muid wins."""
        rows = self._rows.setdefault(row["conversationId"], [])
        new = row["id"] not in self._by_id
        if not new:
            rows[bisect_left(rows, row["id"], key=_id_of)] = row
        else:
            rows.append(row)
            if len(rows) > self._history:
                self._forget(rows.pop(0))
        self._by_id[row["id"]] = row
        muid = _muid_of(row)
        if muid is not None:
            newest = self._by_muid.get(muid)
            if newest is None or newest["id"] <= row["id"]:
                self._by_muid[muid] = row
        if new:
            self.on_new(row)

    def plant(self, guid: str, row: Mapping[str, Any]) -> None:
        """Put any object at all into a group's history: a row that no client can parse."""
        number = self.next_id()
        base: Row = {"category": "message", "type": "text", "sender": SYSTEM, "data": {}}
        base |= {"receiver": guid, "receiverType": "group", "sentAt": self.now, "updatedAt": self.now}
        self.keep({**base, **row, "id": number, "conversationId": group_conversation(guid)})

    def _forget(self, row: Row) -> None:
        self._by_id.pop(row["id"], None)
        self._on_forget(row["id"])
        muid = _muid_of(row)
        if muid is not None and self._by_muid.get(muid, row)["id"] == row["id"]:
            self._by_muid.pop(muid, None)

    def rows(self, conversation: str) -> list[Row]:
        """Return a conversation's rows, oldest first, without those past the retention time."""
        rows = self._rows.get(conversation, [])
        oldest = self.now - RETENTION_S
        while rows and sent_at(rows[0]) < oldest:
            self._forget(rows.pop(0))
        return rows

    def direct_rows(self, uid: str, other: str) -> list[Row]:
        """Return what two users wrote each other, oldest first."""
        return self.rows(conversation_of(uid, other, "user"))

    def newest_rows(self) -> dict[str, Row]:
        """Return the newest row of each conversation that has any."""
        return {conversation: rows[-1] for conversation, rows in self._rows.items() if rows}

    def by_id(self, number: int | None) -> Row | None:
        """Return the stored row with that id, whatever its category."""
        return None if number is None else self._by_id.get(number)

    def by_muid(self, muid: str) -> Row | None:
        """Return the newest stored message with that client-made id."""
        return self._by_muid.get(muid)

    def messages(self) -> list[Row]:
        """Return every message held (no actions), oldest first."""
        rows = (self._by_id[number] for number in sorted(self._by_id))
        return [dict(row) for row in rows if row.get("category") != "action"]


def _muid_of(row: Row) -> str | None:
    try:
        return text_of(row["muid"], "muid") if "muid" in row else None
    except ChatRefusal:
        return None  # a planted row


def _id_of(row: Row) -> int:
    number: int = row["id"]
    return number
