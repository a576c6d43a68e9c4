"""The worlds of hangbot's own bot: what `make simulate` searches, and what its stage plays every day."""

from typing import Final

from pytest_hangfm.simulation.checker import Violation, check
from pytest_hangfm.simulation.drawing import draw
from pytest_hangfm.simulation.faults import FAULTS
from pytest_hangfm.simulation.history import History
from pytest_hangfm.simulation.plan import Plan
from pytest_hangfm.simulation.worker import Rig
from pytest_hangfm.simulation.world import play

__all__ = ["KINDS", "RIG", "draw"]


def _violations(_: History, violations: tuple[Violation, ...], __: Plan) -> str:
    return "\n".join(map(str, violations))


KINDS: Final = frozenset(FAULTS)
"""The classes of faults that `draw` draws from."""
RIG: Final = Rig(play, check, _violations)
"""Plays a plan, judges its history, and shows what it violates, in any process."""
