"""A circuit breaker: once a service is down, ask it seldom, and one at a time.

Pure: told the time and what happened; never asking for either.
"""

from dataclasses import dataclass, field
from typing import Literal

from hangbot.delivery.policy import Dice, RetryPolicy

__all__ = ["Breaker", "BreakerState"]

BreakerState = Literal["closed", "open", "probing"]


@dataclass(slots=True)
class Breaker:
    """Closed while the service works; open after so many failures in a row; then one probe at a time.

    Attributes:
        policy: How long to wait before the next probe; each failed one waits longer.
        failures_to_open: Failures in a row, over all messages, that open it.
        state: ``closed``: everything passes; ``open``: nothing does until `retry_at`; ``probing``:
            one request is on its way to find out.
        since: When it was opened (monotonic seconds), or ``None``.
        reason: What the last failure said.
    """

    policy: RetryPolicy
    failures_to_open: int = 5
    state: BreakerState = "closed"
    since: float | None = None
    retry_at: float = 0.0
    reason: str = ""
    _failures: int = field(default=0, repr=False)

    def admit(self, now: float) -> bool:
        """Tell whether a request may go now; in the open state the first one after the wait is the probe."""
        if self.state == "closed":
            return True
        if self.state == "open" and now >= self.retry_at:
            self.state = "probing"
            return True
        return False

    def wait(self, now: float) -> float:
        """Return the seconds after which it is worth asking `admit` again; 0 when now is."""
        if self.state == "closed":
            return 0.0
        if self.state == "open":
            return max(0.0, self.retry_at - now)
        return self.policy.longest  # the probe's end tells, sooner

    def succeeded(self) -> None:
        """An answer came, whatever it said: the service works."""
        self.state = "closed"
        self.since = None
        self._failures = 0
        self.reason = ""

    def failed(self, now: float, dice: Dice, reason: str) -> None:
        """No answer came, or one that says the service is in trouble."""
        self._failures += 1
        self.reason = reason
        if self._failures < self.failures_to_open:
            return
        self.since = self.since if self.since is not None else now
        self.state = "open"
        probes = self._failures - self.failures_to_open + 1
        self.retry_at = now + self.policy.wait_after(probes, dice)

    def abandoned(self, now: float) -> None:
        """The probe was called off before it could tell: the next request is the probe."""
        if self.state == "probing":
            self.state = "open"
            self.retry_at = now
