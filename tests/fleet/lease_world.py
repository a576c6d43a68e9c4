"""Workers that pause at will, over a cluster that answers late or never: who acts on which room, and when."""

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from hangbot.clock import Boot
from hangbot.fleet.claim import Holder
from hangbot.fleet.leases import Leases
from hangbot.fleet.streams import Cluster, ClusterAway, Outdated
from hangbot.fleet.subjects import Kind
from pytest_hangfm.simulation.clock import SimulatedClock
from pytest_hangfm.simulation.loop import SimulatedLoop
from pytest_hangfm.simulation.process import Process
from pytest_hangfm.simulation.streams import CALM, SimulatedCluster, SimulatedServers, Weather

__all__ = ["Act", "LeaseWorld", "Seen", "play"]

TROUBLE: Final = 60.0
"""Seconds for which things go wrong."""
CALMED: Final = 30.0
"""Seconds for which nothing does, after that: what was asked late may still be done."""
TAKEN_WITHIN: Final = 6.0
"""Seconds without an owner after which a room has one again, when nothing goes wrong."""
CHECK_TO_ACT: Final = 0.8
"""Seconds for which a worker may stand still between looking whether it may act and acting."""
ROOMS: Final = ("red", "blue")


@dataclass(frozen=True, slots=True)
class Act:
    """Something that a worker did in a room.

    Attributes:
        at: When, by no worker's clock.
        worker: Which.
        room: Where.
        token: Of its ownership.
    """

    at: float
    worker: str
    room: str
    token: int


@dataclass(slots=True)
class Seen:
    """What a world came to.

    Attributes:
        acts: All that was done.
        wrong: What must never be.
        takeovers: How often a room changed its owner.
        lapses: How often an owner stopped by its own clock.
        fenced: How often an owner was stopped by its successor's fence.
        longest: For how many seconds a room was without an owner while nothing went wrong.
    """

    acts: list[Act] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    takeovers: int = 0
    lapses: int = 0
    fenced: int = 0
    longest: float = 0.0


