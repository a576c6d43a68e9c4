"""What comes next for a message or a room action, from its first attempt to its end. PURE.

`decide` is the one verdict; `hangbot.delivery.retrier` acts on it. What may have arrived is asked about
before it is sent again, so a lost acknowledgement neither loses nor doubles.
"""

import math
from dataclasses import dataclass
from typing import Literal

from hangbot.clock import Clock, steady
from hangbot.delivery.record import Settlement
from hangbot.errors import ActionLost, AnswerLost, RateLimited, Refused, ServiceError, Unreachable
from hangbot.ids import Rng

__all__ = ["Moment", "Next", "Progress", "RetryPolicy", "Strategy", "Until", "decide"]

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


@dataclass(frozen=True, slots=True)
class Until:
    """Until when a send, or a question about one, is worth waiting for.

    Attributes:
        deadline: In the time for which the service has worked: what it is down for costs nothing.
        expires_at: When a send is not wanted any more, as `hangbot.clock.steady` counts, or ``None``.
        ask_until: Of a question: until when (monotonic seconds) it is put while the service is down, even
            about what has expired. ``None`` for a send.
    """

    deadline: float = math.inf
    expires_at: float | None = None
    ask_until: float | None = None

    def left(self, clock: Clock, worked_for: float, *, down: bool) -> float:
        """Return the seconds that are left, as far as is known now."""
        fresh = math.inf if self.expires_at is None else self.expires_at - steady(clock)
        if self.ask_until is not None and down:
            return max(fresh, self.ask_until - clock.now())
        working = math.inf if down else self.deadline - worked_for
        return working if self.ask_until is not None else min(working, fresh)


@dataclass(slots=True)
class Progress:
    """What has become of a message so far, earlier runs of the program included.

    Attributes:
        attempts: Attempts made.
        in_doubt: Whether one of them may have arrived: then it is asked about first.
        expires_at: When it is not worth sending any more (as `hangbot.clock.steady` counts), or ``None``.
        unknown_remedy: As of its `Sendable`.
        begun: When this run began (monotonic seconds).
        deadline: When it is given up, in the time for which the service has worked.
        retried: Whether its end is tier 2 at best.
        counted_attempts: Attempts that failed while the service worked.
        waits: Pauses made.
        acknowledged: Whether the last attempt was.
        found: Whether it was found when asked about.
        last_error: Of the last attempt that failed.
        asking_error: Of a question that failed and has not been paused after.
        failed_at: When the last of both failed (monotonic seconds).
        paused: Whether there was a pause after the last failed attempt.
        withdrawn: Whether another process ended or queued it before the last attempt.
        refused: Whether the last attempt was not admitted in time.
        works: Whether the service answers since `failed_at`; ``None``: not asked yet.
    """

    attempts: int = 0
    in_doubt: bool = False
    expires_at: float | None = None
    unknown_remedy: str = AnswerLost.remedy
    begun: float = 0.0
    deadline: float = math.inf
    retried: bool = False
    counted_attempts: int = 0
    waits: int = 0
    acknowledged: bool = False
    found: bool = False
    last_error: ServiceError | None = None
    asking_error: ServiceError | None = None
    failed_at: float = 0.0
    paused: bool = False
    withdrawn: bool = False
    refused: bool = False
    works: bool | None = None

    def __post_init__(self) -> None:
        self.retried = self.retried or self.attempts > 0 or self.in_doubt

    @property
    def is_retry(self) -> bool:
        """Whether the next attempt counts as a retry; after a refused token it does not."""
        return self.last_error is not None and not self.last_error.about_token

    def failed(self, error: ServiceError, now: float) -> None:
        """Note that an attempt failed."""
        self.last_error = error
        self.failed_at = now
        self.retried = True
        self.paused = False
        self.in_doubt = error.ambiguous

    def asked(self, *, found: bool) -> None:
        """Note what a question was answered."""
        self.in_doubt = False
        self.found = found

    def could_not_ask(self, error: ServiceError, now: float) -> None:
        """Note that a question failed."""
        self.asking_error = error
        self.failed_at = now

    def resumed(self, *, works: bool) -> None:
        """Note the end of a pause, and whether the service answers then.

        What never reached the service, or was asked to wait, is no counted attempt.
        """
        error = self.last_error
        if works and error and not self.paused and self.asking_error is None:
            excused = isinstance(error, Unreachable | RateLimited) or error.about_token
            self.counted_attempts += not excused
        self.asking_error = None
        self.paused = True
        self.works = None


@dataclass(frozen=True, slots=True)
class Moment:
    """What the clocks say about a message: all that `decide` knows of the time.

    Attributes:
        late: Whether its total time is over.
        expired: Whether it is not worth sending any more.
        asked_long: Whether it has been asked about for its total time, whatever the service did meanwhile.
    """

    late: bool = False
    expired: bool = False
    asked_long: bool = False


Next = Literal["send", "find", "pause", "probe"]
"""``probe``: find out whether the service works at all; what it is down for ends no message."""


def decide(progress: Progress, policy: RetryPolicy, now: Moment) -> Settlement | Next:
    """Return how a message ends, or what is done next about it."""
    if progress.withdrawn:
        return Settlement("dropped", None, progress.attempts, "withdrawn before it was sent")
    if progress.acknowledged or progress.found:
        return Settlement("delivered", 2 if progress.found or progress.retried else 1, progress.attempts)
    if progress.asking_error:
        return _after_asking(progress, progress.asking_error, now)
    error = progress.last_error
    if error and not progress.paused:
        if error.retryable or error.about_token:
            return "pause"
        if error.ambiguous:
            return Settlement("uncertain", None, progress.attempts, str(error), error.remedy)
        return Settlement("failed", 3, progress.attempts, str(error), error.remedy)
    if progress.in_doubt:
        return "find"
    return _unless_over(progress, policy, now)


def _after_asking(progress: Progress, error: ServiceError, now: Moment) -> Settlement | Next:
    reason = f"sent, not acknowledged, and asking failed too: {error}"
    unknown = Settlement("uncertain", None, progress.attempts, reason, progress.unknown_remedy)
    if isinstance(error, Refused | ActionLost) and not error.about_token:
        return unknown
    if now.expired and now.asked_long:
        return unknown
    if not now.late or progress.works is False:
        return "pause"
    return unknown if progress.works else "probe"


def _unless_over(progress: Progress, policy: RetryPolicy, now: Moment) -> Settlement | Next:
    """Give up what is too old; when time or attempts are over, only while the service works."""
    if now.expired:
        reason = "older than its time to live, and not (known to be) in the room"
        return Settlement("expired", None, progress.attempts, reason, "Say it anew if it is still wanted.")
    error, attempts = progress.last_error, progress.counted_attempts
    if error and not error.about_token and (now.late or attempts >= policy.attempts):
        bound = f"after {policy.total:g} s" if now.late else f"after {attempts} attempts"
        reason, remedy = f"given up {bound}: {error}", error.remedy
    elif progress.refused and now.late:
        reason = f"given up after {policy.total:g} s: its turn did not come; nothing was sent"
        remedy = Unreachable.remedy
    else:
        return "send"
    if progress.works is None:
        return "probe"
    return Settlement("failed", 3, progress.attempts, reason, remedy) if progress.works else "send"
