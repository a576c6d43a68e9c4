"""A fleet without bots under virtual time: the shipped workers over a model of the cluster.

Calm for a while, then a tenth of the workers is gone at once. Counted is what is asked of the cluster, and
how long each room is without an owner.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

from bench.fleet_traffic import CountedStream, Traffic, holder, in_all, room_key
from hangbot.config import Settings
from hangbot.fleet.assignment import RoomFile
from hangbot.fleet.entries import Folder
from hangbot.fleet.folder import RoomConfig
from hangbot.fleet.room_life import OwnedRoom, RoomEnd
from hangbot.fleet.worker import Worker, WorkerOptions
from pytest_hangfm.simulation.clock import SimulatedClock
from pytest_hangfm.simulation.loop import SimulatedLoop
from pytest_hangfm.simulation.streams import SimulatedCluster, SimulatedServers, Weather

__all__ = ["FleetRun", "simulate_fleet"]

_SETTLES_WITHIN: Final = 60.0
_CALM: Final = 5.0
"""Seconds over which a calm fleet is counted."""
_LOST: Final = 8
"""Seconds over which it is watched after a tenth is gone."""
_STILL: Final = 2.0
"""Seconds without a new owner after which a fleet has settled."""
_APART: Final = 0.6
"""Seconds by which the workers' turns lie apart."""
_WAY: Final = 0.005
"""Seconds at most for each way between a worker and the servers."""
_SEED: Final = 18


@dataclass(frozen=True, slots=True)
class FleetRun:
    """What was seen of a fleet. Traffic is that of a second.

    Attributes:
        rooms: How many.
        workers: How many at first.
        gone: How many of them were gone at once.
        settled_s: Seconds from the start until each room had an owner.
        calm: What was asked of the cluster while nothing happened.
        lost: The most that was asked in a second after they were gone.
        without_owner_s: For how long each room that lost its owner had none, the shortest first.
        moved: How many rooms changed their owner.
    """

    rooms: int
    workers: int
    gone: int
    settled_s: float
    calm: dict[str, Traffic]
    lost: Traffic
    without_owner_s: tuple[float, ...]
    moved: int


def simulate_fleet(rooms: int, workers: int) -> FleetRun:
    """Simulate a fleet; the same numbers come to the same each time."""
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        loop = cast("SimulatedLoop", runner.get_loop())
        return runner.run(_World(loop, rooms, workers).run())


class _Files:
    """The files of all rooms, as each worker has them: `hangbot.fleet.worker.RoomFiles`."""

    def __init__(self, rooms: int) -> None:
        settings = Settings.from_env({"ROOM_UUID": room_key(0)[:36], "BOT_USER_TOKEN": "t"})
        keys = [room_key(number) for number in range(rooms)]
        self.rooms = {
            key: RoomConfig(key, f"room-{number}", settings, f"{number:016x}")
            for number, key in enumerate(keys)
        }
        self.entry = Folder({key: RoomFile(room.name, room.digest) for key, room in self.rooms.items()})

    async def look(self) -> bool:
        """Find them as they were."""
        return False


class _World:
    def __init__(self, loop: SimulatedLoop, rooms: int, workers: int) -> None:
        self._loop = loop
        self._rooms, self._workers = rooms, workers
        self._files = _Files(rooms)
        self._counted: defaultdict[str, Traffic] = defaultdict(Traffic)
        self._owners: dict[str, int] = {}
        self._taken_at: dict[str, float] = {}

    async def run(self) -> FleetRun:
        """Have all workers join, watch them while nothing happens, and when a tenth is gone."""
        clock, rng = SimulatedClock(), random.Random(_SEED)  # noqa: S311  a simulation that can be repeated
        servers = SimulatedServers(clock, rng)
        processes = [self._loop.start_process(f"worker-{number}") for number in range(self._workers)]
        tasks = [
            process.run(self._worker(number, servers, clock, rng)) for number, process in enumerate(processes)
        ]
        await self._settle(clock, tasks)
        settled = max(self._taken_at.values())
        for process in processes:
            self._loop.pause(process, rng.random() * _APART)  # as if they had not begun at one moment
        await clock.sleep(_STILL)
        calm = await self._count(clock, _CALM)
        gone = processes[: max(1, self._workers // 10)]
        begun, before = clock.now(), dict(self._owners)
        for process in gone:
            process.crash()
        lost = [await self._count(clock, 1.0) for _ in range(_LOST)]
        orphans = [room for room, worker in before.items() if worker < len(gone)]
        if any(self._owners[room] < len(gone) for room in orphans):
            raise TimeoutError("rooms of workers that are gone have no owner yet")
        return FleetRun(
            self._rooms,
            self._workers,
            len(gone),
            settled,
            calm,
            max(map(in_all, lost), key=lambda each: each.messages),
            tuple(sorted(self._taken_at[room] - begun for room in orphans)),
            sum(self._owners[room] != worker for room, worker in before.items()),
        )

    async def _settle(self, clock: SimulatedClock, tasks: Sequence[asyncio.Task[None]]) -> None:
        """Wait until each room has an owner, and none has taken one for a while."""
        while len(self._owners) < self._rooms or self._is_moving():
            await clock.sleep(0.1)
            for ended in [task for task in tasks if task.done()]:
                ended.result()
            if clock.now() > _SETTLES_WITHIN:
                raise TimeoutError(f"{self._rooms - len(self._owners)} rooms have no owner")

    def _is_moving(self) -> bool:
        return bool(self._loop.time() - max(self._taken_at.values()) < _STILL)

    async def _count(self, clock: SimulatedClock, seconds: float) -> dict[str, Traffic]:
        self._counted.clear()
        await clock.sleep(seconds)
        return {part: traffic.times(1 / seconds) for part, traffic in self._counted.items()}

    async def _worker(
        self, number: int, servers: SimulatedServers, clock: SimulatedClock, rng: random.Random
    ) -> None:
        cluster = SimulatedCluster(servers, clock, rng, Weather(slow=_WAY))
        cluster.register = CountedStream(cluster.register, self._counted)

        async def run_room(owned: OwnedRoom) -> RoomEnd:
            stopped, room = asyncio.Event(), owned.config.key
            owned.stop = stopped.set
            self._owners[room], self._taken_at[room] = number, clock.now()
            owned.say(ready=True, queued=0, why="")
            owned.ready.set()
            await stopped.wait()
            return RoomEnd()

        options = WorkerOptions(holder(number), "1.0.0")
        await Worker(options, cluster, self._files, run_room, clock=clock, rng=rng).run()
