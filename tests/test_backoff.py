"""How often services that are away are asked, and how soon a bot is back."""

from __future__ import annotations

import random
from statistics import median
from typing import Final

import pytest

from hangbot.config import Settings
from hangbot.factory import reconnect_policy
from tests.rng import FixedRng

OUTAGE: Final = 18 * 60.0
MOST: Final = 45
BOT: Final = {"BOT_USER_TOKEN": "a-token-of-no-worth", "ROOM_UUID": "00000000-0000-4000-8000-000000000000"}


def tries(seed: int, settings: Settings, outage: float) -> list[float]:
    """Return when the service is tried again until it answers: the last try is the first after its return."""
    rng, policy = random.Random(seed), reconnect_policy(settings)  # noqa: S311  no secret
    times = [0.0]
    while times[-1] < outage:
        times.append(times[-1] + policy.wait_after(len(times), rng))
    return times[1:]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="as it comes"),
        pytest.param({"STAGE_RETRY_MAX_MS": "2000"}, id="sends retried at short intervals"),
        pytest.param(
            {"STAGE_RETRY_BASE_MS": "30000", "STAGE_RETRY_BACKOFF_FACTOR": "1"},
            id="sends retried at long ones",
        ),
    ],
)
def test_a_long_outage_is_asked_about_seldom_and_a_bot_is_back_soon_after_it(
    changes: dict[str, str],
) -> None:
    settings = Settings.from_env(BOT | changes)

    outages = [tries(seed, settings, OUTAGE + seed / 10) for seed in range(1000)]

    late = [times[-1] - OUTAGE - seed / 10 for seed, times in enumerate(outages)]
    assert max(map(len, outages)) <= MOST
    assert max(late) <= 60.0
    assert median(late) < 30.0


def test_the_first_try_after_a_drop_comes_within_a_second() -> None:
    policy = reconnect_policy(Settings.from_env(BOT | {"STAGE_RETRY_BASE_MS": "30000"}))

    assert policy.wait_after(1, FixedRng(1.0)) <= 1.0
