"""Randomness that a test decides."""

from itertools import count, cycle

__all__ = ["FixedRng"]


class FixedRng:
    """Draws the given numbers, over and over; ids count from 1."""

    def __init__(self, *draws: float) -> None:
        self._draws = cycle(draws or (0.5,))
        self._ids = count(1)

    def random(self) -> float:
        return next(self._draws)

    def getrandbits(self, bits: int, /) -> int:
        return next(self._ids) % (1 << bits)
