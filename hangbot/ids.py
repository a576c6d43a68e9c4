"""Randomness, and the ids that are drawn from it."""

import random
from typing import Final, Protocol
from uuid import UUID

__all__ = ["SYSTEM_RNG", "Rng", "new_id", "new_uuid"]


class Rng(Protocol):
    """The part of `random.Random` that is used: a seeded one makes a run repeatable."""

    def random(self) -> float:
        """Return a number in [0, 1)."""

    def getrandbits(self, bits: int, /) -> int:
        """Return a whole number of that many random bits."""


SYSTEM_RNG: Final[Rng] = random.SystemRandom()
"""The system's randomness: ids drawn from it are unique across processes, forked ones included."""


def new_uuid(rng: Rng) -> str:
    """Return a random UUID (version 4)."""
    return str(_uuid4(rng))


def new_id(rng: Rng) -> str:
    """Return the 32 hexadecimal digits of a random UUID."""
    return _uuid4(rng).hex


def _uuid4(rng: Rng) -> UUID:
    return UUID(int=rng.getrandbits(128), version=4)
