"""Checks of the settings themselves: are they complete, and does the token last?"""

from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

from hangbot.claims import read_claims
from hangbot.errors import HangbotError, TokenRejected
from hangbot.preflight.diagnosis import (
    SET_THE_CLOCK,
    looks_like_chat_token,
    looks_like_cometchat_token,
)
from hangbot.preflight.model import CheckContext, Finding, check

__all__ = ["configuration", "token_expiry"]

_TOKEN: Final = "BOT_USER_TOKEN"  # noqa: S105  a name
_DAY: Final = 86_400
_EXPIRES_SOON: Final = 7 * _DAY
_SKEW: Final = 60.0
"""Seconds by which a token may seem to come from the future."""


@check(
    "config",
    "Configuration is complete",
    remedy="Copy hang-fm-config.example.env to hang-fm-config.env, or run `hangbot init`.",
)
async def configuration(context: CheckContext) -> Finding:
    """Every required name is there, and every value can be used."""
    warnings = context.settings.warnings
    if warnings:
        return Finding("; ".join(warnings), "Correct or remove these lines of the configuration file.")
    derived = [row.name for row in context.settings.described() if row.origin.startswith("derived")]
    return Finding("every required name is set" + (f"; derived: {', '.join(derived)}" if derived else ""))


@check(
    "token.expiry",
    "Bot token is not about to expire",
    needs=("config",),
    remedy="Renew BOT_USER_TOKEN.",
)
async def token_expiry(context: CheckContext) -> Finding:
    """The bot's token is valid for another week at least, by its own (unverified) claims.

    Before a token counts as expired, or as not issued yet, ask a service for its time: a wrong clock
    is another cause, with another remedy.
    """
    token = context.settings.bot_user_token.get_secret_value()
    claims = read_claims(token)
    if claims is None and (looks_like_chat_token(token) or looks_like_cometchat_token(token)):
        raise _blame_token(
            TokenRejected(
                "BOT_USER_TOKEN holds a chat token, not the bot's own (a JWT, which begins with eyJ)",
                service="gateway",
                remedy="Put the bot's own token into BOT_USER_TOKEN; the chat token is exchanged for it.",
            )
        )
    if claims is None or claims.expires_at is None:
        return Finding("BOT_USER_TOKEN names no expiry", "Nothing to do; the services decide.")
    now = context.clock.wall()
    left, age = claims.expires_at - now, now - (claims.issued_at or 0.0)
    if left <= 0 or age < -_SKEW:
        theirs = await _time_of_a_service(context)
        if theirs is not None and theirs < claims.expires_at and abs(now - theirs) > _SKEW:
            return Finding(
                f"this machine's clock is {_span(abs(now - theirs))} {'ahead' if now > theirs else 'behind'}"
                f"; by the services' BOT_USER_TOKEN is valid for another {_span(claims.expires_at - theirs)}",
                SET_THE_CLOCK,
            )
    if left <= 0:
        raise _blame_token(
            TokenRejected(f"BOT_USER_TOKEN expired {-left / _DAY:.1f} days ago", service="gateway")
        )
    if left < _EXPIRES_SOON:
        return Finding(
            f"BOT_USER_TOKEN expires in {left / _DAY:.1f} days", "Renew BOT_USER_TOKEN before then."
        )
    return Finding(f"BOT_USER_TOKEN is valid for another {left / _DAY:.0f} days")


def _blame_token(error: TokenRejected) -> TokenRejected:
    error.blames = _TOKEN
    return error


async def _time_of_a_service(context: CheckContext) -> float | None:
    """Return a service's time in seconds since the epoch, by the ``Date`` of any answer of it."""
    try:
        async with context.open_http("gateway") as http:
            answer = await http.request("GET", "/", what="its time")
        moment = parsedate_to_datetime(answer.headers.get("date", ""))
    except (HangbotError, ValueError, OverflowError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _span(seconds: float) -> str:
    return f"{seconds / _DAY:.0f} days" if seconds >= 2 * _DAY else f"{seconds / 3600:.1f} hours"
