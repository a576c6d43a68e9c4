"""Joins the parts of the page."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from hangbot.clock import Clock
from hangbot.ops import view
from hangbot.ops.access import Access
from hangbot.ops.changes import Changes
from hangbot.ops.feed import Feed, Sources
from hangbot.ops.metrics import Metrics
from hangbot.ops.page import page
from hangbot.ops.server import Server
from hangbot.ops.source import Source
from hangbot.ops.stream import Streams
from hangbot.status.pages import Pages
from hangbot.text import printable

if TYPE_CHECKING:
    from hangbot.ops import Shown

__all__ = ["open_page"]


@asynccontextmanager
async def open_page(
    shown: "Shown", access: Access, port: int, *, hide: Callable[[str], str], clock: Clock
) -> AsyncIterator[int]:
    """Serve the page while the block runs; yield the port.

    Args:
        shown: What it shows.
        access: Who may ask for what, and the address.
        port: The port; 0: a free one.
        hide: Masks secrets, the token among them.
        clock: Measures and waits.

    Raises:
        HangbotError: The port cannot be had.
    """
    status = shown.status

    def row() -> Mapping[str, Any]:
        return view.health_row(status.row(), hide)

    sources = Sources(
        shown.bot,
        shown.outbox,
        shown.deliveries,
        shown.log,
        row,
        lambda: status.is_stopping,
        lambda text: printable(hide(text)),
        clock,
    )
    feed = Feed(sources)
    changes = Changes(shown.bot, shown.outbox, clock, feed.touch)
    streams, metrics = Streams(feed, clock), _metrics_of(shown, clock)
    server = Server(
        access, page("page"), Pages(row), streams, metrics, changes=changes, hide=hide, clock=clock
    )
    async with server.listening(access.host, port) as taken:
        yield taken


def _metrics_of(shown: "Shown", clock: Clock) -> Metrics:
    bot, row = shown.bot, shown.status.row()
    source = Source(row["room"], bot.started_at, bot.figures, bot.health, shown.outbox.queue, shown.name)
    return Metrics([source], clock=clock, version=row["version"])
