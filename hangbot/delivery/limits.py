"""What limits the requests to a service: a circuit breaker, a retry budget, a rate. PURE.

Each is given the time and what happened, and asks for neither.

A service is down when it fails a request and a probe too; what it says to one request is no proof, because
that may be about this one alone. Once it is down, nothing but probes goes out, one at a time.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final, Literal

from hangbot.delivery.retry import RetryPolicy
from hangbot.ids import Rng
from hangbot.token_bucket import TokenBucket

__all__ = ["BreakerState", "CircuitBreaker", "RetryBudget", "ThrottleLimits"]

_WINDOW: Final = 60.0
"""Seconds that a retry budget looks back."""
BreakerState = Literal["closed", "open", "probing"]


@dataclass(slots=True)
class CircuitBreaker:
    """Closed while the service works; open from a failed probe to the next one that is answered.

    Attributes:
        policy: How long to wait before the next probe; each failed one waits longer.
        failures_to_open: Failures in a row, over all requests, after which a probe is due at once.
        state: ``closed``: everything passes; ``open``: nothing does, and from `retry_at` on a probe is
            due; ``probing``: one is on its way.
        since: Since when it is down (monotonic seconds): its first failure in a row; or ``None``.
        reason: What the last failure said.
    """

    policy: RetryPolicy
    failures_to_open: int = 5
    state: BreakerState = "closed"
    since: float | None = None
    retry_at: float = 0.0
    reason: str = ""
    _failures: int = field(default=0, repr=False)
    _failing_since: float | None = field(default=None, repr=False)
    _probes: int = field(default=0, repr=False)
    _down_before: float = field(default=0.0, repr=False)

    @property
    def down(self) -> bool:
        """Whether the service is known to be down."""
        return self.state != "closed"

    def wait(self, now: float) -> float:
        """Return the seconds until a probe is due; of one on its way, as long as it may take."""
        if self.state == "closed":
            return 0.0
        if self.state == "open":
            return max(0.0, self.retry_at - now)
        return self.policy.longest  # its end wakes the waits sooner

    def worked_for(self, now: float) -> float:
        """Return a time that stands still while the service is down; what was down is only known later."""
        return now - self._down_before - (0.0 if self.since is None else now - self.since)

    def succeeded(self) -> None:
        """Note that a request was answered, whatever the answer: the failures before it do not go on.

        Of a service that is down, only a probe says that it is back.
        """
        if self.state == "closed":
            self._failures = 0
            self._failing_since = None
            self.reason = ""

    def failed(self, now: float, reason: str) -> bool:
        """Note that a request was not answered by the service; return whether it is to be probed at once."""
        if self.state != "closed":
            return False  # it was on its way before: that is known
        self._failures += 1
        self._failing_since = now if self._failing_since is None else self._failing_since
        self.reason = reason
        return self._failures >= self.failures_to_open

    def begin_probe(self, now: float) -> bool:
        """Begin a probe of a service that is down; ``False``: it is not due, or one is on its way."""
        if self.state != "open" or now < self.retry_at:
            return False
        self.state = "probing"
        return True

    def answered(self, now: float) -> None:
        """Note that a probe was answered: the service works."""
        if self.since is not None:
            self._down_before += now - self.since
        self.state = "closed"
        self.since = None
        self._probes = 0
        self.succeeded()

    def unanswered(
        self, now: float, rng: Rng, reason: str, *, at_least: float = 0.0, at_the_cap: bool = False
    ) -> None:
        """Note that a probe failed: the service is down.

        Args:
            now: Monotonic seconds.
            rng: Draws the wait before the next one.
            reason: What it said.
            at_least: Seconds that the service wants to be left alone.
            at_the_cap: Whether to ask seldom from the first time on: waiting alone does not mend it.
        """
        self._probes += 1
        self.state = "open"
        if self.since is None:
            self.since = now if self._failing_since is None else self._failing_since
        self.reason = reason
        wait = self.policy.longest_wait(rng) if at_the_cap else self.policy.wait_after(self._probes, rng)
        self.retry_at = now + max(wait, at_least)

    def probe_cancelled(self, now: float) -> None:
        """Note that a probe was called off before its answer: the next one is due."""
        if self.state == "probing":
            self.state = "open"
            self.retry_at = now


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


@dataclass(frozen=True, slots=True)
class ThrottleLimits:
    """What holds for all messages to one service together.

    Attributes:
        bucket: How many a second.
        budget: How many retries.
        breaker: Whether the service is known to be down.
        in_flight: How many requests at a time: each takes a connection of its own.
    """

    bucket: TokenBucket
    budget: RetryBudget
    breaker: CircuitBreaker
    in_flight: int = 4
