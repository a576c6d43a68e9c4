"""What happens to a message after it was stored: edits, deletions, receipts.

PURE functions on a `ChatWorld`. A stored row is never changed: each change stores a new one.
"""

from typing import Final

from hangbot.sandbox.chat.rows import (
    Json,
    Push,
    Row,
    User,
    action_row,
    group_entity,
    user_entity,
)
from hangbot.sandbox.chat.rules import ChatRefusal
from hangbot.sandbox.chat.world import ChatWorld

__all__ = [
    "action_on",
    "delete_message",
    "delivered_at_once",
    "edit_message",
    "mark",
    "readable_message",
    "unread_counts",
    "with_fresh_entities",
]

_MODERATORS: Final = ("moderator", "admin", "owner")


def readable_message(world: ChatWorld, uid: str, number: str) -> Row:
    """Give the message that a call names.

    Raises:
        ChatRefusal: `message_unknown`: no such message, or not one for this user's eyes.
    """
    digits = number.isascii() and number.isdigit() and len(number) < 19  # noqa: PLR2004  a 63-bit id
    row = world.by_id(int(number)) if digits else None
    if row is None or (row["receiverType"] == "user" and uid not in (row["sender"], row["receiver"])):
        raise ChatRefusal("message_unknown", id=number)
    return row


def edit_message(
    world: ChatWorld, uid: str, row: Row, data: dict[str, Json], resource: str | None
) -> tuple[Row, list[Push]]:
    """Change text, metadata or customData of a message: the action, and who sees it.

    Raises:
        ChatRefusal: `edit_other`, `message_deleted`.
    """
    _require_author(world, uid, row, "edit_other")
    allowed = {name: data[name] for name in ("text", "metadata", "customData") if name in data}
    changed = {**row, "data": {**row["data"], **allowed}, "updatedAt": world.now}
    changed["editedAt"], changed["editedBy"] = world.now, uid
    changed["metadata"] = changed["data"].get("metadata", row["metadata"])
    return _announce(world, uid, changed, "edited", resource)


def delete_message(world: ChatWorld, uid: str, row: Row, resource: str | None) -> tuple[Row, list[Push]]:
    """Mark a message as deleted; its text stays (measured): the action, and who sees it.

    Raises:
        ChatRefusal: `delete_other`, `message_deleted`.
    """
    _require_author(world, uid, row, "delete_other")
    changed = {**row, "updatedAt": world.now, "deletedAt": world.now, "deletedBy": uid}
    return _announce(world, uid, changed, "deleted", resource)


def _require_author(world: ChatWorld, uid: str, row: Row, reason: str) -> None:
    if row["sender"] != uid:
        group = world.groups.get(row["receiver"]) if row["receiverType"] == "group" else None
        member = group.members.get(uid) if group else None
        if member is None or member.scope not in _MODERATORS:
            raise ChatRefusal(reason, id=str(row["id"]))
    if "deletedAt" in row or row["category"] == "action":
        raise ChatRefusal("message_deleted", id=str(row["id"]))


def _announce(
    world: ChatWorld, uid: str, changed: Row, action: str, resource: str | None
) -> tuple[Row, list[Push]]:
    changed = with_fresh_entities(world, changed)
    world.keep(changed)
    row = action_on(world, world.next_id(), action, world.ensure_user(uid), changed)
    # Measured: in a history an action has the field that every stored row has.
    world.keep({**row, "data": {**row["data"], "reactions": []}})
    return row, [world.message_push(row, world.audience(changed), resource)]


def action_on(world: ChatWorld, number: int, action: str, by: User, message: Row) -> Row:
    """Make the action that says what was done to a message."""
    target = message["data"]["entities"]["receiver"]["entity"]
    return action_row(
        number, action, world.now, by=by, on=message, on_type="message", target=target, of=message
    )


def with_fresh_entities(world: ChatWorld, row: Row) -> Row:
    """Measured: a change shows group and users as they are now, not as they were at the sending."""
    sender = user_entity(world.ensure_user(row["sender"]))
    if row["receiverType"] == "group":
        receiver = group_entity(world.ensure_group(row["receiver"]))
    else:
        receiver = user_entity(world.ensure_user(row["receiver"]))
    entities = {
        "sender": {"entityType": "user", "entity": sender},
        "receiver": {"entityType": row["receiverType"], "entity": receiver},
    }
    return {**row, "data": {**row["data"], "entities": entities}}


def mark(world: ChatWorld, uid: str, row: Row, action: str) -> tuple[Row, list[Push]]:
    """Mark a message as `read` or `delivered`: the answer's data, and the receipts that go out.

    In a group every member sees the receipt, its maker too; in a direct conversation only
    the other one (measured).
    """
    conversation = row["conversationId"]
    if action == "read":
        key = (uid, conversation)
        world.read_up_to[key] = max(world.read_up_to.get(key, 0), row["id"])
    if row["receiverType"] == "group":
        receiver, told = row["receiver"], world.audience(row)
    else:
        receiver = row["sender"] if row["sender"] != uid else row["receiver"]
        told = (receiver,)
    body = {
        "action": action,
        "messageId": str(row["id"]),
        "conversationId": conversation,
        "timestamp": world.now,
        "user": user_entity(world.ensure_user(uid)),
    }
    answer = {
        "conversationId": conversation,
        "messageId": str(row["id"]),
        f"{action}At": world.now,
        "success": True,
    }
    return answer, [Push(told, "receipts", uid, receiver, row["receiverType"], body)]


def delivered_at_once(world: ChatWorld, row: Row) -> list[Push]:
    """The receipt that a direct message gets as soon as it reaches a socket; both sides see it."""
    body = {
        "action": "delivered",
        "messageId": str(row["id"]),
        "conversationId": row["conversationId"],
        "timestamp": world.now,
        "user": user_entity(world.ensure_user(row["receiver"])),
    }
    told = tuple(dict.fromkeys((row["receiver"], row["sender"])))
    return [Push(told, "receipts", row["receiver"], row["sender"], "user", body)]


def unread_counts(world: ChatWorld, uid: str) -> list[Row]:
    """How many messages of others the user has not read, a line a conversation."""
    lines = []
    for conversation in world.conversations(uid):
        seen = world.read_up_to.get((uid, conversation), 0)
        rows = world.rows(conversation)
        count = sum(
            1
            for row in rows
            if row["id"] > seen
            and row["sender"] != uid
            and row["category"] != "action"
            and "deletedAt" not in row
        )
        if not count:
            continue
        last = rows[-1]
        if last["receiverType"] == "group":
            kind, name = "group", last["receiver"]
            entity = group_entity(world.groups[name])
        else:
            kind, name = "user", last["sender"] if last["sender"] != uid else last["receiver"]
            entity = user_entity(world.ensure_user(name))
        lines.append({"entityType": kind, "entityId": name, "entity": entity, "count": count})
    return lines
