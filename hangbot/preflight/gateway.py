"""Checks of the gateway: can it be reached, and does it accept the bot's token?"""

from hangbot.errors import AnswerLost, TokenRejected, Unavailable
from hangbot.preflight.diagnosis import IN_ITS_PLACE, SETTING
from hangbot.preflight.model import CheckContext, Finding, check
from hangbot.preflight.probe import reach

__all__ = ["gateway_reach", "gateway_token"]


@check(
    "gateway.reach",
    "Gateway can be reached",
    needs=("config",),
    remedy="Check TTFM_GATEWAY_BASE_URL, the network, and HTTPS_PROXY.",
)
async def gateway_reach(context: CheckContext) -> Finding:
    """The gateway's host can be reached: name, TCP, proxy and TLS are in order."""
    return await reach(context, "gateway", context.settings.gateway_url)


@check(
    "gateway.token",
    "Gateway accepts the bot token",
    needs=("config", "token.expiry", "gateway.reach"),
    remedy="Check TTFM_GATEWAY_BASE_URL; renew BOT_USER_TOKEN when the gateway refuses it.",
)
async def gateway_token(context: CheckContext) -> Finding:
    """The gateway answers and accepts the bot's token."""
    try:
        await context.gateway.exchange_token()
    except TokenRejected as exc:
        exc.blames = "BOT_USER_TOKEN"
        raise
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
    return Finding(f"{context.gateway.address} exchanged BOT_USER_TOKEN for a chat token")
