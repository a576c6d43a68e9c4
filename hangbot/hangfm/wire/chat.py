"""The chat API: request bodies out, statuses and bodies in.

Two servers speak it: CometChat's service and OpenChat, which replaced it on Hang.fm in June
2026. The differences that break clients (200 or 201, ids as text or numbers, 417 for "joined
already", the shapes of errors) are accepted here, all of them, whatever the dialect.
A refusal counts only in the server's own words (`hangbot.hangfm.wire.own_words`), and is judged by its error
code first: a 401 with ``ERR_GROUP_NOT_JOINED`` is no token problem.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hangbot.bot.events import ChatMessage
from hangbot.errors import (
    NotFound,
    RateLimited,
    Refused,
    ServiceError,
    TokenRejected,
    Unavailable,
)
from hangbot.hangfm.wire.chat_errors import ALREADY_JOINED, KINDS, MESSAGE_GONE, REMEDIES
from hangbot.hangfm.wire.own_words import chat_error, is_refusal, json_of, odd_retry_after, retry_after
from hangbot.text import quote_server_text

__all__ = [
    "Outgoing",
    "is_message_gone",
    "join_body",
    "message_body",
    "read_answer",
    "read_message",
]

_MILLISECONDS: Final = 100_000_000_000
"""A time above this is in milliseconds; the chat speaks of seconds, but not every writer does."""
_LATEST: Final = 1_000 * _MILLISECONDS
_LONGEST_ID: Final = 30
"""Digits; ids have at most 53 bits (measured on OpenChat)."""
_TOO_MANY: Final = 429
_UNAUTHORISED: Final = 401
_NOT_THE_CHAT: Final = (
    "Not the chat itself answers there, but a firewall, a proxy or a log-in page before it: let this machine "
    "through, and check OPENCHAT_BASE_URL."
)
_LONGEST_LOOK: Final = 16_384
"""Bytes of what is no answer that are looked at for a token: more than one has."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A text on its way: ``id`` is the stable id, made once and kept over every retry."""

    id: str
    to: str
    text: str
    direct: bool = False
    mentions: Sequence[Mapping[str, object]] = ()
    images: Sequence[str] = ()


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
    if 200 <= status < 300:  # noqa: PLR2004  the 2xx of HTTP
        document = json_of(body)
        if isinstance(document, dict) and "data" in document:
            return document["data"]
        raise Unavailable(
            f"chat answered {what} with {_glimpse(status, body, mask)}",
            service="chat",
            status=status,
            remedy=_NOT_THE_CHAT,
        )
    error = chat_error(status, body)
    if error and error["code"] == ALREADY_JOINED and is_refusal(status):
        return {}
    wait = retry_after(headers, now)
    refusal = _refusal(status, error, what=what, body=body, wait=wait, mask=mask)
    refusal.args = (f"{refusal}{odd_retry_after(headers, wait)}",)
    raise refusal


def _refusal(
    status: int,
    error: Mapping[str, Any] | None,
    *,
    what: str,
    body: bytes,
    wait: float | None,
    mask: Callable[[str], str],
) -> ServiceError:
    """Tell what a refusal means.

    Args:
        status: Its status.
        error: The chat's own words, or ``None`` where it has none.
        what: What was asked.
        body: What came instead of own words.
        wait: As `hangbot.hangfm.wire.own_words.retry_after` has it.
        mask: As `read_answer` has it.
    """
    if error is None:
        rate_limited = status == _TOO_MANY
        return (RateLimited if rate_limited else Unavailable)(
            f"chat answered {what} with {_glimpse(status, body, mask)}",
            service="chat",
            status=status,
            retry_after=wait,
            remedy=None if rate_limited or status >= 500 else _NOT_THE_CHAT,  # noqa: PLR2004  HTTP
        )
    code = error["code"]
    kind = _kind(status, code)
    refused = "answered" if kind is Unavailable else "refused"
    said = _said(code, error, mask)
    return kind(
        f"chat {refused} {what} " + (f"with {said}" if kind is Unavailable else f"({said})"),
        service="chat",
        status=status,
        code=code,
        retry_after=wait,
        remedy=REMEDIES.get(code),
    )


def _kind(status: int, code: str) -> type[ServiceError]:
    """Tell what own words mean: by their code, unless the status says that it is not about the request."""
    if is_refusal(status):
        return KINDS.get(code, Refused)
    if status == _UNAUTHORISED:
        return KINDS.get(code, TokenRejected)
    return RateLimited if status == _TOO_MANY else Unavailable


def is_message_gone(error: ServiceError) -> bool:
    """Tell whether a look-up by ``muid`` was answered: there is no such message."""
    return isinstance(error, NotFound) and error.code in MESSAGE_GONE and not error.about_token


def _said(code: str, error: Mapping[str, object], mask: Callable[[str], str]) -> str:
    """Show a refusal in the server's words: its code, its sentence, and which fields it objects to."""
    words, details = error.get("message"), error.get("details")
    said = [code]
    if isinstance(words, str) and words:
        said.append(words)
    for name, reasons in details.items() if isinstance(details, dict) else ():
        if isinstance(reasons, list):
            said.append(f"{name} ({', '.join(reason for reason in reasons if isinstance(reason, str))})")
    return quote_server_text(": ".join(said), mask)


def _glimpse(status: int, body: bytes, mask: Callable[[str], str]) -> str:
    """Show the first of an answer that cannot be read, on one line."""
    text = quote_server_text(body[:_LONGEST_LOOK].decode("utf-8", "replace"), mask)
    return f"status {status} and {f'`{text}`' if text else 'an empty body'}"


def read_message(row: object) -> ChatMessage | None:
    """Read a row of the history leniently, or return ``None`` where it is no message at all.

    The id may be a number or its digits, the sender a uid or an object, times in seconds or
    milliseconds; the sender is looked for where public bots found it.
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


def _number(value: object) -> int | None:
    """Read an id: a number, or its digits."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= _LONGEST_ID:
        return int(value)
    return None


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    if not -_LATEST < value < _LATEST:  # not finite, or beyond every calendar
        return 0.0
    return value / 1000 if value > _MILLISECONDS else float(value)
