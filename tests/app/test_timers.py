"""What the clock calls: which timers are looked at, how many at once, and what the disk does not take."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import closing
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, Final

import pytest

from hangbot.app.context import Context
from hangbot.app.timers import Timers
from hangbot.bot.held_up import HeldUp
from hangbot.delivery import kept_sql, tables
from hangbot.delivery.store import Timer, TimerChange
from hangbot.errors import OutboxUnusable
from pytest_hangfm.simulation.clock import SimulatedClock
from pytest_hangfm.simulation.loop import simulated

CALL: Final = f'{{"handler": "{__name__}:ring", "args": []}}'
HOUR: Final = 3600.0


async def ring(ctx: Context) -> None: ...


class Table:
    """The timers of a room, in a database of their own.

    Attributes:
        read: How many of them were read.
    """

    def __init__(self, database: sqlite3.Connection, clock: SimulatedClock) -> None:
        self.read = 0
        self._database = database
        self._clock = clock

    async def timers_called(self, space: str, begins: str) -> list[Timer]:
        return kept_sql.timers_called(self._database, space, begins)

    async def timers_due(self, space: str, after: Timer | None, most: int) -> list[Timer]:
        found = kept_sql.timers_due(self._database, space, self._clock.wall(), after, most)
        self.read += len(found)
        return found

    def set(self, *timers: TimerChange) -> None:
        kept_sql.schedule(self._database, timers)


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        tables.prepare(database)
        yield database


class World:
    """Timers that run.

    Attributes:
        table: Where they are.
        timers: What runs them.
        called: When something was called, by the steady clock.
        at_once: How many calls ran beside each other at most.
        handle: What a call does; it is given what becomes of the timer.
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        self.clock = SimulatedClock()
        self.table = Table(database, self.clock)
        self.called = list[float]()
        self.at_once = self._now = 0
        self.handle: Callable[[Sequence[TimerChange]], Awaitable[None]] = self._ring
        self.held_up = HeldUp()
        bot: Any = SimpleNamespace(
            clock=self.clock,
            store=self.table,
            chat=SimpleNamespace(group_id="room"),
            held_up=self.held_up,
        )
        self.timers = Timers(bot, {"app"}, [], self._handle)

    def set(self, name: str, seconds: float) -> None:
        """Set a timer so many seconds ahead, as a handler does."""
        self.write([TimerChange("room", f"after/app/{name}", self.clock.wall() + seconds, CALL)])

    def write(self, changes: Sequence[TimerChange]) -> None:
        """Write what a handler leaves."""
        self.table.set(*changes)
        self.timers.changed(changes)

    async def _ring(self, leaves: Sequence[TimerChange]) -> None:
        await asyncio.sleep(1)
        self.write(leaves)

    async def _handle(self, _event: object, _call: object, leaves: Sequence[TimerChange]) -> None:
        self.called.append(self.clock.now())
        self._now += 1
        self.at_once = max(self.at_once, self._now)
        try:
            await self.handle(leaves)
        finally:
            self._now -= 1


def run(world: World, seconds: float, meanwhile: Callable[[], Awaitable[object]] | None = None) -> None:
    """Let timers run for a while in which something else happens, too."""

    async def main() -> None:
        async with asyncio.TaskGroup() as tasks:

            def begin(call: Callable[[], Awaitable[object]], _: str) -> None:
                begun.append(tasks.create_task(made(call)))

            begun = list[asyncio.Task[None]]()
            running = tasks.create_task(world.timers.run(begin))
            if meanwhile is not None:
                await meanwhile()
            await asyncio.sleep(seconds)
            running.cancel()

    async def made(call: Callable[[], Awaitable[object]]) -> None:
        await call()

    simulated(main())


def test_of_thousands_that_are_set_only_what_is_next_is_read(database: sqlite3.Connection) -> None:
    world = World(database)
    far = [TimerChange("room", f"after/app/far-{number}", 4e9 + number, CALL) for number in range(5_000)]
    world.table.set(*far)

    async def meanwhile() -> None:
        for number in range(10):
            world.set(f"near-{number}", 5)
            await asyncio.sleep(20)

    run(world, 60, meanwhile)

    assert len(world.called) == 10
    assert world.table.read < 100


def test_what_is_due_is_found_in_a_step_however_many_there_are(database: sqlite3.Connection) -> None:
    def steps() -> int:
        counted = 0

        def count() -> None:
            nonlocal counted
            counted += 1

        database.set_progress_handler(count, 1)
        found = kept_sql.timers_due(database, "room", 100.0, Timer("room", "after/app/a", 50.0, ""), 100)
        database.set_progress_handler(None, 1)
        return counted if [timer.due for timer in found] == [60.0, 101.0] else 0

    changes = [TimerChange("room", f"after/app/{due:g}", due, CALL) for due in (40.0, 60.0, 101.0)]
    kept_sql.schedule(database, changes)
    few = steps()

    for more in (7.0, 1e6):
        others = (TimerChange("room", f"after/app/{more}-{n}", more + n / 1e6, CALL) for n in range(2_000))
        kept_sql.schedule(database, list(others))

    assert 0 < steps() < 2 * few


