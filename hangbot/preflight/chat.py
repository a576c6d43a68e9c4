"""Checks of the chat server: is it one, and whose is the chat token?"""

from typing import Final

from hangbot.claims import read_claims
from hangbot.errors import AnswerLost, HangbotError, Refused, TokenRejected, Unavailable
from hangbot.hangfm.http import HttpResponse
from hangbot.hangfm.wire.answers import read_json
from hangbot.hangfm.wire.chat import read_answer
from hangbot.hangfm.wire.chat_errors import read_error
from hangbot.hangfm.wire.dialect import NAMES, Server, of_error, of_me
from hangbot.preflight.diagnosis import (
    IN_ITS_PLACE,
    SETTING,
    looks_like_cometchat_token,
    what_answered,
)
from hangbot.preflight.model import CheckContext, Finding, check
from hangbot.preflight.probe import reach
from hangbot.redact import Redactor

__all__ = ["chat_reach", "chat_server", "chat_token", "chat_uid"]

_NO_CHAT: Final = f"Check {SETTING['chat']}: it is the chat's address, without /v3.0; {IN_ITS_PLACE}"


@check(
    "chat.reach",
    "Chat can be reached",
    needs=("config",),
    remedy="Check OPENCHAT_BASE_URL, the network, and HTTPS_PROXY.",
)
async def chat_reach(context: CheckContext) -> Finding:
    """The chat's host can be reached: name, TCP, proxy and TLS are in order."""
    return await reach(context, "chat", context.settings.chat_url)


@check(
    "chat.server",
    "Chat host is a chat server",
    needs=("chat.reach",),
    remedy="Check OPENCHAT_BASE_URL: it must end before /v3.0.",
)
async def chat_server(context: CheckContext) -> Finding:
    """What answers at the chat address is a chat server."""
    address = context.chat.address
    answer = await _raw(context, "/v3.0/settings", what="its settings")
    document = read_json(answer.body)
    good = 200 <= answer.status < 300  # noqa: PLR2004  the 2xx of HTTP
    if good and isinstance(document, dict) and isinstance(document.get("data"), dict):
        return Finding(f"{address} is a chat server")
    if answer.status < 500 and (error := read_error(answer.status, answer.body)):  # noqa: PLR2004  HTTP
        _check_dialect(context, of_error(error))
        _read(context, answer, what="its settings")
    if answer.status >= 500 or answer.status in {408, 425, 429}:  # noqa: PLR2004  HTTP
        raise Unavailable(
            f"{address} answers its settings with status {answer.status}; {await _health(context)}",
            service="chat",
            status=answer.status,
            remedy=f"The chat, or a proxy before it, is in trouble: wait; else check {SETTING['chat']}.",
        )
    raise Unavailable(
        f"{address} is no chat server: it answers /v3.0/settings with {what_answered(answer)} "
        f"(status {answer.status})",
        service="chat",
        status=answer.status,
        remedy=_NO_CHAT,
    )


class WrongDialect(HangbotError):
    """The chat server is not the one that CHAT_DIALECT names."""

    remedy = f"Leave CHAT_DIALECT out (auto reads both), or name what it is; else check {SETTING['chat']}."


def _check_dialect(context: CheckContext, spoken: Server | None) -> None:
    configured = context.settings.chat_dialect
    if spoken is not None and configured not in {"auto", spoken}:
        raise WrongDialect(
            f"{context.chat.address} speaks as {NAMES[spoken]} does, CHAT_DIALECT says {configured}"
        )


async def _health(context: CheckContext) -> str:
    """Say what OpenChat's health page answers: whether a server runs behind the failing address."""
    try:
        status = (await _raw(context, "/health", what="its health")).status
    except HangbotError:
        return "its /health does not answer"
    return f"its /health answers {status}"


