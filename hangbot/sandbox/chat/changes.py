"""What happens to a message after it was stored: edits and deletions.

PURE functions on a `ChatWorld`. A stored row is never changed: each change stores a new one.
"""

from typing import Final

from hangbot.sandbox.chat.media import without_details
from hangbot.sandbox.chat.rows import (
    Json,
    Push,
    Row,
    User,
    action_row,
    entities_of,
    group_entity,
    user_entity,
)
from hangbot.sandbox.chat.rules import ChatRefusal
from hangbot.sandbox.chat.world import ChatWorld

__all__ = ["action_on", "delete_message", "edit_message", "stored_message", "with_fresh_entities"]

_MODERATORS: Final = ("moderator", "admin", "owner")


def stored_message(world: ChatWorld, number: str, unknown: str = "message_unknown") -> Row:
    """Give the message that a call names.

    Raises:
        ChatRefusal: `unknown`, which says in which call it was missed.
    """
    digits = number.isascii() and number.isdigit() and len(number) < 19  # noqa: PLR2004  a 63-bit id
    row = world.by_id(int(number)) if digits else None
    if row is None:
        raise ChatRefusal(unknown, id=number)
    return row


def edit_message(
    world: ChatWorld, uid: str, row: Row, data: dict[str, Json], resource: str | None
) -> tuple[Row, list[Push]]:
    """Change fields of a message's `data`: the action, and who sees it. `metadata` at its top stays.

    Raises:
        ChatRefusal: `edit_other`, `message_deleted`.
    """
    _require_author(world, uid, row, "edit_other")
    changed = {**row, "data": {**row["data"], **data}, "updatedAt": world.now}
    changed["editedAt"], changed["editedBy"] = world.now, uid
    return _announce(world, uid, changed, "edited", resource)


def delete_message(world: ChatWorld, uid: str, row: Row, resource: str | None) -> tuple[Row, list[Push]]:
    """Mark a message as deleted; its text stays, less than all of what is attached (measured).

    Returns:
        The action, and who sees it.

    Raises:
        ChatRefusal: `delete_other`, `message_deleted`.
    """
    _require_author(world, uid, row, "delete_other")
    data = without_details(row["data"])
    changed = {**row, "data": data, "updatedAt": world.now, "deletedAt": world.now, "deletedBy": uid}
    return _announce(world, uid, changed, "deleted", resource)


def _require_author(world: ChatWorld, uid: str, row: Row, reason: str) -> None:
    if row["sender"] != uid:
        group = world.groups.get(row["receiver"]) if row["receiverType"] == "group" else None
        member = group.members.get(uid) if group else None
        moderates = member is not None and member.scope in _MODERATORS
        if not moderates and (group is None or group.owner != uid):
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
    if row["receiverType"] == "group":
        receiver = group_entity(world.ensure_group(row["receiver"]))
    else:
        receiver = user_entity(world.ensure_user(row["receiver"]))
    sender, beside = world.ensure_user(row["sender"]), row["data"].get("entities")
    entities = entities_of(sender, receiver, row["receiverType"], beside=beside)
    return {**row, "data": {**row["data"], "entities": entities}}
