"""The calls about conversations: which there are, how far they are read, what they hold.

PURE.
"""

from typing import Final

from hangbot.sandbox.chat.auth import Caller
from hangbot.sandbox.chat.call import Answer, Call, data_answer
from hangbot.sandbox.chat.context import ChatContext
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

__all__ = [
    "get_conversation",
    "hide_conversation",
    "list_conversations",
    "mark_as_delivered",
    "mark_as_read",
    "mark_as_unread",
    "search_messages",
]

_KINDS: Final[dict[str, ReceiverType]] = {"users": "user", "groups": "group"}


def list_conversations(chat: ChatContext, call: Call) -> Answer:
    """List the conversations of the caller, that with the newest row first."""
    caller = chat.auth.caller(call)
    kind = call.query.get("conversationType")
    found = [
        row
        for row in conversations(chat.world, caller.uid)
        if kind is None or row["conversationType"] == kind
    ]
    rows = [_shown(chat, caller, row) for row in things_page(found, call.query)]
    query = history_query(call.query, documented=False)
    meta = {"pagination": pagination(len(rows), query.per_page, query.page)}
    return data_answer(caller.uid, rows, meta=meta)


def search_messages(chat: ChatContext, call: Call) -> Answer:
    """Give rows of one conversation, or how many are unread; any other query finds nothing (measured)."""
    caller = chat.auth.caller(call)
    query, kind = call.query, call.query.get("receiverType")
    if _is_yes(query.get("unread")) and _is_yes(query.get("count")):
        counts = unread_counts(chat.world, caller.uid)
        return data_answer(caller.uid, [line for line in counts if kind in (None, line["entityType"])])
    receiver, other = query.get("receiver"), query.get("receiver") or query.get("sender")
    if kind == "group" and receiver:
        chat.world.require_reader(receiver, caller.uid)
        return chat.page(call, caller, chat.world.store.rows(f"group_{receiver}"))
    if kind == "user" and other:
        return chat.page(call, caller, chat.world.store.direct_rows(caller.uid, other))
    return data_answer(caller.uid, [])


# -- one conversation: `users/{uid}/conversation` and `groups/{guid}/conversation`


def get_conversation(chat: ChatContext, call: Call, name: str) -> Answer:
    """Give one conversation."""
    caller = chat.auth.caller(call)
    found = conversation_with(chat.world, caller.uid, _side(call, name))
    return data_answer(caller.uid, _shown(chat, caller, found))


def hide_conversation(chat: ChatContext, call: Call, name: str) -> Answer:
    """Take a conversation out of the caller's list until its next message."""
    caller = chat.auth.caller(call)
    return data_answer(caller.uid, hide(chat.world, caller.uid, _side(call, name)))


def mark_as_read(chat: ChatContext, call: Call, name: str) -> Answer:
    """Mark a conversation as read up to a message."""
    return _mark(chat, call, name, "read")


def mark_as_delivered(chat: ChatContext, call: Call, name: str) -> Answer:
    """Mark a conversation as delivered up to a message."""
    return _mark(chat, call, name, "delivered")


def _mark(chat: ChatContext, call: Call, name: str, action: str) -> Answer:
    number = call.fields().get("messageId")
    caller = chat.auth.caller(call)
    data, pushes = mark_conversation(chat.world, caller.uid, _side(call, name), number, action)
    return data_answer(caller.uid, data, pushes)


def mark_as_unread(chat: ChatContext, call: Call, name: str) -> Answer:
    """Take the read mark back to before a message."""
    number, side = call.fields().get("messageId"), _side(call, name)
    caller = chat.auth.caller(call)
    mark_unread(chat.world, caller.uid, side, number)
    found = conversation_with(chat.world, caller.uid, side)
    return data_answer(caller.uid, {"conversation": _shown(chat, caller, found)})


def _side(call: Call, name: str) -> tuple[ReceiverType, str]:
    """Return the other side of the conversation that a path names."""
    return _KINDS[call.segments[0]], name


def _shown(chat: ChatContext, caller: Caller, conversation: Row) -> Row:
    """Return a conversation in the dialect."""
    if not conversation:
        return {}
    shown = {**conversation, "lastMessage": chat.shown(caller.uid, conversation["lastMessage"])}
    if chat.dialect.name == "cometchat":
        shown["conversationId"] = shown["lastMessage"]["conversationId"]
        shown["updatedAt"] = conversation["lastMessage"]["updatedAt"]
    return shown


def _is_yes(word: str | None) -> bool:
    return word in ("1", "true")
