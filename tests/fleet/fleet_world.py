"""Whole workers in virtual time: what each bot does in which room, and what goes wrong around them."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from hangbot.config import Settings
from hangbot.errors import OutboxError
from hangbot.exit_codes import FAILED
from hangbot.fleet.assignment import RoomFile
from hangbot.fleet.claim import Holder
from hangbot.fleet.entries import Folder
from hangbot.fleet.folder import RoomConfig
from hangbot.fleet.picture import Picture, picture_of
from hangbot.fleet.room_life import OwnedRoom, RoomEnd
from hangbot.fleet.room_outbox import RoomPlace
from hangbot.fleet.worker import Worker, WorkerOptions
from hangbot.health import Conditions
from pytest_hangfm.simulation.clock import SimulatedClock
from pytest_hangfm.simulation.loop import SimulatedLoop
from pytest_hangfm.simulation.process import Process
from pytest_hangfm.simulation.streams import SimulatedCluster, SimulatedServers, Weather
from tests.config.test_settings import REQUIRED

__all__ = ["Act", "Files", "FleetWorld", "Running", "changed", "config", "go_wrong", "start_again"]

_SETTINGS: Final = Settings.from_env(REQUIRED)


def config(n: int, digest: str = "d") -> RoomConfig:
    return RoomConfig(f"key-{n:03}", f"room-{n:03}", _SETTINGS, digest)


class Files:
    """A folder without files."""

    def __init__(self, *configs: RoomConfig) -> None:
        self.rooms: dict[str, RoomConfig] = {}
        self.entry = Folder()
        self.put(*configs)

    def put(self, *configs: RoomConfig, faulty: Mapping[str, str] | None = None) -> None:
        self.rooms = {each.key: each for each in configs}
        rooms = {each.key: RoomFile(each.name, each.digest) for each in configs}
        self.entry = Folder(rooms, faulty or {})

    async def look(self) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Act:
    """Something that a bot did.

    Attributes:
        at: When, by no machine's clock.
        worker: Whose bot.
        room: Where.
        token: Of the ownership that the bot was started with.
        what: ``joined``, ``acted`` or ``left``.
    """

    at: float
    worker: str
    room: str
    token: int
    what: str


@dataclass(slots=True)
class Running:
    """A worker, and how it is reached.

    Attributes:
        worker: The worker.
        process: What it runs in.
        cluster: How it reaches the servers.
        files: Its folder.
        task: Done when it has ended.
    """

    worker: Worker
    process: Process
    cluster: SimulatedCluster
    files: Files
    task: asyncio.Task[None]


@dataclass(slots=True)
class FleetWorld:
    """Servers, workers, and what their bots do.

    Attributes:
        unready: Rooms whose bots never begin.
        ends: What the next bots of a room end with, by themselves and soon.
        acts: All that was done.
        conditions: Of all bots together.
    """

    rng: random.Random
    skew: float = 0.0
    servers: SimulatedServers = field(init=False)
    running: dict[str, Running] = field(default_factory=dict)
    unready: set[str] = field(default_factory=set)
    ends: dict[str, list[RoomEnd]] = field(default_factory=dict)
    acts: list[Act] = field(default_factory=list)
    conditions: Conditions = field(default_factory=Conditions)
    _runs: int = 0

    def __post_init__(self) -> None:
        self.servers = SimulatedServers(SimulatedClock(), self.rng, skew=self.skew)

    def start(self, name: str, files: Files, *, most: int | None = None) -> Running:
        """Start a worker."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SimulatedLoop)
        process = loop.start_process(name)
        cluster = SimulatedCluster(self.servers, SimulatedClock(), self.rng)
        self._runs += 1
        holder = Holder(name, f"run-{self._runs}", f"host-of-{name}", self._runs)
        worker = process.context().run(self._make, holder, cluster, files, most)
        task = process.run(worker.run())
        self.running[name] = made = Running(worker, process, cluster, files, task)
        return made

    def _make(self, holder: Holder, cluster: SimulatedCluster, files: Files, most: int | None) -> Worker:
        async def run_room(owned: OwnedRoom) -> RoomEnd:
            return await self._bot(holder.worker, owned)

        options = WorkerOptions(holder, "1", most)
        return Worker(options, cluster, files, run_room, clock=SimulatedClock(), rng=self.rng)

    async def _bot(self, worker: str, owned: OwnedRoom) -> RoomEnd:
        """Act now and then, until it is stopped."""
        loop, stop, room = asyncio.get_running_loop(), asyncio.Event(), owned.config.name
        place = RoomPlace(
            owned.cluster,
            owned.config.key,
            writer=worker,
            fence=owned.token,
            clock=SimulatedClock(),
            rng=self.rng,
        )

        def note(what: str) -> None:
            self.acts.append(Act(loop.time(), worker, room, owned.token, what))

        try:
            await place.open()
            owned.stop, owned.renew, owned.conditions = stop.set, place.renew, self.conditions
            note("joined")
            if room in self.unready:
                await stop.wait()
                return RoomEnd()
            try:
                return await self._act(owned, stop, note)
            finally:
                note("left")
        except OutboxError as exc:
            return RoomEnd(FAILED, str(exc))
        finally:
            await place.close()

    async def _act(self, owned: OwnedRoom, stop: asyncio.Event, note: Callable[[str], None]) -> RoomEnd:
        owned.ready.set()
        owned.say(ready=True, queued=0)
        if ends := self.ends.get(owned.config.name):
            await asyncio.sleep(0.2)
            return ends.pop(0)
        while not stop.is_set():
            if owned.permit.holds():
                note("acted")
            await asyncio.sleep(0.1 + self.rng.random() / 5)
        return RoomEnd()

    # -- what is seen

    def picture(self) -> Picture:
        self.servers.register.settle()
        return picture_of(self.servers.register.newest(["worker.*", "folder.*", "lease.*", "wish.*"]))

    def owners(self) -> dict[str, str]:
        """The owners' names by the rooms'."""
        return {row.name: row.owner.worker for row in self.picture().rooms.values() if row.owner}

    def load(self) -> Counter[str]:
        return Counter(self.owners().values())

    def of(self, room: str, *whats: str) -> list[Act]:
        return [act for act in self.acts if act.room == room and act.what in whats]

    def doubled(self) -> list[str]:
        """What was done by an older owner after a newer one had done something."""
        newest: dict[str, Act] = {}
        wrong = []
        for act in (act for act in self.acts if act.what == "acted"):
            before = newest.get(act.room)
            if before and act.worker != before.worker and act.token < before.token:
                wrong.append(f"{act} after {before}")
            else:
                newest[act.room] = act
        return wrong

    async def end(self) -> list[BaseException]:
        """End all workers that still run; return what others failed with."""
        for each in self.running.values():
            each.task.cancel()
        tasks = [each.task for each in self.running.values() if each.process.alive]
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        return [end for end in ended if isinstance(end, Exception)]


def changed(files: Files, n: int, digest: str) -> None:
    """Change what a room's file says."""
    rooms = {**files.rooms, config(n).key: replace(config(n), digest=digest)}
    files.put(*rooms.values())


def go_wrong(world: FleetWorld, names: Sequence[str], rooms: Sequence[RoomConfig]) -> None:
    """Have something go wrong with a worker, or be right again."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SimulatedLoop)
    one = world.running[world.rng.choice(names)]
    draw = [world.rng.random() ** 2 for _ in range(5)]
    match world.rng.randrange(6):
        case 0:
            loop.pause(one.process, draw[0] * 10)
        case 1:
            one.cluster.away = not one.cluster.away
        case 2:
            one.cluster.weather = Weather(draw[0], draw[1] / 3, draw[2] / 3, draw[3] / 3, draw[4] * 4)
        case 3:
            one.cluster.weather = Weather()
        case 4:
            one.process.crash()
        case _:
            start_again(world, one.process.name, rooms)


def start_again(world: FleetWorld, name: str, rooms: Sequence[RoomConfig]) -> None:
    """Start a worker where none of its name runs."""
    one = world.running[name]
    if not one.process.alive or one.task.done():
        world.start(name, Files(*rooms))
