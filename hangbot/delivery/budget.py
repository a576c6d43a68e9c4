"""A retry budget: retries are a small share of the sends, so that they never become the load.

Pure: told the time, never asking for it.
"""

from collections import deque
from typing import Final

__all__ = ["RetryBudget"]

_WINDOW: Final = 60.0


class RetryBudget:
    """At most ``share`` retries for each send of the last minute, and ``floor`` in any case.

    Args:
        share: Retries per send.
        floor: Retries a minute that are always allowed, so that a quiet bot can retry at all.
    """

    def __init__(self, share: float = 0.1, floor: int = 10) -> None:
        self._share = share
        self._floor = floor
        self._sends: deque[float] = deque()
        self._retries: deque[float] = deque()

    def sent(self, now: float) -> None:
        """Count a first send."""
        self._sends.append(now)

    def retried(self, now: float) -> None:
        """Count a retry."""
        self._retries.append(now)

    def wait(self, now: float) -> float:
        """Return the seconds until the oldest retry is forgotten, or 0 when one may be made now."""
        for times in (self._sends, self._retries):
            while times and times[0] <= now - _WINDOW:
                times.popleft()
        if len(self._retries) < max(self._floor, self._share * len(self._sends)):
            return 0.0
        return (self._retries[0] if self._retries else now) + _WINDOW - now
