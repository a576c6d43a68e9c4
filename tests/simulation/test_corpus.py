"""What the search has found stays found: each plan of the corpus, and worlds by seed, many times."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from pytest_hangfm.simulation.checker import RULES
from pytest_hangfm.simulation.corpus import read
from pytest_hangfm.simulation.output import described
from pytest_hangfm.simulation.own import KINDS, RIG, draw
from pytest_hangfm.simulation.search import Effort, Summary, search
from pytest_hangfm.simulation.worker import CRASHED, HUNG

CORPUS: Final = Path(__file__).parent / "corpus"
SEEDS: Final = 150
TWO: Final = Effort(processes=2)


def told(summary: Summary) -> str:
    return "\n".join(line for failure in summary.failures for line in described(failure))


def test_each_plan_of_the_corpus_can_be_read_and_names_what_was_wrong() -> None:
    rules = {rule.id for rule in RULES} | {HUNG, CRASHED}

    kept = read(CORPUS)

    assert {each.name for each in kept} == {path.stem for path in CORPUS.iterdir() if path.suffix == ".json"}
    assert {each.rule for each in kept} <= rules
    assert {fault.kind for each in kept for fault in each.plan.faults} <= KINDS
    assert set(Counter(each.plan.as_json() for each in kept).values()) <= {1}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_plan_of_the_corpus_fails_any_more() -> None:
    kept = read(CORPUS)

    summary = search(range(len(kept)), draw=lambda number: kept[number].plan, rig=RIG, effort=TWO)

    assert not summary.failures, told(summary)
    assert summary.seeds == len(kept)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_in_worlds_drawn_from_seeds_no_rule_is_broken_and_every_fault_has_its_effect() -> None:
    summary = search(range(SEEDS), draw=draw, rig=RIG, effort=replace(TWO, shrinks=0))

    assert not summary.failures, told(summary)
    assert summary.seeds == SEEDS
    assert summary.idle(KINDS) == {}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_plan_has_the_same_history_a_hundred_times_in_ten_processes() -> None:
    drawn = draw(1)
    plan = replace(drawn, seconds=60.0, faults=tuple(replace(each, at=20.0) for each in drawn.faults[:5]))
    ten_each = Effort(processes=2, plays=10)

    summary = search(range(100), draw=lambda _: plan, rig=RIG, effort=ten_each)

    assert summary.seeds == 100
    assert len(set(summary.hashes.values())) == 1
    assert "" not in summary.hashes.values()
