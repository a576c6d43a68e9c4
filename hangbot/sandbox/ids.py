"""Ids and secrets of one sandbox, all from one source of randomness."""

import base64
import random
import uuid

__all__ = ["Ids", "Rng"]

Rng = random.Random
"""A source of randomness; one with a seed makes the same sandbox again."""


class Ids:
    """Make ids, tokens and keys.

    Args:
        rng: Where they come from; ``None`` seeds one from the system.
    """

    def __init__(self, rng: Rng | None = None) -> None:
        self._rng = rng or random.Random()  # noqa: S311  what it makes opens nothing but a sandbox

    def raw(self, count: int) -> bytes:
        """Make so many bytes, such as a key."""
        return self._rng.randbytes(count)

    def uuid(self) -> str:
        """Make a random UUID."""
        return str(uuid.UUID(int=self._rng.getrandbits(128), version=4))

    def hex(self, count: int) -> str:
        """Make the hexadecimal digits of so many bytes."""
        return self.raw(count).hex()

    def urlsafe(self, count: int) -> str:
        """Make the URL-safe base64 of so many bytes."""
        return base64.urlsafe_b64encode(self.raw(count)).rstrip(b"=").decode("ascii")
