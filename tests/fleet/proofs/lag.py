"""When this process itself stood still: what came in then had left its sender before."""

import asyncio
import time
from typing import Final

__all__ = ["Lag"]

_EVERY: Final = 0.02
_NOTED: Final = 0.03
_CARRIED: Final = 10.0
"""Seconds back that are looked at."""


class Lag:
    """Watches the loop that it runs on.

    Attributes:
        spans: From when to when it did nothing: seconds since the epoch.
    """

    def __init__(self) -> None:
        self.spans: list[tuple[float, float]] = []

    @property
    def longest(self) -> float:
        """The longest of them."""
        return max((end - begin for begin, end in self.spans), default=0.0)

    def earliest(self, at: float) -> float:
        """Return when something that was heard at a time may have left its sender, at the earliest."""
        lost = [end - begin for begin, end in self.spans if at - _CARRIED < end <= at + 2 * _EVERY]
        return at - sum(lost) - 2 * _EVERY

    async def watch(self) -> None:
        """Watch until this is cancelled."""
        while True:
            due = time.time() + _EVERY
            await asyncio.sleep(_EVERY)
            now = time.time()
            if now - due > _NOTED:
                self.spans.append((due, now))
