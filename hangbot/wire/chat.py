"""The chat API: request bodies out, statuses and bodies in.

Two servers speak it: CometChat's service and OpenChat, which replaced it on Hang.fm in June
2026. The differences that break clients (200 or 201, ids as text or numbers, 417 for "joined
already", the shapes of errors) are accepted here, all of them, whatever the dialect.
A refusal is judged by its error code first and by its status only where there is no code: a
401 with ``ERR_GROUP_NOT_JOINED`` is no token problem.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Final

from hangbot.errors import (
    NotAMember,
    NotFound,
    RateLimited,
    Refused,
    ServiceError,
    TokenRejected,
    Unavailable,
)

__all__ = [
    "ChatMessage",
    "Outgoing",
    "is_message_gone",
    "join_body",
    "message_body",
    "read_answer",
    "read_message",
]

_TOKEN_CODES: Final = frozenset(
    {
        "AUTH_ERR_AUTH_TOKEN_NOT_FOUND",
        "AUTH_ERR_EMPTY_AUTH_TOKEN",
        "ERR_AUTHTOKEN_NOT_ACCESSIBLE",
        "ERR_AUTHTOKEN_UNAVAILABLE",
        "ERR_NO_AUTH",
    }
)
_MEMBER_CODES: Final = frozenset({"ERR_GROUP_NOT_JOINED", "ERR_NOT_A_MEMBER"})
_MESSAGE_GONE_CODES: Final = frozenset({"ERR_MESSAGE_ID_NOT_FOUND", "ERR_MESSAGE_NOT_FOUND"})
_NOT_FOUND_CODES: Final = frozenset({"ERR_GUID_NOT_FOUND", "ERR_UID_NOT_FOUND"}) | _MESSAGE_GONE_CODES
_SERVER_CODES: Final = frozenset(
    {"ERR_BAD_ERROR_RESPONSE", "ERR_EXCEPTION", "ERR_MISSION_FAILED", "ERR_OPERATION_FAILED"}
)
_ALREADY_JOINED: Final = "ERR_ALREADY_JOINED"
_REMEDIES: Final = {
    "AUTH_ERR_EMPTY_APPID": "Set COMETCHAT_APPID.",
    "AUTH_ERR_INVALID_APPID": "Check COMETCHAT_APPID, and the region in OPENCHAT_BASE_URL.",
    "AUTH_ERR_EMPTY_APIKEY": "OPENCHAT_BASE_URL is the admin host: use the host for clients.",
    "ERR_API_NOT_FOUND": "Check OPENCHAT_BASE_URL: it must end before /v3.0.",
    "ERR_BANNED_GROUPMEMBER": "The bot is banned: ask a moderator; do not retry.",
    "ERR_BLOCKED_BY_EXTENSION": "Moderation refused the text: change it.",
    "ERR_BLOCKED_BY_WEBHOOK": "Moderation refused the text: change it.",
    "ERR_GUID_NOT_FOUND": "Check COMETCHAT_RECEIVER and ROOM_UUID; the room may be closed.",
    "ERR_INVALID_API_VERSION": "Check OPENCHAT_BASE_URL: it must end before /v3.0.",
    "ERR_LIMIT_EXCEEDED": "The group is full: try later.",
    "ERR_NO_VACANCY": "The group is full: try later.",
    "ERR_ROUTE_NOT_FOUND": "Check OPENCHAT_BASE_URL: it must end before /v3.0.",
    "ERR_UID_NOT_FOUND": "Check the user's id (COMETCHAT_UID when it is the bot's).",
    "ERR_WRONG_GROUP_PASS": "The group has a password: ask the room's owner.",
    "INVALID_PASSWORD": "The group has a password: ask the room's owner.",
}

_MILLISECONDS: Final = 100_000_000_000
"""A time above this is in milliseconds; the chat speaks of seconds, but not every writer does."""
_AMBIGUOUS_STATUSES: Final = frozenset({408, 425})
_LONGEST_RETRY_AFTER: Final = 300.0


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A text on its way: ``id`` is the stable id, made once and kept over every retry."""

    id: str
    to: str
    text: str
    direct: bool = False
    mentions: Sequence[Mapping[str, object]] = ()
    images: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """A row of the history; ``sent_at`` in seconds since the epoch."""

    id: int
    sender: str | None
    receiver: str | None
    text: str | None
    sent_at: float
    muid: str | None = None
    category: str = "message"
    direct: bool = False
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)


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


