import asyncio

import pytest

from hangbot.sandbox.clock import SandboxClock
from tests.bounds import WITHIN


@pytest.fixture
def clock() -> SandboxClock:
    """A clock that stands still."""
    return SandboxClock(wall_s=lambda: 1000.0, monotonic_s=lambda: 0.0)


def test_the_clock_shows_the_wall_and_what_was_advanced(clock: SandboxClock) -> None:
    clock.advance(2.5)

    assert clock.now_s() == 1002.5
    assert clock.now_ms() == 1_002_500


def test_timers_run_in_order_of_their_time_and_see_that_time(clock: SandboxClock) -> None:
    seen: list[tuple[str, float]] = []
    clock.call_later(2, lambda: seen.append(("second", clock.now_s())))
    clock.call_later(1, lambda: seen.append(("first", clock.now_s())))

    clock.advance(10)

    assert seen == [("first", 1001.0), ("second", 1002.0)]


def test_a_timer_booked_by_a_timer_falls_due_in_the_same_advance(clock: SandboxClock) -> None:
    seen: list[float] = []
    clock.call_later(1, lambda: clock.call_later(1, lambda: seen.append(clock.now_s())))

    clock.advance(2)

    assert seen == [1002.0]


def test_a_timer_that_is_not_due_waits_for_the_next_advance(clock: SandboxClock) -> None:
    seen: list[str] = []
    clock.call_later(5, lambda: seen.append("due"))

    clock.advance(4.9)
    before = list(seen)
    clock.advance(0.1)

    assert before == []
    assert seen == ["due"]


def test_a_cancelled_timer_never_runs(clock: SandboxClock) -> None:
    seen: list[str] = []
    handle = clock.call_later(1, lambda: seen.append("ran"))

    handle.cancel()
    clock.advance(5)

    assert seen == []


def test_an_interval_timer_runs_once_for_a_jump_and_keeps_its_beat(clock: SandboxClock) -> None:
    beats: list[float] = []
    clock.call_every(30, lambda: beats.append(clock.now_s()))

    clock.advance(100)
    clock.advance(20)

    assert beats == [1030.0, 1120.0]


def test_an_interval_timer_can_be_cancelled_for_good(clock: SandboxClock) -> None:
    beats: list[float] = []
    handle = clock.call_every(30, lambda: beats.append(clock.now_s()))
    clock.advance(30)

    handle.cancel()
    clock.advance(300)

    assert beats == [1030.0]


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf")])
def test_the_clock_only_goes_forward(clock: SandboxClock, seconds: float) -> None:
    with pytest.raises(ValueError, match="only goes forward"):
        clock.advance(seconds)

    assert clock.now_s() == 1000.0


def test_a_timer_that_fails_leaves_the_clock_usable(clock: SandboxClock) -> None:
    def fail() -> None:
        raise RuntimeError("boom")

    clock.call_later(1, fail)

    with pytest.raises(RuntimeError, match="boom"):
        clock.advance(2)

    assert clock.now_s() == 1002.0


async def test_real_time_fires_timers_too() -> None:
    clock = SandboxClock()
    rang = asyncio.Event()

    clock.call_later(0.001, rang.set)

    await asyncio.wait_for(rang.wait(), WITHIN)
    clock.close()


async def test_a_closed_clock_keeps_no_appointment() -> None:
    clock = SandboxClock()
    seen: list[str] = []

    def note() -> None:
        seen.append("ran")

    clock.call_later(1, note)

    clock.close()
    clock.call_later(1, note)
    clock.advance(5)

    assert seen == []


async def test_a_clock_that_goes_faster_shows_it_and_rings_earlier() -> None:
    clock, rang = SandboxClock(speed=1000.0), asyncio.Event()
    before = clock.now_s()

    clock.call_later(20, rang.set)
    await asyncio.wait_for(rang.wait(), WITHIN)

    assert clock.now_s() - before >= 20
