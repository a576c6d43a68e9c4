"""Workers share rooms: they spread, move and come back, and a room has one owner. In virtual time."""

import asyncio
import itertools
import random
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest

from hangbot.errors import OutboxUnusable
from hangbot.exit_codes import FAILED, PUT_OUT
from hangbot.fleet import wishes, worker
from hangbot.fleet.notices import PATIENCE
from hangbot.fleet.refusals import ClusterRefused, ClusterUnfit
from hangbot.fleet.room_life import KEPT, RoomEnd, RoomLife
from hangbot.fleet.streams import AnswerMissing, ClusterAway, ClusterFull
from hangbot.fleet.wishes import drain_worker, move_room
from pytest_hangfm.simulation.clock import SimulatedClock
from pytest_hangfm.simulation.loop import SimulatedLoop
from pytest_hangfm.simulation.streams import Weather
from tests.fleet.fleet_world import Files, FleetWorld, changed, config, go_wrong, start_again


def play(main: Callable[[FleetWorld], Coroutine[Any, Any, None]], seed: int = 1) -> None:
    """Play a world, in which nothing may go wrong unnoticed."""

    async def whole() -> None:
        world = FleetWorld(random.Random(seed))  # noqa: S311  the same draws each time
        await main(world)
        assert await world.end() == []
        assert world.doubled() == []
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SimulatedLoop)
        assert loop.failures == []

    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        runner.run(whole())


def rooms(count: int) -> list[Any]:
    return [config(n) for n in range(count)]


def longest_away(world: FleetWorld, since: float) -> float:
    """For how long a room was away at most: between a bot that left and the next that joined."""
    away = 0.0
    for room in {act.room for act in world.acts}:
        left: float | None = None
        for act in world.of(room, "joined", "left"):
            if act.at >= since and act.what == "joined" and left is not None:
                away = max(away, act.at - left)
            left = act.at if act.what == "left" else None
    return away


def test_rooms_spread_and_a_new_worker_takes_its_share() -> None:
    async def main(world: FleetWorld) -> None:
        world.start("north", Files(*rooms(30)))
        await asyncio.sleep(10)
        alone = world.load()
        world.start("south", Files(*rooms(30)))
        begun = asyncio.get_running_loop().time()
        await asyncio.sleep(20)

        assert alone == {"north": 30}
        both = world.load()
        assert sum(both.values()) == 30
        assert min(both.values()) >= 8
        assert longest_away(world, begun) < 2

    play(main)


def test_a_lost_workers_rooms_move_to_the_others() -> None:
    async def main(world: FleetWorld) -> None:
        for name in ("north", "south", "east"):
            world.start(name, Files(*rooms(30)))
        await asyncio.sleep(20)
        lost = {room for room, owner in world.owners().items() if owner == "north"}
        world.running["north"].process.crash()
        killed = asyncio.get_running_loop().time()
        await asyncio.sleep(5)

        assert lost
        assert set(world.owners().values()) == {"south", "east"}
        for room in lost:
            back = next(act.at for act in world.of(room, "acted") if act.at > killed + 1)
            assert back - killed < 5

    play(main)


def test_a_worker_takes_no_more_than_it_may_and_the_rest_waits_for_another() -> None:
    async def main(world: FleetWorld) -> None:
        world.start("north", Files(*rooms(10)), most=4)
        await asyncio.sleep(5)
        alone = world.load()
        waiting = [row.why for row in world.picture().rooms.values() if row.owner is None]
        world.start("south", Files(*rooms(10)), most=6)
        await asyncio.sleep(10)

        assert alone == {"north": 4}
        assert waiting == ["no worker has a place for it"] * 6
        assert world.load() == {"north": 4, "south": 6}

    play(main)


def test_a_worker_that_drains_gives_all_up_shortly_and_ends() -> None:
    async def main(world: FleetWorld) -> None:
        north = world.start("north", Files(*rooms(24)))
        world.start("south", Files(*rooms(24)))
        await asyncio.sleep(20)
        begun = asyncio.get_running_loop().time()
        north.worker.drain()
        await asyncio.wait_for(north.task, 30)
        await asyncio.sleep(3)

        assert world.load() == {"south": 24}
        assert longest_away(world, begun) < 2

    play(main)


