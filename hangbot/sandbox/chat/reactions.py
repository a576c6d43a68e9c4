"""Reactions to messages.

PURE.
"""

from collections.abc import Mapping
from typing import Any, Final

from hangbot.sandbox.chat.changes import action_on, with_fresh_entities
from hangbot.sandbox.chat.paging import page_size, wants_append
from hangbot.sandbox.chat.rows import Json, Push, Row, user_entity
from hangbot.sandbox.chat.rules import ChatRefusal
from hangbot.sandbox.chat.values import leading_number
from hangbot.sandbox.chat.world import ChatWorld

__all__ = ["Reactions", "reactions_page"]

DEFAULT_SIZE: Final = 10


class Reactions:
    """Who reacted to which message with what; ids from a counter of their own."""

    def __init__(self) -> None:
        self._by_message: dict[int, dict[str, dict[str, tuple[int, int]]]] = {}
        self._last_id = 0

    def start_counting_from(self, number: int) -> None:
        """Give the next reaction this number."""
        self._last_id = number - 1

    def forget(self, number: int) -> None:
        """Forget a message's reactions together with the message."""
        self._by_message.pop(number, None)

    def own(self, number: int, uid: str | None) -> frozenset[str]:
        """The emojis that `uid` put on a message."""
        given = self._by_message.get(number)
        if not given or uid is None:
            return frozenset()
        return frozenset(emoji for emoji, by in given.items() if uid in by)

    def rows(self, world: ChatWorld, number: int, viewer: str, emoji: str | None = None) -> list[Row]:
        """The reactions on a message, oldest first."""
        found = [
            {
                "id": given_id,
                "messageId": number,
                "reaction": name,
                "uid": uid,
                "reactedAt": at,
                "reactedBy": user_entity(world.ensure_user(uid)),
                "reactedByMe": uid == viewer,
            }
            for name, by in self._by_message.get(number, {}).items()
            for uid, (given_id, at) in by.items()
            if emoji in (None, name)
        ]
        return sorted(found, key=lambda row: int(row["id"]))

    def add(
        self, world: ChatWorld, uid: str, row: Row, emoji: str, resource: str | None
    ) -> tuple[Row, list[Push]]:
        """React; the same once more is a reaction with a new id in the place of the old one (measured).

        Raises:
            ChatRefusal: `react_deleted`.
        """
        if "deletedAt" in row:
            raise ChatRefusal("react_deleted", id=str(row["id"]))
        by = self._by_message.setdefault(row["id"], {}).setdefault(emoji, {})
        self._last_id += 1
        by[uid] = (self._last_id, world.now)
        return self._changed(
            world, uid, row, emoji, resource, number=self._last_id, action="message_reaction_added"
        )

    def remove(
        self, world: ChatWorld, uid: str, row: Row, emoji: str, resource: str | None
    ) -> tuple[Row, list[Push]]:
        """Take a reaction back; one that was never made changes nothing.

        Raises:
            ChatRefusal: `react_deleted`.
        """
        if "deletedAt" in row:
            raise ChatRefusal("react_deleted", id=str(row["id"]))
        given = self._by_message.get(row["id"], {})
        by = given.get(emoji, {})
        if uid not in by:
            return row, []
        number, _ = by.pop(uid)
        if not by:
            del given[emoji]
        return self._changed(
            world, uid, row, emoji, resource, number=number, action="message_reaction_removed"
        )

    def _changed(
        self,
        world: ChatWorld,
        uid: str,
        row: Row,
        emoji: str,
        resource: str | None,
        *,
        number: int,
        action: str,
    ) -> tuple[Row, list[Push]]:
        """Store the message with its counts; the reaction's `edited` action stands in no history."""
        changed = self._with_counts(world, with_fresh_entities(world, row))
        world.keep(changed)
        user = world.ensure_user(uid)
        told = world.audience(changed)
        edited = action_on(world, number, "edited", user, changed)
        body = {
            "action": action,
            "id": number,
            "messageId": row["id"],
            "reaction": emoji,
            "reactedAt": world.now,
            "reactedBy": user_entity(user),
        }
        push = Push(told, "reaction", uid, row["receiver"], row["receiverType"], body, resource or "server")
        return changed, [world.message_push(edited, told, resource), push]

    def _with_counts(self, world: ChatWorld, row: Row) -> Row:
        given = sorted(self._by_message.get(row["id"], {}).items())
        counts = [{"reaction": emoji, "count": len(by), "reactedByMe": False} for emoji, by in given]
        named = {emoji: {uid: {"name": world.ensure_user(uid).name} for uid in by} for emoji, by in given}
        clean = {"message_clean": row["data"].get("text") or "", "profanity": "no"}
        injected = {"extensions": {"profanity-filter": clean} | ({"reactions": named} if named else {})}
        data = {**row["data"], "reactions": counts}
        data["metadata"] = _injected(data.get("metadata"), injected)
        return {**row, "data": data, "metadata": _injected(row.get("metadata"), injected)}


def _injected(metadata: Json, injected: Row) -> Row:
    return {**(metadata if isinstance(metadata, dict) else {}), "@injected": injected}


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
