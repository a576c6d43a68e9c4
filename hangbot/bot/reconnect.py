"""How long to wait until the next connection. PURE."""

from typing import Final

from hangbot.delivery.retry import RetryPolicy
from hangbot.ids import Rng

__all__ = ["ReconnectPace"]

_HEALTHY_AFTER: Final = 60.0
"""Seconds in the room until the next loss starts the waits from the beginning."""


class ReconnectPace:
    """Longer with each try that fails, and with each connection after the other that was in the room briefly.

    The first try after a drop comes soon, also where it took many to get in before.

    Args:
        policy: Draws the waits.
        rng: For the policy.
    """

    def __init__(self, policy: RetryPolicy, rng: Rng) -> None:
        self._policy = policy
        self._rng = rng
        self._losses = 0
        self._brief = 0
        """Connections one after the other that held for a moment only."""
        self._joined_at: float | None = None

    def joined(self, now: float) -> None:
        """Note that the room let the bot in."""
        self._joined_at = now

    def left(self, now: float) -> None:
        """Note that a connection has ended; one that held for a while makes those before it forgotten."""
        if self._joined_at is None:
            return
        held = now - self._joined_at > _HEALTHY_AFTER
        self._losses, self._brief = (0, 0) if held else (self._brief, self._brief + 1)
        self._joined_at = None

    def next_wait(self, *, reset: bool, refused: bool) -> float:
        """Return the seconds to wait until the next connection.

        Args:
            reset: Whether the room was reset: then the service is there.
            refused: Whether it refused the token, which waiting does not mend.
        """
        self._losses += 1
        if refused:
            return self._policy.longest_wait(self._rng)
        if reset and self._losses == 1:
            return 0.0
        return self._policy.wait_after(self._losses, self._rng)
