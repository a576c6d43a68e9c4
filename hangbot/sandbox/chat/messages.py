"""The calls about messages: send, read, edit, delete, react, mark.

PURE.
"""

from hangbot.sandbox.chat.call import Answer, Call
from hangbot.sandbox.chat.changes import (
    delete_message,
    delivered_at_once,
    edit_message,
    mark,
    readable_message,
    unread_counts,
)
from hangbot.sandbox.chat.door import ChatDoor
from hangbot.sandbox.chat.drafts import read_draft
from hangbot.sandbox.chat.rows import Draft, Push, Row
from hangbot.sandbox.chat.rules import ChatRefusal

__all__ = ["MessageCalls"]


class MessageCalls(ChatDoor):
    """`messages` and what is below it."""

    def _messages(self, call: Call) -> Answer:
        match (call.method, *call.segments):
            case ("POST", "messages"):
                return self._send(call, None)
            case ("GET", "messages"):
                return self._inbox(call)
            case ("GET", "messages", number):
                caller = self._caller(call)
                return self._one(caller, readable_message(self.world, caller.uid, number))
            case ("PUT", "messages", number):
                return self._edit(call, number)
            case ("DELETE", "messages", number):
                caller = self._caller(call)
                row = readable_message(self.world, caller.uid, number)
                action, pushes = delete_message(self.world, caller.uid, row, caller.resource)
                return Answer(200, {"data": self._shown(caller.uid, action)}, pushes, uid=caller.uid)
            case _:
                return self._below_message(call)

    def _below_message(self, call: Call) -> Answer:
        match (call.method, *call.segments):
            case ("POST", _, number, "thread"):
                return self._send(call, number)
            case ("GET", _, number, "thread"):
                caller = self._caller(call)
                parent = readable_message(self.world, caller.uid, number)
                rows = self.world.rows(parent["conversationId"])
                replies = [row for row in rows if str(row.get("parentId")) == number]
                return self._page(call, caller, replies)
            case ("GET", _, number, "reactions", *emoji) if len(emoji) <= 1:
                return self._reacted(call, number, emoji[0] if emoji else None)
            case ("POST" | "DELETE", _, number, "reactions", emoji):
                return self._react(call, number, emoji)
            case ("POST", _, number, "interactions"):
                return self._interact(call, number)
            case ("PATCH", _, number, "interacted") if self.dialect.name == "cometchat":
                return self._interact(call, number)
            case _:
                return self._no_route(call)

    def _send(self, call: Call, parent: str | None) -> Answer:
        fields = self._fields(call)
        caller = self._caller(call)
        draft = read_draft(fields, self.dialect, resource=caller.resource, parent=parent)
        if parent is not None:
            readable_message(self.world, caller.uid, parent)
        row, pushes = self.store(caller.uid, draft, admin=caller.admin)
        status = 200 if parent is not None else self.dialect.send_status
        return Answer(status, {"data": self._shown(caller.uid, row)}, pushes, uid=caller.uid)

    def store(self, uid: str, draft: Draft, *, admin: bool = False) -> tuple[Row, list[Push]]:
        """Store a message; a direct one that reaches a socket is acknowledged at once."""
        if draft.receiver_type == "user":
            self._introduce(draft.receiver)
        row, pushes = self.world.send(uid, draft, admin=admin)
        if draft.receiver_type == "user" and self._online(draft.receiver):
            pushes += delivered_at_once(self.world, row)
        return row, pushes

    def _inbox(self, call: Call) -> Answer:
        caller = self._caller(call)
        query = call.query
        if query.get("unread") == "1" and query.get("count") == "1":
            return Answer(200, {"data": unread_counts(self.world, caller.uid)}, uid=caller.uid)
        sender = query.get("sender")
        if query.get("receiverType") == "user" and sender:
            return self._page(call, caller, self.world.direct_rows(caller.uid, sender))
        return Answer(200, {"data": []}, uid=caller.uid)

    def _edit(self, call: Call, number: str) -> Answer:
        fields = self._fields(call)
        caller = self._caller(call)
        row = readable_message(self.world, caller.uid, number)
        data = fields.get("data", {})
        if not isinstance(data, dict):
            raise ChatRefusal("bad_value", parameter="data")
        action, pushes = edit_message(self.world, caller.uid, row, data, caller.resource)
        return Answer(200, {"data": self._shown(caller.uid, action)}, pushes, uid=caller.uid)

    def _reacted(self, call: Call, number: str, emoji: str | None) -> Answer:
        caller = self._caller(call)
        row = readable_message(self.world, caller.uid, number)
        found = self.reactions.rows(self.world, row["id"], caller.uid, emoji)
        return Answer(200, {"data": found, "meta": _reactions_meta(found)}, uid=caller.uid)

    def _react(self, call: Call, number: str, emoji: str) -> Answer:
        caller = self._caller(call)
        row = readable_message(self.world, caller.uid, number)
        change = self.reactions.add if call.method == "POST" else self.reactions.remove
        changed, pushes = change(self.world, caller.uid, row, emoji, caller.resource)
        return Answer(200, {"data": self._shown(caller.uid, changed)}, pushes, uid=caller.uid)

    def _interact(self, call: Call, number: str) -> Answer:
        self._fields(call)
        caller = self._caller(call)
        row = readable_message(self.world, caller.uid, number)
        data, pushes = mark(self.world, caller.uid, row, "read")
        return Answer(200, {"data": data}, pushes, uid=caller.uid)


def _reactions_meta(found: list[Row]) -> Row:
    first = found[0]["id"] if found else 0
    return {
        "pagination": {
            "count": len(found),
            "current_page": 1,
            "per_page": 10,
            "total": len(found),
            "total_pages": 1,
        },
        "previous": {
            "affix": "prepend",
            "cursorAffix": "prepend",
            "cursorField": "id",
            "cursorId": first,
            "cursorValue": first,
        },
    }
