"""How far each user has read, what was delivered, and how a conversation shows it.

PURE functions on a `ChatWorld`. Measured: setting a read mark again never moves it back; only taking
it back does.
"""

from hangbot.sandbox.chat.rows import (
    Json,
    NewMessage,
    Push,
    ReceiverType,
    Row,
    conversation_of,
    group_entity,
    sent_at,
    user_entity,
)
from hangbot.sandbox.chat.rules import ChatRefusal
from hangbot.sandbox.chat.values import parse_int
from hangbot.sandbox.chat.world import ChatWorld

__all__ = [
    "conversation_with",
    "conversations",
    "hide",
    "mark",
    "mark_conversation",
    "mark_unread",
    "store_message",
    "unread_counts",
]


def _target(world: ChatWorld, uid: str, side: tuple[ReceiverType, str], number: Json) -> Row:
    """Return the message up to which a conversation is marked: the newest where none is named.

    Raises:
        ChatRefusal: `look_outside`, `message_unknown`, `other_conversation`.
    """
    kind, name = side
    if kind == "group":
        world.require_member(name, uid)
    conversation = conversation_of(uid, name, kind)
    rows = world.store.rows(conversation)
    newest = rows[-1] if rows else None
    row = newest if number is None else world.store.by_id(parse_int(number, -1))
    if row is None:
        raise ChatRefusal("message_unknown", id="0" if number is None else str(number))
    if row["conversationId"] != conversation:
        raise ChatRefusal("other_conversation", id=str(number))
    return row


def mark_conversation(
    world: ChatWorld, uid: str, side: tuple[ReceiverType, str], number: Json, action: str
) -> tuple[Row, list[Push]]:
    """Mark a conversation as `read` or `delivered` up to a message, like `mark`.

    Raises:
        ChatRefusal: `look_outside`, `message_unknown`, `other_conversation`.
    """
    return mark(world, uid, _target(world, uid, side, number), action)


def mark_unread(world: ChatWorld, uid: str, side: tuple[ReceiverType, str], number: Json) -> None:
    """Take a read mark back to before a message.

    Raises:
        ChatRefusal: `look_outside`, `message_unknown`, `other_conversation`.
    """
    row = _target(world, uid, side, number)
    conversation = row["conversationId"]
    before = (other["id"] for other in world.store.rows(conversation) if other["id"] < row["id"])
    world.read_up_to[(uid, conversation)] = max(before, default=0)


def mark(world: ChatWorld, uid: str, row: Row, action: str) -> tuple[Row, list[Push]]:
    """Mark a message as `read` or `delivered`: the answer's data, and the receipts that go out.

    In a group every member sees the receipt, also the one that reads; in a direct conversation
    only the other side does (measured).
    """
    conversation, number = row["conversationId"], row["id"]
    key = (uid, conversation)
    if action == "read":
        number = world.read_up_to[key] = max(world.read_up_to.get(key, 0), number)
    else:
        _deliver(world, key, number)
    if row["receiverType"] == "group":
        receiver, recipients = row["receiver"], world.audience(row)
    else:
        receiver = row["sender"] if row["sender"] != uid else row["receiver"]
        recipients = (receiver,)
    body = _receipt(world, uid, action, conversation, number)
    answer = {
        "conversationId": conversation,
        "messageId": str(number),
        f"{action}At": world.now,
        "success": True,
    }
    return answer, [Push(recipients, "receipts", uid, receiver, row["receiverType"], body)]


def _deliver(world: ChatWorld, key: tuple[str, str], number: int) -> None:
    known, _ = world.delivered_up_to.get(key, (0, 0))
    world.delivered_up_to[key] = (max(known, number), world.now)


def _receipt(world: ChatWorld, uid: str, action: str, conversation: str, number: int) -> Row:
    return {
        "action": action,
        "messageId": str(number),
        "conversationId": conversation,
        "timestamp": world.now,
        "user": user_entity(world.ensure_user(uid)),
    }


def store_message(
    world: ChatWorld, uid: str, message: NewMessage, *, admin: bool = False
) -> tuple[Row, list[Push]]:
    """Store a message; a direct one is delivered at once, whether its receiver is there or not (measured).

    Raises:
        ChatRefusal: A reason of `ChatWorld.send`.
    """
    row, pushes = world.send(uid, message, admin=admin)
    return row, [*pushes, *(_delivered(world, row) if message.receiver_type == "user" else ())]


