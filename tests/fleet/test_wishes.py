"""What operators want of a fleet: what cannot be is refused in words, what takes longer is told."""

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from hangbot.errors import HangbotError
from hangbot.exit_codes import CANNOT_TELL, FAILED
from hangbot.fleet.assignment import RoomFile
from hangbot.fleet.claim import Claim, Holder
from hangbot.fleet.entries import DrainWish, Folder, RoomWish, WorkerEntry, digest_of
from hangbot.fleet.streams import ClusterAway, Entry
from hangbot.fleet.wishes import drain_worker, move_room, put
from pytest_hangfm.manual_clock import ManualClock
from pytest_hangfm.simulation.streams import SimulatedCluster, SimulatedServers, Weather

ROOM = {"key": RoomFile("red", "d")}


class Fleet:
    """Workers that only stand in the register."""

    def __init__(self) -> None:
        self.clock = ManualClock(auto=True)
        rng = random.Random(5)  # noqa: S311  the same draws each time
        self.cluster = SimulatedCluster(SimulatedServers(self.clock, rng), self.clock, rng)

    async def worker(
        self,
        name: str,
        folder: dict[str, RoomFile],
        seconds: int | None = None,
        **more: Any,  # noqa: ANN401  any field
    ) -> None:
        has = Folder(folder).to_bytes()
        entry = WorkerEntry(f"run-{name}", "host", 1, "1", 1, 0.0, folder=digest_of(has), **more)
        await put(self.cluster.register, f"worker.{name}", entry.to_bytes(), self.clock, seconds=seconds)
        await put(self.cluster.register, f"folder.{name}", has, self.clock)

    async def owns(self, name: str, *, ready: bool = True, seconds: int | None = None) -> None:
        claim = Claim("key", "red", Holder(name, f"run-{name}", "host", 1), "id", 1.0, ready=ready)
        await put(self.cluster.register, "lease.key", claim.to_bytes(), self.clock, seconds=seconds)

    async def standing(self, subject: str) -> bytes | None:
        found = await self.cluster.register.newest([subject])
        return found[0].data if found else None

    async def move(self, room: str, worker: str) -> str:
        row = await move_room(self.cluster.register, room, worker, within=5, clock=self.clock)
        return row.name


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


async def test_a_room_is_moved_by_its_name_or_its_file_or_its_key(fleet: Fleet) -> None:
    await fleet.worker("north", ROOM)
    await fleet.worker("south", ROOM)
    await fleet.owns("south")

    for room in ("red", "red.env", "rooms/red.env", "key"):
        assert await fleet.move(room, "south") == "red"
    assert await fleet.standing("wish.key") == RoomWish("south").to_bytes()


@pytest.mark.parametrize(
    ("room", "worker", "words"),
    [
        pytest.param("pink", "north", "the fleet has no room pink", id="no such room"),
        pytest.param("red", "west", "the fleet has no worker west", id="no such worker"),
        pytest.param("red", "leaving", "worker leaving cannot have the room red: it drains", id="it drains"),
        pytest.param("red", "old", "worker old cannot have the room red: too new for it", id="too new"),
    ],
)
async def test_what_cannot_be_is_refused_and_nothing_is_written(
    fleet: Fleet, room: str, worker: str, words: str
) -> None:
    await fleet.worker("north", ROOM)
    await fleet.worker("leaving", ROOM, draining=True)
    await fleet.worker("old", ROOM, refuses={"key": "too new for it"})

    with pytest.raises(HangbotError, match=words) as raised:
        await fleet.move(room, worker)

    assert raised.value.exit_code == FAILED
    assert await fleet.standing("wish.key") is None


async def test_a_room_whose_files_differ_is_not_moved(fleet: Fleet) -> None:
    await fleet.worker("north", ROOM)
    await fleet.worker("south", {"key": RoomFile("red", "another")})

    with pytest.raises(HangbotError, match=r"red\.env differs between"):
        await fleet.move("red", "north")


async def test_what_is_not_so_in_time_stays_wanted(fleet: Fleet) -> None:
    await fleet.worker("north", ROOM)
    await fleet.worker("south", ROOM)
    await fleet.owns("north")

    with pytest.raises(
        HangbotError, match="red is to move to worker south, and was not ready there in 5 s"
    ) as late:
        await fleet.move("red", "south")
    await fleet.owns("south", ready=False)
    with pytest.raises(HangbotError, match="was not ready there in 5 s"):
        await fleet.move("red", "south")
    await fleet.owns("north")
    with pytest.raises(HangbotError, match="worker north drains, and still had rooms after 5 s"):
        await drain_worker(fleet.cluster.register, "north", within=5, clock=fleet.clock)

    assert late.value.exit_code == CANNOT_TELL
    assert await fleet.standing("wish.key") == RoomWish("south").to_bytes()
    assert await fleet.standing("drain.north") == DrainWish("run-north").to_bytes()


