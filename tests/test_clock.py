import time
from pathlib import Path

import pytest

from hangbot import clock as module
from hangbot.clock import Boot, SystemClock, age, steadily, steady
from pytest_hangfm.manual_clock import ManualClock


async def test_an_age_is_exact_whatever_becomes_of_the_wall_clock() -> None:
    clock = ManualClock(wall=1_000.0)
    since, boot = clock.wall(), clock.boot()

    await clock.advance(5.0)
    clock.set_wall(9_000_000.0)

    assert age(since, boot, clock) == 5.0
    assert steadily(since + 60.0, since, boot, clock) - steady(clock) == 55.0


@pytest.mark.parametrize(
    "boot",
    [
        pytest.param(None, id="not known"),
        pytest.param(Boot("another", 3.0), id="another start of the machine"),
    ],
)
def test_after_another_start_of_the_machine_there_is_only_the_wall_clock(boot: Boot | None) -> None:
    clock = ManualClock(wall=1_000.0)

    assert age(900.0, boot, clock) == 100.0


def test_a_moment_that_is_yet_to_come_is_no_age() -> None:
    clock = ManualClock(now=50.0, wall=1_000.0)

    assert age(990.0, Boot(clock.boot().id, 60.0), clock) == 10.0


def test_where_no_clock_is_steady_the_wall_clock_is_all_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ManualClock, "boot", lambda _: None)
    clock = ManualClock(wall=1_000.0)

    assert steady(clock) == 1_000.0
    assert steadily(1_060.0, 900.0, Boot("some", 1.0), clock) == 1_060.0


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="this system has no such clock")
def test_the_machines_own_count_goes_on_and_names_its_start(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = SystemClock().boot(), SystemClock().boot()

    assert first
    assert second
    assert first.id == second.id != ""
    assert 0 < first.at <= second.at

    module._boot_id.cache_clear()
    monkeypatch.setattr(module, "_BOOT_ID", Path("/no/such/file"))
    assert SystemClock().boot() is None
    module._boot_id.cache_clear()
    monkeypatch.delattr(time, "CLOCK_BOOTTIME")
    assert SystemClock().boot() is None
    module._boot_id.cache_clear()
