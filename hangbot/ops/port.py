"""An opened port: with the extra `ops` a page, without it how a bot or a worker is."""

import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.util import find_spec
from typing import Any, Final

from hangbot.clock import Clock
from hangbot.status import open_health_port

__all__ = ["OpenPage", "open_page_or_health"]

logger = logging.getLogger(__name__)

_NEEDED: Final = ("aiohttp", "prometheus_client")

OpenPage = Callable[[], AbstractAsyncContextManager[int]]
"""Opens a page on the port, and yields the port that was taken."""


@asynccontextmanager
async def open_page_or_health(
    host: str,
    port: int,
    row: Callable[[], Mapping[str, Any]],
    open_page: OpenPage,
    *,
    clock: Clock,
    whose: str = "the bot",
) -> AsyncIterator[str]:
    """Serve on a port while the block runs.

    Args:
        host: The address or the name that it is opened on.
        port: The port; 0: a free one.
        row: Returns what ``/healthz`` says.
        open_page: Is called where the extra is installed: aiohttp is loaded then.
        clock: Measures and waits.
        whose: What serves it, in words.

    Yields:
        The address.

    Raises:
        HangbotError: The port cannot be had.
    """
    if not all(map(find_spec, _NEEDED)):
        logger.warning(
            'HANGBOT_STATUS_PORT serves how %s is, and no page: `pip install "hangbot[ops]"` adds it',
            whose,
            extra={"action": "status"},
        )
        async with open_health_port(host, port, row, clock=clock) as taken:
            yield _tell(whose, host, taken)
        return
    async with open_page() as taken:
        yield _tell(whose, host, taken, also=" and, as a page, /")


def _tell(whose: str, host: str, port: int, also: str = "") -> str:
    """Log where it is, and return that."""
    where = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    more = {"action": "status", "status_url": where}
    logger.info("how %s is: %s/healthz, /readyz, /livez%s", whose, where, also, extra=more)
    return where
