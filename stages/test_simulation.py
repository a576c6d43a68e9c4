"""A few worlds of the search for what goes wrong, whole: the bot, its services, its disk, and many faults.

Everything is simulated and drawn from seeds, so each run plays the same; `make simulate` plays more.
"""

from typing import Final

import pytest

from pytest_hangfm.simulation.output import described
from pytest_hangfm.simulation.own import KINDS, RIG, draw
from pytest_hangfm.simulation.pairs import table
from pytest_hangfm.simulation.search import Effort, search
from pytest_hangfm.stash import SIMULATION

pytestmark = [
    pytest.mark.stage,
    pytest.mark.remedy("Replay the world with the command that stands below its story."),
]

SEEDS: Final = 6


def test_in_worlds_in_which_much_goes_wrong_no_rule_is_broken(request: pytest.FixtureRequest) -> None:
    summary = search(range(SEEDS), draw=draw, rig=RIG, effort=Effort(processes=2))

    request.node.stash[SIMULATION] = "\n".join((*table(summary.pairs, KINDS), summary.as_line(KINDS)))
    assert summary.seeds == SEEDS
    assert not summary.failures, "\n".join(line for each in summary.failures for line in described(each))
