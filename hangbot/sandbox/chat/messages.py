"""The calls about messages: send, read, edit, delete, react, mark.

PURE.
"""

from hangbot.sandbox.chat.auth import Caller
from hangbot.sandbox.chat.call import Answer, Call, data_answer
from hangbot.sandbox.chat.changes import (
    delete_message,
    edit_message,
    react,
    reaction_rows,
    stored_message,
    take_back,
)
from hangbot.sandbox.chat.context import ChatContext
from hangbot.sandbox.chat.reactions import reactions_page
from hangbot.sandbox.chat.receipts import mark, store_message
from hangbot.sandbox.chat.rows import Row
from hangbot.sandbox.chat.rules import ChatRefusal
from hangbot.sandbox.chat.send_body import edited_data, read_send_body
from hangbot.sandbox.chat.values import first_given, parse_int, text_of

__all__ = [
    "change_reaction",
    "delete",
    "edit",
    "get_by_muid",
    "get_message",
    "interact",
    "list_reactions",
    "list_thread",
    "react_by_extension",
    "send",
]


def _readable(chat: ChatContext, caller: Caller, number: str, unknown: str = "message_unknown") -> Row:
    """Return a message that the caller may see.

    Raises:
        ChatRefusal: `unknown`, `look_outside`, `look_other`.
    """
    row = stored_message(chat.world, number, unknown)
    chat.world.require_participant(row, caller.uid)
    return row


def get_message(chat: ChatContext, call: Call, number: str) -> Answer:
    """Give a message by its id."""
    caller = chat.auth.caller(call)
    return data_answer(caller.uid, chat.shown(caller.uid, _readable(chat, caller, number)))


def get_by_muid(chat: ChatContext, call: Call, muid: str) -> Answer:
    """Give a message by the id that its sender made."""
    caller = chat.auth.caller(call)
    row = chat.world.store.by_muid(muid)
    if row is None:
        raise ChatRefusal("message_unknown", id=muid)
    chat.world.require_participant(row, caller.uid)
    return data_answer(caller.uid, chat.shown(caller.uid, row))


def list_thread(chat: ChatContext, call: Call, number: str) -> Answer:
    """Give a page of the replies to a message; a thread of nothing is empty (measured)."""
    caller = chat.auth.caller(call)
    parent = chat.world.store.by_id(parse_int(number, -1))
    if parent is None:
        return chat.page(call, caller, [])
    chat.world.require_participant(parent, caller.uid)
    rows = chat.world.store.rows(parent["conversationId"])
    return chat.page(call, caller, [row for row in rows if str(row.get("parentId")) == number])


def send(chat: ChatContext, call: Call, parent: str | None = None) -> Answer:
    """Store a message, or a reply below `parent`."""
    fields = call.fields()
    caller = chat.auth.caller(call, keyed=True)
    message = read_send_body(fields, chat.dialect, chat.ids, resource=caller.resource, parent=parent)
    if message.receiver_type == "user":
        chat.auth.introduce(message.receiver)
    row, pushes = store_message(chat.world, caller.uid, message, admin=caller.admin)
    status = 200 if parent is not None else chat.dialect.send_status
    return data_answer(caller.uid, chat.shown(caller.uid, row), pushes, status=status)


def edit(chat: ChatContext, call: Call, number: str) -> Answer:
    """Edit a message."""
    fields = call.body if isinstance(call.body, dict) else {"_json": call.body}  # as OpenChat names it
    caller = chat.auth.caller(call)
    row = stored_message(chat.world, number, "change_unknown")
    data = edited_data(fields, documented=chat.dialect.name == "cometchat")
    action, pushes = edit_message(chat.world, caller.uid, row, data, caller.resource)
    return data_answer(caller.uid, chat.shown(caller.uid, action), pushes)


def delete(chat: ChatContext, call: Call, number: str) -> Answer:
    """Delete a message."""
    caller = chat.auth.caller(call)
    row = stored_message(chat.world, number, "change_unknown")
    action, pushes = delete_message(chat.world, caller.uid, row, caller.resource)
    return data_answer(caller.uid, chat.shown(caller.uid, action), pushes)


def interact(chat: ChatContext, call: Call, number: str) -> Answer:
    """Mark a message as read, by its id."""
    caller = chat.auth.caller(call)
    data, pushes = mark(chat.world, caller.uid, _readable(chat, caller, number), "read")
    return data_answer(caller.uid, data, pushes)


# -- reactions


def list_reactions(chat: ChatContext, call: Call, number: str, emoji: str | None = None) -> Answer:
    """Give a page of the reactions to a message, perhaps of one emoji alone."""
    caller = chat.auth.caller(call)
    row = _readable(chat, caller, number)
    found = reaction_rows(chat.world, row["id"], caller.uid, emoji)
    return Answer(200, reactions_page(found, call.query), uid=caller.uid)


def change_reaction(chat: ChatContext, call: Call, number: str, emoji: str) -> Answer:
    """React to a message (POST), or take the reaction back (DELETE)."""
    caller = chat.auth.caller(call)
    row = _readable(chat, caller, number, "change_unknown")
    change = react if call.method == "POST" else take_back
    changed, pushes = change(chat.world, caller.uid, row, emoji, caller.resource)
    return data_answer(caller.uid, chat.shown(caller.uid, changed), pushes)


def react_by_extension(chat: ChatContext, call: Call, *_below: str) -> Answer:
    """React the older way of the web client: `{msgId, emoji}` to the extension, at any path and method.

    Measured: it answers like a reaction.
    """
    caller = chat.auth.caller(call)
    fields = {**call.query, **call.fields()}
    number = text_of(first_given(fields, "messageId", "msgId"), "messageId")
    emoji = text_of(first_given(fields, "reaction", "emoji"), "reaction")
    for parameter, value in (("messageId", number), ("reaction", emoji)):
        if not value:
            raise ChatRefusal("missing_parameter", parameter=parameter)
    row = _readable(chat, caller, number, "change_unknown")
    changed, pushes = react(chat.world, caller.uid, row, emoji, caller.resource)
    return data_answer(caller.uid, chat.shown(caller.uid, changed), pushes)
