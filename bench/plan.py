"""How much to measure, and where."""

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Plan"]


@dataclass(frozen=True, slots=True)
class Plan:
    """How much to measure, and where.

    Attributes:
        quick: A tenth of everything, one round: whether it runs, not what it costs.
        folder: On the disk whose speed counts; results are written here.
    """

    quick: bool
    folder: Path

    def rounds(self, usual: int) -> int:
        """Return how many rounds."""
        return 1 if self.quick else usual

    def amount(self, usual: int) -> int:
        """Return how many of something."""
        return max(1, usual // 10) if self.quick else usual

    def seconds(self, usual: float) -> float:
        """Return for how long."""
        return usual / 5 if self.quick else usual
