"""What a request to the service passes: the breaker, the retry budget, the rate.

The rules are pure (`Breaker`, `RetryBudget`, `TokenBucket`); this waits for them.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from hangbot.clock import Clock
from hangbot.delivery.breaker import Breaker
from hangbot.delivery.budget import RetryBudget
from hangbot.delivery.policy import Dice, TokenBucket
from hangbot.errors import AnswerLost, ServiceError, Unavailable, Unreachable

__all__ = ["Gate", "Limits"]

logger = logging.getLogger(__name__)

T = TypeVar("T")

_LOOK_EVERY: Final = 1.0
"""Seconds between looks at the retry budget: every send makes room in it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What holds for all messages to one service together.

    Attributes:
        bucket: How many a second.
        budget: How many retries.
        breaker: Whether the service is known to be down.
        in_flight: How many requests at a time: each takes a connection of its own.
    """

    bucket: TokenBucket
    budget: RetryBudget
    breaker: Breaker
    in_flight: int = 4


class Gate:
    """Lets requests through one service's limits, and learns from how they end."""

    def __init__(self, limits: Limits, clock: Clock, dice: Dice) -> None:
        self.breaker = limits.breaker
        self._bucket = limits.bucket
        self._budget = limits.budget
        self._clock = clock
        self._dice = dice
        self._pace = asyncio.Lock()
        self._slots = asyncio.Semaphore(limits.in_flight)
        self._waits: set[asyncio.Task[None]] = set()
        self._under_way = 0
        self._quiet = asyncio.Event()
        self._quiet.set()

    @property
    def clear(self) -> bool:
        """Whether a first attempt would pass at once."""
        now = self._clock.now()
        return not self.breaker.wait(now) and not self._bucket.wait(now) and not self._pace.locked()

    async def quiet(self) -> None:
        """Wait until no request is under way; those that wait for their turn are none."""
        await self._quiet.wait()

    async def turn(self, *, retry: bool, until: float) -> bool:
        """Wait until a send may go; ``False`` when that is not before ``until`` (monotonic seconds).

        The send has to begin in the same turn of the loop: then nobody else has taken its place.
        """
        while True:
            if not await self._until_open(retry=retry, until=until):
                return False
            async with self._pace:  # first come, first served
                if await self._paced(retry=retry):
                    return True

    async def through(self, request: Callable[[], Awaitable[T]], *, until: float) -> T:
        """Make a request while the service is not known to be down; one at a time probes it when it is.

        Raises:
            Unreachable: The service was down until then; nothing was sent.
            ServiceError: What the request raised.
        """
        while True:
            async with self._slots:  # first: whoever waits here is not on its way when the service goes
                if self.breaker.admit(self._clock.now()):
                    return await self._watched(request)
            if not await self._until_open(retry=False, until=until):
                raise Unreachable(f"the service is down ({self.breaker.reason})", service="chat")

    async def _watched(self, request: Callable[[], Awaitable[T]]) -> T:
        """Make a request and tell the breaker how it ended."""
        probes = self.breaker.state == "probing"
        self._under_way += 1
        self._quiet.clear()
        try:
            result = await request()
        except (Unreachable, AnswerLost, Unavailable) as exc:
            if probes or self.breaker.state == "closed":  # else it was on its way already: that is known
                self._failed(exc)
            raise
        except ServiceError:
            self._succeeded()
            raise
        except BaseException:
            if probes:
                self.breaker.abandoned(self._clock.now())
                self._tell()
            raise
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._quiet.set()
        self._succeeded()
        return result

    async def _paced(self, *, retry: bool) -> bool:
        """Take a token and wait for it; ``False`` when the door is shut before (no token then) or after."""
        if self._shut_for(retry=retry):
            return False
        if wait := self._bucket.take(self._clock.now()):
            await self._clock.sleep(wait)
            if self._shut_for(retry=retry):
                return False
        if retry:
            self._budget.retried(self._clock.now())
        else:
            self._budget.sent(self._clock.now())
        return True

    async def _until_open(self, *, retry: bool, until: float) -> bool:
        """Wait until neither breaker nor budget holds it up; ``False`` when that took until the end."""
        while wait := self._shut_for(retry=retry):
            left = until - self._clock.now()
            if left <= 0:
                return False
            await self._sleep(min(wait, left))
        return True

    def _shut_for(self, *, retry: bool) -> float:
        """Return the seconds after which it is worth looking again; 0 when the door is open now."""
        now = self._clock.now()
        return self.breaker.wait(now) or (min(self._budget.wait(now), _LOOK_EVERY) if retry else 0.0)

    async def _sleep(self, seconds: float) -> None:
        """Sleep, or until the breaker changes."""
        asleep = asyncio.create_task(self._clock.sleep(seconds), name="hangbot-gate")
        self._waits.add(asleep)
        try:
            await asyncio.wait([asleep])
            if not asleep.cancelled():
                asleep.result()
        finally:
            self._waits.discard(asleep)
            asleep.cancel()

    def _failed(self, error: ServiceError) -> None:
        before = self.breaker.state
        self.breaker.failed(self._clock.now(), self._dice, str(error))
        if self.breaker.state == "open" and before == "closed":
            logger.error(
                "[ERROR] the chat is down (%s): from here on only asked now and then",
                error,
                extra={"action": "breaker_open"},
            )
        self._tell()

    def _succeeded(self) -> None:
        was = self.breaker.state
        self.breaker.succeeded()
        if was != "closed":
            logger.info("[OK] the chat is back", extra={"action": "breaker_closed"})
            self._tell()

    def _tell(self) -> None:
        """Wake everyone who waits; each looks for himself."""
        for asleep in self._waits:
            asleep.cancel()
