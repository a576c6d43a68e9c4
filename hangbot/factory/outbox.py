"""Opens a bot's outbox: its file, or its room's records in a fleet's cluster."""

import math
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from hangbot.clock import Clock
from hangbot.config import Settings
from hangbot.delivery.outbox import Outbox, OutboxLimits
from hangbot.delivery.outbox_file import OutboxFile
from hangbot.delivery.owner import Owner
from hangbot.delivery.place import OutboxPlace
from hangbot.delivery.thread_writer import ThreadWriter
from hangbot.delivery.writer import MakeWriter
from hangbot.fleet.keys import room_key

if TYPE_CHECKING:
    from hangbot.fleet.room_outbox import RoomPlace
    from hangbot.fleet.streams import Cluster

__all__ = ["KEPT_IN_A_CLUSTER", "KEPT_IN_A_CLUSTER_FOR", "open_fleet", "open_outbox", "open_owned_outbox"]

KEPT_IN_A_CLUSTER: Final = 1000
"""Delivered messages that a room in a cluster keeps at most: a new owner reads them all before it acts."""
KEPT_IN_A_CLUSTER_FOR: Final = 86_400.0
"""Seconds for which it keeps them."""

Renew = Callable[[int], Awaitable[None]]


@asynccontextmanager
async def open_outbox(
    settings: Settings,
    *,
    check: bool = False,
    binds: bool = True,
    patience: float = math.inf,
    clock: Clock | None = None,
    make_writer: MakeWriter = ThreadWriter,
) -> AsyncIterator[Outbox]:
    """Open a bot's outbox.

    Args:
        settings: The configuration.
        check: Whether to look through all of it for damage first.
        binds: Whether a file without an owner becomes this bot's.
        patience: Seconds for which a file is waited for that another process has locked, or a cluster.
        clock: Dates what is quarantined.
        make_writer: Runs a file's statements; `hangbot.delivery.writer.InlineWriter` takes no thread.

    Raises:
        OutboxUnusable: The file, or the cluster, cannot be used.
        OutboxOfAnother: It is another bot's.
    """
    if settings.cluster is None:
        file = OutboxFile(settings.outbox, patience=patience, clock=clock, make_writer=make_writer)
        async with _opened(settings, file, check=check, binds=binds) as outbox:
            yield outbox
        return
    async with open_fleet(settings, clock=clock) as cluster:
        place = _room_place(settings, cluster, patience=patience, clock=clock)
        async with _opened(settings, place, check=check, binds=binds) as outbox:
            yield outbox


@asynccontextmanager
async def open_owned_outbox(
    settings: Settings, cluster: "Cluster", fence: int, *, clock: Clock | None = None
) -> AsyncIterator[tuple[Outbox, Renew]]:
    """Open the outbox of a room whose lease is held, with the lease's fence; raises as `open_outbox`.

    Beside it stands what has it go on under a later lease: see `RoomPlace.renew`.

    Raises:
        OutboxTaken: Another one holds a later lease.
    """
    place = _room_place(settings, cluster, fence=fence, clock=clock)
    async with _opened(settings, place) as outbox:
        yield outbox, place.renew


@asynccontextmanager
async def open_fleet(
    settings: Settings, *, clock: Clock | None = None, make: bool = True
) -> AsyncIterator["Cluster"]:
    """Open the cluster that HANGBOT_OUTBOX names.

    Args:
        settings: The configuration.
        clock: Waits.
        make: Whether to make what the fleet has there, where it is missing.

    Raises:
        NoFleet: It is missing, and not to be made.
        ClusterAway: No server answers, or no majority of them.
        OutboxUnusable: The servers cannot be a fleet's.
    """
    assert settings.cluster is not None, "HANGBOT_OUTBOX names a cluster"  # noqa: S101  the caller's
    from hangbot.fleet.nats_cluster import open_cluster  # noqa: PLC0415  only bots of a fleet pay for it

    remembered = 2 * settings.retry_total
    async with open_cluster(settings.cluster, remembered=remembered, clock=clock, make=make) as cluster:
        yield cluster


@asynccontextmanager
async def _opened(
    settings: Settings, place: OutboxPlace, *, check: bool = False, binds: bool = True
) -> AsyncIterator[Outbox]:
    keep_for, keep_most = settings.keep_delivered_for, settings.keep_delivered_most
    if settings.cluster:
        keep_for, keep_most = min(keep_for, KEPT_IN_A_CLUSTER_FOR), min(keep_most, KEPT_IN_A_CLUSTER)
    limits = OutboxLimits(settings.queue_limit, keep_for, keep_most, settings.catch_up)
    owner = Owner(settings.chat_uid, settings.room_uuid, frozenset({settings.chat_receiver}), binds)
    outbox = Outbox(place, limits, owner)
    try:
        await outbox.open(check=check)
        yield outbox
    finally:
        await outbox.close()


def _room_place(
    settings: Settings,
    cluster: "Cluster",
    *,
    fence: int | None = None,
    patience: float = math.inf,
    clock: Clock | None,
) -> "RoomPlace":
    from hangbot.fleet.room_outbox import RoomPlace  # noqa: PLC0415  only bots of a fleet pay for it

    here = f"process {os.getpid()} on {socket.gethostname()}"
    return RoomPlace(cluster, room_key(settings), writer=here, fence=fence, patience=patience, clock=clock)
