"""What goes wrong in a fleet of processes, drawn from a seed: workers, servers, and the ways between them."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

import httpx

from hangbot.fleet.servers import Servers
from tests.bounds import WITHIN
from tests.fleet.proofs.ownership import Ownership
from tests.fleet.proofs.workers import WorkerProcess
from tests.fleet.routes import Routes

__all__ = ["Disturbances", "Loss"]

_ALONE: Final = 1
"""Workers that are left alone at any time."""
_ALONE_OF_ALL: Final = 0.1
_ALONE_AT_LEAST: Final = 2
"""Of all disturbances, those at the beginning that hit a worker while nothing else is disturbed."""
_LEASE_AND_MORE: Final = 4.0
"""Seconds that these last longer: longer than a lease."""
_SERVERS_ABOVE: Final = 0.6
_WORKERS_BELOW: Final = 0.75
"""Of the numbers that draw what is hit: a worker below, a server above, both in between."""
_NO_MAJORITY: Final = 0.15
"""Of the disturbances of a server, those that may hit a second one while one is down."""
_TWO_LEADERS: Final = 15.0
"""Seconds in which the others have another leader, and the one that is cut from them may not know of it."""
_LONG: Final = 0.3
"""Of the disturbances of a server, those that may last for so long."""


@dataclass(slots=True)
class Loss:
    """A disturbance.

    Attributes:
        what: In words.
        at: When it began: seconds since the epoch.
        until: When it was over.
        owned: Who it was that owned which room, by the ids of the ownerships.
        server: Whether it hit a server.
    """

    what: str
    at: float
    until: float = float("inf")
    owned: dict[str, str] = field(default_factory=dict)
    server: bool = False


class Disturbances:
    """Makes them.

    Args:
        rng: Draws.
        workers: The workers.
        servers: The servers.
        routes: Their ways to each other.
        ownership: Knows who owns what.

    Attributes:
        losses: What was done.
    """

    def __init__(
        self,
        rng: Random,
        workers: Sequence[WorkerProcess],
        servers: Servers,
        routes: Routes,
        ownership: Ownership,
    ) -> None:
        self.losses: list[Loss] = []
        self._rng, self._workers, self._servers = rng, workers, servers
        self._routes, self._ownership = routes, ownership
        self._hit_workers: set[str] = set()
        self._hit_servers: set[int] = set()

    async def run(self, count: int) -> None:
        """Make so many, one every second or two, and return when the last is over.

        The first ones hit a worker each, and are waited for: to measure how soon a room has another owner.
        """
        alone = min(count, max(_ALONE_AT_LEAST, round(count * _ALONE_OF_ALL)))
        for _ in range(alone):
            await self._hit_worker(self._rng.choice(self._workers), longer=_LEASE_AND_MORE)
            await self._settle()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(count - alone):
                await asyncio.sleep(self._rng.uniform(0.8, 2.0))
                worker, server = self._draw()
                while worker is None and server is None:
                    await asyncio.sleep(0.1)
                    worker, server = self._draw()
                if worker is not None:
                    self._hit_workers.add(worker.name)
                    tasks.create_task(self._hit_worker(worker), name=f"disturbs {worker.name}")
                if server is not None:
                    if worker is not None or self._rng.random() < 0.5:
                        server = await self._leader(server)
                    self._hit_servers.add(server)
                    tasks.create_task(self._hit_server(server), name=f"disturbs n{server}")

    async def _settle(self) -> None:
        """Wait until every room has an owner whose bot is ready."""
        end = time.monotonic() + WITHIN
        while len(self._ownership.ready()) < len(self._ownership.rooms):
            if time.monotonic() > end:
                raise TimeoutError(f"not every room is ready after {self.losses[-1]}")
            await asyncio.sleep(0.1)

    def _draw(self) -> tuple[WorkerProcess | None, int | None]:
        """Draw a worker, a server, or both."""
        kind = self._rng.random()
        worker = server = None
        if kind < _WORKERS_BELOW:
            free = [each for each in self._workers if each.name not in self._hit_workers]
            if len(free) > _ALONE:
                worker = self._rng.choice(free)
        if kind > _SERVERS_ABOVE:
            free_servers = [number for number in range(len(self._servers)) if number not in self._hit_servers]
            most = len(self._servers) // 2 + (self._rng.random() < _NO_MAJORITY)
            if len(self._hit_servers) < most and free_servers:
                server = self._rng.choice(free_servers)
        return worker, server

    async def _leader(self, otherwise: int) -> int:
        """Return the server that leads the leases, if that is not hit yet."""
        for number, ports in enumerate(self._servers.ports):
            if number in self._hit_servers:
                continue
            try:
                async with httpx.AsyncClient(trust_env=False, timeout=0.5) as http:
                    found = await http.get(f"http://127.0.0.1:{ports.monitor}/jsz?streams=true")
            except httpx.HTTPError:
                continue
            for account in found.json().get("account_details") or ():
                for stream in account.get("stream_detail") or ():
                    leader = str((stream.get("cluster") or {}).get("leader", ""))[1:]
                    if stream["name"].startswith("KV_") and leader.isdecimal():
                        return int(leader) if int(leader) not in self._hit_servers else otherwise
        return otherwise

    # -- workers

    async def _hit_worker(self, worker: WorkerProcess, *, longer: float = 0.0) -> None:
        rng = self._rng
        deed, seconds = rng.choice(
            [
                (self._kill, rng.uniform(0.5, 4)),
                (self._pause, rng.uniform(0.5, 8)),
                (self._cut, rng.uniform(1, 8)),
            ]
        )
        words = {"_kill": "killed", "_pause": "paused", "_cut": "cut from the servers"}[deed.__name__]
        seconds += longer
        owned = {room: self._ownership.rooms[room][-1].id for room in self._ownership.of_worker(worker.name)}
        loss = Loss(f"{worker.name} is {words} for {seconds:.1f} s", time.time(), owned=owned)
        self.losses.append(loss)
        await deed(worker, seconds)
        loss.until = time.time()
        await asyncio.sleep(rng.uniform(0.5, 2))
        self._hit_workers.discard(worker.name)

    async def _kill(self, worker: WorkerProcess, seconds: float) -> None:
        await worker.kill()
        await asyncio.sleep(seconds)
        worker.start()

    async def _pause(self, worker: WorkerProcess, seconds: float) -> None:
        worker.pause()
        await asyncio.sleep(seconds)
        worker.resume()

    async def _cut(self, worker: WorkerProcess, seconds: float) -> None:
        resets = self._rng.random() < 0.5
        for way in worker.nats:
            way.cut()
        await asyncio.sleep(seconds)
        for way in worker.nats:
            await way.mend(resets=resets)

    # -- servers

    async def _hit_server(self, number: int) -> None:
        rng = self._rng
        deed: Callable[[int, float], Awaitable[None]]
        deed, words = rng.choice(
            [
                (self._kill_server, "killed"),
                (self._pause_server, "paused"),
                (self._cut_server, "cut from the workers"),
                (self._isolate_server, "cut from the other servers"),
                (self._part_servers, "cut from one of the other servers"),
                (self._cut_all, "cut from the workers and the other servers"),
            ]
        )
        longest = _TWO_LEADERS if rng.random() < _LONG else 6.0
        seconds = rng.uniform(0.5, longest if len(self._hit_servers) == 1 else 3.0)  # or no majority
        loss = Loss(f"n{number} is {words} for {seconds:.1f} s", time.time(), server=True)
        self.losses.append(loss)
        await deed(number, seconds)
        loss.until = time.time()
        await self._back(number)
        self._hit_servers.discard(number)

    async def _kill_server(self, number: int, seconds: float) -> None:
        await self._servers.kill(number)
        await asyncio.sleep(seconds)
        self._servers.start(number)

    async def _pause_server(self, number: int, seconds: float) -> None:
        await self._servers.pause(number)
        await asyncio.sleep(seconds)
        self._servers.resume(number)

    async def _cut_server(self, number: int, seconds: float) -> None:
        resets = self._rng.random() < 0.5
        ways = [worker.nats[number] for worker in self._workers]
        for way in ways:
            way.cut()
        await asyncio.sleep(seconds)
        for way in ways:
            await way.mend(resets=resets)

    async def _isolate_server(self, number: int, seconds: float, *others: int) -> None:
        resets = self._rng.random() < 0.5
        await self._routes.isolate(number, *others, resets=resets)
        await asyncio.sleep(seconds)
        await self._routes.mend(number, *others, resets=resets)

    async def _part_servers(self, number: int, seconds: float) -> None:
        other = self._rng.choice([each for each in range(len(self._servers)) if each != number])
        await self._isolate_server(number, seconds, other)

    async def _cut_all(self, number: int, seconds: float) -> None:
        await asyncio.gather(self._cut_server(number, seconds), self._isolate_server(number, seconds))

    async def _back(self, number: int) -> None:
        """Wait until a server is in the cluster again: its streams follow the others'."""
        port = self._servers.ports[number].monitor
        end, said = time.monotonic() + WITHIN, ""
        async with httpx.AsyncClient(trust_env=False, timeout=1.0) as http:
            while time.monotonic() < end:
                try:
                    found = await http.get(f"http://127.0.0.1:{port}/healthz")
                except httpx.HTTPError as exc:
                    said = repr(exc)
                else:
                    if found.is_success:
                        return
                    said = found.text
                await asyncio.sleep(0.1)
        raise TimeoutError(f"n{number} is not well again after {self.losses}: {said}")
