"""What a worker sees of its fleet, and counts of its leases; in virtual time over the model."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from hangbot.fleet.lookout import Lookout
from pytest_hangfm.simulation.clock import SimulatedClock
from pytest_hangfm.simulation.loop import simulated
from pytest_hangfm.simulation.streams import SimulatedCluster
from tests.fleet.fleet_world import Files, FleetWorld, config

ROOMS = 6


def play(main: Callable[[FleetWorld, Lookout, SimulatedCluster], Coroutine[Any, Any, None]]) -> None:
    """Play a fleet with somebody who looks on."""

    async def whole() -> None:
        world = FleetWorld(random.Random(5))  # noqa: S311  the same draws each time
        cluster = SimulatedCluster(world.servers, SimulatedClock(), world.rng)
        lookout = Lookout(cluster.register, "north", SimulatedClock())
        looking = asyncio.create_task(lookout.run())
        await main(world, lookout, cluster)
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        assert await world.end() == []

    simulated(whole())


def files(count: int = ROOMS) -> Files:
    return Files(*(config(n) for n in range(count)))


def test_a_room_that_nobody_takes_is_seen_so_for_as_long_as_that_lasts() -> None:
    async def main(world: FleetWorld, lookout: Lookout, _: SimulatedCluster) -> None:
        world.start("north", files(), most=ROOMS - 1)
        await asyncio.sleep(30)
        [left] = [key for key, row in lookout.picture.rooms.items() if row.owner is None]
        lasts, since = lookout.unowned_for(left), lookout.unowned_since(left)
        world.start("south", files())
        await asyncio.sleep(30)

        assert 20 < lasts <= 30
        assert since is not None
        assert {row.owner is None for row in lookout.picture.rooms.values()} == {False}
        assert (lookout.unowned_for(left), lookout.unowned_since(left)) == (0.0, None)

    play(main)


def test_of_a_fleet_of_thousands_all_of_it_is_read_less_often_than_the_cluster_is_asked() -> None:
    async def main(world: FleetWorld, lookout: Lookout, _: SimulatedCluster) -> None:
        world.start("north", files(2_500), most=3)
        await asyncio.sleep(30)
        seen, ages = {id(lookout.picture): lookout.picture}, []
        for _second in range(60):
            await asyncio.sleep(1)
            seen[id(lookout.picture)] = lookout.picture
            ages.append(lookout.age)

        assert len(lookout.picture.rooms) == 2_500
        assert 9 <= len(seen) <= 12
        assert max(ages) <= 2.0

    play(main)


def test_while_the_cluster_is_away_what_was_seen_stands_and_grows_old() -> None:
    async def main(world: FleetWorld, lookout: Lookout, cluster: SimulatedCluster) -> None:
        assert not lookout.has_looked
        world.start("north", files())
        await asyncio.sleep(10)
        seen, fresh = lookout.picture, lookout.age
        cluster.away = True
        await asyncio.sleep(30)
        old = lookout.age
        kept = lookout.picture.rooms == seen.rooms
        cluster.away = False
        await asyncio.sleep(3)

        assert fresh <= 2.0
        assert 28 <= old <= 32
        assert kept
        assert lookout.age <= 2.0

    play(main)


def test_leases_that_were_taken_and_lost_are_counted_and_how_long_a_room_took_to_be_served() -> None:
    async def main(world: FleetWorld, _: Lookout, __: SimulatedCluster) -> None:
        north = world.start("north", files())
        await asyncio.sleep(10)
        figures = north.worker.rooms.leases.figures
        taken, lost = dict(figures.taken.values()), dict(figures.lost.values())
        [(_labels, counts, total)] = [*figures.takeover.values()]
        north.cluster.away = True
        await asyncio.sleep(10)
        north.cluster.away = False
        await asyncio.sleep(10)
        [(_labels, later, _total)] = [*figures.takeover.values()]

        assert (taken, lost) == ({(): ROOMS}, {(): 0})
        assert sum(counts) == ROOMS
        assert 0 <= total < 10
        assert figures.lost.values() == {(): ROOMS}
        assert figures.taken.values() == {(): 2 * ROOMS}
        assert sum(later) == ROOMS, "its bots ran on: nothing was taken over"

    play(main)


@pytest.mark.parametrize("leaves", ["crashes", "drains"])
def test_a_worker_that_leaves_is_not_seen_any_more(leaves: str) -> None:
    async def main(world: FleetWorld, lookout: Lookout, _: SimulatedCluster) -> None:
        north = world.start("north", files())
        world.start("south", files())
        await asyncio.sleep(20)
        both = set(lookout.picture.workers)
        if leaves == "crashes":
            north.process.crash()
        else:
            north.worker.drain()
        await asyncio.sleep(20)

        assert both == {"north", "south"}
        assert set(lookout.picture.workers) == {"south"}
        assert {row.owner.worker for row in lookout.picture.rooms.values() if row.owner} == {"south"}

    play(main)
