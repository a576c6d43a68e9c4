"""What was drawn by chance, kept: a replay draws the same."""

from typing import Final, Protocol

from hangbot.journal.keeping import Journal

__all__ = ["Chance", "NotedChance"]

_UUID: Final = 128
"""Bits of one."""


class Chance(Protocol):
    """The part of `hangbot.ids.Rng` that is drawn from."""

    def random(self) -> float:
        """Return a number in [0, 1)."""

    def getrandbits(self, bits: int, /) -> int:
        """Return a whole number of that many random bits."""


class NotedChance:
    """Draws from another, and keeps what was drawn: a replay draws the same.

    Args:
        chance: Where it is drawn from.
        journal: Where it is kept.
    """

    def __init__(self, chance: Chance, journal: Journal) -> None:
        self._chance = chance
        self._journal = journal

    def random(self) -> float:
        """Return a number in [0, 1)."""
        drawn = self._chance.random()
        self._journal.add("chance", drawn)
        return drawn

    def getrandbits(self, bits: int, /) -> int:
        """Return a whole number of that many random bits; of 128, a UUID of version 4, as ids are."""
        drawn = self._chance.getrandbits(bits)
        if bits == _UUID:
            drawn = drawn & ~(0xF << 76 | 0x3 << 62) | 0x4 << 76 | 0x2 << 62
        self._journal.add("drawn", bits, f"{drawn:0{bits // 4}x}")
        return drawn
