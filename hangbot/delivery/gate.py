"""What a request to the service passes: the breaker, the retry budget, the rate.

The rules are pure (`Breaker`, `RetryBudget`, `TokenBucket`); this waits for them.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from hangbot.clock import Clock
from hangbot.delivery.breaker import Breaker
from hangbot.delivery.budget import RetryBudget
from hangbot.delivery.policy import Dice, TokenBucket
from hangbot.errors import AnswerLost, ServiceError, Unavailable, Unreachable

__all__ = ["Gate", "Limits"]

logger = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Limits:
    """What holds for all messages to one service together."""

    bucket: TokenBucket
    budget: RetryBudget
    breaker: Breaker


class Gate:
    """Lets requests through one service's limits, and learns from how they end."""

    def __init__(self, limits: Limits, clock: Clock, dice: Dice) -> None:
        self.breaker = limits.breaker
        self._bucket = limits.bucket
        self._budget = limits.budget
        self._clock = clock
        self._dice = dice
        self._changed = asyncio.Event()

    async def turn(self, *, retry: bool, until: float) -> bool:
        """Wait until a send may go; ``False`` when that is not before ``until`` (monotonic seconds)."""
        if retry:
            while (wait := self._budget.wait(self._clock.now())) > 0:
                if not await self._sleep(wait, until):
                    return False
            self._budget.retried(self._clock.now())
        else:
            self._budget.sent(self._clock.now())
        await self._clock.sleep(self._bucket.take(self._clock.now()))
        return await self._until_closed(until)

    async def through(self, request: Callable[[], Awaitable[T]], *, until: float) -> T:
        """Make a request while the service is not known to be down; one at a time probes it when it is.

        Raises:
            Unreachable: The service was down until then; nothing was sent.
            ServiceError: What the request raised.
        """
        while not self.breaker.admit(self._clock.now()):
            if not await self._until_closed(until):
                raise Unreachable(f"the service is down ({self.breaker.reason})", service="chat")
        try:
            result = await request()
        except (Unreachable, AnswerLost, Unavailable) as exc:
            self._failed(exc)
            raise
        except ServiceError:
            self._succeeded()
            raise
        except BaseException:
            self.breaker.abandoned(self._clock.now())
            self._tell()
            raise
        self._succeeded()
        return result

    async def _until_closed(self, until: float) -> bool:
        """Wait until the breaker would admit a request, but not longer than ``until``."""
        while (wait := self.breaker.wait(self._clock.now())) > 0:
            if not await self._sleep(wait, until):
                return False
        return True

    async def _sleep(self, seconds: float, until: float) -> bool:
        """Sleep, or until the breaker changes; ``False`` when that took until the end."""
        left = until - self._clock.now()
        if left <= 0:
            return False
        with suppress(TimeoutError):
            await self._clock.wait_for(self._changed.wait(), min(seconds, left))
        return self._clock.now() < until

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
        if self.breaker.state != "closed":
            logger.info("[OK] the chat is back", extra={"action": "breaker_closed"})
        self.breaker.succeeded()
        self._tell()

    def _tell(self) -> None:
        """Wake everyone who waits for the breaker; whoever comes later looks for himself."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
