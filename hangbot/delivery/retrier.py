"""The one loop that retries: it does what `hangbot.delivery.retry.decide` says, to the end."""

import math
from dataclasses import dataclass
from typing import Final, Protocol

from hangbot.clock import Clock, steady
from hangbot.delivery.record import Settlement, Step, StepKind
from hangbot.delivery.retry import Moment, Progress, RetryPolicy, Until, decide
from hangbot.errors import ServiceError
from hangbot.ids import Rng

__all__ = ["Retrier", "Sendable", "ServiceHealth"]

_ROUNDED: Final = 1e-6
"""Seconds by which sums of waits may differ: the end of a wait must not look a hair too early."""


class Sendable(Protocol):
    """What is retried: a message of the outbox, or a room action.

    Attributes:
        key: The stable id, for the records.
        unknown_remedy: What the operator does where nothing tells whether an attempt arrived.
    """

    key: str
    unknown_remedy: str

    def record(self, step: Step, /) -> None:
        """Take note of a step, and give it to the listeners."""

    async def admit(self, *, retry: bool, until: Until) -> bool:
        """Wait until an attempt may begin; ``False``: not in time."""

    async def send(self, *, until: Until) -> bool:
        """Make one attempt; ``False``: withdrawn meanwhile, nothing was sent. Raises `ServiceError`."""

    async def find(self, *, until: Until) -> bool:
        """Return whether an earlier attempt arrived; raises `ServiceError` where that cannot be known."""

    async def pause(self, seconds: float, /) -> None:
        """Wait before the next try."""


class ServiceHealth(Protocol):
    """What is known of a service over all that is sent to it: its outage costs a message nothing."""

    def worked_for(self) -> float:
        """Return a time (seconds) that stands still while it is down."""

    async def answers(self, since: float) -> bool:
        """Return whether it has answered a question since then, or does now."""

    def longest_wait(self) -> float:
        """Return the seconds to wait after something that waiting alone does not mend."""


@dataclass(frozen=True, slots=True)
class _AlwaysThere:
    """The health of a service of which nothing is known but its answers."""

    clock: Clock
    policy: RetryPolicy

    def worked_for(self) -> float:
        return self.clock.now()

    async def answers(self, since: float) -> bool:  # noqa: ARG002  the protocol's
        return True

    def longest_wait(self) -> float:
        return self.policy.longest


class Retrier:
    """Runs what is sendable to its end.

    Args:
        policy: When to try again.
        clock: Measures.
        rng: Draws the waits.
        service: Where it is given, neither attempts nor time count while the service is down.
    """

    def __init__(
        self, policy: RetryPolicy, clock: Clock, rng: Rng, service: ServiceHealth | None = None
    ) -> None:
        self.policy = policy
        self.clock = clock
        self.rng = rng
        self._service = service or _AlwaysThere(clock, policy)

    async def run(self, sendable: Sendable, progress: Progress | None = None) -> Settlement:
        """Send until acknowledged, refused or given up.

        Args:
            sendable: What is sent.
            progress: What has become of it in earlier runs.

        Returns:
            How it ended; never raises a `ServiceError`. What was withdrawn is ``dropped``, which nothing
            records here: its end stands where it was withdrawn.
        """
        progress = progress or Progress()
        progress.begun = progress.failed_at = self.clock.now()
        progress.deadline = self._service.worked_for() + self.policy.total
        progress.unknown_remedy = sendable.unknown_remedy
        while True:
            match decide(progress, self.policy, self._moment(progress)):
                case Settlement() as end:
                    if not progress.withdrawn:
                        detail = end.reason or f"tier {end.tier}"
                        self._record(sendable, progress, "settled", detail, end=end)
                    return end
                case "send":
                    await self._attempt(sendable, progress)
                case "find":
                    await self._find(sendable, progress)
                case "pause":
                    await self._pause(sendable, progress)
                case _:  # probe
                    progress.works = await self._service.answers(progress.failed_at)

    def _moment(self, progress: Progress) -> Moment:
        return Moment(
            late=self._service.worked_for() >= progress.deadline - _ROUNDED,
            expired=self._is_expired(progress),
            asked_long=self.clock.now() >= progress.begun + self.policy.total,
        )

    def _is_expired(self, progress: Progress) -> bool:
        return progress.expires_at is not None and steady(self.clock) >= progress.expires_at - _ROUNDED

    async def _attempt(self, sendable: Sendable, progress: Progress) -> None:
        """Make an attempt as soon as it is admitted."""
        progress.works = None
        until = Until(progress.deadline, progress.expires_at)
        progress.refused = not await sendable.admit(retry=progress.is_retry, until=until)
        if progress.refused or self._is_expired(progress):
            return
        progress.attempts += 1
        self._record(sendable, progress, "attempt")
        started = self.clock.now()
        try:
            progress.withdrawn = not await sendable.send(until=until)
        except ServiceError as exc:
            took = self.clock.now() - started
            self._record(sendable, progress, "answer", _in_words(exc), seconds=took, error=exc)
            progress.failed(exc, self.clock.now())
            return
        if not progress.withdrawn:
            self._record(sendable, progress, "answer", "acknowledged", seconds=self.clock.now() - started)
            progress.acknowledged = True

    async def _find(self, sendable: Sendable, progress: Progress) -> None:
        """Find out whether an earlier attempt arrived."""
        progress.works = None
        ask_until = progress.begun + self.policy.total
        try:
            found = await sendable.find(until=Until(progress.deadline, progress.expires_at, ask_until))
        except ServiceError as exc:
            self._record(sendable, progress, "asked", f"no answer: {_in_words(exc)}", error=exc)
            progress.could_not_ask(exc, self.clock.now())
        else:
            progress.asked(found=found)
            self._record(sendable, progress, "asked", "it arrived" if found else "it did not arrive")

    async def _pause(self, sendable: Sendable, progress: Progress) -> None:
        """Wait as long as the policy and the service say, and find out whether the service works then."""
        error = progress.asking_error or progress.last_error
        progress.waits += 1
        wait = self.policy.wait_after(progress.waits, self.rng)
        if error and (asked := error.retry_after) is not None:
            wait = max(wait, self.policy.longest if math.isinf(asked) else asked)
        if error and error.about_token:
            wait = self._service.longest_wait()
            progress.deadline += wait  # the token's fault costs the message no time
        wait = max(0.0, min(wait, progress.deadline - self._service.worked_for()))
        self._record(sendable, progress, "waiting", f"{wait:.3f} s", seconds=wait, error=error)
        await sendable.pause(wait)
        progress.resumed(works=await self._service.answers(progress.failed_at))

    def _record(
        self,
        sendable: Sendable,
        progress: Progress,
        kind: StepKind,
        detail: str = "",
        *,
        seconds: float = 0.0,
        end: Settlement | None = None,
        error: ServiceError | None = None,
    ) -> None:
        at, cause = self.clock.wall(), type(error).__name__ if error else ""
        sendable.record(Step(sendable.key, at, kind, progress.attempts, detail, seconds, end, cause))


def _in_words(error: ServiceError) -> str:
    return f"{type(error).__name__}: {error}"
