"""Opens what checks run against."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from hangbot.clock import Clock, SystemClock
from hangbot.config import Settings
from hangbot.hangfm.http import HttpClient
from hangbot.hangfm.network import NETWORK, Network
from hangbot.ids import SYSTEM_RNG, Rng
from hangbot.net import over_http

if TYPE_CHECKING:
    from hangbot.preflight import CheckContext, Service
from hangbot.factory.clients import open_clients
from hangbot.factory.outbox import open_outbox
from hangbot.factory.room import open_room

__all__ = ["open_subject"]

_CHECK_WAITS: Final = 5.0
"""Seconds for which a check waits for a file that another process has locked."""


@asynccontextmanager
async def open_subject(
    settings: Settings, *, clock: Clock | None = None, rng: Rng | None = None, network: Network = NETWORK
) -> AsyncIterator["CheckContext"]:
    """Open what checks run against."""
    from hangbot.preflight import CheckContext  # noqa: PLC0415  only what runs checks pays for it

    clock, room = clock or SystemClock(), over_http(settings.room_url)
    urls = {"gateway": settings.gateway_url, "chat": settings.chat_url, "room": room}

    @asynccontextmanager
    async def open_one(service: "Service") -> AsyncIterator[HttpClient]:
        async with network.open_transport(urls[service], clock=clock) as http:
            yield HttpClient(
                http,
                urls[service],
                service=service,
                clock=clock,
                timeout=settings.ack_timeout,
                journal=network.journal,
                permit=network.permit,
            )

    async with open_clients(settings, clock=clock, rng=rng, network=network) as clients:
        yield CheckContext(
            settings,
            clients.gateway,
            clients.chat,
            lambda *, on_frame=None: open_room(settings, clock=clock, on_frame=on_frame, network=network),
            lambda: open_outbox(settings, binds=False, patience=_CHECK_WAITS),
            open_one,
            clock,
            rng or SYSTEM_RNG,
        )
