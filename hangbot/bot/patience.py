"""Requests that only need patience, however long the service is away."""

import logging
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from hangbot.clock import Clock
from hangbot.delivery.courier import Courier
from hangbot.delivery.retry import RetryPolicy
from hangbot.errors import Refused, ServiceError, Unavailable
from hangbot.health import Conditions
from hangbot.ids import Rng

__all__ = ["CHAT", "Patience"]

logger = logging.getLogger(__name__)

T = TypeVar("T")

CHAT: Final = "chat"
_CHAT_GROUP: Final = "chat group"


class Patience:
    """Makes requests to the chat as often as it takes.

    Args:
        courier: Whose limits each request passes; it stops this one, too.
        clock: Waits.
        rng: Draws the waits.
        policy: How long to wait before a request is made again.
        conditions: Given whether the chat answers.
    """

    def __init__(
        self, courier: Courier, clock: Clock, rng: Rng, policy: RetryPolicy, conditions: Conditions
    ) -> None:
        self._courier = courier
        self._clock = clock
        self._rng = rng
        self._policy = policy
        self._conditions = conditions

    async def once(self, request: Callable[[], Awaitable[T]]) -> T:
        """Make a request once; raises `ServiceError`, or `hangbot.delivery.throttle.Stopped`."""
        if self._courier.breaker.down:  # then it waits, and nothing else says that the chat is not read
            sentence = f"the chat is not read ({self._courier.breaker.reason})"
            self._conditions.bad(CHAT, sentence, Unavailable.remedy)
        async with self._courier.request():
            return await request()

    async def ask(self, request: Callable[[], Awaitable[T]]) -> T:
        """Make a request until it is answered.

        What the chat refuses in its own words (a ban, a private group, a token) is tried on seldom, in red.

        Raises:
            Stopped: The bot is to stop.
        """
        failures = 0
        while True:
            try:
                answer = await self.once(request)
            except ServiceError as exc:
                failed_at = self._clock.now()
                failures += 1
                self._conditions.bad(CHAT, f"the chat is not read ({exc})", exc.remedy)
                if isinstance(exc, Refused):
                    wait = self._policy.longest_wait(self._rng)
                    self.refused(exc)
                else:
                    wait = self._policy.wait_after(failures, self._rng)
                more = {"action": "chat_failed", "wait_s": wait}
                logger.warning("[ERROR] %s: next try in %.1f s", exc, wait, extra=more)
                await self._clock.sleep(wait)
                await self._courier.answers(failed_at)
            else:
                self._conditions.clear(_CHAT_GROUP)
                return answer

    def refused(self, error: ServiceError) -> None:
        """Show in red that the group refuses the bot."""
        if isinstance(error, Refused) and not error.about_token:  # of that, what made the request says so
            self._conditions.red(_CHAT_GROUP, str(error), error.remedy)
