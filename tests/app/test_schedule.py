"""When timers are due, over all zones and what clocks there do. PURE."""

from datetime import datetime, time, timedelta
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangbot.app.schedule import Daily, make_daily, make_every

ZONES: Final = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Havana",  # its gap begins at midnight
    "Australia/Lord_Howe",  # half an hour
    "Africa/Casablanca",
    "Asia/Kathmandu",
    "Pacific/Chatham",
)
TIMES: Final = st.times().map(lambda at: at.replace(microsecond=0))
DAILY: Final = st.builds(Daily, TIMES, st.sampled_from(ZONES).map(ZoneInfo))
NOW: Final = st.integers(631_152_000, 2_114_380_800).map(float)  # 1990 to 2037


@given(DAILY, NOW)
def test_it_is_due_once_on_each_day_always_later(daily: Daily, now: float) -> None:
    dues = [now]
    for _ in range(400):
        dues.append(daily.next(dues[-1]))

    assert all(before < after <= before + 86_400 + 2 * 3_600 for before, after in pairwise(dues))
    days = [datetime.fromtimestamp(due, daily.zone).date() for due in dues[1:]]
    assert all(after - before == timedelta(days=1) for before, after in pairwise(days))


@given(DAILY, NOW)
def test_it_is_at_its_time_or_at_the_end_of_the_gap_that_has_it(daily: Daily, now: float) -> None:
    due = daily.next(now)

    local = datetime.fromtimestamp(due, daily.zone)
    if local.time() == daily.at:
        assert local.fold == 0
    else:
        before = datetime.fromtimestamp(due - 1, daily.zone)
        assert before.time() < daily.at < local.time()
        assert local.utcoffset() != before.utcoffset()


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-03-28T12:00+00:00", "2026-03-29T03:00+02:00"),  # 02:30 is skipped
        ("2026-10-24T12:00+00:00", "2026-10-25T02:30+02:00"),  # it comes twice: the first counts
        ("2026-10-25T00:31+00:00", "2026-10-26T02:30+01:00"),  # and the second does not
    ],
)
def test_half_past_two_in_berlin(now: str, due: str) -> None:
    daily = make_daily("2:30", "Europe/Berlin")

    assert daily.next(datetime.fromisoformat(now).timestamp()) == datetime.fromisoformat(due).timestamp()
    assert daily.at == time(2, 30)


@given(st.floats(1, 366 * 86_400), NOW, st.none() | st.floats(0, 100 * 366 * 86_400))
def test_a_period_is_kept_in_step_and_always_later(seconds: float, now: float, ago: float | None) -> None:
    last = None if ago is None else now - ago

    due = make_every(seconds).next(now, last)

    assert now < due <= now + seconds * 1.001 + 0.001
