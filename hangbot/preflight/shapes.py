"""The known shapes of the services' answers, and how an answer differs from its shape. PURE.

The shapes hold the fields that documents and recordings of the protocol name, each with the kinds that
were seen. A field that was never seen is a note; one of another kind, or one that is gone although the
bot reads it, is a warning.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

__all__ = ["GROUP", "JOINED", "ME", "MESSAGE", "ROOM_MESSAGES", "SPEC", "Difference", "compare", "frame_of"]

Kind = Literal["text", "number", "switch", "list", "object", "null"]
_NAMES: Final[Mapping[type, Kind]] = {
    bool: "switch",
    str: "text",
    int: "number",
    float: "number",
    list: "list",
    dict: "object",
    type(None): "null",
}
_MOST_ROWS: Final = 20
"""Rows of a list to compare: a room may have hundreds of users, all alike."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A value that is known.

    Attributes:
        kinds: The kinds that were seen; empty for any.
        needed: Whether the bot needs it.
        inner: The fields of an object; ``None`` where they are not compared.
        each: The shape of each row of a list, or of each value of an object without fixed names.
    """

    kinds: tuple[Kind, ...] = ()
    needed: bool = False
    inner: "Mapping[str, Shape] | None" = None
    each: "Shape | None" = None


@dataclass(frozen=True, slots=True)
class Difference:
    """Where an answer differs from its shape."""

    where: str
    what: Literal["new", "changed", "gone"]
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.where}{f' ({self.detail})' if self.detail else ''}"


def compare(shape: Shape, value: object, where: str) -> Iterator[Difference]:
    """Yield how a value differs from its shape, with the path to each difference."""
    kind = _NAMES.get(type(value), "null")
    if shape.kinds and kind not in shape.kinds:
        yield Difference(where, "changed", f"{kind}, not {' or '.join(shape.kinds)}")
        return
    if isinstance(value, dict) and shape.inner is not None:
        yield from _fields(shape.inner, value, where)
    elif shape.each is not None and isinstance(value, list):
        for row in value[:_MOST_ROWS]:
            yield from compare(shape.each, row, f"{where}[]")
    elif shape.each is not None and isinstance(value, dict):
        for row in list(value.values())[:_MOST_ROWS]:
            yield from compare(shape.each, row, f"{where}.*")


def _fields(inner: Mapping[str, Shape], value: Mapping[str, Any], where: str) -> Iterator[Difference]:
    for name, shape in inner.items():
        if name in value:
            yield from compare(shape, value[name], f"{where}.{name}")
        elif shape.needed:
            yield Difference(f"{where}.{name}", "gone")
    for name in value.keys() - inner.keys():
        yield Difference(f"{where}.{str(name)[:60]}", "new")


def frame_of(frame: object) -> Iterator[Difference]:
    """Yield how a frame of the room socket, decoded from JSON, differs from all that are known."""
    if isinstance(frame, str):
        if not frame.startswith("primus::"):
            yield Difference("frame", "new", "a string that is none of Primus")
        return
    if not isinstance(frame, dict):
        yield Difference("frame", "changed", f"{_NAMES.get(type(frame), 'null')}, not text or object")
        return
    context = frame.get("context")
    if context == "user":
        yield from compare(_USER_FRAME, frame, "message")
        message = frame.get("message")
        name = message.get("name") if isinstance(message, dict) else None
        if isinstance(name, str) and name not in ROOM_MESSAGES:
            yield Difference(f"message {name[:60]}", "new")
    elif context not in {"api", "response", "alert"}:
        yield Difference("frame", "new", f"context {str(context)[:60]}")


ROOM_MESSAGES: Final = frozenset(
    {
        "updatedUserData",
        "userJoined",
        "userLeft",
        "addedDj",
        "removedDj",
        "playedSong",
        "updatedNextSong",
        "votedOnSong",
        "lookedUpSong",
        "updatedRoomSettings",
        "updatedGuestPassword",
        "updatedUserProfile",
        "playedOneTimeAnimation",
        "kickedFromRoom",
        "roomReset",
    }
)
"""The messages to a room, as the types of ttfm-socket 1.0.0 list them."""


def _known(names: str, *kinds: Kind) -> dict[str, Shape]:
    return dict.fromkeys(names.split(), Shape(kinds))


_ANY: Final = Shape()
_TEXT: Final = Shape(("text",))
_USER: Final = Shape(
    ("object",),
    inner={"uuid": Shape(("text",), needed=True)}
    | _known("tokenRole", "text")
    | _known("highestRole", "text", "null")
    | _known("canDj", "switch")
    | _known("nextSong", "object", "null"),
)
_USERS: Final = Shape(("list",), each=_USER)
_PERSON: Final = Shape(
    ("object",),
    inner={
        "userProfile": Shape(("object",), inner=None),
        "position": Shape(("object",)),
        "songVotes": Shape(("object",), inner=_known("like star", "switch")),
    },
)

JOINED: Final = Shape(
    ("object",),
    inner={
        "state": Shape(
            ("object",),
            needed=True,
            inner={
                "allUsers": Shape(("list",), needed=True, each=_USER),
                "allUserData": Shape(("object",), needed=True, each=_PERSON),
                "nowPlaying": Shape(
                    ("object", "null"),
                    inner={"song": Shape(("object",), needed=True)}
                    | {name: Shape(("number",), needed=True) for name in ("startTime", "endTime")}
                    | _known("playId", "text", "number", "null"),
                ),
                "settings": Shape(("object",)),
                "voteCounts": Shape(("object",), inner=_known("likes dislikes stars", "number")),
                "djs": Shape(("list",), needed=True, each=_USER),
            }
            | dict.fromkeys(("audienceUsers", "floorUsers", "visibleDjs"), _USERS)
            | _known("songsRemainingForDj vibeMeter", "number", "null"),
        ),
        "serverTime": Shape(("number",), needed=True),
        "context": _TEXT,
        "messageId": _ANY,
    }
    | _known("roomUuid", "text")
    | _known("allowedRooms", "list")
    | _known("didCreate", "switch"),
)
"""The answer to joinRoom (types of ttfm-socket 1.0.0 and recorded messages of 2024 to 2026)."""

_USER_FRAME: Final = Shape(
    ("object",),
    inner={
        "message": Shape(
            ("object",),
            needed=True,
            inner={
                "name": Shape(("text",), needed=True),
                "statePatch": Shape(
                    ("list",),
                    each=Shape(
                        ("object",),
                        inner={"op": Shape(("text",), needed=True), "path": Shape(("text",), needed=True)}
                        | dict.fromkeys(("value", "from"), _ANY),
                    ),
                ),
                "params": Shape(("object",)),
            },
        ),
        "context": _TEXT,
    }
    | dict.fromkeys(("room", "from", "sentAt", "messageId"), _ANY),
)

ME: Final = Shape(
    ("object",),
    inner={"uid": Shape(("text",), needed=True), "name": Shape(("text", "null"))}
    | _known(
        "avatar authToken blockedByMe createdAt fat hasBlockedMe jwt lastActiveAt link metadata role "
        "settings status statusMessage tags updatedAt wsChannel"
    ),
)
"""``GET /me`` (CometChat's documentation, and measured on an OpenChat build)."""

GROUP: Final = Shape(
    ("object",),
    inner={"guid": Shape(("text",), needed=True), "type": _TEXT, "name": _TEXT}
    | _known(
        "conversationId createdAt description hasJoined icon isBanned joinedAt membersCount metadata "
        "onlineMembersCount owner scope tags updatedAt"
    ),
)
"""``GET /groups/{guid}``, from the same sources."""

MESSAGE: Final = Shape(
    ("object",),
    inner={
        "id": Shape(("number", "text"), needed=True),
        "sender": Shape(("text", "object"), needed=True),
        "receiver": Shape(("text", "object"), needed=True),
        "receiverType": Shape(("text",), needed=True),
        "category": Shape(("text",), needed=True),
        "type": _TEXT,
        "sentAt": Shape(("number",), needed=True),
        "data": Shape(
            ("object",),
            needed=True,
            inner={"text": Shape(("text", "null")), "customData": Shape(("object", "null"))}
            | _known(
                "action attachments entities extras mentions metadata moderation reactions resource url"
            ),
        ),
        "muid": Shape(("text", "null")),
    }
    | _known(
        "conversationId deletedAt deletedBy deliveredAt deliveredToMeAt editedAt editedBy metadata myReceipt "
        "parentId parentMessageId quotedMessageId reactions readAt readByMeAt receipts replyCount resource "
        "tags unreadRepliesCount updatedAt"
    ),
)
"""A row of the history, from the same sources."""

SPEC: Final = Shape(
    ("object",),
    inner={name: Shape(("text",), needed=True) for name in ("parser", "transformer", "pathname")}
    | {"pingInterval": _ANY, "version": _TEXT},
)
"""``GET /primus/spec`` (captured from Primus 8.0.9)."""
