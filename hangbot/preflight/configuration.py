"""Questions about the bot itself: its configuration, its token, its outbox; and the gateway's answer."""

from contextlib import nullcontext
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

from hangbot.claims import read_claims
from hangbot.delivery.outbox import exclusive, is_held_here
from hangbot.errors import AnswerLost, HangbotError, OutboxBusy, TokenRejected, Unavailable
from hangbot.preflight.diagnosis import (
    IN_ITS_PLACE,
    SETTING,
    looks_like_chat_token,
    looks_like_cometchat_token,
)
from hangbot.preflight.model import Finding, Subject

__all__ = ["SET_THE_CLOCK", "configuration", "gateway_token", "outbox_writable", "token_expiry"]

SET_THE_CLOCK: Final = "Set the clock (`timedatectl set-ntp true`): tokens and song ends are judged by it."

_TOKEN: Final = "BOT_USER_TOKEN"  # noqa: S105  a name
_DAY: Final = 86_400
_EXPIRES_SOON: Final = 7 * _DAY
_SKEW: Final = 60.0
"""Seconds by which a token may seem to come from the future."""


async def configuration(subject: Subject) -> Finding:
    """Every required name is there, and every value can be used."""
    warnings = subject.settings.warnings
    if warnings:
        return Finding("; ".join(warnings), "Correct or remove these lines of the configuration file.")
    derived = [row.name for row in subject.settings.described() if row.origin.startswith("derived")]
    return Finding("every required name is set" + (f"; derived: {', '.join(derived)}" if derived else ""))


async def token_expiry(subject: Subject) -> Finding:
    """The bot's token is valid for another week at least, by its own (unverified) words.

    Before a token counts as expired, or as not issued yet, a service is asked what time it is:
    a wrong clock is another cause, with another remedy.
    """
    token = subject.settings.bot_user_token.get_secret_value()
    claims = read_claims(token)
    if claims is None and (looks_like_chat_token(token) or looks_like_cometchat_token(token)):
        raise _blaming(
            TokenRejected(
                "BOT_USER_TOKEN holds a chat token, not the bot's own (a JWT, which begins with eyJ)",
                service="gateway",
                remedy="Put the bot's own token into BOT_USER_TOKEN; the chat token is exchanged for it.",
            )
        )
    if claims is None or claims.expires_at is None:
        return Finding("BOT_USER_TOKEN names no expiry", "Nothing to do; the services decide.")
    now = subject.clock.wall()
    left, age = claims.expires_at - now, now - (claims.issued_at or 0.0)
    if left <= 0 or age < -_SKEW:
        theirs = await _time_of_a_service(subject)
        if theirs is not None and theirs < claims.expires_at and abs(now - theirs) > _SKEW:
            return Finding(
                f"this machine's clock is {_span(abs(now - theirs))} {'ahead' if now > theirs else 'behind'}"
                f"; by the services' BOT_USER_TOKEN is valid for another {_span(claims.expires_at - theirs)}",
                SET_THE_CLOCK,
            )
    if left <= 0:
        raise _blaming(
            TokenRejected(f"BOT_USER_TOKEN expired {-left / _DAY:.1f} days ago", service="gateway")
        )
    if left < _EXPIRES_SOON:
        return Finding(
            f"BOT_USER_TOKEN expires in {left / _DAY:.1f} days", "Renew BOT_USER_TOKEN before then."
        )
    return Finding(f"BOT_USER_TOKEN is valid for another {left / _DAY:.0f} days")


def _blaming(error: TokenRejected) -> TokenRejected:
    error.blames = _TOKEN
    return error


async def _time_of_a_service(subject: Subject) -> float | None:
    """Return a service's time in seconds since the epoch, by the ``Date`` of any answer of it."""
    try:
        async with subject.open_http("gateway") as http:
            answer = await http.exchange("GET", "/", what="its time")
        moment = parsedate_to_datetime(answer.headers.get("date", ""))
    except (HangbotError, ValueError, OverflowError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _span(seconds: float) -> str:
    return f"{seconds / _DAY:.0f} days" if seconds >= 2 * _DAY else f"{seconds / 3600:.1f} hours"


async def gateway_token(subject: Subject) -> Finding:
    """The gateway answers and accepts the bot's token."""
    try:
        await subject.gateway.exchange_token()
    except TokenRejected as exc:
        raise _blaming(exc) from exc.__cause__
    except AnswerLost as exc:
        exc.remedy = (
            f"The host is there, its answer is not: check {SETTING['gateway']}; {IN_ITS_PLACE} "
            "Raise SOCKET_TIMEOUT_MS when the service is merely slow."
        )
        raise
    except Unavailable as exc:
        if exc.status is not None and exc.status >= 500:  # noqa: PLR2004  HTTP
            exc.remedy = (
                f"The gateway, or a proxy before it, is in trouble: wait; else check {SETTING['gateway']}."
            )
        raise
    return Finding(f"{subject.gateway.address} exchanged BOT_USER_TOKEN for a chat token")


async def outbox_writable(subject: Subject) -> Finding:
    """The outbox can be written and locked: both are done, since asking for leave is not having it."""
    path = subject.settings.outbox
    async with subject.open_outbox() as outbox:
        await outbox.prove()
        waiting = await outbox.count_waiting()
    more = f", {waiting} {'message waits' if waiting == 1 else 'messages wait'}" if waiting else ""
    try:
        with nullcontext() if is_held_here(path) else exclusive(path, brief=True):
            pass
    except OutboxBusy as busy:
        more += f", {'a `hangbot send`' if busy.brief else 'a bot'} delivers from it now"
    return Finding(f"{path} was written and locked{more}")
