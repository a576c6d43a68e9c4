"""A hundred worlds in which bots deliver: see `tests/fleet/test_delivering_worlds.py`."""

import pytest

from tests.fleet.test_delivering_worlds import play

BATCH = 10


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 100, BATCH))
def test_what_was_accepted_is_in_its_room_once_and_in_order(first: int) -> None:
    wrong = {seed: found for seed in range(first, first + BATCH) if (found := play(seed).undelivered())}

    assert not wrong
