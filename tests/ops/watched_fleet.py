"""Workers of a fleet on a model of their cluster, one of them with its port open."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hangbot.clock import SystemClock
from hangbot.delivery.record import Queue
from hangbot.figures import Figures
from hangbot.fleet.claim import Holder
from hangbot.fleet.lookout import Lookout
from hangbot.fleet.room_life import OwnedRoom, RoomEnd
from hangbot.fleet.worker import Worker, WorkerOptions
from hangbot.health import Conditions, Health
from hangbot.ids import SYSTEM_RNG
from hangbot.ops.fleet import FleetShown, PortAddress, open_fleet_port
from hangbot.ops.source import Source
from pytest_hangfm.simulation.streams import SimulatedCluster, SimulatedServers
from tests.bounds import WITHIN
from tests.fleet.fleet_world import Files, config

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    import aiohttp

__all__ = ["WatchedFleet", "watched_fleet"]

OWN = "north"
LOOPBACK = PortAddress("127.0.0.1", 0)


@dataclass(frozen=True)
class FakeBot:
    """A bot that does nothing; how it fares is what a test says."""

    owned: OwnedRoom
    worker: str
    conditions: Conditions
    figures: Figures = field(default_factory=Figures)

    def is_ill(self, why: str, *, queued: int = 0) -> None:
        """Say that it is not ready."""
        self.conditions.red("chat token", why, "Renew it.")
        self.owned.say(ready=False, queued=queued, why=f"chat token: {why}")

    def source(self) -> Source:
        config = self.owned.config

        async def queue() -> Queue:
            return Queue(0, None)

        def health() -> Health:
            return Health.of(self.conditions, in_room=True, reads_chat=True)

        return Source(config.settings.room_uuid, 5.5, self.figures, health, queue, config.name, self.worker)


@dataclass(frozen=True)
class WatchedFleet:
    """The fleet.

    Attributes:
        url: Of the port of the worker ``north``.
        shown: What it shows.
        clusters: How each worker reaches the cluster.
        workers: All workers.
        files: The folder that they share.
        bots: Those that run, by the names of their rooms.
        tokens: Those that were read.
    """

    url: str
    shown: FleetShown
    clusters: dict[str, SimulatedCluster]
    workers: dict[str, Worker]
    files: Files
    bots: dict[str, FakeBot]
    tokens: list[str]

    def of(self, worker: str) -> list[FakeBot]:
        """Return the bots of a worker, by their rooms' names."""
        return [bot for _, bot in sorted(self.bots.items()) if bot.worker == worker]

    async def text(self, http: aiohttp.ClientSession, path: str) -> tuple[int, str]:
        """Ask for something."""
        async with http.get(path) as answer:
            return answer.status, await answer.text()

    async def until(self, so: Callable[[], Any]) -> None:
        """Wait for something that is to come about."""
        async with asyncio.timeout(WITHIN):
            while not so():  # noqa: ASYNC110  nothing tells
                await asyncio.sleep(0.02)


@asynccontextmanager
async def watched_fleet(
    folder: Path,
    *,
    names: Sequence[str] = (OWN, "south"),
    rooms: int = 4,
    address: PortAddress = LOOPBACK,
    hide: Callable[[str], str] = lambda text: text,
) -> AsyncIterator[WatchedFleet]:
    """Run workers until each room has an owner, and open the port of ``north``."""
    clock, rng = SystemClock(), random.Random(7)  # noqa: S311  the same draws each time
    servers = SimulatedServers(clock, rng)
    files = Files(*(config(n) for n in range(rooms)))
    running: dict[str, FakeBot] = {}
    shown_bots: list[Source] = []
    tokens: list[str] = []

    def make(options: WorkerOptions, cluster: SimulatedCluster) -> Worker:
        name = options.holder.worker

        async def run_room(owned: OwnedRoom) -> RoomEnd:
            stopped, conditions = asyncio.Event(), Conditions(clock.now)
            for part in ("room", "chat", "chat agreement"):
                conditions.good(part)
            bot = running[owned.config.name] = FakeBot(owned, name, conditions)
            source = bot.source()
            owned.stop, owned.conditions = stopped.set, conditions
            if name == OWN:
                shown_bots.append(source)
            owned.ready.set()
            owned.say(ready=True, queued=0)
            try:
                await stopped.wait()
            finally:
                if name == OWN:
                    shown_bots.remove(source)
            return RoomEnd()

        return Worker(options, cluster, files, run_room, clock=clock, rng=SYSTEM_RNG)

    clusters = {name: SimulatedCluster(servers, clock, rng) for name in names}
    options = {
        name: WorkerOptions(
            Holder(name, f"run-{number}", f"{name}.example", 4000 + number),
            "1.2",
            300 if name == OWN else None,
        )
        for number, name in enumerate(names)
    }
    workers = {name: make(options[name], clusters[name]) for name in names}
    lookout = Lookout(clusters[OWN].register, OWN, clock)
    shown = FleetShown(workers[OWN], options[OWN], files, clock.wall(), lookout, shown_bots)
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(
            open_fleet_port(address, shown, folder, hide=hide, on_token=tokens.append, clock=clock)
        )
        fleet = WatchedFleet(url or "", shown, clusters, workers, files, running, tokens)
        tasks = [asyncio.create_task(worker.run(), name="worker") for worker in workers.values()]
        try:
            await fleet.until(lambda: is_spread(fleet))
            yield fleet
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), WITHIN)


def is_spread(fleet: WatchedFleet) -> bool:
    """Whether each worker sees what it has, and each room is served by somebody."""
    rows = fleet.shown.lookout.picture.rooms.values()
    return len(rows) == len(fleet.files.rooms) and all(row.owner and row.ready for row in rows)
