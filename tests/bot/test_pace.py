from __future__ import annotations

import random
from statistics import median

import pytest

from hangbot.bot.pace import ReconnectPace, ResyncPace, reconnect_policy
from hangbot.delivery.retry import RetryPolicy
from tests.rng import FixedRng

OUTAGE = 18 * 60.0
MOST = 45


# -- the policy


@pytest.mark.parametrize("base", [0.2, 1.0, 30.0])
def test_a_long_outage_is_asked_about_seldom_and_a_bot_is_back_soon_after_it(base: float) -> None:
    policy, tries, late = reconnect_policy(base), list[int](), list[float]()

    for seed in range(1000):
        rng, number, now, end = random.Random(seed), 0, 0.0, OUTAGE + seed / 10  # noqa: S311  no secret
        while now < end:
            number += 1
            now += policy.wait_after(number, rng)
        tries.append(number)
        late.append(now - end)

    assert max(tries) <= MOST
    assert max(late) <= 60.0
    assert median(late) < 30.0


def test_the_first_try_after_a_drop_comes_within_a_second() -> None:
    assert reconnect_policy(30.0).wait_after(1, FixedRng(1.0)) <= 1.0


# -- connections


def pace(chance: float = 1.0) -> ReconnectPace:
    """Return one whose chance always says the most: 1, 2, 4 … 60 s; or another share of it."""
    return ReconnectPace(RetryPolicy(strategy="full", longest=60.0, jitter=0.0), FixedRng(chance))


def lost(pace: ReconnectPace, *, after: float | None = None) -> float:
    """Lose a connection, after so many seconds in the room if it got there; return the wait."""
    if after is not None:
        pace.joined(0.0)
    pace.left(after or 0.0)
    return pace.next_wait(reset=False, refused=False)


@pytest.mark.parametrize(
    ("chance", "after", "waits"),
    [
        pytest.param(1.0, [None] * 8, [1, 2, 4, 8, 16, 32, 60, 60], id="each try that fails waits longer"),
        pytest.param(0.25, [None] * 3, [0.25, 0.5, 1], id="bots lost together do not return together"),
        pytest.param(1.0, [None, None, None, 5], [1, 2, 4, 1], id="soon, where it took many to get in"),
        pytest.param(1.0, [5, 5, 5, 5, 61], [1, 2, 4, 8, 1], id="ever more seldom, where none holds"),
    ],
)
def test_how_long_a_connection_waits(chance: float, after: list[float | None], waits: list[float]) -> None:
    tries = pace(chance)

    assert [lost(tries, after=seconds) for seconds in after] == waits


def test_a_reset_room_is_there_and_a_refused_token_is_not_mended_by_waiting() -> None:
    tries = pace()

    assert tries.next_wait(reset=True, refused=False) == 0.0
    assert tries.next_wait(reset=True, refused=False) == 2.0
    assert tries.next_wait(reset=False, refused=True) == 60.0


# -- states


@pytest.mark.parametrize(
    ("troubles", "waits", "sound_after"),
    [
        pytest.param([], [], 60, id="none was lost"),
        pytest.param(["patch"] * 4, [0, 10, 20, 40], 60, id="at once, then ever later"),
        pytest.param(["patch"] * 6, [0, 10, 20, 40, 80, 160], 160, id="sound after as long as the last wait"),
        pytest.param(["patch"] * 10, [0, 10, 20, 40, 80, 160, 320, 600, 600, 600], 600, id="up to 10 min"),
        pytest.param(["patch", "song"] * 4, [0, 0, 10, 10, 20, 20, 40, 40], 60, id="two kinds in turn"),
    ],
)
def test_how_long_a_state_is_waited_for_and_when_it_is_sound(
    troubles: list[str], waits: list[float], sound_after: float
) -> None:
    pace = ResyncPace()

    assert [pace.next_wait(trouble) for trouble in troubles] == waits
    assert pace.sound_after == sound_after

    pace.succeed()
    assert (pace.sound_after, pace.next_wait("patch")) == (60, 0)
