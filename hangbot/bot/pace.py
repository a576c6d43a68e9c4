"""How long to wait until the next connection, and until the state of a room is fetched anew. PURE."""

from typing import Final

from hangbot.delivery.retry import RetryPolicy
from hangbot.ids import Rng

__all__ = ["ReconnectPace", "ResyncPace", "reconnect_policy"]

_FIRST_TRY: Final = 1.0
_LONGEST_WAIT: Final = 60.0
"""Seconds until a lost connection is tried again: the first time, and at the most."""
_HEALTHY_AFTER: Final = 60.0
"""Seconds in the room until the next loss starts the waits from the beginning."""
_SHORTEST: Final = 10.0
_LONGEST: Final = 600.0
_SOUND_AFTER: Final = 60.0


def reconnect_policy(base: float, *, longest: float = _LONGEST_WAIT) -> RetryPolicy:
    """Return when a connection is tried again, and a service that is down asked again.

    From the whole step, so that bots spread out; at the cap from its upper half, which bounds how often a
    service is asked that is away for long (43 times in 18 minutes at the most, 30 on average) and how long
    after its return a bot is back. The first try is never later than a second after the loss.
    """
    return RetryPolicy(
        base=min(base, _FIRST_TRY),
        factor=2.0,
        longest=longest,
        jitter=0.0,
        strategy="full",
        at_longest="equal",
    )


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


class ResyncPace:
    """At once the first time; while fresh states show the same trouble, 10 s, doubled up to 10 min.

    Each kind of trouble has its own waits, so that two in turn are not tried at once for ever either. All
    of it is apart from the waits for a connection: here the service is there, and a state is a large answer.
    """

    def __init__(self) -> None:
        self._next: dict[str, float] = {}
        self._last = 0.0

    @property
    def sound_after(self) -> float:
        """Seconds after which a state without trouble is known to be sound."""
        return max(_SOUND_AFTER, self._last)

    def next_wait(self, trouble: str) -> float:
        """Return the seconds to wait now that a state was lost to this kind of trouble."""
        self._last = self._next.get(trouble, 0.0)
        self._next[trouble] = min(max(2 * self._last, _SHORTEST), _LONGEST)
        return self._last

    def succeed(self) -> None:
        """Note that a state was sound."""
        self._next.clear()
        self._last = 0.0