def _delivered(world: ChatWorld, row: Row) -> list[Push]:
    """Return the receipt of a direct message, which both sides see; there is none for one to oneself."""
    sender, receiver, conversation = row["sender"], row["receiver"], row["conversationId"]
    if sender == receiver:
        return []
    _deliver(world, (receiver, conversation), row["id"])
    body = _receipt(world, receiver, "delivered", conversation, row["id"])
    return [Push((receiver, sender), "receipts", receiver, sender, "user", body)]


def unread_counts(world: ChatWorld, uid: str) -> list[Row]:
    """Count the rows of others that a user has not read, by conversation; actions count, too."""
    lines = []
    for conversation in world.conversations(uid):
        count = _unread(world, uid, conversation)
        if count:
            kind, name, entity = _other_side(world, uid, world.store.rows(conversation)[-1])
            lines.append({"entityType": kind, "entityId": name, "entity": entity, "count": count})
    return lines


def _unread(world: ChatWorld, uid: str, conversation: str) -> int:
    seen = world.read_up_to.get((uid, conversation), 0)
    return sum(
        1
        for row in world.store.rows(conversation)
        if row["id"] > seen and row["sender"] != uid and "deletedAt" not in row
    )


def _other_side(world: ChatWorld, uid: str, row: Row) -> tuple[str, str, Row]:
    if row["receiverType"] == "group":
        return "group", row["receiver"], group_entity(world.ensure_group(row["receiver"]))
    name = row["sender"] if row["sender"] != uid else row["receiver"]
    return "user", name, user_entity(world.ensure_user(name))


def conversations(world: ChatWorld, uid: str) -> list[Row]:
    """Return every conversation that is not hidden, that with the newest row first (by seconds)."""
    found = [_shown(world, uid, conversation) for conversation in world.conversations(uid)]
    seen = [row for row in found if row]
    return sorted(seen, key=lambda row: sent_at(row["lastMessage"]), reverse=True)


def conversation_with(world: ChatWorld, uid: str, side: tuple[ReceiverType, str]) -> Row:
    """Return one conversation; empty where it has no message yet, or is hidden.

    Raises:
        ChatRefusal: `look_outside`: a group that the user is not in.
    """
    kind, name = side
    if kind == "group":
        world.require_member(name, uid)
    return _shown(world, uid, conversation_of(uid, name, kind))


def _shown(world: ChatWorld, uid: str, conversation: str) -> Row:
    key = (uid, conversation)
    rows = [row for row in world.store.rows(conversation) if "deletedAt" not in row]
    if not rows or rows[-1]["id"] <= world.hidden_up_to.get(key, 0):
        return {}
    last = rows[-1]
    kind, _, entity = _other_side(world, uid, last)
    read = world.read_up_to.get(key, 0)
    delivered, delivered_at = world.delivered_up_to.get(key, (0, None))
    return {
        "conversationId": conversation,
        "conversationType": kind,
        "conversationWith": entity,
        "lastMessage": last,
        "latestMessageId": str(last["id"]),
        "lastReadMessageId": str(read or ""),
        "lastDeliveredMessageId": str(delivered or ""),
        "deliveredAt": delivered_at,
        "unreadMessageCount": _unread(world, uid, conversation),
        "unreadMentionsCount": 0,
        "tags": [],
    }


def hide(world: ChatWorld, uid: str, side: tuple[ReceiverType, str]) -> Row:
    """Take a conversation out of the list until its next message; its rows stay.

    Raises:
        ChatRefusal: `look_outside`.
    """
    kind, name = side
    if kind == "group":
        world.require_member(name, uid)
    conversation = conversation_of(uid, name, kind)
    rows = world.store.rows(conversation)
    number = rows[-1]["id"] if rows else 0
    world.hidden_up_to[(uid, conversation)] = number
    return {
        "conversationId": conversation,
        "guid" if kind == "group" else "uid": name,
        "hiddenAt": world.now,
        "messageId": str(number),
        "success": True,
    }
