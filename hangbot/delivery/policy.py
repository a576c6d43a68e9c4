"""When to try again: a pure function of the attempt, the settings and the randomness."""

from dataclasses import dataclass
from typing import Literal

from hangbot.ids import Rng

__all__ = ["RetryPolicy", "Strategy", "TokenBucket"]

Strategy = Literal["seed", "equal", "full"]


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how long. All times are seconds.

    The exponential step after attempt *n* is ``base * factor ** (n - 1)``, at most ``longest``.
    What is waited is drawn from it by ``strategy``:

    - ``seed``: the step, plus 0 to ``jitter``. Clients that failed together return together.
    - ``equal``: the upper half of the step, plus 0 to ``jitter``.
    - ``full``: 0 to the step.

    ``at_longest`` is drawn by instead as soon as the step is ``longest``, where it is given.
    """

    attempts: int = 3
    base: float = 1.0
    factor: float = 2.0
    longest: float = 30.0
    jitter: float = 0.2
    strategy: Strategy = "equal"
    total: float = 300.0
    at_longest: Strategy | None = None

    def step(self, attempt: int) -> float:
        """Return the exponential step after the attempt with this number, the first being 1."""
        try:
            return min(self.base * self.factor ** (attempt - 1), self.longest)
        except OverflowError:
            return self.longest if self.base else 0.0

    def wait_after(self, attempt: int, rng: Rng) -> float:
        """Draw the wait after the attempt with this number, the first being 1."""
        return self._draw(self.step(attempt), rng)

    def longest_wait(self, rng: Rng) -> float:
        """Draw the wait that would come after ever so many attempts: for what waiting alone does not mend."""
        return self._draw(self.longest, rng)

    def _draw(self, step: float, rng: Rng) -> float:
        strategy = self.at_longest if self.at_longest and step >= self.longest else self.strategy
        if strategy == "seed":
            return step + self.jitter * rng.random()
        if strategy == "equal":
            return step * (1 + rng.random()) / 2 + self.jitter * rng.random()
        return step * rng.random()


class TokenBucket:
    """So many a second on average, so many at once; told the time, never asking for it."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._tokens = float(burst)
        self._at: float | None = None

    def take(self, now: float) -> float:
        """Take a token and return the seconds to wait before using it; a rate of 0 is no limit."""
        if not self._rate:
            return 0.0
        self._tokens = self._left(now) - 1
        self._at = now
        return max(0.0, -self._tokens / self._rate)

    def wait(self, now: float, *, behind: int = 0) -> float:
        """Return what `take` would, after so many others, and take nothing."""
        return max(0.0, (1 + behind - self._left(now)) / self._rate) if self._rate else 0.0

    def _left(self, now: float) -> float:
        if self._at is None:
            return self._tokens
        return min(self._burst, self._tokens + (now - self._at) * self._rate)
