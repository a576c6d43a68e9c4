"""What idle rooms cost a fleet: leases of one worker over three real NATS servers that sync each write."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from statistics import median
from typing import Final

from bench.figures import Figure, figure, quantile, under
from bench.plan import Plan
from bench.usage import cpu_s, cpu_s_of
from hangbot.clock import SystemClock
from hangbot.config.cluster import parse_address
from hangbot.fleet.claim import Holder
from hangbot.fleet.lease import LASTS
from hangbot.fleet.leases import Leases
from hangbot.fleet.nats_cluster import open_cluster
from hangbot.fleet.servers import Servers, open_servers
from hangbot.fleet.streams import Stream
from hangbot.fleet.subjects import Kind
from hangbot.ids import SYSTEM_RNG

__all__ = ["STEPS"]

_ROOMS: Final = 200
_AT_ONCE: Final = 50
_SETTLED_S: Final = 3.0
_ROUND_S: Final = 5.0
_WRITERS: Final = 256
_OF_WORKER: Final = 3
_OF_SERVERS: Final = 5


_HOLDER: Final = Holder("worker-1", f"{1:016x}", "worker-1.bots.example", 4001)


def _key(number: int) -> str:
    """Return a room's key, as long as they are."""
    return f"00000000-0000-4000-8000-{number:012x}-00000000-0000-4000-9000-{number:012x}"


@asynccontextmanager
async def _opened() -> AsyncIterator[tuple[Servers, Stream]]:
    async with open_servers() as servers, open_cluster(parse_address(servers.address)) as cluster:
        yield servers, cluster.register


async def _taken(register: Stream, rooms: int) -> Leases:
    leases = Leases(register, _HOLDER, clock=SystemClock(), rng=SYSTEM_RNG)
    for begin in range(0, rooms, _AT_ONCE):
        few = range(begin, min(rooms, begin + _AT_ONCE))
        await asyncio.gather(*(leases.take(_key(number), None) for number in few))
    return leases


class _Used:
    """The processor time of this process and of the servers, and the time that passes."""

    def __init__(self, servers: Servers) -> None:
        self._pids = [pid for number in range(len(servers)) if (pid := servers.pid(number))]
        self._at = self._now()

    def since(self) -> tuple[float, float, float]:
        """Return the seconds since the last time: of ours, of all servers, of the clock."""
        before, self._at = self._at, self._now()
        own, theirs, passed = (later - earlier for later, earlier in zip(self._at, before, strict=True))
        return own, theirs, passed

    def _now(self) -> tuple[float, float, float]:
        return cpu_s(), sum(map(cpu_s_of, self._pids)), time.monotonic()


def _idle(plan: Plan) -> Iterator[Figure]:
    values = asyncio.run(_idle_rounds(_ROOMS, plan.rounds(9), plan.seconds(_ROUND_S)))
    empty = asyncio.run(_idle_rounds(0, plan.rounds(3), plan.seconds(_ROUND_S)))
    for number, (who, most) in enumerate((("the worker", _OF_WORKER), ("the three servers", _OF_SERVERS))):
        yield figure(
            f"{_ROOMS} idle rooms' leases: {who}, of a core",
            [each[number] for each in values],
            "%",
            goal=under(most),
            beside=f"least {min(each[number] for each in values):.1f}; without a room "
            f"{median(each[number] for each in empty):.1f}",
        )


async def _idle_rounds(rooms: int, rounds: int, seconds: float) -> list[tuple[float, float]]:
    """Return what the worker and the servers use in each round, as percents of a core."""
    async with _opened() as (servers, register):
        leases = await _taken(register, rooms)
        keeping = asyncio.create_task(leases.run(), name="leases")
        try:
            await asyncio.sleep(_SETTLED_S)
            used, values = _Used(servers), list[tuple[float, float]]()
            for _ in range(rounds):
                await asyncio.sleep(seconds)
                own, theirs, passed = used.since()
                values.append((100 * own / passed, 100 * theirs / passed))
        finally:
            keeping.cancel()
            await asyncio.wait([keeping])
        if (held := len([*leases])) != rooms:
            raise RuntimeError(f"{rooms - held} of {rooms} leases were lost: this machine is too busy")
    return values


def _most(plan: Plan) -> Iterator[Figure]:
    took, own, theirs, passed = asyncio.run(_stored(plan.seconds(_ROUND_S)))
    yield Figure(
        "renewals that one register takes, and this machine beside it",
        len(took) / passed,
        "/s",
        beside=f"{_WRITERS} at a time, p99 {1000 * quantile(took, 0.99):.0f} ms, on {os.cpu_count()} cores",
    )
    yield Figure("a renewal at the three servers", 1e6 * theirs / len(took), "µs", beside="at full load")
    yield Figure("a renewal at the worker", 1e6 * own / len(took), "µs", beside="at full load, store alone")


async def _stored(seconds: float) -> tuple[list[float], float, float, float]:
    """Store leases as fast as it goes; return how long each took, and what was used meanwhile."""
    took = list[float]()
    async with _opened() as (servers, register):
        leases = await _taken(register, _WRITERS)
        said = (await register.newest([Kind.LEASE.of(_key(1))]))[0].data or b""
        end = time.monotonic() + seconds + 1

        async def write(room: str) -> None:
            subject, last = Kind.LEASE.of(room), leases.token(room)
            while (asked := time.monotonic()) < end:
                last = await register.store(subject, said, last=last, seconds=LASTS)
                took.append(time.monotonic() - asked)

        async with asyncio.TaskGroup() as tasks:
            for room in leases:
                tasks.create_task(write(room))
            await asyncio.sleep(1)
            took.clear()
            used = _Used(servers)
            await asyncio.sleep(seconds)
            own, theirs, passed = used.since()
            seen = [*took]
    return seen, own, theirs, passed


STEPS: Final = (_idle, _most)
"""The measurements of this part, in the order of the table."""
