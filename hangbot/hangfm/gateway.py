"""The gateway: the chat token for the bot's own token, and who and what is where."""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from hangbot.claims import read_claims
from hangbot.errors import NotFound, Refused, ServiceError, TokenRejected, Unavailable
from hangbot.hangfm.http import HttpClient, HttpResponse
from hangbot.hangfm.wire.own_words import gateway_error, is_refusal, json_of, odd_retry_after, retry_after
from hangbot.redact import Redactor
from hangbot.text import is_uuid, quote_server_text

__all__ = ["GatewayClient"]

_UNAUTHORISED: Final = frozenset({401, 403})
_TOKEN: Final = re.compile(r"[!-~]{1,8192}")
"""What can stand in a header."""
_NO_GATEWAY: Final = "Check TTFM_GATEWAY_BASE_URL: what answers there is no gateway, or a proxy before it."


class GatewayClient:
    """Asks the gateway as the bot. Routes and answers as public bots use them.

    Args:
        http: The gateway's address.
        token: ``BOT_USER_TOKEN``.
    """

    def __init__(self, http: HttpClient, token: str) -> None:
        self._http = http
        self._token = token

    @property
    def address(self) -> str:
        """Where the gateway is."""
        return self._http.base

    async def exchange_token(self) -> str:
        """Return a chat token for the bot's token.

        Raises:
            TokenRejected: The bot's token is wrong or expired (its own expiry is named).
            Unavailable: The answer is no JSON, or holds no ``cometAuthToken``.
            ServiceError: As `hangbot.hangfm.http.HttpClient.request` raises it.
        """
        document = await self._get("/api/user-service/comet-chat/user-token", what="the token exchange")
        token = document.get("cometAuthToken")
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise Unavailable(
                "the gateway answered the token exchange without a usable `cometAuthToken`",
                service="gateway",
                remedy="Check TTFM_GATEWAY_BASE_URL; the gateway may have changed its answer.",
            )
        return token

    async def room(self, room: str) -> Mapping[str, Any]:
        """Return a room by its uuid or slug: ``uuid, slug, name…``; raises `NotFound` for an unknown one."""
        by = "uuid/" if is_uuid(room) else ""
        return await self._get(f"/api/room-service/rooms/{by}{quote(room, safe='')}", what=f"room {room}")

    async def profile(self) -> Mapping[str, Any]:
        """Return the bot's own profile: ``uuid, nickname, avatarId…``."""
        return await self._get("/api/user-service/users/profile", what="the bot's own profile")

    async def _get(self, path: str, *, what: str) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._token}"}
        answer = await self._http.request("GET", path, what=what, headers=headers)
        if not 200 <= answer.status < 300:  # noqa: PLR2004  the 2xx of HTTP
            raise self._refusal(answer, what)
        document = json_of(answer.body)
        if not isinstance(document, dict):
            raise Unavailable(
                f"the gateway answered {what} with something that is no JSON object",
                service="gateway",
                status=answer.status,
                remedy=_NO_GATEWAY,
            )
        return document

    def _refusal(self, answer: HttpResponse, what: str) -> ServiceError:
        """Tell what a refusal means: only the gateway's own words are one."""
        status, error = answer.status, gateway_error(answer.status, answer.body)
        wait = retry_after(answer.headers, self._http.clock.wall())
        if error is None or not (is_refusal(status) or status in _UNAUTHORISED):
            in_trouble = status >= 500 or error is not None  # noqa: PLR2004  HTTP
            more = "" if in_trouble else " and nothing of its own to read"
            more += odd_retry_after(answer.headers, wait)
            return Unavailable(
                f"the gateway answered {what} with status {status}{more}",
                service="gateway",
                status=status,
                retry_after=wait,
                remedy=None if in_trouble else _NO_GATEWAY,
            )
        said = f"status {status}"
        if isinstance(error["message"], str):
            said += f": {quote_server_text(error['message'], Redactor([self._token]).text)}"
        if status in _UNAUTHORISED:
            return TokenRejected(
                f"the gateway refused {what} ({said}); {self._expiry()}", service="gateway", status=status
            )
        if status == 404:  # noqa: PLR2004  Not Found
            return NotFound(
                f"the gateway found nothing for {what} ({said})", service="gateway", status=status
            )
        return Refused(f"the gateway refused {what} ({said})", service="gateway", status=status)

    def _expiry(self) -> str:
        claims = read_claims(self._token)
        if claims is None:
            return "BOT_USER_TOKEN is no JWT"
        if claims.expires_at is None:
            return "BOT_USER_TOKEN names no expiry"
        left = claims.expires_at - self._http.clock.wall()
        return f"BOT_USER_TOKEN {'expired' if left < 0 else 'is valid for another'} {_days(abs(left))}" + (
            " ago" if left < 0 else " by its own words"
        )


def _days(seconds: float) -> str:
    return f"{seconds / 86400:.0f} days" if seconds >= 86400 else f"{seconds / 3600:.1f} hours"  # noqa: PLR2004  seconds of a day
