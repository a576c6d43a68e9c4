"""The simulated disk looks to an outbox as a real one, and a crash leaves what was committed, no more."""

import asyncio
import math
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Literal

import pytest

from hangbot import Settings, exclusive, open_outbox
from hangbot.delivery.outbox import Outbox
from hangbot.delivery.outbox_file import OutboxFile
from hangbot.errors import HangbotError, OutboxBusy, OutboxDiskFull, OutboxLocked, OutboxUnusable
from pytest_hangfm.simulation.clock import SimulatedClock
from pytest_hangfm.simulation.disk import DiskFault, SimulatedDisk
from pytest_hangfm.simulation.loop import SimulatedLoop
from pytest_hangfm.simulation.process import Process
from tests.cases import cases
from tests.delivery.builders import DELIVERED, message
from tests.simulation.worlds import run

FAULTS = ("full", "busy", "read_only")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.sqlite3"


def outbox_on(
    disk: SimulatedDisk, path: Path, process: Process | None = None, patience: float = math.inf
) -> Outbox:
    return Outbox(OutboxFile(path, patience=patience, make_writer=disk.writer_for(process)))


def begin(disk: SimulatedDisk, kind: str) -> DiskFault:
    fault: DiskFault = getattr(disk, kind)()
    return fault


def real_errors(folder: Path) -> Iterator[tuple[str, sqlite3.OperationalError]]:
    """Have SQLite itself meet each fault."""

    def failing(database: sqlite3.Connection, statement: str) -> sqlite3.OperationalError:
        with pytest.raises(sqlite3.OperationalError) as failed:
            database.execute(statement)
        return failed.value

    def opened() -> sqlite3.Connection:
        return sqlite3.connect(folder / "real.sqlite3", isolation_level=None, timeout=0.0)

    with closing(opened()) as database, closing(opened()) as rival:
        database.execute("CREATE TABLE line (text)")
        rival.execute("BEGIN IMMEDIATE")
        yield "busy", failing(database, "BEGIN IMMEDIATE")
        rival.execute("ROLLBACK")
        database.execute("PRAGMA max_page_count = 2")
        yield "full", failing(database, "CREATE TABLE other (text)")
        database.execute("PRAGMA query_only = ON")
        yield "read_only", failing(database, "CREATE TABLE other (text)")


def test_its_errors_are_those_of_sqlite(tmp_path: Path) -> None:
    def seen(error: sqlite3.OperationalError) -> tuple[object, ...]:
        return type(error), error.args, error.sqlite_errorcode, error.sqlite_errorname

    disk = SimulatedDisk(SimulatedClock())

    for kind, real in real_errors(tmp_path):
        fault = begin(disk, kind)
        with pytest.raises(sqlite3.OperationalError) as simulated:
            disk.check("busy", "full", "read_only")
        fault.remove()
        assert seen(simulated.value) == seen(real)


def test_a_write_takes_a_moment_and_no_thread(path: Path) -> None:
    async def main(loop: SimulatedLoop) -> tuple[float, list[str]]:
        box = outbox_on(SimulatedDisk(SimulatedClock()), path)
        await box.open()
        begun = loop.time()
        await box.put([message("a"), message("b")], 10.0)
        took = loop.time() - begun
        keys = [row.message.id for row in await box.rows()]
        await box.close()
        return took, keys

    threads = threading.active_count()
    (took, keys), loop = run(main)

    assert (round(took, 3), keys) == (0.001, ["a", "b"])
    assert threading.active_count() == threads
    assert loop.failures == []


