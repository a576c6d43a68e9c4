"""What HANGBOT_STATUS_PORT serves: the page with the extra `ops`, or without it how the bot is."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hangbot.bot.bot import Bot
from hangbot.clock import Clock
from hangbot.config import Settings
from hangbot.delivery.outbox import Outbox
from hangbot.errors import HangbotError
from hangbot.logs import Recent
from hangbot.ops.access import Access, is_loopback
from hangbot.ops.deliveries import Deliveries
from hangbot.ops.port import open_page_or_health
from hangbot.ops.token import NoToken, make_token, read_token, token_path
from hangbot.redact import Redactor
from hangbot.status import Status

__all__ = ["Deliveries", "Shown", "open_port"]

logger = logging.getLogger(__name__)

_BEYOND: Final = (
    "Make a token where the bot runs, as its user: start it once without HANGBOT_STATUS_HOST, or "
    "`(umask 077; head -c 24 /dev/urandom | base64 > {path})`."
)


@dataclass(frozen=True, slots=True)
class Shown:
    """What is shown of a bot.

    Attributes:
        bot: The bot.
        outbox: Its outbox.
        status: How it is.
        deliveries: What delivery did last.
        log: The last lines of the log.
        name: What the bot is called among several of this process; ``None``: it is the only one.
    """

    bot: Bot
    outbox: Outbox
    status: Status
    deliveries: Deliveries
    log: Recent
    name: str | None = None


@asynccontextmanager
async def open_port(
    settings: Settings, shown: Shown, *, clock: Clock, on_token: Callable[[str, Path | None], None]
) -> AsyncIterator[str | None]:
    """Serve on HANGBOT_STATUS_PORT while the block runs; where that is not set, nothing.

    Args:
        settings: Which port and host; the outbox, beside which the token is.
        shown: What is shown.
        clock: Measures and waits.
        on_token: Called with the token, which is a secret; and with its file where it was just made, since
            nothing else shows it.

    Yields:
        The address, or ``None``.

    Raises:
        HangbotError: The port cannot be had; or it is open to others, and there is no token.
    """
    port, host = settings.status_port, settings.status_host
    if port is None:
        yield None
        return

    def open_page() -> AbstractAsyncContextManager[int]:
        access = _access(host, token_path(settings.outbox), on_token)
        from hangbot.ops import assembly  # noqa: PLC0415  aiohttp is loaded for an open port alone

        hide = Redactor([*settings.secrets(), *filter(None, [access.token])]).text
        return assembly.open_page(shown, access, port, hide=hide, clock=clock)

    async with open_page_or_health(host, port, shown.status.row, open_page, clock=clock) as where:
        yield where


def _access(host: str, path: Path, on_token: Callable[[str, Path | None], None]) -> Access:
    """Read or make the token; raises `HangbotError` where others reach the port, and there is none."""
    try:
        token = read_token(path)
        if token is None and not is_loopback(host):
            problem = f"HANGBOT_STATUS_HOST opens the page to others ({host}), and there is no token {path}"
            raise HangbotError(problem, remedy=_BEYOND.format(path=path))
        made = path if token is None else None
        token = token or make_token(path)
        on_token(token, made)
    except NoToken as exc:
        if not is_loopback(host):
            raise
        why = f"{exc}. {exc.remedy}"
        logger.warning("the page changes nothing: %s", why, extra={"action": "status_token"})
        return Access(host, None, why)
    return Access(host, token)
