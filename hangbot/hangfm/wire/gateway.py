"""The gateway: its paths, and its answers read into values or errors. PURE.

Only the gateway's own words are a refusal: ``{"statusCode": 404, "message": …}``, which is NestJS's and was
seen in public bots.
"""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from hangbot.claims import read_claims
from hangbot.errors import NotFound, Refused, ServiceError, TokenRejected, Unavailable
from hangbot.hangfm.wire.answers import is_refusal, is_success, read_json, retry_after, retry_after_note
from hangbot.redact import Redactor
from hangbot.text import is_uuid, quote_server_text

__all__ = [
    "KICK_PATH",
    "PROFILE_PATH",
    "TOKEN_PATH",
    "kick_body",
    "read_chat_token",
    "read_document",
    "read_success",
    "room_path",
]

TOKEN_PATH: Final = "/api/user-service/comet-chat/user-token"  # noqa: S105  a path
KICK_PATH: Final = "/api/room-service/roomUserRoles/kick-user-from-room"
PROFILE_PATH: Final = "/api/user-service/users/profile"

_UNAUTHORISED: Final = frozenset({401, 403})
_NOT_FOUND: Final = 404
_DAY: Final = 86_400
_SENDABLE: Final = re.compile(r"[!-~]{1,8192}")
"""What can stand in a header."""
_NO_GATEWAY: Final = "Check TTFM_GATEWAY_BASE_URL: what answers there is no gateway, or a proxy before it."


def room_path(room: str) -> str:
    """Return where a room is found by its uuid or its slug."""
    return f"/api/room-service/rooms/{'uuid/' if is_uuid(room) else ''}{quote(room, safe='')}"


def kick_body(uuid: str, slug: str) -> dict[str, str]:
    """Write what puts a user out of a room, as public bots send it."""
    return {"userUuid": uuid, "slug": slug}


def read_success(
    status: int, headers: Mapping[str, str], body: bytes, *, what: str, token: str, now: float
) -> None:
    """Return where an answer says that something was done; the arguments and errors are `read_document`'s."""
    if not is_success(status):
        raise _refusal(status, headers, body, what=what, token=token, now=now)


def read_document(
    status: int, headers: Mapping[str, str], body: bytes, *, what: str, token: str, now: float
) -> dict[str, Any]:
    """Return the object that an answer holds, or raise what the answer means.

    Args:
        status: The HTTP status.
        headers: With lower-case names.
        body: The body as it came.
        what: What was asked, for the message: ``the token exchange``.
        token: The bot's own token, which an answer may echo; a refusal says how old it is.
        now: Seconds since the epoch.

    Raises:
        ServiceError: One of its kinds.
    """
    if not is_success(status):
        raise _refusal(status, headers, body, what=what, token=token, now=now)
    document = read_json(body)
    if not isinstance(document, dict):
        raise Unavailable(
            f"the gateway answered {what} with something that is no JSON object",
            service="gateway",
            status=status,
            remedy=_NO_GATEWAY,
        )
    return document


def read_chat_token(document: Mapping[str, object]) -> str:
    """Return the chat token of a token exchange; raises `Unavailable` where there is no usable one."""
    token = document.get("cometAuthToken")
    if not isinstance(token, str) or not _SENDABLE.fullmatch(token):
        raise Unavailable(
            "the gateway answered the token exchange without a usable `cometAuthToken`",
            service="gateway",
            remedy="Check TTFM_GATEWAY_BASE_URL; the gateway may have changed its answer.",
        )
    return token


def _refusal(
    status: int, headers: Mapping[str, str], body: bytes, *, what: str, token: str, now: float
) -> ServiceError:
    error, wait = _own_words(status, body), retry_after(headers, now)
    if error is None or not (is_refusal(status) or status in _UNAUTHORISED):
        in_trouble = status >= 500 or error is not None  # noqa: PLR2004  HTTP
        more = "" if in_trouble else " and nothing of its own to read"
        more += retry_after_note(headers, wait)
        return Unavailable(
            f"the gateway answered {what} with status {status}{more}",
            service="gateway",
            status=status,
            retry_after=wait,
            remedy=None if in_trouble else _NO_GATEWAY,
        )
    said = f"status {status}"
    if isinstance(error["message"], str):
        said += f": {quote_server_text(error['message'], Redactor([token]).text)}"
    if status in _UNAUTHORISED:
        words = f"the gateway refused {what} ({said}); {_expiry(token, now)}"
        return TokenRejected(words, service="gateway", status=status)
    if status == _NOT_FOUND:
        words = f"the gateway found nothing for {what} ({said})"
        return NotFound(words, service="gateway", status=status)
    return Refused(f"the gateway refused {what} ({said})", service="gateway", status=status)


def _own_words(status: int, body: bytes) -> Mapping[str, Any] | None:
    document = read_json(body)
    if not isinstance(document, dict) or status < 400:  # noqa: PLR2004  HTTP
        return None
    said = document.get("statusCode")
    own = said == status and not isinstance(said, bool) and "message" in document
    return document if own else None


def _expiry(token: str, now: float) -> str:
    claims = read_claims(token)
    if claims is None:
        return "BOT_USER_TOKEN is no JWT"
    if claims.expires_at is None:
        return "BOT_USER_TOKEN names no expiry"
    left = claims.expires_at - now
    if left < 0:
        return f"BOT_USER_TOKEN expired {_days(-left)} ago"
    return f"BOT_USER_TOKEN is valid for another {_days(left)} by its own words"


def _days(seconds: float) -> str:
    return f"{seconds / _DAY:.0f} days" if seconds >= _DAY else f"{seconds / 3600:.1f} hours"
