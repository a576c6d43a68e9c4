"""Three NATS servers for the everyday tests of a fleet; each test has a fleet of its own on them."""

import itertools
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from hangbot.clock import Clock, SystemClock
from hangbot.config.cluster import parse_address
from hangbot.fleet.nats_cluster import open_cluster
from hangbot.fleet.servers import Servers
from hangbot.fleet.streams import Cluster
from pytest_hangfm.manual_clock import ManualClock
from pytest_hangfm.simulation.streams import SimulatedCluster, SimulatedServers
from tests.bounds import WITHIN
from tests.fleet.processes import nats_program, open_quick_servers

_NAMES = itertools.count(1)


@dataclass(frozen=True)
class Reached:
    """A cluster as two workers reach it, and the time there."""

    one: Cluster
    other: Cluster
    clock: Clock

    async def until(self, holds: Callable[[], Awaitable[bool]]) -> None:
        """Wait for something that is to come to hold."""
        end = self.clock.now() + WITHIN
        while not await holds():
            assert self.clock.now() < end, "it did not come"
            await self.clock.sleep(0.05)


@pytest.fixture(autouse=True)
def _no_fault_of_ours(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """A worker goes on where it meets a fault of our own; a test does not."""
    yield
    records = (record for when in ("setup", "call") for record in caplog.get_records(when))
    faults = [record for record in records if getattr(record, "action", "") in {"room_failed", "bot_failed"}]
    assert not faults, "a fault of ours was logged"


@pytest.fixture(scope="session")
def nats_server() -> str:
    """The program."""
    return nats_program()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def servers(nats_server: str) -> AsyncIterator[Servers]:
    """Three servers that no test stops."""
    assert nats_server
    async with open_quick_servers() as opened:
        yield opened


@pytest.fixture
def address(servers: Servers) -> str:
    """The address of a new fleet on them."""
    return f"{servers.address}/test-{next(_NAMES)}"


@pytest_asyncio.fixture
async def on_nats(address: str) -> AsyncIterator[Reached]:
    """The real cluster."""
    where = parse_address(address)
    async with open_cluster(where) as one, open_cluster(where) as other:
        yield Reached(one, other, SystemClock())


@pytest.fixture
def simulated() -> Reached:
    """The model of it."""
    clock, rng = ManualClock(auto=True), random.Random(7)  # noqa: S311  the same draws each time
    served = SimulatedServers(clock, rng)
    return Reached(SimulatedCluster(served, clock, rng), SimulatedCluster(served, clock, rng), clock)
