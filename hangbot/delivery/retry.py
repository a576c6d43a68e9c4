"""One message from its first attempt to its settlement.

The same loop carries chat messages and room actions; what differs is handed in: how to send,
and how to ask whether an earlier attempt arrived. Whatever may have arrived is asked about
before it is sent again, so a lost acknowledgement neither loses nor doubles.
"""

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from hangbot.clock import Clock, steady
from hangbot.delivery.record import Notify, Settlement, Step, StepKind
from hangbot.errors import ActionLost, AnswerLost, RateLimited, Refused, ServiceError, Unreachable
from hangbot.ids import Rng

__all__ = ["Progress", "Retrier", "RetryPolicy", "Service", "Strategy"]

_ROUNDED: Final = 1e-6
"""Seconds by which sums of waits may differ: who waits until a time must not look a hair too early."""

Send = Callable[[], Awaitable[object]]
Turn = Callable[[bool], Awaitable[bool]]
"""Waits until an attempt may begin; ``False``: not before the deadline.

Told whether it is a retry: what an earlier run of the program sent is not held against this one.
"""
Ask = Callable[[], Awaitable[bool]]
"""True: an earlier attempt arrived; False: it did not; a `ServiceError`: cannot tell."""


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


class Service(Protocol):
    """What is known of a service over all that is sent to it: what is down costs a message nothing."""

    def worked_for(self) -> float:
        """Return a time (seconds) that stands still while it is down."""

    async def answers(self, since: float) -> bool:
        """Tell whether it has worked since then, or does now."""

    def longest_wait(self) -> float:
        """Return the seconds to wait after something that waiting alone does not mend."""

    async def pause(self, seconds: float) -> None:
        """Wait before another try."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What a message brings with it.

    Attributes:
        attempts: Attempts that earlier runs made.
        in_doubt: Whether one of those may have arrived: then it is asked about first.
        expires_at: When it is not worth sending any more (as `hangbot.clock.steady` tells it), or ``None``.
        deadline: When it is given up, as `Service.worked_for` counts, or ``None`` for the policy's own.
    """

    attempts: int = 0
    in_doubt: bool = False
    expires_at: float | None = None
    deadline: float | None = None


@dataclass(frozen=True, slots=True)
class Retrier:
    """Carries under one policy, one clock, one source of randomness, telling one listener.

    Where ``service`` is given, neither attempts nor time count that it was down for.
    """

    policy: RetryPolicy
    clock: Clock
    rng: Rng
    notify: Notify
    service: Service | None = None

    async def run(
        self,
        key: str,
        send: Send,
        ask: Ask,
        *,
        turn: Turn | None = None,
        earlier: Progress | None = None,
        if_uncertain: str = AnswerLost.remedy,
    ) -> Settlement:
        """Send until acknowledged, refused or given up.

        Args:
            key: The stable id, for the records.
            send: One attempt. Raises `ServiceError`.
            ask: Whether an earlier attempt arrived. Raises `ServiceError` when it cannot tell.
            turn: Awaited before each attempt, which begins when it returns.
            earlier: What is left of earlier runs.
            if_uncertain: What the operator is to do where it cannot be told whether it arrived: only
                who calls knows what there is to ask with.

        Returns:
            How it ended; never raises a `ServiceError`.
        """
        journey = _Journey(self, key, send, ask, turn, earlier or Progress(), if_uncertain=if_uncertain)
        return await journey.run()


@dataclass(frozen=True, slots=True)
class _AlwaysThere:
    """A service of which nothing is known but what it answers."""

    clock: Clock
    policy: RetryPolicy

    def worked_for(self) -> float:
        return self.clock.now()

    async def answers(self, since: float) -> bool:  # noqa: ARG002  the protocol's
        return True

    def longest_wait(self) -> float:
        return self.policy.longest

    async def pause(self, seconds: float) -> None:
        await self.clock.sleep(seconds)