def test_what_was_missed_is_called_once_some_at_a_time(database: sqlite3.Connection) -> None:
    world = World(database)
    world.table.set(*(TimerChange("room", f"after/app/{n}", float(n), CALL) for n in range(2_000)))

    run(world, 100)

    assert len(world.called) == 2_000
    assert world.at_once == 100
    assert world.table.read < 10 * 2_000


def test_what_is_of_others_is_passed_over_and_left(database: sqlite3.Connection) -> None:
    world = World(database)
    world.table.set(*(TimerChange("room", f"after/gone/{n}", float(n), CALL) for n in range(250)))
    world.table.set(TimerChange("room", "after/app/mine", 1e6, CALL))

    run(world, 60)

    assert len(world.called) == 1
    assert len(kept_sql.timers_called(database, "room", "after/")) == 250


@pytest.mark.parametrize(("times", "called"), [(1, 1), (2, 0)])
def test_one_that_held_up_the_process_twice_stays_due(
    times: int, called: int, database: sqlite3.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(database)
    world.table.set(*(TimerChange("room", f"after/app/{name}", 1.0, CALL) for name in ("slow", "other")))
    for _ in range(times):
        world.held_up.note("timer after/app/slow", 5.0)

    run(world, 60)

    assert len(world.called) == 1 + called
    assert len(kept_sql.timers_called(database, "room", "after/")) == 1 - called
    assert caplog.text.count("timer after/app/slow is passed over") == 1 - called
    world.held_up.note("timer after/app/slow", 5.0)
    assert world.held_up.passes_over("timer after/app/slow", "") is (
        not called
    )  # a call that is done is forgotten


def test_one_that_is_set_is_called_in_time_though_another_was_next(database: sqlite3.Connection) -> None:
    world = World(database)

    async def meanwhile() -> None:
        world.set("later", HOUR)
        await asyncio.sleep(10)
        world.set("sooner", 3)

    run(world, 20, meanwhile)

    assert [round(each) for each in world.called] == [13]


def test_one_that_sets_itself_anew_is_called_again_when_its_call_has_ended(
    database: sqlite3.Connection,
) -> None:
    world = World(database)
    world.table.set(TimerChange("room", "after/app/1", 0.0, CALL))

    async def set_anew(leaves: Sequence[TimerChange]) -> None:
        world.write(leaves)
        if len(world.called) < 3:
            world.set("1", 0)
        await asyncio.sleep(2)

    world.handle = set_anew
    run(world, 20)

    assert [round(each) for each in world.called] == [0, 2, 4]


def test_a_call_that_cannot_be_written_is_tried_again_less_and_less_often(
    database: sqlite3.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(database)
    world.table.set(TimerChange("room", "after/app/1", 0.0, CALL))

    async def full(_: object) -> None:
        raise OutboxUnusable("the disk is full")

    world.handle = full
    run(world, 300)

    waits = [round(after - before) for before, after in pairwise(world.called)]
    assert waits[:6] == [1, 2, 4, 8, 16, 30]
    assert len(world.called) < 20
    assert "timer after/app/1 is tried again in 1 s: the disk is full" in caplog.text
    caplog.clear()


def test_a_call_that_was_cancelled_is_made_again_less_and_less_often(database: sqlite3.Connection) -> None:
    world = World(database)
    world.table.set(TimerChange("room", "after/app/1", 0.0, CALL))

    async def too_long(_: object) -> None:
        raise asyncio.CancelledError

    world.handle = too_long
    run(world, 100)

    waits = [round(after - before) for before, after in pairwise(world.called)]
    assert waits[:6] == [1, 2, 4, 8, 16, 30]


def sync_by_now(ctx: Context) -> None: ...


@pytest.mark.parametrize(
    ("handler", "args", "says"),
    [
        ("removed", "[]", "removed, which is not there any more. Keep the function's old name."),
        ("HOUR", "[]", "HOUR with a context and 0 arguments, which cannot be done any more. Have the"),
        ("ring", "[1]", "ring with a context and 1 arguments, which cannot be done any more. Have the"),
        ("sync_by_now", "[]", "sync_by_now with a context and 0 arguments, which cannot be done any more"),
    ],
)
def test_a_timer_whose_function_is_another_one_by_now_is_kept_and_told_once(
    database: sqlite3.Connection, caplog: pytest.LogCaptureFixture, handler: str, args: str, says: str
) -> None:
    world = World(database)
    timer = TimerChange("room", "after/app/1", 5.0, f'{{"handler": "{__name__}:{handler}", "args": {args}}}')
    world.table.set(timer)

    run(world, 300)

    (record,) = caplog.records
    assert says in record.getMessage()
    assert not world.called
    assert [each.id for each in kept_sql.timers_due(database, "room", HOUR, None, 9)] == ["after/app/1"]
    caplog.clear()
