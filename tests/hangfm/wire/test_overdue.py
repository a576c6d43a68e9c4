from typing import Any

import pytest

from hangbot.hangfm.wire.overdue import Overdue
from hangbot.hangfm.wire.state import RoomState

AT = 1_800_000_000_000


def playing(ends: object) -> RoomState:
    return RoomState({"allUsers": [], "nowPlaying": {"song": {}, "startTime": AT, "endTime": ends}})


def test_a_song_is_overdue_half_a_minute_after_its_end() -> None:
    overdue = Overdue(now=100.0)
    overdue.set_time(AT, now=100.0)
    state = playing(AT + 60_000)

    left = [overdue.left(state, now) for now in (100.0, 160.0, 190.0, 200.0)]

    assert left == [90, 30, 0, -10]


def test_whatever_the_room_says_starts_the_wait_anew() -> None:
    overdue = Overdue(now=100.0)
    overdue.set_time(AT, now=100.0)
    state = playing(AT + 60_000)

    overdue.hear(now=185.0)

    assert overdue.left(state, 190.0) == 25


def test_a_clock_of_the_server_that_leaps_takes_what_was_said_along() -> None:
    overdue = Overdue(now=100.0)
    overdue.set_time(AT, now=100.0)
    overdue.hear(now=101.0)

    overdue.set_time(str(AT + 300_000), now=102.0)

    assert overdue.left(playing(AT + 60_000), 102.0) == pytest.approx(30 - 240)
    assert overdue.left(playing(AT + 299_000), 102.0) == pytest.approx(29)


@pytest.mark.parametrize(
    "odd",
    [None, True, "", "x", "-1", "\u0661", 0, -5, float("nan"), float("inf"), 10**400, "9" * 400, [], {}],
)
def test_what_is_no_time_tells_nothing(odd: Any) -> None:  # noqa: ANN401  as it may come
    overdue, other = Overdue(now=100.0), Overdue(now=100.0)
    other.set_time(AT, now=100.0)

    overdue.set_time(odd, now=100.0)

    assert overdue.left(playing(AT), 200.0) is None
    assert other.left(playing(odd), 200.0) is None


@pytest.mark.parametrize("state", [None, RoomState({"allUsers": [], "nowPlaying": None})])
def test_nothing_is_overdue_where_nothing_plays(state: RoomState | None) -> None:
    overdue = Overdue(now=100.0)
    overdue.set_time(AT, now=100.0)

    assert overdue.left(state, 200.0) is None
