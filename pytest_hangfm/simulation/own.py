"""The worlds of hangbot's own bot: what `make simulate` searches, and what its stage plays every day."""

from typing import Final

from pytest_hangfm.simulation.checker import check
from pytest_hangfm.simulation.drawing import draw
from pytest_hangfm.simulation.faults import FAULTS
from pytest_hangfm.simulation.story import tell
from pytest_hangfm.simulation.worker import Rig
from pytest_hangfm.simulation.world import play

__all__ = ["KINDS", "RIG", "draw"]


KINDS: Final = frozenset(FAULTS)
"""The classes of faults that `draw` draws from."""
RIG: Final = Rig(play, check, tell)
"""Plays a plan, judges its history, and shows it as a story, in any process."""
