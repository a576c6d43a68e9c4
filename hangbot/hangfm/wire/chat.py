"""The chat API: request bodies out, answers and rows of messages in. PURE.

Two servers speak it: CometChat's service and OpenChat, which replaced it on Hang.fm in June
2026. The differences that break clients (200 or 201, ids as text or numbers, 417 for "joined
already", the shapes of errors) are accepted here, all of them, whatever the dialect.
"""

from collections.abc import Callable, Mapping
from typing import Final

from hangbot.bot.events import ChatMessage, DirectMessage
from hangbot.bot.ports import Conversation, Newest
from hangbot.delivery.message import Outgoing
from hangbot.hangfm.wire.answers import is_success, read_json
from hangbot.hangfm.wire.chat_errors import is_joined_already, read_refusal
from hangbot.text import text_or_none

__all__ = ["claimed_sender", "join_body", "message_body", "read_answer", "read_message", "read_newest"]

_MILLISECONDS: Final = 100_000_000_000
"""A time above this is in milliseconds; the chat speaks of seconds, but not every writer does."""
_LATEST: Final = 1_000 * _MILLISECONDS
_LARGEST_ID: Final = 2**63 - 1
"""Ids have at most 53 bits (measured on OpenChat)."""
_MOST_DIGITS: Final = 30


def message_body(message: Outgoing, *, sender: str | None, name: str | None) -> dict[str, object]:
    """Write a send. The web client drops texts without ``metadata.chatMessage`` (seen in public bots)."""
    line: dict[str, object] = {
        "id": message.id,
        "message": message.text,
        "type": "user",
        "mentions": list(message.mentions),
        "imageUrls": list(message.images),
        "badges": ["BOT"],
    }
    if sender:
        line["userUuid"] = sender
    if name:
        line["userName"] = name
    return {
        "receiver": message.to,
        "receiverType": "user" if message.direct else "group",
        "category": "message",
        "type": "text",
        "data": {"text": message.text, "metadata": {"chatMessage": line}},
        "muid": message.id,
    }


def join_body(guid: str) -> dict[str, object]:
    """Write a join the way CometChat's JavaScript SDK 4.2.0 does."""
    return {
        "hasJoined": False,
        "membersCount": 0,
        "isBanned": False,
        "guid": guid,
        "name": "name",
        "type": "public",
    }


def read_answer(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    what: str,
    now: float,
    mask: Callable[[str], str] = str,
) -> object:
    """Return ``data`` of an answer, or raise what the answer means.

    Args:
        status: The HTTP status; any 2xx is success (200 on CometChat, 201 on OpenChat).
        headers: With lower-case names (``retry-after``, ``date``).
        body: The body as it came.
        what: What was asked, for the message: ``send to room-guid``.
        now: Seconds since the epoch, to read a ``Retry-After`` that is a date where the answer
            does not say by its own ``Date`` what time it is for the server.
        mask: Takes the token out of the server's own words, before they are cut.

    Raises:
        ServiceError: One of its kinds, decided by code, then by status.
    """
    if is_success(status):
        document = read_json(body)
        if isinstance(document, dict) and "data" in document:
            return document["data"]
    elif is_joined_already(status, body):
        return {}
    raise read_refusal(status, headers, body, what=what, now=now, mask=mask)


def read_message(row: object) -> ChatMessage | None:
    """Read a row of the history leniently, or return ``None`` where it is no message at all.

    The id may be a number or its digits, the sender a uid or an object, times in seconds or
    milliseconds. Who sent it is what the server says: metadata is written by the sender.
    """
    if not isinstance(row, dict):
        return None
    number = _number(row.get("id"))
    if number is None:
        return None
    data = row.get("data")
    data = data if isinstance(data, dict) else {}
    text = data.get("text")
    if not isinstance(text, str):
        text = _at(data, "customData", "message")
    direct = row.get("receiverType") == "user"
    return (DirectMessage if direct else ChatMessage)(
        id=number,
        sender=_sender(row, data),
        receiver=text_or_none(row.get("receiver")),
        text=text if isinstance(text, str) else None,
        sent_at=_seconds(row.get("sentAt")),
        muid=text_or_none(row.get("muid")) or text_or_none(_at(data, "metadata", "chatMessage", "id")),
        category=text_or_none(row.get("category")) or "message",
        direct=direct,
        raw=row,
    )


def claimed_sender(message: ChatMessage) -> str | None:
    """Return the uid that a message gives for its sender: good to know one's own by, and for nothing else."""
    data = message.raw.get("data")
    claims = _at(data, "metadata", "chatMessage", "userUuid"), _at(data, "customData", "userUuid")
    return next(filter(None, map(text_or_none, claims)), None)


def read_newest(row: object) -> Newest | None:
    """Read a row of the list of conversations, or return ``None`` where it names none or no message."""
    kind = _at(row, "conversationType")
    name = text_or_none(_at(row, "conversationWith", "guid" if kind == "group" else "uid"))
    last = read_message(_at(row, "lastMessage"))
    if last is None or name is None or kind not in ("group", "user"):
        return None
    return Newest(Conversation(name, direct=kind == "user"), last.id, last.sent_at)


def _sender(row: Mapping[str, object], data: Mapping[str, object]) -> str | None:
    candidates = (
        _at(row, "sender", "uid"),
        row.get("sender"),
        _at(data, "entities", "sender", "entity", "uid"),
    )
    return next(filter(None, map(text_or_none, candidates)), None)


def _at(value: object, *path: str) -> object:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _number(value: object) -> int | None:
    """Read an id: a number, or its digits."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= _MOST_DIGITS:
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST_ID:
        return value
    return None


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    if not -_LATEST < value < _LATEST:  # not finite, or beyond every calendar
        return 0.0
    return value / 1000 if value > _MILLISECONDS else float(value)