async def _raw(context: CheckContext, path: str, *, what: str, token: str | None = None) -> HttpResponse:
    """Send a request as the chat client does, and return the answer as it came."""
    headers = {}
    if context.settings.chat_app_id:
        headers["appId"] = context.settings.chat_app_id
    if token:
        headers["authToken"] = token
    try:
        async with context.open_http("chat") as http:
            return await http.request("GET", path, what=what, headers=headers)
    except AnswerLost as exc:
        exc.remedy = (
            f"What listens there may be no chat server: check {SETTING['chat']}; {IN_ITS_PLACE} "
            "Raise SOCKET_TIMEOUT_MS when the service is merely slow."
        )
        raise


def _read(context: CheckContext, answer: HttpResponse, *, what: str) -> object:
    return read_answer(
        answer.status,
        answer.headers,
        answer.body,
        what=what,
        now=context.clock.wall(),
        mask=Redactor(context.settings.secrets()).text,
    )


@check(
    "chat.token",
    "Chat token is accepted",
    needs=("chat.server", "gateway.token"),
    remedy="Remove COMETCHAT_AUTH, so that a token is exchanged for BOT_USER_TOKEN.",
)
async def chat_token(context: CheckContext) -> Finding:
    """The chat server accepts the chat token; one that is configured must be good by itself."""
    configured = context.settings.chat_token
    refusal = await _refusal(context, configured.get_secret_value()) if configured else ""
    try:
        me = await context.chat.me()
    except Refused as exc:
        _check_dialect(context, of_error({"code": exc.code}))
        raise
    _check_dialect(context, of_me(me))
    name = me.get("name") or me.get("uid")
    if refusal:
        return Finding(
            f"{refusal}; a new one was exchanged and is accepted, for {name}",
            "Remove COMETCHAT_AUTH: the bot exchanges a fresh token by itself.",
        )
    return Finding(f"the chat token is accepted, for {name}")


async def _refusal(context: CheckContext, token: str) -> str:
    """Say why the configured token is refused; return nothing where it is accepted."""
    try:
        _read(
            context,
            await _raw(context, "/v3.0/me", what="who the token belongs to", token=token),
            what="COMETCHAT_AUTH",
        )
    except TokenRejected as exc:
        said = exc.code or f"status {exc.status}"
        if looks_like_cometchat_token(token) and exc.code == "ERR_NO_AUTH":
            return f"COMETCHAT_AUTH is an old CometChat token, and this is OpenChat ({said})"
        return f"COMETCHAT_AUTH is dead or never was a token of this server ({said})"
    return ""


@check(
    "chat.uid",
    "Chat token is the bot's own",
    needs=("chat.token",),
    remedy="Remove COMETCHAT_UID and COMETCHAT_AUTH: both are derived from BOT_USER_TOKEN.",
)
async def chat_uid(context: CheckContext) -> Finding:
    """The chat token is the bot's own."""
    settings = context.settings
    configured, uid = settings.chat_uid, (await context.chat.me()).get("uid")
    if configured is None or uid == configured:
        return Finding(f"the chat token belongs to {uid}")
    claims = read_claims(settings.bot_user_token.get_secret_value())
    own = claims.uid if claims else None
    if own is not None and uid == own:
        raise TokenRejected(
            f"the chat token belongs to {uid} like BOT_USER_TOKEN, COMETCHAT_UID says {configured}",
            service="chat",
            remedy="Remove COMETCHAT_UID: it is derived from BOT_USER_TOKEN.",
        )
    if settings.chat_token is not None and configured == own:
        raise TokenRejected(
            f"the chat token COMETCHAT_AUTH belongs to {uid}, BOT_USER_TOKEN to {own}",
            service="chat",
            remedy="Remove COMETCHAT_AUTH: the bot exchanges its own token by itself.",
        )
    origin = settings.origins.get("chat_uid", "COMETCHAT_UID")
    raise TokenRejected(
        f"the chat token belongs to {uid}, COMETCHAT_UID ({origin}) says {configured}",
        service="chat",
        remedy="Remove COMETCHAT_UID and COMETCHAT_AUTH: both are derived from BOT_USER_TOKEN.",
    )
