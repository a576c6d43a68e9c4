"""Who owned which room from when on, as the leases in the cluster have it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Final

from hangbot.clock import SystemClock
from hangbot.config.cluster import parse_address
from hangbot.fleet.claim import Claim
from hangbot.fleet.nats_cluster import open_cluster
from hangbot.fleet.picture import read_picture
from hangbot.fleet.streams import Cluster, ClusterAway, Entry
from hangbot.fleet.wishes import put

__all__ = ["Owned", "Ownership"]

_EVERY: Final = 0.15
_HALT: Final = 1.5
"""Seconds without a store that are more than the storing takes."""
_ANSWERS_WITHIN: Final = 0.5
"""Seconds until a server is asked again, which may have passed a question on to one that it is cut from."""


@dataclass(slots=True)
class Owned:
    """A time in which a worker owned a room.

    Attributes:
        worker: Which.
        id: Of the ownership.
        since: When the worker began to take the room: seconds since the epoch.
        seen: When that was seen first.
        renewed: When a store of its lease was seen last.
        ready: When its bot was seen ready first; ``None``: not yet.
        free: When it was seen given up, or ended; ``None``: not yet.
    """

    worker: str
    id: str
    since: float
    seen: float
    renewed: float
    ready: float | None = None
    free: float | None = None


class Ownership:
    """Watches the leases of a fleet, at each of the servers: one that is cut from the others has old ones.

    Attributes:
        rooms: The ownerships of each room, in their order.
        asked: When the cluster answered the last time: seconds since the epoch.
        gaps: From when to when it did not answer.
        stored: When it has stored something the last time.
        halts: From when to when it stored nothing: no server led.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.rooms: dict[str, list[Owned]] = {}
        self.asked = time.time()
        self.gaps: list[tuple[float, float]] = []
        self.stored = time.time()
        self.halts: list[tuple[float, float]] = []
        self._cluster = cluster
        self._newest: dict[str, int] = {}

    def owner(self, room: str) -> Owned | None:
        """Return who owns a room, or did last."""
        return self.rooms[room][-1] if self.rooms.get(room) else None

    def of_worker(self, worker: str) -> list[str]:
        """Return the rooms that a worker owns."""
        return [
            room for room, owned in self.rooms.items() if owned[-1].worker == worker and not owned[-1].free
        ]

    def ready(self) -> list[str]:
        """Return the rooms whose owner's bot is ready."""
        return [room for room, owned in self.rooms.items() if owned[-1].ready and not owned[-1].free]

    async def versions(self) -> dict[str, str]:
        """Return the version of each worker that lives; raises `ClusterAway`."""
        picture = await read_picture(self._cluster.register)
        return {name: entry.version for name, entry in picture.workers.items()}

    @classmethod
    @asynccontextmanager
    async def watching(cls, address: str) -> AsyncIterator["Ownership"]:
        """Watch within the block."""
        where = parse_address(address)
        async with AsyncExitStack() as stack:
            self = cls(await stack.enter_async_context(open_cluster(where)))
            clusters = [
                await stack.enter_async_context(
                    open_cluster(replace(where, servers=(server,)), within=_ANSWERS_WITHIN)
                )
                for server in where.servers
            ]
            tasks = [asyncio.create_task(self._watch(cluster), name="the leases") for cluster in clusters]
            tasks += [
                asyncio.create_task(self._store(cluster, f"proof.{number}"), name="stores")
                for number, cluster in enumerate(clusters)
            ]
            try:
                yield self
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _watch(self, cluster: Cluster) -> None:
        while True:
            with suppress(ClusterAway):
                for entry in await cluster.register.newest(["lease.*"]):
                    self._take(entry)
                now = time.time()
                if now - self.asked > 1.0:
                    self.gaps.append((self.asked, now))
                self.asked = now
            await asyncio.sleep(_EVERY)

    async def _store(self, cluster: Cluster, subject: str) -> None:
        """Find out whether anything is stored."""
        clock = SystemClock()
        while True:
            with suppress(ClusterAway):
                await put(cluster.register, subject, b"", clock)
                now = time.time()
                if now - self.stored > _HALT:
                    self.halts.append((self.stored, now))
                self.stored = now
            await asyncio.sleep(_EVERY)

    def _take(self, entry: Entry) -> None:
        if entry.sequence <= self._newest.get(entry.subject, 0):
            return
        self._newest[entry.subject] = entry.sequence
        room, now = entry.subject.removeprefix("lease."), time.time()
        claim = None if entry.data is None else Claim.from_bytes(entry.data)
        history = self.rooms.setdefault(room, [])
        if claim is None:
            if history and history[-1].free is None:
                history[-1].free = now
            return
        if not history or history[-1].id != claim.id:
            history.append(Owned(claim.holder.worker, claim.id, claim.since, now, now))
        owned = history[-1]
        owned.renewed = now
        if claim.ready and owned.ready is None:
            owned.ready = now
        owned.free = now if claim.free else None
