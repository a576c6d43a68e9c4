import asyncio
from collections.abc import Awaitable

import pytest

from hangbot.clock import Clock
from pytest_hangfm.manual_clock import ManualClock
from tests.cases import cases


async def note(clock: Clock, seconds: float, diary: list[tuple[str, float]], name: str) -> None:
    await clock.sleep(seconds)
    diary.append((name, clock.now()))


async def never() -> None:
    await asyncio.Event().wait()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


async def test_it_stands_still_until_it_is_moved() -> None:
    clock = ManualClock(now=5.0, wall=100.0)

    await clock.advance(2.5)

    assert (clock.now(), clock.wall()) == (7.5, 102.5)


async def test_sleepers_wake_in_the_order_of_their_time_and_can_sleep_again_within_one_advance() -> None:
    clock = ManualClock(now=0.0)
    diary: list[tuple[str, float]] = []

    async def twice() -> None:
        await note(clock, 1.0, diary, "first")
        await note(clock, 2.0, diary, "third")

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(note(clock, 4.0, diary, "last"))
        tasks.create_task(twice())
        tasks.create_task(note(clock, 2.0, diary, "second"))
        await clock.advance(10.0)

    assert diary == [("first", 1.0), ("second", 2.0), ("third", 3.0), ("last", 4.0)]
    assert clock.now() == 10.0


async def test_a_sleep_that_is_not_over_goes_on_and_is_noted_when_it_begins(clock: ManualClock) -> None:
    sleeping = asyncio.create_task(clock.sleep(2.0), name="sleeper")

    await clock.advance(1.999)
    early = sleeping.done()
    await clock.advance(0.001)

    assert not early
    assert sleeping.done()
    assert clock.slept == [2.0]


async def test_the_next_wait_can_be_advanced_by_exactly_after_a_thread_too(clock: ManualClock) -> None:
    waits: list[float] = []

    async def sleeper() -> None:
        for seconds in (0.1, 1.1, 0.7, 2.3):
            await asyncio.to_thread(sum, range(1000))
            await clock.sleep(seconds)

    task = asyncio.create_task(sleeper(), name="sleeper")
    for _ in range(4):
        waits.append(await clock.next_wait())
        await clock.advance(waits[-1])
    await task

    assert waits == [0.1, 1.1, 0.7, 2.3]


async def test_without_a_sleeper_the_next_wait_times_out(clock: ManualClock) -> None:
    with pytest.raises(TimeoutError):
        await clock.next_wait(within=0.01)

    assert clock.waits(limits=True) == []


async def test_the_next_wait_counts_time_outs_only_on_request(clock: ManualClock) -> None:
    limited = asyncio.create_task(clock.wait_for(never(), 3.0), name="limited")
    sleeping = asyncio.create_task(clock.sleep(5.0), name="sleeping")

    waits = (await clock.next_wait(), await clock.next_wait(limits=True), clock.waits(limits=True))

    assert waits == (5.0, 3.0, [3.0, 5.0])
    for task in (limited, sleeping):
        task.cancel()
    await asyncio.gather(limited, sleeping, return_exceptions=True)


async def test_what_answers_in_time_is_returned_and_leaves_no_deadline(clock: ManualClock) -> None:
    answer = await clock.wait_for(asyncio.sleep(0, "answer"), 1.0)

    assert answer == "answer"
    assert clock.waits(limits=True) == []


async def test_what_does_not_answer_in_time_is_cancelled(clock: ManualClock) -> None:
    cancelled = asyncio.Event()

    async def hang() -> None:
        try:
            await never()
        finally:
            cancelled.set()

    waiting = asyncio.create_task(clock.wait_for(hang(), 3.0), name="waiting")
    await clock.advance(2.9)
    early = waiting.done()
    await clock.advance(0.1)

    with pytest.raises(TimeoutError):
        await waiting
    assert not early
    assert cancelled.is_set()


@cases("seconds", ("no time", 0.0), ("less", -1.0))
async def test_a_time_out_of_nothing_has_passed_already(clock: ManualClock, seconds: float) -> None:
    with pytest.raises(TimeoutError):
        await clock.wait_for(never(), seconds)

    assert clock.waits(limits=True) == []


async def test_a_cancelled_sleeper_leaves_nothing_behind(clock: ManualClock) -> None:
    sleeping = asyncio.create_task(clock.sleep(1.0), name="sleeping")
    await clock.next_wait()

    sleeping.cancel()
    await asyncio.wait([sleeping])

    assert sleeping.cancelled()
    assert clock.waits() == []


async def test_a_sleeper_cancelled_as_it_wakes_does_not_break_the_clock(clock: ManualClock) -> None:
    first = asyncio.create_task(clock.sleep(1.0), name="first")
    await clock.next_wait()
    first.cancel()
    clock.auto = True

    await clock.sleep(1.0)
    await asyncio.wait([first])

    assert first.cancelled()


async def test_an_automatic_clock_sleeps_at_once_moves_by_itself_and_lets_time_outs_pass() -> None:
    clock = ManualClock(now=0.0, auto=True)
    waiting = asyncio.create_task(clock.wait_for(never(), 3.0), name="waiting")
    await clock.next_wait(limits=True)

    for seconds in (1.2, 0.0, 2.2):
        await clock.sleep(seconds)

    with pytest.raises(TimeoutError):
        await waiting
    assert clock.slept == [1.2, 2.2]
    assert clock.now() == pytest.approx(3.4)


async def test_a_wait_within_a_wait_keeps_both_limits(clock: ManualClock) -> None:
    def nested(inner: float, outer: float) -> Awaitable[None]:
        return clock.wait_for(clock.wait_for(never(), inner), outer)

    task = asyncio.create_task(clock.wait_for(nested(9.0, 2.0), 5.0), name="nested")
    await clock.advance(2.0)

    with pytest.raises(TimeoutError):
        await task
    assert clock.now() == 1_002.0
