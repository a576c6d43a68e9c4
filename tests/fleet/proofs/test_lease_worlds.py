"""A thousand worlds of workers that pause at will: see `tests/fleet/test_lease_worlds.py`."""

import pytest

from tests.fleet.lease_world import LeaseWorld, play

BATCH = 50


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 1000, BATCH))
def test_no_two_workers_act_on_a_room_and_a_free_one_is_taken(first: int) -> None:
    wrong = {
        seed: seen.wrong
        for seed in range(first, first + BATCH)
        if (seen := play(LeaseWorld(seed, workers=2 + seed % 2))).wrong
    }

    assert not wrong
