"""Who reacted to which message with what.

PURE. Reactions are numbered by a counter of their own (measured on an OpenChat build).
"""

from collections.abc import Mapping
from typing import Any, Final

from hangbot.sandbox.chat.paging import page_size, wants_append
from hangbot.sandbox.chat.rows import Row
from hangbot.sandbox.chat.values import leading_number

__all__ = ["Given", "Reactions", "reactions_page"]

DEFAULT_SIZE: Final = 10

Given = Mapping[str, Mapping[str, tuple[int, int]]]
"""The reactions to one message: emoji → uid → id of the reaction, and when it was made."""


class Reactions:
    """The reactions to every message that the store holds."""

    def __init__(self) -> None:
        self._by_message: dict[int, dict[str, dict[str, tuple[int, int]]]] = {}
        self._last_id = 0

    def clear(self) -> None:
        """Drop every reaction and count from 1 again."""
        self._by_message.clear()
        self._last_id = 0

    def start_counting_from(self, number: int) -> None:
        """Give the next reaction this number."""
        self._last_id = number - 1

    def forget(self, number: int) -> None:
        """Drop a message's reactions together with the message."""
        self._by_message.pop(number, None)

    def on(self, number: int) -> Given:
        """Return the reactions to a message."""
        return self._by_message.get(number, {})

    def own(self, number: int, uid: str | None) -> frozenset[str]:
        """Return the emojis that `uid` put on a message."""
        given = self._by_message.get(number)
        if not given or uid is None:
            return frozenset()
        return frozenset(emoji for emoji, by in given.items() if uid in by)

    def add(self, number: int, emoji: str, uid: str, now: int) -> int:
        """Keep a reaction and return its id; the same again takes the place of the old one (measured)."""
        self._last_id += 1
        self._by_message.setdefault(number, {}).setdefault(emoji, {})[uid] = (self._last_id, now)
        return self._last_id

    def remove(self, number: int, emoji: str, uid: str) -> int | None:
        """Take a reaction back and return its id; `None` where there was none."""
        given = self._by_message.get(number, {})
        by = given.get(emoji, {})
        if uid not in by:
            return None
        reaction_id, _ = by.pop(uid)
        if not by:
            del given[emoji]
        return reaction_id


def reactions_page(found: list[Row], query: Mapping[str, str]) -> dict[str, Any]:
    """Cut a page out of reactions (oldest first): the newest first, or from the oldest on with `append`."""
    appends = wants_append(query)
    cursor = leading_number(query.get("cursorValue", query.get("id")))
    if cursor is not None:
        found = [row for row in found if (row["id"] > cursor if appends else row["id"] < cursor)]
    per_page, size = page_size(query, DEFAULT_SIZE)
    page = (found if appends else found[::-1])[:size]
    pagination = {
        "count": len(page),
        "current_page": 1,
        "per_page": per_page,
        "total": len(found),
        "total_pages": -(-len(found) // size),
    }
    meta: dict[str, Any] = {"pagination": pagination}
    if page:
        affix, last = ("append" if appends else "prepend"), page[-1]["id"]
        meta["next" if appends else "previous"] = {
            "affix": affix,
            "cursorAffix": affix,
            "cursorField": "id",
            "cursorId": last,
            "cursorValue": last,
        }
    return {"data": page, "meta": meta}
