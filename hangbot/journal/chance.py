"""What was drawn by chance, kept with who drew it: a replay draws the same."""

from collections.abc import Callable
from typing import Final, Protocol

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
    """Draws from another, and keeps what was drawn.

    Args:
        source: Where it is drawn from.
        add: Keeps an entry.
        whose: Who draws: two that wait at a time may draw in another order the next time.

    Attributes:
        source: As above.
    """

    def __init__(self, source: Chance, add: Callable[..., None], whose: str) -> None:
        self.source = source
        self._add = add
        self._whose = whose

    def random(self) -> float:
        """Return a number in [0, 1)."""
        drawn = self.source.random()
        self._add("chance", self._whose, drawn)
        return drawn

    def getrandbits(self, bits: int, /) -> int:
        """Return a whole number of that many random bits; of 128, a UUID of version 4, as ids are."""
        drawn = self.source.getrandbits(bits)
        if bits == _UUID:
            drawn = drawn & ~(0xF << 76 | 0x3 << 62) | 0x4 << 76 | 0x2 << 62
        self._add("drawn", self._whose, bits, f"{drawn:0{bits // 4}x}")
        return drawn