@cases(
    "error says",
    ("full", OutboxDiskFull, "the disk of the outbox .* is full"),
    ("busy", OutboxLocked, "is locked by another program; nothing was written"),
    ("read_only", OutboxUnusable, "readonly database"),
)
def test_what_is_to_be_accepted_is_refused_and_works_again_after_that(
    request: pytest.FixtureRequest, path: Path, error: type[HangbotError], says: str
) -> None:
    async def main(_: SimulatedLoop) -> tuple[list[str], int]:
        disk = SimulatedDisk(SimulatedClock())
        box = outbox_on(disk, path, patience=20.0)
        await box.open()
        await box.put([message("before")], 1.0)
        fault = begin(disk, request.node.callspec.id)
        with pytest.raises(error, match=says):
            await box.put([message("meanwhile")], 2.0)
        seen = [row.message.id for row in await box.rows()]
        assert seen == ["before"]
        fault.remove()
        fault.remove()
        await box.put([message("after")], 3.0)
        keys = [row.message.id for row in await box.rows()]
        await box.close()
        return keys, fault.hits

    (keys, hits), _ = run(main)

    assert keys == ["before", "after"]
    assert hits > 0


@cases("says", ("full", "is full: nothing is accepted"), ("busy", "another program has the outbox"))
def test_an_end_waits_until_it_can_be_written_and_health_says_so_meanwhile(
    request: pytest.FixtureRequest, path: Path, says: str
) -> None:
    async def main(loop: SimulatedLoop) -> tuple[list[str], float, str]:
        disk = SimulatedDisk(SimulatedClock())
        box = outbox_on(disk, path)
        await box.open()
        await box.put([message()], 1.0)
        await box.claim("room")
        fault = begin(disk, request.node.callspec.id)
        loop.call_later(600.0, fault.remove)
        settling = asyncio.ensure_future(box.settle("m", DELIVERED, [], 20.0))
        await asyncio.sleep(30.0)
        red = [condition.sentence for condition in box.place.conditions.all()]
        await settling
        settled = loop.time()
        assert box.place.conditions.all() == ()
        state = (await box.get("m")).state
        await box.close()
        return red, settled, state

    (red, settled, state), loop = run(main)

    assert len(red) == 1
    assert says in red[0]
    assert (600.0 <= settled < 602.0, state) == (True, "delivered")
    assert loop.failures == []


def test_a_slow_disk_is_waited_for(path: Path) -> None:
    async def main(loop: SimulatedLoop) -> tuple[list[float], int]:
        disk = SimulatedDisk(SimulatedClock())
        box = outbox_on(disk, path)
        await box.open()
        fault = disk.slow(3.0)
        times = [loop.time()]
        await box.put([message("a")], 1.0)
        times.append(loop.time())
        fault.remove()
        await box.put([message("b")], 1.0)
        times.append(loop.time())
        await box.close()
        return [round(at) for at in times], fault.hits

    (times, hits), _ = run(main)

    assert (times, hits) == ([0, 3, 3], 1)


def test_a_commit_is_noticed_by_those_who_look_from_outside(path: Path) -> None:
    async def main(loop: SimulatedLoop) -> list[float]:
        disk, seen = SimulatedDisk(SimulatedClock()), list[float]()
        bot, command = outbox_on(disk, path), outbox_on(disk, path)
        await bot.open()
        await command.open()
        await asyncio.sleep(1.0)
        with bot.place.noticing(lambda: seen.append(round(loop.time(), 1))):
            await command.put([message("a")], 1.0)
            await command.put([message("b")], 1.0)
            await asyncio.sleep(10.0)
        await command.put([message("c")], 1.0)
        await command.close()
        await bot.close()
        return seen

    seen, _ = run(main)

    assert seen == [1.1]


# -- a crash


@cases(
    "n when kept resolved",
    ("before the first", 1, "before", [], []),
    ("after the first", 1, "after", ["m0"], []),
    ("before the third", 3, "before", ["m0", "m1"], ["m0", "m1"]),
    ("after the third", 3, "after", ["m0", "m1", "m2"], ["m0", "m1"]),
)
def test_a_crash_leaves_what_was_committed(
    path: Path, n: int, when: Literal["before", "after"], kept: list[str], resolved: list[str]
) -> None:
    accepted: list[str] = []

    async def main(loop: SimulatedLoop) -> list[str]:
        disk = SimulatedDisk(SimulatedClock())
        process = loop.start_process("bot")

        async def work() -> None:
            box = outbox_on(disk, path, process)
            await box.open()
            process.crash_at_commit(n, when)
            try:
                for number in range(5):
                    await box.put([message(f"m{number}")], 1.0)
                    accepted.append(f"m{number}")
            finally:
                await box.close()

        process.run(work())
        await process.crashed
        again = outbox_on(disk, path, loop.start_process("bot, again"))
        await again.open(check=True)
        keys = [row.message.id for row in await again.rows()]
        await again.put([message("more")], 2.0)
        await again.close()
        return keys

    keys, loop = run(main)

    assert (keys, accepted) == (kept, resolved)
    assert loop.failures == []