def test_a_worker_whose_bots_never_began_gives_their_rooms_up_at_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")

    async def main(world: FleetWorld) -> None:
        world.unready = {each.name for each in rooms(61)}
        north = world.start("north", Files(*rooms(61)), most=60)
        await asyncio.sleep(12)
        north.worker.drain()

        await asyncio.wait_for(north.task, 5)

        assert "[ERROR] rooms are left: no worker has a place for" in caplog.text
        assert "is over" not in caplog.text
        assert len({act.room for act in world.acts}) < 40
        assert world.load() == {}

    play(main)


def test_a_worker_with_nothing_left_ends_at_once() -> None:
    async def main(world: FleetWorld) -> None:
        north = world.start("north", Files(*rooms(6)))
        world.start("south", Files(*rooms(6)))
        await asyncio.sleep(10)
        begun = asyncio.get_running_loop().time()
        north.worker.drain()
        await asyncio.wait_for(north.task, 30)

        assert asyncio.get_running_loop().time() - begun < 1  # it waits for no next owner

    play(main)


def test_an_operator_drains_a_worker_and_a_later_one_of_its_name_is_not_meant() -> None:
    async def main(world: FleetWorld) -> None:
        north = world.start("north", Files(*rooms(6)))
        await asyncio.sleep(5)
        operator = world.start("south", Files(*rooms(6)))
        await asyncio.sleep(10)
        has = world.load()["north"]
        register, clock = operator.cluster.register, SimulatedClock()
        had = await drain_worker(register, "north", within=30, clock=clock)
        await asyncio.wait_for(north.task, 5)
        await asyncio.sleep(2)
        drained = world.load()
        world.start("north", Files(*rooms(6)))
        await asyncio.sleep(15)

        assert had == has > 0
        assert drained == {"south": 6}
        assert world.load() == {"north": has, "south": 6 - has}
        assert north.process.steps < 20_000  # it waits while it drains

    play(main)


