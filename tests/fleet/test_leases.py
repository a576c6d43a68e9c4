"""A worker's leases: taken, stored again in time, given up, lost; each in virtual time over the model."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from hangbot.fleet.claim import Claim, Holder
from hangbot.fleet.leases import Leases
from hangbot.fleet.streams import Entry
from pytest_hangfm.simulation.clock import SimulatedClock
from pytest_hangfm.simulation.loop import simulated
from pytest_hangfm.simulation.streams import SimulatedCluster, SimulatedServers, Weather

ROOM = "red"


class World:
    """Servers, and what the workers' callbacks say."""

    def __init__(self) -> None:
        self.clock = SimulatedClock()
        self.rng = random.Random(3)  # noqa: S311  the same draws each time
        self.servers = SimulatedServers(self.clock, self.rng)
        self.said: list[str] = []

    @asynccontextmanager
    async def worker(self, name: str) -> AsyncIterator[tuple[Leases, SimulatedCluster]]:
        cluster = SimulatedCluster(self.servers, self.clock, self.rng)

        def say(what: str) -> Callable[[str], None]:
            return lambda room: self.said.append(f"{name} {what} {room}")

        leases = Leases(
            cluster.register,
            Holder(name, f"run-{name}", "host", 1),
            clock=self.clock,
            rng=self.rng,
            lapsed=say("lapsed"),
            resumed=say("resumed"),
            lost=say("lost"),
        )
        running = asyncio.create_task(leases.run())
        try:
            yield leases, cluster
        finally:
            running.cancel()
            await asyncio.wait([running])

    def newest(self) -> Entry | None:
        self.servers.register.settle()
        found = self.servers.register.newest([f"lease.{ROOM}"])
        return found[0] if found else None

    def claim(self) -> Claim | None:
        newest = self.newest()
        return Claim.from_bytes(newest.data) if newest and newest.data else None


def play(main: Callable[[World], Coroutine[Any, Any, None]]) -> None:
    async def begin() -> None:
        await main(World())

    simulated(begin())


def test_a_room_is_one_workers_for_as_long_as_it_lives() -> None:
    async def main(world: World) -> None:
        async with world.worker("north") as (north, _), world.worker("south") as (south, _):
            took = await north.take(ROOM, None)
            await asyncio.sleep(30)

            assert took
            assert not await south.take(ROOM, world.newest())
            assert not await south.take(ROOM, None)
            assert north.may_act(ROOM)
            assert ROOM in north
            assert not south.may_act(ROOM)
            claim = world.claim()
            assert claim
            assert claim.holder.worker == "north"
        assert world.said == []

    play(main)


def test_a_lost_workers_room_is_free_when_the_lease_has_ended() -> None:
    async def main(world: World) -> None:
        async with world.worker("south") as (south, _):
            async with world.worker("north") as (north, _):
                await north.take(ROOM, None)
                first = north.token(ROOM)
            await asyncio.sleep(2.9)
            early = await south.take(ROOM, world.newest())
            await asyncio.sleep(0.2)
            late = await south.take(ROOM, world.newest())

            assert (early, late) == (False, True)
            assert south.token(ROOM) > first

    play(main)


def test_a_room_that_is_given_up_may_be_taken_at_once() -> None:
    async def main(world: World) -> None:
        async with world.worker("north") as (north, _), world.worker("south") as (south, _):
            await north.take(ROOM, None)

            await north.give_up(ROOM)
            acts = north.may_act(ROOM)
            took = await south.take(ROOM, world.newest())
            await asyncio.sleep(5)

            assert not acts
            assert took
            assert south.may_act(ROOM)

    play(main)


def test_what_is_said_of_a_bot_stands_in_the_next_store() -> None:
    async def main(world: World) -> None:
        async with world.worker("north") as (north, _):
            await north.take(ROOM, None)

            north.say(ROOM, ready=True, queued=3)
            await asyncio.sleep(1.2)

            claim = world.claim()
            assert claim
            assert (claim.ready, claim.queued) == (True, 3)

    play(main)


def test_away_the_owner_stops_acting_in_time_and_goes_on_when_nobody_had_the_room() -> None:
    async def main(world: World) -> None:
        async with world.worker("north") as (north, cluster):
            await north.take(ROOM, None)
            cluster.away = True
            await asyncio.sleep(2.01)
            lapsed = north.may_act(ROOM)
            await asyncio.sleep(0.5)
            cluster.away = False
            await asyncio.sleep(0.5)

            assert not lapsed
            assert north.may_act(ROOM)
        assert world.said == ["north lapsed red", "north resumed red"]

    play(main)


def test_a_lease_that_ended_meanwhile_is_lost_and_may_be_taken_anew() -> None:
    async def main(world: World) -> None:
        async with world.worker("north") as (north, cluster):
            await north.take(ROOM, None)
            cluster.away = True
            await asyncio.sleep(10)
            cluster.away = False
            await asyncio.sleep(0.5)

            assert ROOM not in north
            assert await north.take(ROOM, world.newest())
        assert world.said == ["north lapsed red", "north lost red"]

    play(main)


def test_a_lease_that_another_one_has_is_lost() -> None:
    async def main(world: World) -> None:
        async with world.worker("north") as (north, cluster), world.worker("south") as (south, _):
            await north.take(ROOM, None)
            cluster.away = True
            await asyncio.sleep(4)
            await south.take(ROOM, world.newest())
            cluster.away = False
            await asyncio.sleep(1)

            assert ROOM not in north
            assert south.may_act(ROOM)
        assert world.said == ["north lapsed red", "north lost red"]

    play(main)


def test_a_lost_answer_costs_nothing_when_the_store_is_found() -> None:
    async def main(world: World) -> None:
        async with world.worker("north") as (north, cluster):
            await north.take(ROOM, None)
            first = north.token(ROOM)
            cluster.weather = Weather(unanswered=1)
            await asyncio.sleep(1.05)  # its next store is on its way
            cluster.weather = Weather()
            await asyncio.sleep(5)

            assert north.may_act(ROOM)
            assert north.token(ROOM) == first
        assert world.said == ["north lapsed red", "north resumed red"]

    play(main)


def test_a_room_that_is_being_given_up_cannot_be_had_again_before() -> None:
    async def main(world: World) -> None:
        async with world.worker("north") as (north, cluster):
            await north.take(ROOM, None)
            cluster.weather = Weather(unanswered=1)
            await asyncio.sleep(1.5)  # its next store has no answer yet
            cluster.weather = Weather()
            leaving = asyncio.create_task(north.give_up(ROOM))
            await asyncio.sleep(0.1)
            early = await north.take(ROOM, world.newest())
            await leaving
            late = await north.take(ROOM, world.newest())
            await asyncio.sleep(2)

            assert (early, late) == (False, True)
            assert north.may_act(ROOM)

    play(main)
