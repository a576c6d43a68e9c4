"""One message from its first attempt to its settlement.

The same loop carries chat messages and room actions; what differs is handed in: how to send,
and how to ask whether an earlier attempt arrived. Whatever may have arrived is asked about
before it is sent again, so a lost acknowledgement neither loses nor doubles.
"""

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from hangbot.clock import Clock, steady
from hangbot.delivery.policy import Dice, RetryPolicy
from hangbot.delivery.record import Notify, Settlement, Step, StepKind
from hangbot.errors import ActionLost, AnswerLost, RateLimited, Refused, ServiceError, Unreachable

__all__ = ["Carrier", "Earlier"]

Send = Callable[[], Awaitable[object]]
Turn = Callable[[bool], Awaitable[bool]]
"""Waits until an attempt may begin; ``False``: not before the deadline.

Told whether it is a retry: what an earlier run of the program sent is not held against this one.
"""
Ask = Callable[[], Awaitable[bool]]
"""True: an earlier attempt arrived; False: it did not; a `ServiceError`: cannot tell."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """What a message brings with it.

    Attributes:
        attempts: Attempts that earlier runs made.
        in_doubt: Whether one of those may have arrived: then it is asked about first.
        expires_at: When it is not worth sending any more (as `hangbot.clock.steady` tells it), or ``None``.
        deadline: When it is given up (monotonic seconds), or ``None`` for the policy's own.
    """

    attempts: int = 0
    in_doubt: bool = False
    expires_at: float | None = None
    deadline: float | None = None


@dataclass(frozen=True, slots=True)
class Carrier:
    """Carries under one policy, one clock, one pair of dice, telling one listener."""

    policy: RetryPolicy
    clock: Clock
    dice: Dice
    notify: Notify

    async def carry(
        self,
        key: str,
        send: Send,
        ask: Ask,
        *,
        turn: Turn | None = None,
        earlier: Earlier | None = None,
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
        journey = _Journey(self, key, send, ask, turn, earlier or Earlier(), if_uncertain=if_uncertain)
        return await journey.run()

    def deadline(self) -> float:
        """Return when a message that begins now is given up (monotonic seconds)."""
        return self.clock.now() + self.policy.total


class _Journey:
    def __init__(
        self,
        carrier: Carrier,
        key: str,
        send: Send,
        ask: Ask,
        turn: Turn | None,
        earlier: Earlier,
        *,
        if_uncertain: str,
    ) -> None:
        self._if_uncertain = if_uncertain
        self._policy = carrier.policy
        self._clock = carrier.clock
        self._dice = carrier.dice
        self._notify = carrier.notify
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
        self._deadline = carrier.deadline() if earlier.deadline is None else earlier.deadline

    async def run(self) -> Settlement:
        while True:
            settlement = await (self._settle_by_asking() if self._in_doubt else self._settle_by_sending())
            if settlement:
                self._tell("settled", settlement.reason or f"tier {settlement.tier}", settlement=settlement)
                return settlement

    async def _settle_by_sending(self) -> Settlement | None:
        return self._expired() or self._given_up() or await self._attempt()

    async def _attempt(self) -> Settlement | None:
        if self._turn and not await self._turn(self._trouble is not None):
            return self._expired() or self._given_up() or self._never_sent()
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
        self._retried = True
        if not (trouble.retryable or trouble.about_token):
            if trouble.ambiguous:
                return Settlement("uncertain", None, self._attempts, str(trouble), trouble.remedy)
            return Settlement("failed", 3, self._attempts, str(trouble), trouble.remedy)
        self._in_doubt = trouble.ambiguous
        if not isinstance(trouble, Unreachable | RateLimited):
            self._spent += 1  # what never reached the service, or was told to wait, is no attempt spent
        await self._wait(trouble)
        return None

    async def _settle_by_asking(self) -> Settlement | None:
        """Find out whether an earlier attempt arrived; ``None``: it did not, or ask again."""
        try:
            found = await self._ask()
        except ServiceError as exc:
            self._tell("asked", f"no answer: {_in_words(exc)}")
            final = isinstance(exc, Refused | ActionLost) and not exc.about_token
            if final or self._clock.now() >= self._deadline:
                return self._uncertain(exc)
            await self._wait(exc)
            return None
        self._in_doubt = False
        self._tell("asked", "it arrived" if found else "it did not arrive")
        return Settlement("delivered", 2, self._attempts) if found else None

    def _uncertain(self, why: ServiceError) -> Settlement:
        reason = f"sent, not acknowledged, and asking failed too: {why}"
        return Settlement("uncertain", None, self._attempts, reason, self._if_uncertain)

    def _expired(self) -> Settlement | None:
        if self._expires_at is None or steady(self._clock) < self._expires_at:
            return None
        reason = "older than its time to live, and not (known to be) in the room"
        return Settlement("expired", None, self._attempts, reason, "Say it anew if it is still wanted.")

    def _never_sent(self) -> Settlement | None:
        if self._clock.now() < self._deadline:
            return None  # it was to expire before its turn, and the clock was set back meanwhile
        reason = (
            f"given up after {self._policy.total:g} s: the service was down all the time; nothing was sent"
        )
        return Settlement("failed", 3, self._attempts, reason, Unreachable.remedy)

    def _given_up(self) -> Settlement | None:
        trouble = self._trouble
        if self._in_doubt or trouble is None:
            return None
        late = self._clock.now() >= self._deadline
        if self._spent < self._policy.attempts and not late:
            return None
        bound = f"after {self._policy.total:g} s" if late else f"after {self._spent} attempts"
        return Settlement("failed", 3, self._attempts, f"given up {bound}: {trouble}", trouble.remedy)

    async def _wait(self, trouble: ServiceError) -> None:
        self._tries += 1
        wait = self._policy.wait_after(self._tries, self._dice)
        if trouble.retry_after is not None:
            asked = trouble.retry_after
            wait = max(wait, self._policy.longest if math.isinf(asked) else asked)
        wait = max(0.0, min(wait, self._deadline - self._clock.now()))
        self._tell("waiting", f"{wait:.3f} s", seconds=wait)
        await self._clock.sleep(wait)

    def _tell(
        self, kind: StepKind, detail: str = "", *, seconds: float = 0.0, settlement: Settlement | None = None
    ) -> None:
        at = self._clock.wall()
        self._notify(Step(self._key, at, kind, self._attempts, detail, seconds, settlement))


def _in_words(error: ServiceError) -> str:
    return f"{type(error).__name__}: {error}"
