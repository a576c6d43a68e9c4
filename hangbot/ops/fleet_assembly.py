"""Joins the parts of the fleet page."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from hangbot.clock import Clock
from hangbot.ops.access import Access
from hangbot.ops.fleet_feed import FleetFeed
from hangbot.ops.fleet_metrics import FleetMetrics
from hangbot.ops.fleet_view import FleetShown
from hangbot.ops.metrics import Metrics
from hangbot.ops.page import page
from hangbot.ops.server import Server
from hangbot.ops.stream import Streams
from hangbot.status.pages import Pages
from hangbot.text import printable

__all__ = ["open_fleet_page"]


@asynccontextmanager
async def open_fleet_page(
    shown: FleetShown,
    row: Callable[[], Mapping[str, Any]],
    access: Access,
    port: int,
    *,
    hide: Callable[[str], str],
    clock: Clock,
) -> AsyncIterator[int]:
    """Serve the page while the block runs; yield the port.

    Args:
        shown: What it shows.
        row: Returns what ``/healthz`` says.
        access: Who may ask for what, and the address.
        port: The port; 0: a free one.
        hide: Masks secrets, the token among them.
        clock: Measures and waits.

    Raises:
        HangbotError: The port cannot be had.
    """
    streams = Streams(FleetFeed(shown, row, lambda text: printable(hide(text))), clock)
    more = FleetMetrics(shown).lines
    metrics = Metrics(shown.bots, clock=clock, version=shown.options.version, more=more)
    server = Server(access, page("fleet"), Pages(row), streams, metrics, hide=hide, clock=clock)
    async with server.listening(access.host, port) as taken:
        yield taken
