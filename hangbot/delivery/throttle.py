"""What a request to the service passes: the breaker, the retry budget, the rate.

The rules are pure (`CircuitBreaker`, `RetryBudget`, `TokenBucket`); this waits for them. What waits long is
given the cause (`Held`), and nothing waits long once the program is to stop (`Stopped`).
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from hangbot.clock import Clock
from hangbot.delivery.limits import CircuitBreaker, RetryBudget, TokenBucket
from hangbot.errors import AnswerLost, RateLimited, ServiceError, Unavailable, Unreachable
from hangbot.health import Conditions
from hangbot.ids import Rng

__all__ = ["LONG", "Held", "Stopped", "Throttle", "ThrottleLimits", "Until"]

logger = logging.getLogger(__name__)

T = TypeVar("T")

Until = Callable[[], float]
"""Until when it is worth waiting (monotonic seconds), as far as is known now."""
Held = Callable[[str, float], Awaitable[None]]
"""Told once a wait that has taken, or is about to take, longer than `LONG`: by what, and how long."""

LONG: Final = 5.0
"""Seconds from which on a wait is told, and ends when the program is to stop."""
_LOOK_EVERY: Final = 1.0
"""Seconds between looks at the retry budget: every send makes room in it."""
_PART: Final = "chat token"
_BUDGET: Final = "the retry budget: retries are at most a tenth of the sends of a minute, or ten"
_RATE: Final = "the rate of sends (HANGBOT_RATE)"
_SLOTS: Final = "other requests that are still on their way"


class Stopped(Exception):
    """The program is to stop: what waits goes on after its next start."""


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


async def _nobody_is_told(_cause: str, _seconds: float) -> None: ...


class Throttle:
    """Lets requests through one service's limits, and learns from how they end.

    Args:
        limits: The limits.
        clock: Measures and waits.
        rng: Draws the waits between probes.
        probe: Asks the service whether it works at all; raises `ServiceError` where it does not.
        conditions: Told when the service refuses the token.
    """

    def __init__(
        self,
        limits: ThrottleLimits,
        clock: Clock,
        rng: Rng,
        probe: Callable[[], Awaitable[None]],
        conditions: Conditions | None = None,
    ) -> None:
        self.breaker = limits.breaker
        self._bucket = limits.bucket
        self._budget = limits.budget
        self._clock = clock
        self._rng = rng
        self._ask_whether_it_works = probe
        self._conditions = conditions or Conditions()
        self._pace = asyncio.Lock()
        self._in_line = 0
        """How many wait until it is their turn to take a token of the rate."""
        self._slots = asyncio.Semaphore(limits.in_flight)
        self._asking = asyncio.Lock()
        self._answered_at = -math.inf
        """When the last probe that was answered was begun."""
        self._waits: set[asyncio.Task[Any]] = set()
        self._stopping = False
        self._under_way = 0
        self._quiet = asyncio.Event()
        self._quiet.set()

    @property
    def clear(self) -> bool:
        """Whether a first attempt would pass at once."""
        return not (self.breaker.down or self._bucket.wait(self._clock.now()) or self._pace.locked())

    async def quiet(self) -> None:
        """Wait until no request is under way; those that wait for their turn are none."""
        await self._quiet.wait()

    def stop(self) -> None:
        """Hold up nobody any more: whoever waits is told that it is to stop."""
        self._stopping = True
        self._tell()

    def worked_for(self) -> float:
        """Return a time (seconds) that stands still while the service is down."""
        return self.breaker.worked_for(self._clock.now())

    def longest_wait(self) -> float:
        """Draw the wait after something that waiting alone does not mend."""
        return self.breaker.policy.longest_wait(self._rng)

    async def pause(self, seconds: float) -> None:
        """Wait before another try; raises `Stopped` from a long wait."""
        if seconds <= LONG:
            await self._clock.sleep(seconds)
            return
        end = self._clock.now() + seconds
        while (left := end - self._clock.now()) > 0:
            await self._unless_stopped(self._clock.sleep(left))

    async def turn(self, *, retry: bool, until: Until, held: Held = _nobody_is_told) -> bool:
        """Wait until a send may go; ``False`` when that is not before ``until``.

        The send has to begin in the same turn of the loop: then nobody else has taken its place.

        Raises:
            Stopped: It would have to wait on.
        """
        while True:
            if not await self._until_open(retry=retry, until=until, held=held):
                return False
            if (wait := self._wait_in_line()) > LONG:
                await held(_RATE, wait)
            self._in_line += 1
            try:
                await self._pace.acquire()  # first come, first served
            finally:
                self._in_line -= 1
            try:
                if await self._paced(retry=retry):
                    return True
            finally:
                self._pace.release()

    async def through(
        self, request: Callable[[], Awaitable[T]], *, until: Until, held: Held = _nobody_is_told
    ) -> T:
        """Make a request while the service is not known to be down.

        Raises:
            Unreachable: The service was down until then; nothing was sent.
            Stopped: It would have to wait on.
            ServiceError: What the request raised.
        """
        while True:
            begun = self._clock.now()
            async with self._slots:  # first: whoever waits here is not on its way when the service goes
                waited = self._clock.now() - begun
                if not self.breaker.down:
                    if waited > LONG:
                        await held(_SLOTS, waited)
                    return await self._watched(request)
            if not await self._until_open(retry=False, until=until, held=held):
                raise Unreachable(f"the service is down ({self.breaker.reason})", service="chat")

    async def answers(self, since: float) -> bool:
        """Tell whether the service works: by a probe that was made since then, or by one that is made now."""
        async with self._asking:
            if self.breaker.down:
                return False
            return self._answered_at >= since or await self._probe()

    async def _watched(self, request: Callable[[], Awaitable[T]]) -> T:
        """Make a request and tell the breaker how it ended."""
        self._under_way += 1
        self._quiet.clear()
        try:
            result = await request()
        except ServiceError as exc:
            if exc.about_token:
                self._conditions.red(_PART, str(exc), exc.remedy)
            if not (exc.about_token or isinstance(exc, Unreachable | AnswerLost | Unavailable | RateLimited)):
                self.breaker.succeeded()
            elif self.breaker.failed(failed_at := self._clock.now(), str(exc)):
                await self.answers(failed_at)
            raise
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._quiet.set()
        self.breaker.succeeded()
        self._conditions.clear(_PART)
        return result

    async def _paced(self, *, retry: bool) -> bool:
        """Take a token and wait for it; ``False`` when it is held up before (no token then) or after."""
        if self._hold(retry=retry):
            return False
        now = self._clock.now()
        if wait := self._bucket.take(now):
            while (left := now + wait - self._clock.now()) > 0:
                await self._unless_stopped(self._clock.sleep(left))
            if self._hold(retry=retry):
                return False
        if retry:
            self._budget.retried(self._clock.now())
        else:
            self._budget.sent(self._clock.now())
        return True

    def _wait_in_line(self) -> float:
        """Return the seconds after which a token of the rate is there for who comes now, roughly."""
        return self._bucket.wait(self._clock.now(), behind=self._in_line)

    async def _until_open(self, *, retry: bool, until: Until, held: Held) -> bool:
        """Wait until neither breaker nor budget holds it up; ``False`` when that took until the end."""
        begun, told = self._clock.now(), False
        tell_at = begun + LONG
        while hold := self._hold(retry=retry):
            if self._stopping:
                raise Stopped
            cause, wait = hold
            now = self._clock.now()
            left = until() - now
            if left <= 0:
                return False
            if not told and now >= tell_at:
                told = True
                await held(cause, now - begun)
                continue  # the time has moved on
            if self.breaker.begin_probe(now):
                await self._unless_stopped(self._probe())
            else:
                await self._unless_stopped(
                    self._clock.sleep(min(wait, left, math.inf if told else tell_at - now))
                )
        return True

    def _hold(self, *, retry: bool) -> tuple[str, float] | None:
        """Return what holds a request up, and when it is worth looking again; ``None`` when nothing does."""
        now = self._clock.now()
        if self.breaker.down:
            return f"the service, which is down: {self.breaker.reason}", self.breaker.wait(now)
        if retry and (wait := self._budget.wait(now)):
            return _BUDGET, min(wait, _LOOK_EVERY)
        return None

    async def _unless_stopped(self, waiting: Coroutine[Any, Any, object]) -> None:
        """Await something, or until the breaker changes; raises `Stopped` when the program is to stop."""
        if self._stopping:
            waiting.close()
            raise Stopped
        task = asyncio.create_task(waiting, name="hangbot-gate")
        self._waits.add(task)
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait([task])
            raise
        finally:
            self._waits.discard(task)
        if not task.cancelled():
            task.result()
        if self._stopping:
            raise Stopped

    async def _probe(self) -> bool:
        """Ask the service whether it works, and let everybody know."""
        begun, was_down = self._clock.now(), self.breaker.since is not None
        try:
            await self._ask_whether_it_works()
        except ServiceError as exc:
            self._unanswered(exc, was_down=was_down)
            return False
        except BaseException:
            self.breaker.abandoned(self._clock.now())
            self._tell()
            raise
        self._answered_at = begun
        self.breaker.answered(self._clock.now())
        self._conditions.clear(_PART)
        if was_down:
            logger.info("[OK] the chat is back", extra={"action": "breaker_closed"})
        self._tell()
        return True

    def _unanswered(self, error: ServiceError, *, was_down: bool) -> None:
        asked = error.retry_after or 0.0
        self.breaker.unanswered(
            self._clock.now(),
            self._rng,
            str(error),
            at_least=0.0 if math.isinf(asked) else asked,
            at_the_cap=error.about_token or math.isinf(asked),
        )
        if error.about_token:
            self._conditions.red(_PART, str(error), error.remedy)
        if not was_down:
            logger.error(
                "[ERROR] the chat is down (%s): from here on only asked now and then",
                error,
                extra={"action": "breaker_open"},
            )
        self._tell()

    def _tell(self) -> None:
        """Wake everyone who waits but whoever tells it; each looks for himself."""
        me = asyncio.current_task()
        for waiting in self._waits:
            if waiting is not me:
                waiting.cancel()
