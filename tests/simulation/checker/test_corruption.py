from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_hangfm.simulation.checker import check
from tests.simulation.checker.corruption import Corruption, harmful, harmless
from tests.simulation.checker.sound import sound_history

RANDOMS = st.randoms(use_true_random=False)


def found(corruption: Corruption) -> set[str]:
    return {violation.rule for violation in check(corruption.history)}


@given(random=RANDOMS, episodes=st.integers(0, 20), data=st.data())
def test_one_event_that_is_wrong_is_found(random: Random, episodes: int, data: st.DataObject) -> None:
    history = sound_history(random, episodes=episodes)

    corruption = data.draw(st.sampled_from(list(harmful(history))))

    assert found(corruption) & corruption.rules, corruption.what


@given(random=RANDOMS, episodes=st.integers(0, 20), data=st.data())
def test_what_shows_no_fault_is_accepted(random: Random, episodes: int, data: st.DataObject) -> None:
    history = sound_history(random, episodes=episodes)

    corruption = data.draw(st.sampled_from(list(harmless(history))))

    assert found(corruption) == set(), corruption.what


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_event_of_many_histories_is_needed_or_does_no_harm() -> None:
    counts = Counter[str]()

    for seed in range(30):
        history = sound_history(Random(seed), episodes=20)  # noqa: S311  to be repeatable
        for corruption in harmful(history):
            rules = found(corruption) & corruption.rules
            assert rules, (seed, corruption.what)
            counts.update(rules)
        for corruption in harmless(history):
            assert not found(corruption), (seed, corruption.what)

    assert len(counts) >= 15, counts
