"""Leases that are kept on real servers, and what is waited for there."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

from hangbot.clock import SystemClock
from hangbot.fleet.claim import Claim, Holder
from hangbot.fleet.leases import Leases
from hangbot.fleet.streams import Cluster, Entry
from hangbot.fleet.subjects import Kind
from tests.bounds import WITHIN
from tests.fleet.storing import answered

__all__ = ["is_owned_by", "keeping", "newest", "taken_by", "until"]


async def until(holds: Callable[[], Awaitable[bool] | bool]) -> None:
    """Wait for something that is to come to hold."""
    async with asyncio.timeout(WITHIN):
        while True:
            found = holds()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.05)


@asynccontextmanager
async def keeping(name: str, cluster: Cluster) -> AsyncIterator[Leases]:
    """Keep leases."""
    rng = random.Random(name)  # noqa: S311  no secret
    leases = Leases(cluster.register, Holder(name, f"run-{name}", "host", 1), clock=SystemClock(), rng=rng)
    running = asyncio.create_task(leases.run())
    try:
        yield leases
        assert not running.done(), "whatever the servers do, leases are kept"
    finally:
        running.cancel()
        await asyncio.wait([running])


async def newest(cluster: Cluster, room: str) -> Entry | None:
    """Read a room's lease."""
    found = await answered(lambda: cluster.register.newest([Kind.LEASE.of(room)]))
    return found[0] if found else None


async def taken_by(leases: Leases, cluster: Cluster, room: str) -> None:
    """Have a worker take a room once it is free."""

    async def take() -> bool:
        return leases.may_act(room) or await leases.take(room, await newest(cluster, room))

    await until(partial(answered, take))


async def is_owned_by(cluster: Cluster, room: str, name: str) -> bool:
    """Whether that is what a room's lease says."""
    found = await newest(cluster, room)
    claim = Claim.from_bytes(found.data) if found and found.data else None
    return claim is not None and claim.holder.worker == name
