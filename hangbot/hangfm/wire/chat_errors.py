"""The chat's refusals: what a code, a status and the words beside it mean, and what to do about it. PURE.

CometChat's documentation lists codes without statuses, and the same code comes with different
ones (``ERR_NOT_A_MEMBER`` with 404 and with 400), so a known code decides whatever the status is.
From CometChat's documentation, measured on an OpenChat build, and seen in public bots.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
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
from hangbot.hangfm.wire.answers import is_refusal, is_success, read_json, retry_after, retry_after_note
from hangbot.text import quote_server_text

__all__ = ["KINDS", "REMEDIES", "is_joined_already", "is_message_gone", "read_error", "read_refusal"]

_ALREADY_JOINED: Final = "ERR_ALREADY_JOINED"
_TOO_MANY: Final = 429
_UNAUTHORISED: Final = 401
_NOT_THE_CHAT: Final = (
    "Not the chat itself answers there, but a firewall, a proxy or a log-in page before it: let this machine "
    "through, and check OPENCHAT_BASE_URL."
)
_LONGEST_LOOK: Final = 16_384
"""Bytes of an unreadable answer that are searched for the token: more than a token has."""

_MESSAGE_GONE: Final = frozenset({"ERR_MESSAGE_ID_NOT_FOUND", "ERR_MESSAGE_NOT_FOUND"})
"""No such message: the documented code, and the one that was measured."""

_TOKEN: Final = frozenset(
    {
        "AUTH_ERR_AUTH_TOKEN_NOT_FOUND",
        "AUTH_ERR_EMPTY_AUTH_TOKEN",
        "ERR_AUTHTOKEN_NOT_ACCESSIBLE",
        "ERR_AUTHTOKEN_UNAVAILABLE",
        "ERR_NO_AUTH",
    }
)
_MEMBER: Final = frozenset({"ERR_GROUP_NOT_JOINED", "ERR_NOT_A_MEMBER"})
_ROUTE: Final = frozenset({"ERR_API_NOT_FOUND", "ERR_INVALID_API_VERSION", "ERR_ROUTE_NOT_FOUND"})
_NOT_FOUND: Final = frozenset({"ERR_GUID_NOT_FOUND", "ERR_UID_NOT_FOUND"}) | _MESSAGE_GONE | _ROUTE
_SERVER: Final = frozenset(
    {"ERR_BAD_ERROR_RESPONSE", "ERR_EXCEPTION", "ERR_MISSION_FAILED", "ERR_OPERATION_FAILED"}
)
_PASSWORD: Final = frozenset(
    {"ERR_EMPTY_GROUP_PASS", "ERR_GROUP_JOIN_NOT_ALLOWED", "ERR_WRONG_GROUP_PASS", "INVALID_PASSWORD"}
)
_FULL: Final = frozenset({"ERR_LIMIT_EXCEEDED", "ERR_NO_VACANCY"})
_SCOPE: Final = frozenset(
    {
        "ERR_GROUP_NO_ADMIN_SCOPE",
        "ERR_GROUP_NO_CLEARANCE",
        "ERR_GROUP_NO_MODERATOR_SCOPE",
        "ERR_GROUP_NO_SCOPE_CLEARANCE",
    }
)
_INVALID: Final = frozenset(
    {
        "ERR_BAD_REQUEST",
        "ERR_EMPTY_CUSTOM_DATA",
        "ERR_EMPTY_MESSAGE_CATEGORY",
        "ERR_EMPTY_MESSAGE_TEXT",
        "ERR_EMPTY_MESSAGE_TYPE",
        "ERR_EMPTY_RECEIVER",
        "ERR_INVALID_CUSTOM_DATA",
        "ERR_INVALID_MESSAGE_CATEGORY",
        "ERR_INVALID_MESSAGE_DATA",
        "ERR_INVALID_MESSAGE_TEXT",
        "ERR_INVALID_MESSAGE_TYPE",
        "ERR_INVALID_METADATA",
        "ERR_INVALID_RECEIVER_TYPE",
        "INVALID_RECEIVERTYPE",
        "MISSING_PARAMETERS",
    }
)
_MODERATED: Final = frozenset({"ERR_BLOCKED_BY_EXTENSION", "ERR_BLOCKED_BY_WEBHOOK"})
_BLOCKED: Final = frozenset({"ERR_BLOCKED_RECEIVER", "ERR_BLOCKED_SENDER"})
_PLAN: Final = frozenset({"ERR_PLAN_QUOTA_RESTRICTION", "ERR_PLAN_RESTRICTION", "ERR_SUBSCRIPTION_EXPIRED"})
_OTHER_REFUSALS: Final = frozenset(
    {
        "AUTH_ERR_APIKEY_NOT_FOUND",
        "AUTH_ERR_EMPTY_APIKEY",
        "AUTH_ERR_EMPTY_APPID",
        "AUTH_ERR_INVALID_APPID",
        "AUTH_ERR_NO_ACCESS",
        "ERR_BANNED_GROUPMEMBER",
        "ERR_CONVERSATION_NOT_ACCESSIBLE",
        "ERR_FORBIDDEN",
        "ERR_MESSAGE_ACTION_NOT_ALLOWED",
        "ERR_MESSAGE_NOT_A_SENDER",
        "ERR_MESSAGE_NO_ACCESS",
    }
)

KINDS: Final[Mapping[str, type[ServiceError]]] = MappingProxyType(
    dict.fromkeys(_TOKEN, TokenRejected)
    | dict.fromkeys(_MEMBER, NotAMember)
    | dict.fromkeys(_NOT_FOUND, NotFound)
    | dict.fromkeys(_SERVER, Unavailable)
    | {"ERR_TOO_MANY_REQUESTS": RateLimited}
    | dict.fromkeys(
        _PASSWORD | _FULL | _SCOPE | _INVALID | _MODERATED | _BLOCKED | _PLAN | _OTHER_REFUSALS, Refused
    )
)
"""What each known code means; ``ERR_ALREADY_JOINED`` is no error and is not here."""

REMEDIES: Final[Mapping[str, str]] = MappingProxyType(
    dict.fromkeys(_ROUTE, "Check OPENCHAT_BASE_URL: it must end before /v3.0.")
    | dict.fromkeys(_PASSWORD, "The group is private or has a password: ask the room's owner.")
    | dict.fromkeys(_FULL, "The group is full: try later.")
    | dict.fromkeys(_SCOPE, "The bot needs a higher role in the group: ask for moderator.")
    | dict.fromkeys(_INVALID, "The chat takes no such message: report this line as a fault of hangbot.")
    | dict.fromkeys(_MODERATED, "Moderation refused the text: change it.")
    | dict.fromkeys(_BLOCKED, "One of the two has blocked the other: leave this user out.")
    | dict.fromkeys(_PLAN, "The chat's own plan is at its end: report it to whoever runs the service.")
    | {
        "AUTH_ERR_APIKEY_NOT_FOUND": "COMETCHAT_API_KEY is the app id; no `apikey` header must be sent.",
        "AUTH_ERR_EMPTY_APIKEY": "OPENCHAT_BASE_URL is the admin host: use the host for clients.",
        "AUTH_ERR_EMPTY_APPID": "Set COMETCHAT_APPID.",
        "AUTH_ERR_INVALID_APPID": "Check COMETCHAT_APPID, and the region in OPENCHAT_BASE_URL.",
        "ERR_BANNED_GROUPMEMBER": "The bot is banned: ask a moderator; do not retry.",
        "ERR_GUID_NOT_FOUND": "Check COMETCHAT_RECEIVER and ROOM_UUID; the room may be closed.",
        "ERR_UID_NOT_FOUND": "Check the user's id (COMETCHAT_UID when it is the bot's).",
    }
)
"""What the operator is to do, where it is more than the error's own remedy."""


