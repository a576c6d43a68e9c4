"""The calls about conversations: which there are, how far they are read, what they hold.

PURE.
"""

from typing import cast

from hangbot.sandbox.chat.auth import Caller, ChatDoor
from hangbot.sandbox.chat.call import Answer, Call
from hangbot.sandbox.chat.paging import history_query, pagination, things_page
from hangbot.sandbox.chat.receipts import (
    conversation_with,
    conversations,
    hide,
    mark_conversation,
    mark_unread,
    unread_counts,
)
from hangbot.sandbox.chat.rows import ReceiverType, Row

__all__ = ["InboxCalls"]

_KINDS: dict[str, ReceiverType] = {"users": "user", "groups": "group"}


class InboxCalls(ChatDoor):
    """`conversations`, `users/{uid}/conversation`, `groups/{guid}/conversation`, `GET messages`."""

    def _conversations(self, call: Call) -> Answer:
        if (call.method, *call.segments) != ("GET", "conversations"):
            return self._no_route(call)
        caller = self._caller(call)
        kind = call.query.get("conversationType")
        found = [
            row
            for row in conversations(self.world, caller.uid)
            if kind is None or row["conversationType"] == kind
        ]
        rows = [self._seen(caller, row) for row in things_page(found, call.query)]
        query = history_query(call.query, documented=False)
        meta = {"pagination": pagination(len(rows), query.per_page, query.page)}
        return Answer(200, {"data": rows, "meta": meta}, uid=caller.uid)

    def _conversation(self, call: Call) -> Answer:
        """What lies below `users/{uid}/conversation` and `groups/{guid}/conversation`."""
        whom = (_KINDS[call.segments[0]], call.segments[1])
        match (call.method, *call.segments[3:]):
            case ("GET",):
                caller = self._caller(call)
                found = conversation_with(self.world, caller.uid, whom)
                return Answer(200, {"data": self._seen(caller, found)}, uid=caller.uid)
            case ("DELETE",):
                caller = self._caller(call)
                return Answer(200, {"data": hide(self.world, caller.uid, whom)}, uid=caller.uid)
            case ("POST", ("read" | "delivered") as action):
                number = self._fields(call).get("messageId")
                caller = self._caller(call)
                data, pushes = mark_conversation(self.world, caller.uid, whom, number, action)
                return Answer(200, {"data": data}, pushes, uid=caller.uid)
            case ("DELETE", "read"):
                number = self._fields(call).get("messageId")
                caller = self._caller(call)
                mark_unread(self.world, caller.uid, whom, number)
                found = conversation_with(self.world, caller.uid, whom)
                return Answer(200, {"data": {"conversation": self._seen(caller, found)}}, uid=caller.uid)
            case _:
                return self._no_route(call)

    def _seen(self, caller: Caller, conversation: Row) -> Row:
        """Show a conversation in the dialect."""
        if not conversation:
            return {}
        shown = {**conversation, "lastMessage": self._shown(caller.uid, conversation["lastMessage"])}
        if self.dialect.name == "cometchat":
            shown["conversationId"] = shown["lastMessage"]["conversationId"]
            shown["updatedAt"] = conversation["lastMessage"]["updatedAt"]
        return shown

    def _inbox(self, call: Call) -> Answer:
        """Rows of one conversation, or how many are unread; everything else is nothing (measured)."""
        caller = self._caller(call)
        query, kind = call.query, call.query.get("receiverType")
        if _yes(query.get("unread")) and _yes(query.get("count")):
            counts = unread_counts(self.world, caller.uid)
            wanted = [line for line in counts if kind is None or line["entityType"] == kind]
            return Answer(200, {"data": wanted}, uid=caller.uid)
        receiver, sender = query.get("receiver"), query.get("sender")
        if kind == "group" and receiver:
            self.world.require_reader(receiver, caller.uid)
            return self._page(call, caller, self.world.rows(f"group_{receiver}"))
        if kind == "user" and (receiver or sender):
            other = cast("str", receiver or sender)
            return self._page(call, caller, self.world.direct_rows(caller.uid, other))
        return Answer(200, {"data": []}, uid=caller.uid)


def _yes(word: str | None) -> bool:
    return word in ("1", "true")
