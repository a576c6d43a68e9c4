"""So many a second on average, so many at once. PURE."""

__all__ = ["TokenBucket"]


class TokenBucket:
    """Says how long to wait so that a rate is kept.

    Args:
        rate: Tokens that come back in a second; 0: there is no limit.
        burst: Tokens at most.
    """

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._tokens = float(burst)
        self._at: float | None = None

    def take(self, now: float, tokens: float = 1.0) -> float:
        """Take some tokens and return the seconds to wait before using them."""
        if not self._rate:
            return 0.0
        self._tokens = self._left(now) - tokens
        self._at = now
        return max(0.0, -self._tokens / self._rate)

    def wait(self, now: float, *, behind: int = 0) -> float:
        """Return what `take` would, after so many others, and take nothing."""
        return max(0.0, (1 + behind - self._left(now)) / self._rate) if self._rate else 0.0

    def _left(self, now: float) -> float:
        if self._at is None:
            return self._tokens
        return min(self._burst, self._tokens + (now - self._at) * self._rate)