def test_a_room_is_moved_and_stays_there_and_is_away_shortly(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")

    async def main(world: FleetWorld) -> None:
        for name in ("north", "south"):
            world.start(name, Files(*rooms(6)))
        await asyncio.sleep(10)
        room, owner = next(iter(world.owners().items()))
        other = {"north": "south", "south": "north"}[owner]
        register, clock = world.running["north"].cluster.register, SimulatedClock()
        begun = asyncio.get_running_loop().time()
        moved = await move_room(register, room, other, within=20, clock=clock)
        await asyncio.sleep(20)

        assert moved.owner
        assert moved.owner.worker == other
        assert world.owners()[room] == other
        assert f"{room} is given up: worker {other} is to have it" in caplog.text
        assert longest_away(world, begun) < 2

    play(main)


def test_a_wish_lasts_for_as_long_as_its_worker_and_is_forgotten_some_time_after(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (worker, wishes):
        monkeypatch.setattr(module, "WISH_LASTS", 60)
    monkeypatch.setattr(worker, "KEPT_ANEW", 20)

    async def main(world: FleetWorld) -> None:
        for name in ("north", "south"):
            world.start(name, Files(*rooms(2)))
        await asyncio.sleep(5)
        room, owner = next(iter(world.owners().items()))
        (other,) = {"north", "south"} - {owner}
        clock, register = SimulatedClock(), world.running[owner].cluster.register
        await move_room(register, room, other, within=20, clock=clock)
        await asyncio.sleep(200)
        kept = world.owners()[room]
        world.running[other].process.crash()
        await asyncio.sleep(90)
        wished = await register.newest(["wish.*"])
        world.start(other, Files(*rooms(2)))
        await asyncio.sleep(10)

        assert kept == other
        assert all(entry.data is None for entry in wished)
        assert world.owners()[room] == owner

    play(main)


def test_a_worker_that_reaches_no_server_keeps_its_bots_for_a_while_and_goes_on_with_them() -> None:
    async def main(world: FleetWorld) -> None:
        north = world.start("north", Files(*rooms(4)))
        await asyncio.sleep(5)
        north.cluster.away = True
        away = asyncio.get_running_loop().time()
        await asyncio.sleep(KEPT - 2)
        red = world.conditions.all()
        acted_until = max(act.at for act in world.acts if act.what == "acted")
        north.cluster.away = False
        await asyncio.sleep(3)

        assert acted_until < away + 3
        assert [condition.part for condition in red] == ["lease"]
        assert "`hangbot fleet check`" in red[0].remedy
        assert world.conditions.all() == ()
        assert [act for act in world.acts if act.what == "left"] == []
        assert len([act for act in world.acts if act.what == "joined"]) == 4
        late = {act.room for act in world.acts if act.what == "acted" and act.at > away + KEPT}
        assert len(late) == 4

    play(main)


@pytest.mark.parametrize("kind", [ClusterAway, AnswerMissing, ClusterFull, ClusterRefused, ClusterUnfit])
@pytest.mark.parametrize("call", ["store", "newest"])
def test_whatever_the_cluster_refuses_a_worker_goes_on_and_says_so_once(
    kind: type[OutboxUnusable], call: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def refuse(*_: object, **__: object) -> int:
        await asyncio.sleep(0.01)
        raise kind("it is refused")

    async def main(world: FleetWorld) -> None:
        north = world.start("north", Files(*rooms(4)))
        await asyncio.sleep(5)
        with monkeypatch.context() as refused:
            refused.setattr(north.cluster.register, call, refuse)
            await asyncio.sleep(KEPT - 5)
        await asyncio.sleep(10)

        assert [act for act in world.acts if act.what == "left"] == []
        since = asyncio.get_running_loop().time() - 5
        assert len({act.room for act in world.acts if act.what == "acted" and act.at > since}) == 4

    play(main)

    said = [record for record in caplog.records if getattr(record, "action", "") == "cluster_refuses"]
    errors = [record.getMessage() for record in said if record.levelname == "ERROR"]
    if call == "store":
        words = "they do not answer" if kind in {ClusterAway, AnswerMissing} else "it is refused"
        assert len(errors) == 1
        assert f"the NATS servers store nothing of this worker: {words}" in errors[0]
    else:
        assert errors == []


@pytest.mark.parametrize("method", ["taken_again", "leave", "run"])
def test_a_fault_with_one_room_ends_its_bot_and_no_other(
    method: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    whole, rest = getattr(RoomLife, method), ["room-000"]

    async def faulty(life: RoomLife) -> object:
        if life.config.name in rest:
            rest.remove(life.config.name)
            raise RuntimeError("a fault of ours")
        return await whole(life)

    async def main(world: FleetWorld) -> None:
        north = world.start("north", Files(*rooms(4)))
        await asyncio.sleep(5)
        north.cluster.away = True
        await asyncio.sleep(5)
        north.cluster.away = False
        await asyncio.sleep(5)
        world.start("south", Files(*rooms(4)), most=1)
        await asyncio.sleep(5)
        north.files.put()
        await asyncio.sleep(15)

        assert rest == []
        assert world.load() == {"south": 1}

    monkeypatch.setattr(RoomLife, method, faulty)

    play(main)

    faults = [record for record in caplog.records if getattr(record, "action", "") == "room_failed"]
    assert [record.exc_info is not None for record in faults] == [True]
    caplog.clear()


@pytest.mark.parametrize(("silent", "joins"), [(10.0, True), (40.0, False)])
def test_a_worker_that_starts_while_nothing_is_stored_waits_for_a_while(
    silent: float, *, joins: bool
) -> None:
    async def main(world: FleetWorld) -> None:
        north = world.start("north", Files(*rooms(2)))
        north.cluster.away = True
        await asyncio.sleep(silent)
        north.cluster.away = False
        await asyncio.sleep(10)

        assert north.task.done() is not joins
        assert world.owners() == (dict.fromkeys(("room-000", "room-001"), "north") if joins else {})
        if not joins:
            assert isinstance(north.task.exception(), ClusterAway)
            del world.running["north"]  # it has ended, as it should

    play(main)


def test_a_worker_that_is_away_for_longer_ends_its_bots_and_starts_them_when_it_is_back() -> None:
    async def main(world: FleetWorld) -> None:
        north = world.start("north", Files(*rooms(4)))
        await asyncio.sleep(5)
        north.cluster.away = True
        await asyncio.sleep(KEPT + 5)
        left = len([act for act in world.acts if act.what == "left"])
        north.cluster.away = False
        await asyncio.sleep(5)

        assert left == 4
        assert world.load() == {"north": 4}
        assert len([act for act in world.acts if act.what == "joined"]) == 8

    play(main)


def test_a_worker_that_is_to_end_ends_soon_though_it_reaches_no_server() -> None:
    async def main(world: FleetWorld) -> None:
        north = world.start("north", Files(*rooms(30)))
        await asyncio.sleep(5)
        north.cluster.away = True
        await asyncio.sleep(4)
        begun = asyncio.get_running_loop().time()
        north.worker.drain()
        await asyncio.wait_for(north.task, 30)

        assert asyncio.get_running_loop().time() - begun < 5

    play(main)


def test_a_worker_that_is_cut_off_leaves_its_rooms_to_the_others_before_they_act() -> None:
    async def main(world: FleetWorld) -> None:
        north = world.start("north", Files(*rooms(8)))
        world.start("south", Files(*rooms(8)))
        await asyncio.sleep(20)
        mine = {room for room, owner in world.owners().items() if owner == "north"}
        north.cluster.away = True
        await asyncio.sleep(10)
        taken = world.load()
        north.cluster.away = False
        await asyncio.sleep(20)

        assert taken == {"south": 8}
        assert {room for room, owner in world.owners().items() if owner == "north"} == mine
        for room in mine:
            spans = [(act.worker, act.what) for act in world.of(room, "joined", "left")]
            assert ("north", "left") in spans

    play(main)


def test_a_bot_that_fails_is_started_again_and_waits_longer_each_time() -> None:
    async def main(world: FleetWorld) -> None:
        world.ends["room-000"] = [RoomEnd(FAILED, "it failed")] * 4
        world.start("north", Files(*rooms(1)))
        said = set()
        for _ in range(40):
            said |= {row.why for row in world.picture().rooms.values()}
            await asyncio.sleep(1)

        joined = [act.at for act in world.of("room-000", "joined")]
        waits = [later - earlier for earlier, later in itertools.pairwise(joined)]
        assert len(joined) == 5
        assert waits == sorted(waits)
        assert waits[-1] > 4
        assert "it failed" in said

    play(main)


def test_a_bot_that_was_put_out_is_not_run_again_until_an_operator_moves_it() -> None:
    async def main(world: FleetWorld) -> None:
        world.ends["room-000"] = [RoomEnd(PUT_OUT, "a moderator put the bot out of the room")]
        for name in ("north", "south"):
            world.start(name, Files(*rooms(2)))
        await asyncio.sleep(30)
        row = next(row for row in world.picture().rooms.values() if row.name == "room-000")
        times = len(world.of("room-000", "joined"))
        register, clock = world.running["north"].cluster.register, SimulatedClock()
        moved = await move_room(register, "room-000", "south", within=20, clock=clock)

        assert times == 1
        assert row.owner is None
        assert row.why == "a moderator put the bot out of the room"
        assert moved.ready
        assert world.owners()["room-001"]

    play(main)


def test_a_room_that_a_newer_version_wrote_goes_to_a_worker_that_reads_it() -> None:
    async def main(world: FleetWorld) -> None:
        world.ends["room-000"] = [RoomEnd(FAILED, "written by a newer hangbot", is_newer=True)]
        for name in ("north", "south"):
            world.start(name, Files(*rooms(1)))
        await asyncio.sleep(15)

        first, second = world.of("room-000", "joined")
        assert first.worker != second.worker
        assert world.owners()["room-000"] == second.worker

    play(main)


def test_a_file_that_differs_keeps_its_owner_and_is_taken_by_none_until_it_is_alike() -> None:
    async def main(world: FleetWorld) -> None:
        north, south = (world.start(name, Files(*rooms(4))) for name in ("north", "south"))
        await asyncio.sleep(15)
        before = world.owners()
        changed(north.files, 0, "new")
        await asyncio.sleep(10)
        between = world.owners(), len(world.of("room-000", "joined"))
        changed(south.files, 0, "new")
        await asyncio.sleep(10)

        assert between[0] == before
        assert world.owners() == before
        assert len(world.of("room-000", "joined")) == between[1] + 1  # with what its file says now

    play(main)


def test_a_room_that_one_worker_lacks_is_named_and_not_taken(caplog: pytest.LogCaptureFixture) -> None:
    async def main(world: FleetWorld) -> None:
        world.start("north", Files(*rooms(2)))
        world.start("south", Files(*rooms(1)))
        await asyncio.sleep(PATIENCE + 3)
        why = {row.name: row.why for row in world.picture().rooms.values()}

        if "room-001" not in world.owners():  # unless it was taken before the other one was there
            assert why["room-001"] == "room-001.env is in the folder of worker north and not in that of south"

    play(main)
    why = "room-001.env is in the folder of worker north and not in that of south"
    sentence = f"[ERROR] room-001 is not taken anew: {why}"
    assert caplog.text.count(sentence) in {1, 2}


def test_a_room_whose_file_is_taken_away_is_given_up_and_one_with_a_fault_is_kept() -> None:
    async def main(world: FleetWorld) -> None:
        north = world.start("north", Files(*rooms(2)))
        await asyncio.sleep(5)
        north.files.put(faulty={"room-000": "ROOM_UUID is missing"})
        await asyncio.sleep(10)

        assert world.owners() == {"room-000": "north"}
        assert world.picture().rooms["key-000"].why == "ROOM_UUID is missing"

    play(main)


def test_a_fault_in_a_file_that_was_renamed_before_does_not_end_its_room() -> None:
    async def main(world: FleetWorld) -> None:
        files = Files(*rooms(2))
        world.start("north", files)
        await asyncio.sleep(5)
        files.put(config(0), replace(config(1), name="renamed"))
        await asyncio.sleep(5)
        files.put(config(0), faulty={"renamed": "a line is wrong"})
        await asyncio.sleep(5)

        assert world.load() == {"north": 2}
        assert world.of("room-001", "left") == []

    play(main)


def test_a_folder_that_grows_too_large_to_be_shown_is_named_and_ends_no_worker(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main(world: FleetWorld) -> None:
        files = Files(*rooms(2))
        north = world.start("north", files)
        await asyncio.sleep(5)
        drawn = random.Random(3).randbytes  # noqa: S311  what no compression makes small
        files.put(*rooms(2), faulty={str(n): drawn(20_000).hex() for n in range(60)})
        await asyncio.sleep(20)

        assert not north.task.done()
        assert world.load() == {"north": 2}

    play(main)
    assert caplog.text.count("of 2 rooms is") == 1
    assert "Raise max_payload" in caplog.text


def test_a_second_worker_of_one_name_does_not_run() -> None:
    async def main(world: FleetWorld) -> None:
        first = world.start("north", Files(*rooms(2)))
        await asyncio.sleep(5)
        second = world.start("north", Files(*rooms(2)))
        await asyncio.wait([second.task], timeout=20)

        assert "a worker called north" in str(second.task.exception()) or "another worker" in str(
            second.task.exception()
        )
        assert not first.task.done()
        world.running = {"north": first}

    play(main)


def test_a_worker_that_was_killed_starts_again_at_once() -> None:
    async def main(world: FleetWorld) -> None:
        first = world.start("north", Files(*rooms(2)))
        await asyncio.sleep(5)
        first.process.crash()
        world.start("north", Files(*rooms(2)))
        await asyncio.sleep(8)

        assert world.load() == {"north": 2}

    play(main)


@pytest.mark.parametrize("seed", range(12))
def test_whatever_goes_wrong_no_room_has_two_owners_and_all_have_one_in_the_end(seed: int) -> None:
    async def main(world: FleetWorld) -> None:
        names = ["north", "south", "east"]
        for name in names:
            world.start(name, Files(*rooms(9)))
        for _ in range(25):
            await asyncio.sleep(world.rng.random() * 4)
            go_wrong(world, names, rooms(9))
        for name, one in list(world.running.items()):
            one.cluster.away, one.cluster.weather = False, Weather()
            start_again(world, name, rooms(9))
        await asyncio.sleep(KEPT + 40)

        assert sum(world.load().values()) == 9
        since = asyncio.get_running_loop().time() - 5
        assert len({act.room for act in world.acts if act.what == "acted" and act.at > since}) == 9

    play(main, seed)
