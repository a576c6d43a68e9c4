"""What holds of all rules together."""

from __future__ import annotations

import re
import time
from random import Random
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_hangfm.simulation.checker import RULES, check
from pytest_hangfm.simulation.history import Bounds, History
from tests.simulation.checker import (
    test_connections,
    test_delivery,
    test_health,
    test_hearing,
    test_order,
    test_sending,
)
from tests.simulation.checker.building import Pair, bare, day, sent, stored
from tests.simulation.checker.sound import sound_history

if TYPE_CHECKING:
    from types import ModuleType

_MODULES: Final = (test_connections, test_delivery, test_health, test_hearing, test_order, test_sending)
_WITHIN: Final = 10.0
"""Seconds of this process alone for a hundred thousand events: a busy machine counts less so."""


def pairs_of(module: ModuleType) -> list[Pair]:
    """Return the pairs of good and bad histories of a module."""
    tables = [value for value in vars(module).values() if isinstance(value, list)]
    values = [param.values[0] for table in tables for param in table if hasattr(param, "values")]
    return [value for value in values if isinstance(value, Pair)]


def test_each_rule_has_bad_histories_and_good_ones_beside_them() -> None:
    pairs = [pair for module in _MODULES for pair in pairs_of(module)]

    counts = {rule.id: sum(pair.rule == rule.id for pair in pairs) for rule in RULES}
    assert len(pairs) >= 60
    assert min(counts.values()) >= 2, counts
    assert all(pair.rule in counts for pair in pairs)


def test_each_rule_has_an_id_and_a_sentence_of_its_own() -> None:
    assert len({rule.id for rule in RULES}) == len({rule.sentence for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", rule.id), rule.id
        assert re.fullmatch(r"[A-Z].*\.", rule.sentence), rule.sentence
        assert len(rule.sentence) < 160


def test_a_history_in_which_nothing_happened_is_good() -> None:
    assert check(History(())) == check(bare()) == check(day()) == ()


def test_violations_come_in_the_order_of_time_and_can_be_read() -> None:
    history = day(sent(300, "b"), stored(301, "b"), sent(100, "a"), stored(101, "a"))

    assert [str(violation) for violation in check(history)] == [
        "101.000 s: a was stored a second time (no-copy)",
        "301.000 s: b was stored a second time (no-copy)",
    ]


def test_the_bounds_are_those_of_the_history() -> None:
    history = day(bounds=Bounds(drain=0.5, after_drain=0.1))

    assert [violation.rule for violation in check(history)] == ["stopped"]


@given(random=st.randoms(use_true_random=False), episodes=st.integers(0, 30))
def test_what_a_sound_bot_does_is_accepted(random: Random, episodes: int) -> None:
    history = sound_history(random, episodes=episodes)

    assert check(history) == ()


@pytest.mark.slow
def test_a_hundred_thousand_events_are_judged_in_seconds() -> None:
    random = Random(1)  # noqa: S311  to be repeatable
    history = sound_history(random, episodes=13_000)
    assert len(history.events) >= 100_000

    begun = time.process_time()
    found = check(history)
    took = time.process_time() - begun

    assert found == ()
    assert took < _WITHIN
