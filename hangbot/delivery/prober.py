"""Asks a service whether it works at all, on behalf of all requests to it."""

import asyncio
import logging
import math

from hangbot.clock import Clock
from hangbot.delivery.limits import CircuitBreaker
from hangbot.delivery.ports import Probed
from hangbot.delivery.waits import Waits
from hangbot.errors import ServiceError
from hangbot.health import Conditions
from hangbot.ids import Rng

__all__ = ["SENDING", "TOKEN", "Prober"]

logger = logging.getLogger(__name__)

TOKEN = "chat token"  # noqa: S105  the name of a condition
"""The condition of a service that refuses the token."""
SENDING = "sending"
"""The part that is whether the service takes what is sent."""


class Prober:
    """Probes a service, one probe at a time, and has the breaker and those who wait know its answer.

    Args:
        service: What is asked.
        breaker: Learns the answers.
        clock: Measures.
        rng: Draws the waits between probes.
        conditions: Shows that the service refuses the token.
        waits: Are woken with each answer.
    """

    def __init__(
        self,
        service: Probed,
        breaker: CircuitBreaker,
        clock: Clock,
        rng: Rng,
        conditions: Conditions,
        waits: Waits,
    ) -> None:
        self._service = service
        self._breaker = breaker
        self._clock = clock
        self._rng = rng
        self._conditions = conditions
        self._waits = waits
        self._asking = asyncio.Lock()
        self._answered_at = -math.inf
        """When the last probe that was answered began."""

    async def answers(self, since: float) -> bool:
        """Return whether the service works, by a probe that was made since then, or is made now."""
        async with self._asking:
            if self._breaker.down:
                return False
            return self._answered_at >= since or await self.probe()

    async def probe(self) -> bool:
        """Ask the service whether it works."""
        begun, was_down = self._clock.now(), self._breaker.since is not None
        try:
            await self._service.probe()
        except ServiceError as exc:
            self._unanswered(exc, was_down=was_down)
            return False
        except BaseException:
            self._breaker.probe_cancelled(self._clock.now())
            self._waits.wake()
            raise
        self._answered_at = begun
        self._breaker.answered(self._clock.now())
        self._conditions.clear(TOKEN)
        self._conditions.good(SENDING)
        if was_down:
            logger.info("[OK] the chat is back", extra={"action": "breaker_closed"})
        self._waits.wake()
        return True

    def _unanswered(self, error: ServiceError, *, was_down: bool) -> None:
        asked = error.retry_after or 0.0
        self._breaker.unanswered(
            self._clock.now(),
            self._rng,
            str(error),
            at_least=0.0 if math.isinf(asked) else asked,
            at_the_cap=error.about_token or math.isinf(asked),
        )
        if error.about_token:
            self._conditions.red(TOKEN, str(error), error.remedy)
        sentence = f"the chat is down ({error})"
        self._conditions.bad(SENDING, sentence, error.remedy, since=self._breaker.since)
        if not was_down:
            logger.error(
                "[ERROR] the chat is down (%s): from here on only asked now and then",
                error,
                extra={"action": "breaker_open"},
            )
        self._waits.wake()
