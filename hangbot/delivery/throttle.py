"""What every request to a service passes: the breaker, the retry budget, the rate, the slots.

The rules are pure (`hangbot.delivery.limits`); this waits for them. What waits long gets a `Hold` back, to
show it and wait on; when the program is to stop, what waits gets `Stopped`.
"""

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from hangbot.clock import Clock
from hangbot.delivery.limits import ThrottleLimits
from hangbot.delivery.ports import Probed
from hangbot.delivery.prober import SENDING, TOKEN, Prober
from hangbot.delivery.retry import Until
from hangbot.delivery.waits import Stopped, Waits
from hangbot.errors import AnswerLost, RateLimited, ServiceError, Unavailable, Unreachable
from hangbot.figures import Figures
from hangbot.health import Conditions
from hangbot.ids import Rng

__all__ = ["LONG", "Hold", "Request", "Stopped", "Throttle"]

LONG: Final = 5.0
"""Seconds from which on a wait is shown, and ends when the program is to stop."""
_LOOK_EVERY: Final = 1.0
"""Seconds between looks at the retry budget: every send makes room in it."""
_LOOK_SOON: Final = 0.1
_SUSPENDED: Final = "the fleet: another worker may own the room by now"
_BUDGET: Final = "the retry budget: retries are at most a tenth of the sends of a minute, or ten"
_RATE: Final = "the rate of sends (HANGBOT_RATE)"
_SLOTS: Final = "other requests that are still on their way"
_FOR_EVER: Final = Until()
_COUNTS_FROM: Final = 0.01
"""Seconds from which on a wait is one that the figures show."""


@dataclass(frozen=True, slots=True)
class Hold:
    """What holds something up.

    Attributes:
        cause: In words.
        seconds: How long it has, or is about to.
        late: Whether it is not worth waiting any more.
    """

    cause: str
    seconds: float
    late: bool = False


class Throttle:
    """Lets requests through one service's limits, and learns from how they end.

    Args:
        limits: The limits.
        clock: Measures and waits.
        rng: Draws the waits between probes.
        service: Is probed when requests fail.
        conditions: Shows that the service refuses the token.
        figures: Count what is held up, and for how long.
        may_send: Returns whether this process may send at all right now.
    """

    def __init__(
        self,
        limits: ThrottleLimits,
        clock: Clock,
        rng: Rng,
        service: Probed,
        conditions: Conditions | None = None,
        figures: Figures | None = None,
        *,
        may_send: Callable[[], bool] = lambda: True,
    ) -> None:
        self._may_send = may_send
        self.breaker = limits.breaker
        self._bucket = limits.bucket
        self._budget = limits.budget
        self._clock = clock
        self._rng = rng
        self._conditions = conditions or Conditions()
        self._figures = figures or Figures()
        self._waits = Waits()
        self._prober = Prober(service, self.breaker, clock, rng, self._conditions, self._waits)
        self._pace = asyncio.Lock()
        self._in_line = 0
        """How many wait to take a token of the rate."""
        self._slots = asyncio.Semaphore(limits.in_flight)
        self._under_way = 0
        self._quiet = asyncio.Event()
        self._quiet.set()

    @property
    def clear(self) -> bool:
        """Whether a first attempt would pass at once."""
        waits = self.breaker.down or self._bucket.wait(self._clock.now()) or self._pace.locked()
        return self._may_send() and not waits

    async def quiet(self) -> None:
        """Wait until no request is under way; what waits to be admitted is none."""
        await self._quiet.wait()

    def stop(self) -> None:
        """Hold nothing up any more: what waits gets `Stopped`."""
        self._waits.stop()

    def worked_for(self) -> float:
        """Return a time (seconds) that stands still while the service is down."""
        return self.breaker.worked_for(self._clock.now())

    def longest_wait(self) -> float:
        """Draw the wait after something that waiting alone does not mend."""
        return self.breaker.policy.longest_wait(self._rng)

    async def answers(self, since: float) -> bool:
        """Return whether the service works, by a probe that was made since then, or is made now."""
        return await self._prober.answers(since)

    async def pause(self, seconds: float) -> None:
        """Wait before another try; raises `Stopped` from a long wait."""
        if seconds <= LONG:
            await self._clock.sleep(seconds)
            return
        end = self._clock.now() + seconds
        while (left := end - self._clock.now()) > 0:
            await self._waits.run(self._clock.sleep(left))

    async def acquire(
        self, *, retry: bool, until: Until = _FOR_EVER, patience: float = math.inf
    ) -> Hold | None:
        """Wait until a send may go; ``None`` when it may, and in this very iteration of the loop.

        Args:
            retry: Whether it counts as a retry.
            until: Until when that is worth waiting for.
            patience: Seconds after which to return, to show what holds it up and call again.

        Raises:
            Stopped: It would have to wait on.
        """
        while True:
            if hold := await self.until_open(retry=retry, until=until, patience=patience):
                return hold
            if patience < math.inf and (wait := self._wait_in_line()) > LONG:
                return Hold(_RATE, wait)
            begun = self._clock.now()
            self._in_line += 1
            try:
                await self._pace.acquire()  # first come, first served
            finally:
                self._in_line -= 1
            try:
                if await self._paced(retry=retry):
                    self.note_held("rate", begun)
                    return None
            finally:
                self._pace.release()

    def request(self, *, until: Until = _FOR_EVER) -> "Request":
        """Return a request: ``async with`` it, wait while it is `Request.held_up`, and make it."""
        return Request(self, self._slots, self._clock, until)

    async def until_open(self, *, retry: bool, until: Until, patience: float) -> Hold | None:
        """Wait until neither the breaker nor, for a retry, the budget holds it up."""
        begun, why = self._clock.now(), ""
        while blocked := self._blocked(retry=retry):
            if self._waits.stopping:
                raise Stopped
            why, cause, wait = blocked
            now = self._clock.now()
            left = until.left(self._clock, self.worked_for(), down=self.breaker.down)
            if left <= 0 or now >= begun + patience:
                self.note_held(why, begun, over=left <= 0)
                return Hold(cause, now - begun, late=left <= 0)
            if self.breaker.begin_probe(now):
                await self._waits.run(self._prober.probe())
            else:
                await self._waits.run(self._clock.sleep(min(wait, left, begun + patience - now)))
        if why:
            self.note_held(why, begun)
        return None

    def note_held(self, reason: str, since: float, *, over: bool = True) -> None:
        """Count that something was held up since then; not ``over``: it waits on, and is counted later."""
        seconds = self._clock.now() - since
        if seconds >= _COUNTS_FROM:
            self._figures.held.count(reason, by=over)
            self._figures.held_seconds.count(reason, by=seconds)

    def begin(self) -> None:
        """Note that a request begins."""
        self._under_way += 1
        self._quiet.clear()

    def end(self) -> None:
        """Note that a request has ended."""
        self._under_way -= 1
        if not self._under_way:
            self._quiet.set()

    def succeeded(self) -> None:
        """Learn that a request was answered as it was meant to."""
        self.breaker.succeeded()
        self._conditions.clear(TOKEN)
        self._conditions.good(SENDING)

    async def failed(self, error: ServiceError) -> None:
        """Learn that a request failed; after several in a row the service is probed."""
        if error.about_token:
            self._conditions.red(TOKEN, str(error), error.remedy)
        if not (error.about_token or isinstance(error, Unreachable | AnswerLost | Unavailable | RateLimited)):
            self.breaker.succeeded()
        elif self.breaker.failed(failed_at := self._clock.now(), str(error)):
            await self.answers(failed_at)

    async def _paced(self, *, retry: bool) -> bool:
        """Take a token and wait for it; ``False`` when it is blocked before (no token then) or after."""
        if self._blocked(retry=retry):
            return False
        now = self._clock.now()
        if wait := self._bucket.take(now):
            while (left := now + wait - self._clock.now()) > 0:
                await self._waits.run(self._clock.sleep(left))
            if self._blocked(retry=retry):
                return False
        if retry:
            self._budget.retried(self._clock.now())
        else:
            self._budget.sent(self._clock.now())
        return True

    def _wait_in_line(self) -> float:
        """Return the seconds after which a token of the rate is there for the next in line, roughly."""
        return self._bucket.wait(self._clock.now(), behind=self._in_line)

    def _blocked(self, *, retry: bool) -> tuple[str, str, float] | None:
        """Return what blocks a request, as figures and people call it, and in how long to look again."""
        if not self._may_send():
            return "suspended", _SUSPENDED, _LOOK_SOON
        now = self._clock.now()
        if self.breaker.down:
            cause = f"the service, which is down: {self.breaker.reason}"
            return "service down", cause, self.breaker.wait(now)
        if retry and (wait := self._budget.wait(now)):
            return "retry budget", _BUDGET, min(wait, _LOOK_EVERY)
        return None