async def test_who_is_overtaken_by_another_wish_is_told_at_once(fleet: Fleet) -> None:
    await fleet.worker("north", ROOM)
    await fleet.worker("south", ROOM)
    await fleet.owns("north")
    moving = asyncio.create_task(fleet.move("red", "south"))
    while await fleet.standing("wish.key") is None:
        await fleet.clock.sleep(0.01)

    await put(fleet.cluster.register, "wish.key", RoomWish("north").to_bytes(), fleet.clock)

    with pytest.raises(HangbotError, match="red was moved to worker north meanwhile"):
        await moving


async def test_what_was_wished_before_and_is_read_too_late_overtakes_nobody(fleet: Fleet) -> None:
    await fleet.worker("north", ROOM)
    await fleet.worker("south", ROOM)
    await put(fleet.cluster.register, "wish.key", RoomWish("north").to_bytes(), fleet.clock)
    await fleet.owns("south")
    await fleet.clock.sleep(5)
    fleet.cluster.weather = Weather(stale=2.0)

    assert await fleet.move("red", "south") == "red"


@pytest.mark.parametrize(
    ("owned", "words"),
    [
        pytest.param(True, "north is gone, and did not give its rooms up \\(1\\)", id="that had a room"),
        pytest.param(False, "north is gone, and did not give its rooms up \\(0\\)", id="that had none"),
    ],
)
async def test_a_worker_that_dies_has_not_drained(fleet: Fleet, *, owned: bool, words: str) -> None:
    await fleet.worker("north", ROOM, seconds=3)
    if owned:
        await fleet.owns("north", seconds=3)

    with pytest.raises(HangbotError, match=words):
        await drain_worker(fleet.cluster.register, "north", within=60, clock=fleet.clock)


async def test_a_room_that_is_moved_to_a_worker_that_dies_is_told_so(fleet: Fleet) -> None:
    await fleet.worker("north", ROOM)
    await fleet.worker("south", ROOM, seconds=3)
    await fleet.owns("north")

    with pytest.raises(HangbotError, match="and no such worker is there now"):
        await fleet.move("red", "south")


async def test_who_waits_goes_on_when_the_servers_are_back(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fleet.worker("north", ROOM)
    await fleet.worker("south", ROOM)
    await fleet.owns("south")

    def away_at_times(reads: int) -> None:
        if 3 < reads < 7:  # the picture was read, and where the wish is to be stored
            raise ClusterAway("they elect a leader")

    reads = counted(fleet, monkeypatch, away_at_times)

    assert await fleet.move("red", "south") == "red"
    assert len(reads) == 7


async def test_who_waits_asks_gently(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    await fleet.worker("north", ROOM)
    await fleet.owns("north")
    reads = counted(fleet, monkeypatch)
    with pytest.raises(HangbotError, match="still had rooms after 20 s"):
        await drain_worker(fleet.cluster.register, "north", within=20, clock=fleet.clock)

    assert len(reads) < 50
    assert not any("*" in subject for subjects in reads[2:] for subject in subjects)  # the picture, once


def counted(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, before: Callable[[int], None] = lambda _: None
) -> list[Sequence[str]]:
    """Return what the register is asked to read from now on; before each comes something else."""
    reads, newest = list[Sequence[str]](), fleet.cluster.register.newest

    async def count(subjects: Sequence[str]) -> list[Entry]:
        reads.append(subjects)
        before(len(reads))
        return await newest(subjects)

    monkeypatch.setattr(fleet.cluster.register, "newest", count)
    return reads


async def test_a_worker_has_drained_when_it_says_so_and_owns_nothing(fleet: Fleet) -> None:
    await fleet.worker("north", ROOM, draining=True)
    await fleet.owns("south")

    had = await drain_worker(fleet.cluster.register, "north", within=5, clock=fleet.clock)

    assert had == 0


async def test_a_wish_is_written_over_what_is_read_too_late(fleet: Fleet) -> None:
    await put(fleet.cluster.register, "wish.key", RoomWish("north").to_bytes(), fleet.clock)
    fleet.cluster.weather = Weather(stale=1.0)

    await put(fleet.cluster.register, "wish.key", RoomWish("south").to_bytes(), fleet.clock)

    fleet.cluster.weather = Weather()
    assert await fleet.standing("wish.key") == RoomWish("south").to_bytes()