def test_the_right_to_deliver_goes_with_a_process_if_the_system_takes_it_back(path: Path) -> None:
    settings = Settings.from_env(
        {
            "HANGBOT_OUTBOX": str(path),
            "ROOM_UUID": "room",
            "BOT_USER_TOKEN": "token",
            "TTFM_API_TOKEN": "token",
            "CHAT_USER_ID": "bot",
        }
    )

    async def main(loop: SimulatedLoop) -> bool:
        disk, clock = SimulatedDisk(SimulatedClock()), SimulatedClock()
        process = loop.start_process("bot")
        held = exclusive(settings.outbox)
        held.__enter__()
        process.at_crash(lambda: held.__exit__(None, None, None))

        async def work() -> None:
            async with open_outbox(settings, clock=clock, make_writer=disk.writer_for(process)):
                await asyncio.sleep(math.inf)

        process.run(work())
        await asyncio.sleep(1.0)
        with pytest.raises(OutboxBusy), exclusive(settings.outbox):
            raise AssertionError
        process.crash()
        with exclusive(settings.outbox):
            return True

    held_again, loop = run(main)

    assert held_again
    assert loop.failures == []


def test_a_crash_in_the_middle_of_a_fault_leaves_an_outbox_that_opens(path: Path) -> None:
    async def main(loop: SimulatedLoop) -> list[list[str]]:
        disk, kept = SimulatedDisk(SimulatedClock()), list[list[str]]()
        for kind in FAULTS:
            process = loop.start_process(kind)
            box = outbox_on(disk, path, process)

            async def work(box: Outbox = box, kind: str = kind) -> None:
                await box.open()
                await box.put([message(kind)], 1.0)
                await asyncio.sleep(2.0)
                await box.put([message(f"{kind}, meanwhile")], 1.0)

            process.run(work())
            await asyncio.sleep(1.0)
            fault = begin(disk, kind)
            await asyncio.sleep(10.0)
            process.crash()
            fault.remove()
            again = outbox_on(disk, path)
            await again.open(check=True)
            kept.append([row.message.id for row in await again.rows()])
            await again.close()
        return kept

    kept, _ = run(main)

    assert kept == [["full"], ["full", "busy"], ["full", "busy", "read_only"]]


# -- the clock


def test_the_wall_clock_jumps_and_drifts_and_nothing_else_notices() -> None:
    async def main(_: SimulatedLoop) -> list[tuple[float, ...]]:
        clock, seen = SimulatedClock(), list[tuple[float, ...]]()
        begun = clock.now(), clock.wall()

        def look() -> None:
            boot = clock.boot()
            seen.append(
                (round(clock.now() - begun[0]), round(clock.wall() - begun[1], 2), round(boot.at), len(boots))
            )
            boots.add(boot.id)

        boots = {clock.boot().id}
        deeds: list[Callable[[], None]] = [
            lambda: clock.jump(3600.0),
            lambda: clock.jump(-7200.0),
            lambda: clock.drift(0.5),
            lambda: clock.drift(0.0),
            clock.reboot,
        ]
        for deed in deeds:
            deed()
            look()
            await clock.sleep(10.0)
        look()
        with pytest.raises(TimeoutError):
            await clock.wait_for(asyncio.get_running_loop().create_future(), 10.0)
        return seen

    seen, _ = run(main)

    assert seen == [
        (0, 3600.0, 0, 1),
        (10, -3590.0, 10, 1),
        (20, -3580.0, 20, 1),
        (30, -3565.0, 30, 1),
        (40, -3555.0, 0, 1),
        (50, -3545.0, 10, 2),
    ]
