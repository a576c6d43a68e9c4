"""Whatever goes wrong with workers and cluster: what was accepted is in its room once, and in order."""

import asyncio
import random

import pytest

from hangbot.fleet.leases import Leases
from hangbot.fleet.room_life import KEPT
from hangbot.fleet.room_records import RoomRecords
from pytest_hangfm.simulation.loop import SimulatedLoop, simulated
from pytest_hangfm.simulation.streams import Weather
from tests.fleet.delivering_world import DeliveringWorld
from tests.fleet.fleet_world import Files, config, go_wrong, start_again

NAMES = ("north", "south", "east")
ROOMS = [config(n) for n in range(3)]
EACH = 20


def play(seed: int) -> DeliveringWorld:
    """Play a world with a minute of trouble."""

    async def main() -> DeliveringWorld:
        world = DeliveringWorld(random.Random(seed))  # noqa: S311  a seeded one makes the world repeatable
        for name in NAMES:
            world.start(name, Files(*ROOMS))
        accepting = [asyncio.ensure_future(world.accept(room.name, room.key, EACH)) for room in ROOMS]
        for _ in range(25):
            await asyncio.sleep(world.rng.random() * 4)
            go_wrong(world, NAMES, ROOMS)
        await asyncio.gather(*accepting)
        for name, one in list(world.running.items()):
            one.cluster.away, one.cluster.weather = False, Weather()
            start_again(world, name, ROOMS)
        await asyncio.sleep(KEPT + 120)
        ended = await world.end()
        assert not ended, ended
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SimulatedLoop)
        assert loop.failures == []
        return world

    return simulated(main())


@pytest.mark.parametrize("seed", range(6))
def test_what_was_accepted_is_in_its_room_once_and_in_order(
    seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    world = play(seed)

    assert {room: len(keys) for room, keys in world.accepted.items()} == {room.name: EACH for room in ROOMS}
    assert world.undelivered() == []
    assert len({act.worker for act in world.acts}) > 1
    assert "Put the file back" not in caplog.text  # a room that is lost is no file


def test_without_lease_and_fence_the_worlds_would_show_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Leases, "may_act", lambda _self, _room: True)
    monkeypatch.setattr(Leases, "token", lambda _self, _room: 1)
    monkeypatch.setattr(RoomRecords, "refuse_if_lost", lambda _self: None)

    found = next((seed for seed in range(40) if play(seed).undelivered()), None)

    assert found is not None
