"""Looks at the bot once a second: that the loop turns, that the clock was not set, what became red."""

import logging
from collections.abc import Callable, Iterable
from typing import Final

from hangbot.claims import read_claims
from hangbot.clock import Clock, steady
from hangbot.health import Conditions, Health

__all__ = ["Watch"]

logger = logging.getLogger(__name__)

_EVERY: Final = 1.0
_STANDSTILL: Final = 5.0
"""Seconds by which a look may be late."""
_JUMP: Final = 5.0
"""Seconds by which the wall clock may gain or lose between two looks."""
_DAY: Final = 86_400.0
_EXPIRES_SOON: Final = 7 * _DAY


class Watch:
    """Looks at a running bot, and hands on what it sees.

    Args:
        health: Returns how the bot is.
        conditions: Given what the watch itself sees.
        clock: Measures and waits.
        tokens: The names and texts of the tokens whose expiry is watched.
        seen: Given what each look shows.
        every: Seconds between two looks, at most a second.
    """

    def __init__(
        self,
        health: Callable[[], Health],
        *,
        conditions: Conditions,
        clock: Clock,
        tokens: Iterable[tuple[str, str]],
        seen: Callable[[Health], None],
        every: float | None = None,
    ) -> None:
        self._health = health
        self._conditions = conditions
        self._clock = clock
        self._expiries = [
            (name, claims.expires_at)
            for name, token in tokens
            if (claims := read_claims(token)) and claims.expires_at is not None
        ]
        self._seen = seen
        self._every = min(_EVERY, every or _EVERY)

    async def run(self) -> None:
        """Look until it is cancelled."""
        clock = self._clock
        looked_at, ahead = clock.now(), clock.wall() - steady(clock)
        while True:
            self._conditions.good("loop")
            self._look_at_tokens()
            self._seen(self._health())
            await clock.sleep(self._every)
            late = clock.now() - looked_at - self._every
            if late > _STANDSTILL:
                logger.warning(
                    "the loop stood still for %.1f s: the app blocks it, or the machine slept",
                    late,
                    extra={"action": "loop_late", "late_s": late},
                )
            set_by = clock.wall() - steady(clock) - ahead
            if abs(set_by) > _JUMP:
                logger.warning(
                    "this machine's clock was set %s by %.0f s",
                    "forward" if set_by > 0 else "back",
                    abs(set_by),
                    extra={"action": "clock_set", "by_s": set_by},
                )
            looked_at, ahead = clock.now(), ahead + set_by

    def _look_at_tokens(self) -> None:
        now = self._clock.wall()
        soonest = min(self._expiries, key=lambda each: each[1], default=None)
        if soonest is None:
            return
        name, expires_at = soonest
        left = (expires_at - now) / _DAY
        if left * _DAY >= _EXPIRES_SOON:
            self._conditions.good("token")
            return
        sentence = (
            f"{name} expires in {left:.1f} days" if left > 0 else f"{name} expired {-left:.1f} days ago"
        )
        self._conditions.bad("token", sentence, f"Renew {name}.")
