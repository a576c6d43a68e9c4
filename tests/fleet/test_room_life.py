"""One room on a worker, where its bot takes its time; in virtual time over the model."""

import asyncio
import random

from hangbot.fleet.claim import Holder
from hangbot.fleet.leases import Leases
from hangbot.fleet.room_life import KEPT, OwnedRoom, RoomEnd, RoomLife
from pytest_hangfm.simulation.clock import SimulatedClock
from pytest_hangfm.simulation.loop import simulated
from pytest_hangfm.simulation.streams import SimulatedCluster, SimulatedServers
from tests.fleet.fleet_world import config

_CLOSES_WITHIN = 15.0


def test_a_bot_that_may_not_act_for_long_is_ended_once_and_may_take_its_time() -> None:
    async def main() -> None:
        clock, rng, said = SimulatedClock(), random.Random(3), list[str]()  # noqa: S311  the same draws each time
        cluster = SimulatedCluster(SimulatedServers(clock, rng), clock, rng)
        leases = Leases(
            cluster.register,
            Holder("north", "run", "host", 1),
            clock=clock,
            rng=rng,
            lapsed=lambda _: life.lapsed(),
        )

        async def run_room(owned: OwnedRoom) -> RoomEnd:
            owned.ready.set()
            try:
                await asyncio.Event().wait()
            finally:
                said.append("ends")
                await asyncio.sleep(_CLOSES_WITHIN)
                said.append("has ended")
            return RoomEnd()

        async def settle(_: RoomLife, __: RoomEnd) -> None:
            said.append("settled")

        life = RoomLife(
            config(1), cluster, leases, run_room, settle, starting=asyncio.Semaphore(), clock=clock, rng=rng
        )
        renewing = asyncio.create_task(leases.run())
        await leases.take(life.config.key, None)
        living = asyncio.create_task(life.run())
        await asyncio.sleep(1)

        cluster.away = True
        for _ in range(int(KEPT + _CLOSES_WITHIN + 10) * 4):
            life.observe()
            await asyncio.sleep(0.25)

        assert said == ["ends", "has ended"]
        assert living.done()
        renewing.cancel()
        await asyncio.wait([renewing])

    simulated(main())
