"""The rows a chat world is made of, in the form that OpenChat builds them.

PURE. A row is a plain JSON object and is never changed once it is stored: an edit makes a
new one, so a row that was handed out stays what it was.

The shapes were measured on a local OpenChat build (fe3cc1e); the other dialect is derived
from them at the edge (`hangbot.sandbox.chat.dialects`).
"""

from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

__all__ = [
    "SYSTEM",
    "Group",
    "Json",
    "Member",
    "NewMessage",
    "Push",
    "ReceiverType",
    "Row",
    "User",
    "action_row",
    "conversation_of",
    "entities_of",
    "group_conversation",
    "group_entity",
    "invent_chat_message",
    "member_entity",
    "message_row",
    "sent_at",
    "user_entity",
]

Json: TypeAlias = Any  # what json.loads gives
Row: TypeAlias = dict[str, Any]
ReceiverType: TypeAlias = Literal["user", "group"]

SYSTEM: Final = "system"
"""Owner of a group without another, and author of kicks and bans that no person made."""


@dataclass(slots=True)
class User:
    """A user of the chat server; times are epoch seconds."""

    uid: str
    name: str
    role: str = "default"
    created_at: int = 0
    seen_at: int = 0
    metadata: dict[str, Json] = field(default_factory=dict)


@dataclass(slots=True)
class Member:
    """A user's membership in one group."""

    scope: str
    joined_at: int


@dataclass(slots=True)
class Group:
    """A chat group; on Hang.fm its guid is the room's UUID."""

    guid: str
    name: str
    type: str = "public"
    password: str | None = None
    created_at: int = 0
    owner: str = SYSTEM
    members: dict[str, Member] = field(default_factory=dict)
    banned: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message that a client asks to have stored."""

    receiver: str
    receiver_type: ReceiverType
    category: Json = "message"
    type: Json = "text"
    data: dict[str, Json] = field(default_factory=dict)
    muid: Json = None
    """As it was sent: a number stays one."""
    tags: Json = None
    parent_id: Json = None
    resource: str | None = None
    """The sender's `resource`, or None."""
    media: Row = field(default_factory=dict)
    """What an invented `chatMessage` says of what is attached."""


@dataclass(frozen=True, slots=True)
class Push:
    """One real-time frame and the users whose sockets get it."""

    to: tuple[str, ...]
    type: str
    sender: str
    receiver: str
    receiver_type: str
    body: Row
    device_id: str = "server"


def group_conversation(guid: str) -> str:
    """Conversation id of a group."""
    return f"group_{guid}"


def conversation_of(sender: str, receiver: str, receiver_type: str) -> str:
    """Conversation id of a message: `group_<guid>`, or `user_<a>_<b>` in sorted order."""
    if receiver_type == "group":
        return group_conversation(receiver)
    first, second = sorted((sender, receiver))
    return f"user_{first}_{second}"


def sent_at(row: Row) -> int:
    """Return the second in which a row was sent, or was planted where it has no time."""
    at = row["sentAt"]
    return int(at if isinstance(at, int) else row["updatedAt"])


def user_entity(user: User) -> Row:
    """Return a user as every row shows it."""
    return {
        "lastActiveAt": user.created_at,
        "metadata": user.metadata,
        "name": user.name,
        "role": user.role,
        "status": "available",
        "tags": [],
        "uid": user.uid,
    }


def group_entity(group: Group, *, has_joined: bool = False, count: int | None = None) -> Row:
    """Return a group as every row shows it.

    OpenChat says `hasJoined: false` here even to a member; only the answer to a join says true.
    """
    return {
        "createdAt": group.created_at,
        "guid": group.guid,
        "hasJoined": has_joined,
        "membersCount": len(group.members) if count is None else count,
        "metadata": {},
        "name": group.name,
        "owner": group.owner,
        "tags": [],
        "type": group.type,
    }


def member_entity(group: Group, user: User) -> Row:
    """Return a line of the list of members; `role` repeats the scope, as measured."""
    member = group.members[user.uid]
    return {
        **user_entity(user),
        "guid": group.guid,
        "joinedAt": member.joined_at,
        "role": member.scope,
        "scope": member.scope,
    }


def entities_of(sender: User, receiver: Row, receiver_type: str, *, beside: Json = None) -> Row:
    """Return the two sides of a message, beside what its sender put there."""
    return {
        **(beside if isinstance(beside, dict) else {}),
        "sender": {"entityType": "user", "entity": user_entity(sender)},
        "receiver": {"entityType": receiver_type, "entity": receiver},
    }


def message_row(number: int, message: NewMessage, sender: User, receiver: Row, now: int) -> Row:
    """Return the stored message: `receiver` is the entity of the group or the user.

    `metadata` stands twice: in `data`, where it can be edited, and at the top, where it stays.
    """
    data = {"reactions": [], **message.data}
    data["entities"] = entities_of(
        sender, receiver, message.receiver_type, beside=message.data.get("entities")
    )
    row: Row = {
        "id": number,
        "conversationId": conversation_of(sender.uid, message.receiver, message.receiver_type),
        "sender": sender.uid,
        "receiver": message.receiver,
        "receiverType": message.receiver_type,
        "category": message.category,
        "type": message.type,
        "sentAt": now,
        "updatedAt": now,
        "data": data,
    }
    if data.get("metadata") is None:
        data.pop("metadata", None)
    else:
        data["metadata"] = row["metadata"] = dict(data["metadata"])
    optional = {
        "resource": message.resource or None,
        "muid": message.muid,
        "tags": message.tags,
        "parentId": message.parent_id,
    }
    return row | {name: value for name, value in optional.items() if value is not None}


def action_row(
    number: int, action: str, now: int, *, by: User, on: Row, on_type: str, target: Row, of: Row
) -> Row:
    """Return an action message: `of` names conversation and receiver; `target` stands in `for`."""
    kind = "message" if on_type == "message" else "groupMember"
    return {
        "id": number,
        "conversationId": of["conversationId"],
        "sender": by.uid,
        "receiver": of["receiver"],
        "receiverType": of["receiverType"],
        "category": "action",
        "type": kind,
        "sentAt": now,
        "updatedAt": now,
        "data": {
            "action": action,
            "entities": {
                "by": {"entityType": "user", "entity": user_entity(by)},
                "for": {"entityType": of["receiverType"], "entity": target},
                "on": {"entityType": on_type, "entity": on},
            },
        },
    }


def invent_chat_message(row: Row, sender: User, media: Row, *, muid: str | None) -> None:
    """Give a new row the minimal `metadata.chatMessage` that OpenChat makes where there is none.

    Args:
        row: The new row.
        sender: The user that wrote it.
        media: What is attached: `imageUrls`, `media`, and the `name` that stands in for a text.
        muid: The row's `muid` as text.
    """
    metadata = row.setdefault("metadata", row["data"].setdefault("metadata", {}))
    if isinstance(metadata.get("chatMessage"), dict):
        return
    said = {
        "message": row["data"].get("text") or media.get("name"),
        "uuid": str(row["id"]) if muid is None else muid,
        "imageUrls": media.get("imageUrls"),
        "media": media.get("media"),
    }
    metadata["chatMessage"] = {
        "id": row["id"],
        "type": "user",
        "userName": sender.name,
        "userUuid": sender.uid,
        **{name: value for name, value in said.items() if value},
    }
