"""A room's outbox in a simulated cluster, in real time."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from hangbot.clock import SystemClock
from hangbot.delivery.outbox import Outbox
from hangbot.fleet.records import Record, decode
from hangbot.fleet.room_outbox import RoomPlace
from pytest_hangfm.simulation.streams import SimulatedCluster, SimulatedServers
from tests.bounds import WITHIN

__all__ = ["ROOM", "opened", "reached", "records_of", "until"]

ROOM = "lounge"


def reached(servers: SimulatedServers, seed: int = 2) -> SimulatedCluster:
    return SimulatedCluster(servers, SystemClock(), random.Random(seed))  # noqa: S311  no secret


@asynccontextmanager
async def opened(
    cluster: SimulatedCluster, *, fence: int | None = None, patience: float = WITHIN
) -> AsyncIterator[Outbox]:
    box = Outbox(RoomPlace(cluster, ROOM, writer="a test", fence=fence, patience=patience))
    try:
        await box.open()
        yield box
    finally:
        await box.close()


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN):
        while not true():  # noqa: ASYNC110  there is no event to wait for
            await asyncio.sleep(0.001)


def records_of(servers: SimulatedServers) -> list[Record]:
    entries = servers.records.read(ROOM, after=0, most=10_000, behind=0.0)
    return [decode(entry.data, ROOM) for entry in entries if entry.data]