class _Journey:
    def __init__(
        self,
        retrier: Retrier,
        key: str,
        send: Send,
        ask: Ask,
        turn: Turn | None,
        earlier: Progress,
        *,
        if_uncertain: str,
    ) -> None:
        self._if_uncertain = if_uncertain
        self._policy = retrier.policy
        self._clock = retrier.clock
        self._rng = retrier.rng
        self._notify = retrier.notify
        self._key = key
        self._send = send
        self._ask = ask
        self._turn = turn
        self._attempts = earlier.attempts
        self._retried = earlier.attempts > 0 or earlier.in_doubt
        self._in_doubt = earlier.in_doubt
        self._expires_at = earlier.expires_at
        self._spent = 0
        self._tries = 0
        self._trouble: ServiceError | None = None
        self._failed_at = self._begun = retrier.clock.now()
        self._service = retrier.service or _AlwaysThere(retrier.clock, retrier.policy)
        own = self._service.worked_for() + retrier.policy.total
        self._deadline = own if earlier.deadline is None else earlier.deadline

    async def run(self) -> Settlement:
        while True:
            settlement = await (self._settle_by_asking() if self._in_doubt else self._settle_by_sending())
            if settlement:
                self._tell("settled", settlement.reason or f"tier {settlement.tier}", settlement=settlement)
                return settlement

    async def _settle_by_sending(self) -> Settlement | None:
        return self._expired() or await self._given_up() or await self._attempt()

    async def _attempt(self) -> Settlement | None:
        if self._turn and not await self._turn(self._is_retry()):
            return self._expired() or await self._given_up() or await self._never_sent()
        if expired := self._expired():
            return expired
        self._attempts += 1
        self._tell("attempt")
        started = self._clock.now()
        try:
            await self._send()
        except ServiceError as exc:
            return await self._after(exc, self._clock.now() - started)
        self._tell("answer", "acknowledged", seconds=self._clock.now() - started)
        return Settlement("delivered", 2 if self._retried else 1, self._attempts)

    async def _after(self, trouble: ServiceError, seconds: float) -> Settlement | None:
        self._tell("answer", _in_words(trouble), seconds=seconds)
        self._trouble = trouble
        self._failed_at = self._clock.now()
        self._retried = True
        if not (trouble.retryable or trouble.about_token):
            if trouble.ambiguous:
                return Settlement("uncertain", None, self._attempts, str(trouble), trouble.remedy)
            return Settlement("failed", 3, self._attempts, str(trouble), trouble.remedy)
        self._in_doubt = trouble.ambiguous
        await self._wait(trouble)
        # What never reached the service, or was told to wait, is no attempt spent.
        at_fault = not (isinstance(trouble, Unreachable | RateLimited) or trouble.about_token)
        if await self._answers() and at_fault:
            self._spent += 1
        return None

    def _is_retry(self) -> bool:
        """Tell whether an attempt counts as a retry; one that only the token was refused for does not."""
        return self._trouble is not None and not self._trouble.about_token

    async def _answers(self) -> bool:
        """Tell whether the service works, by a question put to it since the last trouble."""
        return await self._service.answers(self._failed_at)

    async def _settle_by_asking(self) -> Settlement | None:
        """Find out whether an earlier attempt arrived; ``None``: it did not, or ask again."""
        try:
            found = await self._ask()
        except ServiceError as exc:
            self._tell("asked", f"no answer: {_in_words(exc)}")
            self._failed_at = self._clock.now()
            if isinstance(exc, Refused | ActionLost) and not exc.about_token:
                return self._uncertain(exc)
            if self._asked_long_enough() or (self._late() and await self._answers() and self._late()):
                return self._uncertain(exc)
            await self._wait(exc)
            await self._answers()
            return None
        self._in_doubt = False
        self._tell("asked", "it arrived" if found else "it did not arrive")
        return Settlement("delivered", 2, self._attempts) if found else None

    def _uncertain(self, why: ServiceError) -> Settlement:
        reason = f"sent, not acknowledged, and asking failed too: {why}"
        return Settlement("uncertain", None, self._attempts, reason, self._if_uncertain)

    def _expired(self) -> Settlement | None:
        if self._expires_at is None or steady(self._clock) < self._expires_at - _ROUNDED:
            return None
        reason = "older than its time to live, and not (known to be) in the room"
        return Settlement("expired", None, self._attempts, reason, "Say it anew if it is still wanted.")

    def _asked_long_enough(self) -> bool:
        """Tell whether it is too old to be asked about; at a start there is time for that in any case."""
        if self._expires_at is None or steady(self._clock) < self._expires_at:
            return False
        return self._clock.now() >= self._begun + self._policy.total

    def _late(self) -> bool:
        return self._service.worked_for() >= self._deadline - _ROUNDED

    async def _never_sent(self) -> Settlement | None:
        if not self._late() or not await self._answers():
            return None  # it was to expire before its turn, and the clock was set back meanwhile
        reason = f"given up after {self._policy.total:g} s: its turn did not come; nothing was sent"
        return Settlement("failed", 3, self._attempts, reason, Unreachable.remedy)

    async def _given_up(self) -> Settlement | None:
        trouble = self._trouble
        if self._in_doubt or trouble is None or trouble.about_token:
            return None
        if not (self._late() or self._spent >= self._policy.attempts) or not await self._answers():
            return None
        late = self._late()
        if self._spent < self._policy.attempts and not late:
            return None
        bound = f"after {self._policy.total:g} s" if late else f"after {self._spent} attempts"
        return Settlement("failed", 3, self._attempts, f"given up {bound}: {trouble}", trouble.remedy)

    async def _wait(self, trouble: ServiceError) -> None:
        self._tries += 1
        wait, asked = self._policy.wait_after(self._tries, self._rng), trouble.retry_after
        if asked is not None:
            wait = max(wait, self._policy.longest if math.isinf(asked) else asked)
        if trouble.about_token:
            wait = self._service.longest_wait()
            self._deadline += wait  # a message is not to suffer for the token
        wait = max(0.0, min(wait, self._deadline - self._service.worked_for()))
        self._tell("waiting", f"{wait:.3f} s", seconds=wait)
        await self._service.pause(wait)

    def _tell(
        self, kind: StepKind, detail: str = "", *, seconds: float = 0.0, settlement: Settlement | None = None
    ) -> None:
        at = self._clock.wall()
        self._notify(Step(self._key, at, kind, self._attempts, detail, seconds, settlement))


def _in_words(error: ServiceError) -> str:
    return f"{type(error).__name__}: {error}"