class Request:
    """One request: it waits for a slot, and from its end the breaker learns how the service does.

    Args:
        throttle: What it passes.
        slots: One is had while it is under way.
        clock: Measures.
        until: Until when it is worth waiting for.
    """

    def __init__(self, throttle: Throttle, slots: asyncio.Semaphore, clock: Clock, until: Until) -> None:
        self._throttle = throttle
        self._slots = slots
        self._clock = clock
        self._until = until
        self._granted = False
        self._shown = False
        self._abandoned = False

    async def __aenter__(self) -> Self:
        return self

    async def held_up(self) -> Hold | None:
        """Wait for a slot of a service that is not known to be down; ``None`` when the request may be made.

        Returns:
            What holds it up, once, when that takes long: it is called again then, and waits on.

        Raises:
            Unreachable: The service was down for as long as it was worth waiting; nothing was sent.
            Stopped: It would have to wait on.
        """
        while not self._granted:
            begun = self._clock.now()
            # Before the breaker is asked: what still waits for a slot is not sent to a service that is down.
            await self._slots.acquire()
            if not self._throttle.breaker.down:
                self._granted = True
                self._throttle.begin()
                self._throttle.note_held("slots", begun)
                waited = self._clock.now() - begun
                return Hold(_SLOTS, waited) if waited > LONG else None
            self._slots.release()
            patience = math.inf if self._shown else LONG
            hold = await self._throttle.until_open(retry=False, until=self._until, patience=patience)
            if hold and hold.late:
                reason = self._throttle.breaker.reason
                raise Unreachable(f"the service is down ({reason})", service="chat")
            if hold:
                self._shown = True
                return hold
        return None

    def abandon(self) -> None:
        """Make no request after all: that is no news of the service."""
        self._abandoned = True

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._granted:
            return
        try:
            if isinstance(error, ServiceError):
                await self._throttle.failed(error)
            elif error is None and not self._abandoned:
                self._throttle.succeeded()
        finally:
            self._throttle.end()
            self._slots.release()