def read_error(status: int, body: bytes) -> Mapping[str, Any] | None:
    """Return the chat's own error (``code, message…``), or ``None`` where an answer holds none.

    Its shape ``{"error": {"code": "ERR_…"}}`` is documented, and measured on OpenChat.
    """
    document = read_json(body)
    error = document.get("error") if isinstance(document, dict) else None
    if not isinstance(error, dict) or status < 400:  # noqa: PLR2004  HTTP
        return None
    code = error.get("code")
    return error if isinstance(code, str) and code else None


def is_joined_already(status: int, body: bytes) -> bool:
    """Return whether a refusal is success in disguise: CometChat answers a second join with 417."""
    error = read_error(status, body)
    return error is not None and error["code"] == _ALREADY_JOINED and is_refusal(status)


def is_message_gone(error: ServiceError) -> bool:
    """Return whether a look-up by ``muid`` was answered: there is no such message."""
    return isinstance(error, NotFound) and error.code in _MESSAGE_GONE and not error.about_token


def read_refusal(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    what: str,
    now: float,
    mask: Callable[[str], str] = str,
) -> ServiceError:
    """Return what an answer means that holds no ``data``; for the arguments see `chat.read_answer`."""
    error, wait = read_error(status, body), None if is_success(status) else retry_after(headers, now)
    note = retry_after_note(headers, wait)
    if error is None:
        rate_limited = status == _TOO_MANY
        return (RateLimited if rate_limited else Unavailable)(
            f"chat answered {what} with {_excerpt(status, body, mask)}{note}",
            service="chat",
            status=status,
            retry_after=wait,
            remedy=None if rate_limited or status >= 500 else _NOT_THE_CHAT,  # noqa: PLR2004  HTTP
        )
    kind, words = _kind(status, error["code"]), _server_words(error, mask)
    said = f"answered {what} with {words}" if kind is Unavailable else f"refused {what} ({words})"
    return kind(
        f"chat {said}{note}",
        service="chat",
        status=status,
        code=error["code"],
        retry_after=wait,
        remedy=REMEDIES.get(error["code"]),
    )


def _kind(status: int, code: str) -> type[ServiceError]:
    """Judge own words by their code, unless the status says that it is not about the request."""
    if is_refusal(status):
        return KINDS.get(code, Refused)
    if status == _UNAUTHORISED:
        return KINDS.get(code, TokenRejected)
    return RateLimited if status == _TOO_MANY else Unavailable


def _server_words(error: Mapping[str, object], mask: Callable[[str], str]) -> str:
    """Show the code of an error, its sentence, and which fields it objects to."""
    words, details = error.get("message"), error.get("details")
    said = [str(error["code"])]
    if isinstance(words, str) and words:
        said.append(words)
    for name, reasons in details.items() if isinstance(details, dict) else ():
        if isinstance(reasons, list):
            said.append(f"{name} ({', '.join(reason for reason in reasons if isinstance(reason, str))})")
    return quote_server_text(": ".join(said), mask)


def _excerpt(status: int, body: bytes, mask: Callable[[str], str]) -> str:
    """Show the first of an answer that cannot be read, on one line."""
    text = quote_server_text(body[:_LONGEST_LOOK].decode("utf-8", "replace"), mask)
    return f"status {status} and {f'`{text}`' if text else 'an empty body'}"
