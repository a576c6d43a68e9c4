"""What a worker reads of the others."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence

from hangbot.fleet.assignment import Member, RoomFile
from hangbot.fleet.entries import Folder, WorkerEntry
from hangbot.fleet.membership import Membership
from hangbot.fleet.picture import read_picture
from hangbot.fleet.streams import Entry
from hangbot.fleet.view import FleetView
from pytest_hangfm.simulation.clock import SimulatedClock
from pytest_hangfm.simulation.loop import simulated
from pytest_hangfm.simulation.streams import SimulatedCluster, SimulatedServers, SimulatedStream

ALIKE = Folder({"key": RoomFile("red", "digest")})
OTHER = Folder({"key": RoomFile("red", "digest of another content")})


class Register(SimulatedStream):
    """A register that notes which folders are read."""

    def __init__(self) -> None:
        clock, rng = SimulatedClock(), random.Random(1)  # noqa: S311  the same draws each time
        servers = SimulatedServers(clock, rng)
        super().__init__(SimulatedCluster(servers, clock, rng), servers.register)
        self.folders: list[str] = []

    async def newest(self, subjects: Sequence[str]) -> list[Entry]:
        self.folders += [subject for subject in subjects if subject.startswith("folder.")]
        return await super().newest(subjects)


def entry(name: str) -> Callable[[str], WorkerEntry]:
    return lambda folder: WorkerEntry(f"run-of-{name}", "host", 1, "1", 1, 0.0, folder=folder)


async def join(register: Register, name: str, folder: Folder) -> str:
    membership = Membership(register, name, entry(name), SimulatedClock())
    digest = await membership.store_folder(folder)
    await membership.join()
    return digest


def play(main: Callable[[Register], Awaitable[None]]) -> None:
    async def whole() -> None:
        await main(Register())

    simulated(whole())


def test_of_workers_whose_folders_are_like_its_own_none_is_read() -> None:
    async def main(register: Register) -> None:
        view = FleetView(register, SimulatedClock())
        digests = [await join(register, name, ALIKE) for name in ("north", "south", "east")]
        view.keep(digests[0], ALIKE)
        register.folders.clear()

        await view.read("drain.north", [])
        plan = view.make_plan(Member("north", ALIKE.rooms))

        assert register.folders == []
        assert set(plan.owners) == {"key"}

    play(main)


def test_a_folder_that_is_unlike_is_read_once_and_refuses_the_room() -> None:
    async def main(register: Register) -> None:
        view = FleetView(register, SimulatedClock())
        view.keep(await join(register, "north", ALIKE), ALIKE)
        for name in ("south", "east"):
            await join(register, name, OTHER)
        register.folders.clear()

        for _ in range(2):
            await view.read("drain.north", [])
        plan = view.make_plan(Member("north", ALIKE.rooms))

        assert len(register.folders) == 1
        assert set(plan.refused) == {"key"}

    play(main)


def test_what_a_folder_said_before_it_changed_is_not_planned_with() -> None:
    async def main(register: Register) -> None:
        view = FleetView(register, SimulatedClock())
        view.keep(await join(register, "north", ALIKE), ALIKE)
        south = Membership(register, "south", entry("south"), SimulatedClock())
        await south.store_folder(OTHER)
        await south.join()
        await view.read("drain.north", [])
        before = view.make_plan(Member("north", ALIKE.rooms))

        await south.store_folder(ALIKE)
        await south.refresh()
        await view.read("drain.north", [])
        after = view.make_plan(Member("north", ALIKE.rooms))

        assert set(before.refused) == {"key"}
        assert set(after.owners) == {"key"}

    play(main)


def test_who_looks_on_reads_one_of_the_folders_that_are_alike() -> None:
    async def main(register: Register) -> None:
        for name in ("north", "south", "east"):
            await join(register, name, ALIKE)
        await asyncio.sleep(0)
        register.folders.clear()

        picture = await read_picture(register)

        assert len(register.folders) == 1
        assert [row.name for row in picture.rooms.values()] == ["red"]
        assert picture.refused == {}

    play(main)


def test_while_the_cluster_takes_no_stores_the_silence_of_others_says_nothing() -> None:
    async def main(register: Register) -> None:
        view = FleetView(register, SimulatedClock())
        north, south = (
            Membership(register, name, entry(name), SimulatedClock()) for name in ("north", "south")
        )
        for membership in (north, south):
            await membership.join()

        async def seen(seconds: float, *storing: Membership) -> set[str]:
            for _ in range(round(seconds * 4)):
                for membership in storing:
                    await membership.refresh()
                await view.read("drain.north", [])
                await asyncio.sleep(0.25)
            return set(view.workers())

        assert await seen(2.0, north, south) == {"north", "south"}
        assert await seen(6.0) == {"north", "south"}  # no leader; the entries have expired meanwhile
        assert await seen(1.5, north) == {"north", "south"}
        assert await seen(1.5, north) == {"north"}
        assert await seen(0.5, north, south) == {"north", "south"}

    play(main)
