"""What happens to a message after it was stored: edits, deletions, reactions.

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

__all__ = ["delete_message", "edit_message", "react", "reaction_rows", "stored_message", "take_back"]

_MODERATORS: Final = ("moderator", "admin", "owner")


def stored_message(world: ChatWorld, number: str, unknown: str = "message_unknown") -> Row:
    """Return the message that a call names.

    Raises:
        ChatRefusal: `unknown`, the reason of the call that names it.
    """
    digits = number.isascii() and number.isdigit() and len(number) < 19  # noqa: PLR2004  a 63-bit id
    row = world.store.by_id(int(number)) if digits else None
    if row is None:
        raise ChatRefusal(unknown, id=number)
    return row


# -- edits and deletions


def edit_message(
    world: ChatWorld, uid: str, row: Row, data: dict[str, Json], resource: str | None
) -> tuple[Row, list[Push]]:
    """Change fields of a message's `data`; `metadata` at its top stays.

    Returns:
        The action, and what is pushed.

    Raises:
        ChatRefusal: `edit_other`, `message_deleted`.
    """
    _require_author(world, uid, row, "edit_other")
    changed = {**row, "data": {**row["data"], **data}, "updatedAt": world.now}
    changed["editedAt"], changed["editedBy"] = world.now, uid
    return _announce(world, uid, changed, "edited", resource)


def delete_message(world: ChatWorld, uid: str, row: Row, resource: str | None) -> tuple[Row, list[Push]]:
    """Mark a message as deleted; its text stays, and part of what is attached (measured).

    Returns:
        The action, and what is pushed.

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
    changed = _with_fresh_entities(world, changed)
    world.store.keep(changed)
    row = _action_on(world, world.store.next_id(), action, world.ensure_user(uid), changed)
    # Measured: in a history an action has the field that every stored row has.
    world.store.keep({**row, "data": {**row["data"], "reactions": []}})
    return row, [world.message_push(row, world.audience(changed), resource)]


def _action_on(world: ChatWorld, number: int, action: str, by: User, message: Row) -> Row:
    """Return the action that says what was done to a message."""
    target = message["data"]["entities"]["receiver"]["entity"]
    return action_row(
        number, action, world.now, by=by, on=message, on_type="message", target=target, of=message
    )


def _with_fresh_entities(world: ChatWorld, row: Row) -> Row:
    """Measured: a change shows group and users as they are now, not as they were when it was sent."""
    if row["receiverType"] == "group":
        receiver = group_entity(world.ensure_group(row["receiver"]))
    else:
        receiver = user_entity(world.ensure_user(row["receiver"]))
    sender, beside = world.ensure_user(row["sender"]), row["data"].get("entities")
    entities = entities_of(sender, receiver, row["receiverType"], beside=beside)
    return {**row, "data": {**row["data"], "entities": entities}}


# -- reactions


def react(world: ChatWorld, uid: str, row: Row, emoji: str, resource: str | None) -> tuple[Row, list[Push]]:
    """React to a message: the message with its counts, and what its audience sees.

    Raises:
        ChatRefusal: `react_deleted`.
    """
    _require_not_deleted(row)
    number = world.reactions.add(row["id"], emoji, uid, world.now)
    body = {"action": "message_reaction_added", "id": number, "reaction": emoji}
    return _reacted(world, uid, row, body, resource)


def take_back(
    world: ChatWorld, uid: str, row: Row, emoji: str, resource: str | None
) -> tuple[Row, list[Push]]:
    """Take a reaction back; one that was never made changes nothing.

    Raises:
        ChatRefusal: `react_deleted`.
    """
    _require_not_deleted(row)
    number = world.reactions.remove(row["id"], emoji, uid)
    if number is None:
        return row, []
    body = {"action": "message_reaction_removed", "id": number, "reaction": emoji}
    return _reacted(world, uid, row, body, resource)


def reaction_rows(world: ChatWorld, number: int, viewer: str, emoji: str | None = None) -> list[Row]:
    """Return the reactions to a message, oldest first."""
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
        for name, by in world.reactions.on(number).items()
        for uid, (given_id, at) in by.items()
        if emoji in (None, name)
    ]
    return sorted(found, key=lambda row: int(row["id"]))


def _require_not_deleted(row: Row) -> None:
    if "deletedAt" in row:
        raise ChatRefusal("react_deleted", id=str(row["id"]))


def _reacted(world: ChatWorld, uid: str, row: Row, body: Row, resource: str | None) -> tuple[Row, list[Push]]:
    """Store the message with its counts; the reaction's `edited` action stands in no history."""
    changed = _with_counts(world, _with_fresh_entities(world, row))
    world.store.keep(changed)
    user, recipients = world.ensure_user(uid), world.audience(changed)
    edited = _action_on(world, body["id"], "edited", user, changed)
    body = {**body, "messageId": row["id"], "reactedAt": world.now, "reactedBy": user_entity(user)}
    push = Push(recipients, "reaction", uid, row["receiver"], row["receiverType"], body, resource or "server")
    return changed, [world.message_push(edited, recipients, resource), push]


def _with_counts(world: ChatWorld, row: Row) -> Row:
    given = sorted(world.reactions.on(row["id"]).items())
    counts = [{"reaction": emoji, "count": len(by), "reactedByMe": False} for emoji, by in given]
    named = {emoji: {uid: {"name": world.ensure_user(uid).name} for uid in by} for emoji, by in given}
    clean = {"message_clean": row["data"].get("text") or "", "profanity": "no"}
    injected = {"extensions": {"profanity-filter": clean} | ({"reactions": named} if named else {})}
    data = {**row["data"], "reactions": counts}
    data["metadata"] = _injected(data.get("metadata"), injected)
    return {**row, "data": data, "metadata": _injected(row.get("metadata"), injected)}


def _injected(metadata: Json, injected: Row) -> Row:
    return {**(metadata if isinstance(metadata, dict) else {}), "@injected": injected}