def read_answer(status: int, headers: Mapping[str, str], body: bytes, *, what: str, now: float) -> object:
    """Return ``data`` of an answer, or raise what the answer means.

    Args:
        status: The HTTP status; any 2xx is success (200 on CometChat, 201 on OpenChat).
        headers: With lower-case names (``retry-after``, ``date``).
        body: The body as it came.
        what: What was asked, for the message: ``send to room-guid``.
        now: Seconds since the epoch, to read a ``Retry-After`` that is a date.

    Raises:
        ServiceError: One of its kinds, decided by code, then by status.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if 200 <= status < 300:  # noqa: PLR2004  the 2xx of HTTP
        if isinstance(document, dict) and "data" in document:
            return document["data"]
        raise Unavailable(
            f"chat answered {what} with {_glimpse(status, body)}", service="chat", status=status
        )
    error = document.get("error") if isinstance(document, dict) else None
    error = error if isinstance(error, dict) else {}
    if error.get("code") == _ALREADY_JOINED:
        return {}
    raise _refusal(status, error, what=what, body=body, retry_after=_retry_after(headers, now))


def _refusal(
    status: int,
    error: Mapping[str, object],
    *,
    what: str,
    body: bytes = b"",
    retry_after: float | None = None,
) -> ServiceError:
    """Tell what a refusal means: the code decides, the status only where there is none."""
    code = error.get("code")
    code = code if isinstance(code, str) and code else None
    words = error.get("message")
    said = f"{code}: {words}" if code and words else code or _glimpse(status, body)
    kind = _kind(status, code)
    remedy = _REMEDIES.get(code or "")
    if kind is Unavailable and status == 404:  # noqa: PLR2004  Not Found, but not in this API's words
        remedy = "Check OPENCHAT_BASE_URL: what answers there is no chat server, or a proxy before it."
    return kind(
        f"chat refused {what} ({said})" if kind is not Unavailable else f"chat answered {what} with {said}",
        service="chat",
        status=status,
        code=code,
        retry_after=retry_after,
        remedy=remedy,
    )


def _kind(status: int, code: str | None) -> type[ServiceError]:
    if code in _TOKEN_CODES:
        return TokenRejected
    if code in _MEMBER_CODES:
        return NotAMember
    if code in _NOT_FOUND_CODES:
        return NotFound
    if code == "ERR_TOO_MANY_REQUESTS" or status == 429:  # noqa: PLR2004  Too Many Requests
        return RateLimited
    if code in _SERVER_CODES:
        return Unavailable
    if code is None and status == 401:  # noqa: PLR2004  Unauthorized
        return TokenRejected
    if status >= 500 or status in _AMBIGUOUS_STATUSES or (code is None and status == 404):  # noqa: PLR2004  HTTP
        return Unavailable  # a 404 in nobody's words is a proxy's page: no answer at all
    return Refused


def is_message_gone(error: ServiceError) -> bool:
    """Tell whether a look-up by ``muid`` was answered: there is no such message."""
    return error.code in _MESSAGE_GONE_CODES


def _retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Read ``Retry-After``: seconds or an HTTP date, bounded; nonsense counts as absent."""
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - now
        except (ValueError, OverflowError):
            return None
    if seconds != seconds:  # noqa: PLR0124  not a number
        return None
    return min(max(seconds, 0.0), _LONGEST_RETRY_AFTER)


def _glimpse(status: int, body: bytes) -> str:
    """Show the first of an answer that cannot be read, on one line."""
    text = " ".join(body[:200].decode("utf-8", "replace").split())
    return f"status {status} and {f'`{text}`' if text else 'an empty body'}"


def read_message(row: object) -> ChatMessage | None:
    """Read a row of the history leniently, or return ``None`` where it is no message at all.

    The id may be a number or its digits, the sender a uid or an object, times in seconds or
    milliseconds; the sender is looked for where public bots found it.
    """
    if not isinstance(row, dict):
        return None
    try:
        number = int(row["id"])
    except (KeyError, TypeError, ValueError):
        return None
    data = row.get("data")
    data = data if isinstance(data, dict) else {}
    text = data.get("text")
    if not isinstance(text, str):
        text = _at(data, "customData", "message")
    return ChatMessage(
        id=number,
        sender=_sender(row, data),
        receiver=_text(row.get("receiver")),
        text=text if isinstance(text, str) else None,
        sent_at=_seconds(row.get("sentAt")),
        muid=_text(row.get("muid")) or _text(_at(data, "metadata", "chatMessage", "id")),
        category=_text(row.get("category")) or "message",
        direct=row.get("receiverType") == "user",
        raw=row,
    )


def _sender(row: Mapping[str, object], data: Mapping[str, object]) -> str | None:
    candidates = (
        _at(row, "sender", "uid"),
        row.get("sender"),
        _at(data, "entities", "sender", "entity", "uid"),
        _at(data, "metadata", "chatMessage", "userUuid"),
        _at(data, "customData", "userUuid"),
    )
    return next((uid for uid in candidates if isinstance(uid, str) and uid), None)


def _at(value: object, *path: str) -> object:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    return value / 1000 if value > _MILLISECONDS else float(value)