class RatedClock(SimulatedClock):
    """A machine's clock that gains or loses."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self._own_rate = rate

    def now(self) -> float:
        return super().now() * self._own_rate

    def boot(self) -> Boot:
        return Boot("simulated", self.now())


class Worker:
    """One worker: takes the rooms that are free, acts in those that it owns, and records it there."""

    def __init__(
        self, name: str, cluster: Cluster, clock: SimulatedClock, rng: random.Random, seen: Seen
    ) -> None:
        self.name, self.cluster, self.clock, self.rng, self.seen = name, cluster, clock, rng, seen
        self.leases = self.make_leases()
        self.acting: dict[str, asyncio.Task[None]] = {}
        self.about_to = 0
        self.idle = asyncio.Event()
        """Set unless it is between looking whether it may act and acting."""
        self.idle.set()

    def make_leases(self) -> Leases:
        def lapsed(_: str) -> None:
            self.seen.lapses += 1

        holder = Holder(self.name, f"run-of-{self.name}", "host", 1)
        return Leases(
            self.cluster.register, holder, clock=self.clock, rng=self.rng, lapsed=lapsed, lost=self.lost
        )

    def lost(self, room: str) -> None:
        self.acting.pop(room).cancel()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.leases.run())
            while True:
                with suppress(ClusterAway):
                    await self.take_rooms(tasks)
                await self.clock.sleep(0.2 + self.rng.random() / 2)

    async def take_rooms(self, tasks: asyncio.TaskGroup) -> None:
        wanted = [room for room in ROOMS if room not in self.leases]
        found = await self.cluster.register.newest([Kind.LEASE.of(room) for room in wanted])
        newest = {entry.subject: entry for entry in found}
        for room in wanted:
            if await self.leases.take(room, newest.get(Kind.LEASE.of(room))):
                self.seen.takeovers += 1
                self.acting[room] = tasks.create_task(self.act(room, self.leases.token(room)))

    async def act(self, room: str, token: int) -> None:
        """Act now and then, each act between two records, until another one has recorded something."""
        try:
            last = await self.fence(room, token)
            while self.rng.random() > 0.02:
                if self.leases.may_act(room):
                    self.about_to += 1
                    self.idle.clear()
                    try:
                        await asyncio.sleep(self.rng.random() * CHECK_TO_ACT * (self.rng.random() < 0.4))
                    finally:
                        self.about_to -= 1
                        if not self.about_to:
                            self.idle.set()
                    self.seen.acts.append(Act(asyncio.get_running_loop().time(), self.name, room, token))
                if self.rng.random() < 0.3:
                    last = await self.record(room, token, last)
                await self.clock.sleep(0.1 + self.rng.random() / 5)
        except Outdated:
            self.seen.fenced += 1
        del self.acting[room]
        await self.leases.give_up(room)

    async def fence(self, room: str, token: int) -> int:
        """Read all records, and put the fence behind them."""
        last = 0
        while True:
            with suppress(ClusterAway):
                while records := await self.cluster.records.read(room, after=last):
                    last = records[-1].sequence
                with suppress(Outdated):  # more stands there than was read
                    return await self.store(room, f"fence {token}", last)
            await self.clock.sleep(0.2)

    async def record(self, room: str, token: int, last: int) -> int:
        return await self.store(room, f"done {token}", last)

    async def store(self, room: str, text: str, last: int) -> int:
        """Store until it is known to be stored."""
        key = f"{self.name}-{self.rng.getrandbits(64)}"
        while True:
            with suppress(ClusterAway):
                return await self.cluster.records.store(room, text.encode(), last=last, key=key)
            await self.clock.sleep(0.2)


class LeaseWorld:
    """Some workers, what goes wrong with them, and what is seen of it.

    Args:
        seed: Every die is thrown by it.
        workers: How many.
    """

    def __init__(self, seed: int, workers: int = 2) -> None:
        self.rng = random.Random(seed)  # noqa: S311  a seeded one makes the world repeatable
        self.count = workers
        self.seen = Seen()

    def make_worker(self, name: str, cluster: Cluster, clock: SimulatedClock) -> Worker:
        return Worker(name, cluster, clock, self.rng, self.seen)

    async def run(self) -> Seen:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SimulatedLoop)
        servers = SimulatedServers(SimulatedClock(), self.rng, skew=0.1)
        troubled: list[tuple[Process, SimulatedCluster, Worker]] = []
        tasks = []
        for n in range(self.count):
            clock = RatedClock(1 + (self.rng.random() - 0.5) / 50)
            cluster = SimulatedCluster(servers, SimulatedClock(), self.rng)
            process = loop.start_process(f"worker-{n}")
            worker = self.make_worker(process.name, cluster, clock)
            troubled.append((process, cluster, worker))
            tasks.append(process.run(worker.run()))
        tasks.append(asyncio.create_task(self.watch([worker for *_, worker in troubled])))
        async with asyncio.timeout(TROUBLE + CALMED):
            await asyncio.gather(*(self.trouble(loop, *each) for each in troubled))
            await asyncio.sleep(CALMED - 5)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.seen.wrong += [repr(failure) for failure in loop.failures]
        self.judge()
        return self.seen

    async def trouble(
        self, loop: SimulatedLoop, process: Process, cluster: SimulatedCluster, worker: Worker
    ) -> None:
        """Have things go wrong with one worker, then nothing more."""
        ends = loop.time() + TROUBLE
        while (left := ends - loop.time()) > 0:
            kind = self.rng.random()
            lasts = min(left, self.rng.random() * self.rng.choice([0.5, 3.0, 8.0]))
            if kind < 0.35:
                await worker.idle.wait()
                loop.pause(process, lasts)
            elif kind < 0.5:
                cluster.away = True
            elif kind < 0.9:
                draws = [self.rng.random() ** 2 for _ in range(5)]
                cluster.weather = Weather(
                    slow=draws[0] * 1.5,
                    lost=draws[1] / 2,
                    late=draws[2] / 2,
                    unanswered=draws[3] / 2,
                    stale=draws[4] * 6,
                )
            await asyncio.sleep(lasts)
            cluster.away, cluster.weather = False, CALM if self.rng.random() < 0.5 else cluster.weather
        cluster.weather = CALM

    async def watch(self, workers: Sequence[Worker]) -> None:
        """Look all the time that no room has two owners, and in calm that each has one soon."""
        loop = asyncio.get_running_loop()
        owned_at = dict.fromkeys(ROOMS, TROUBLE)
        while True:
            for room in ROOMS:
                owners = [worker.name for worker in workers if worker.leases.may_act(room)]
                if len(owners) > 1:
                    self.seen.wrong.append(f"{room} has two owners at {loop.time():.2f}: {owners}")
                if owners:
                    owned_at[room] = max(loop.time(), TROUBLE)
                self.seen.longest = max(self.seen.longest, loop.time() - owned_at[room])
            await asyncio.sleep(0.05)

    def judge(self) -> None:
        """Nothing older acts once something newer has acted; and a free room is taken soon."""
        newest = dict.fromkeys(ROOMS, 0)
        for act in self.seen.acts:
            if act.token < newest[act.room]:
                self.seen.wrong.append(f"{act} after one with {newest[act.room]}")
            newest[act.room] = max(newest[act.room], act.token)
        if self.seen.longest > TAKEN_WITHIN:
            self.seen.wrong.append(f"a room was without an owner for {self.seen.longest:.1f} s")


def play(world: LeaseWorld) -> Seen:
    """Play a world in virtual time."""
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        return runner.run(world.run())
