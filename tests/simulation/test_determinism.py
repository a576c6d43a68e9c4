"""A plan has one history: in another process, in another order, whatever the seed of hashes is."""

import os
import subprocess
import sys
from random import Random
from typing import Final

import pytest

from pytest_hangfm.simulation.drawing import draw
from pytest_hangfm.simulation.faults import FAULTS
from pytest_hangfm.simulation.history import journal_hash
from pytest_hangfm.simulation.plan import Fault, Plan
from pytest_hangfm.simulation.world import play
from tests.bounds import WITHIN

PROGRAM: Final = """
import sys
from pytest_hangfm.simulation.history import journal_hash
from pytest_hangfm.simulation.plan import Plan
from pytest_hangfm.simulation.world import play
for text in sys.stdin:
    print(journal_hash(play(Plan.from_json(text))))
"""


def eventful(*kinds: str) -> Plan:
    """Return a short world with these faults close to each other."""
    rng = Random(1)  # noqa: S311  to be repeatable
    faults = (
        Fault(name, 10.0 + 5.0 * number, 20.0, FAULTS[name].draw(rng)) for number, name in enumerate(kinds)
    )
    return Plan(5, seconds=60.0, pace=1.0, faults=tuple(faults))


def hashes_elsewhere(plans: list[Plan], seed: str, within: float) -> list[str]:
    """Play plans in a process of their own."""
    done = subprocess.run(  # noqa: S603  our own program
        [sys.executable, "-c", PROGRAM],
        input="\n".join(plan.as_json() for plan in plans),
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        timeout=within,
        check=True,
    )
    return done.stdout.split()


def test_a_short_world_is_the_same_in_another_process() -> None:
    plan = eventful("crash", "disk full", "crash at a commit", "restart", "handler hangs")

    here = journal_hash(play(plan))

    assert hashes_elsewhere([plan], "random", WITHIN) == [here]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_worlds_are_the_same_in_other_processes_and_in_another_order() -> None:
    plans = [draw(seed) for seed in range(100, 112)]

    here = [journal_hash(play(plan)) for plan in plans]

    for number in range(4):
        backwards = plans[::-1] if number % 2 else plans
        found = hashes_elsewhere(backwards, str(number) if number else "random", 300.0)
        assert found[:: -1 if number % 2 else 1] == here
