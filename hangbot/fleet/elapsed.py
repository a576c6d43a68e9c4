"""Time that has passed, by whichever clock says more."""

from hangbot.clock import Clock, steady

__all__ = ["Elapsed"]


class Elapsed:
    """Counts seconds from its making: never fewer than have passed, suspension included.

    The monotonic clock of some systems stands still while the machine is suspended; where there is no other
    that cannot be set, the wall clock is counted too. One that is set ahead ends a lease too early, which is
    safe.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._at = clock.now(), steady(clock)
        self._passed = 0.0

    def __call__(self) -> float:
        """Return the seconds that have passed."""
        (monotonic, still), self._at = self._at, (self._clock.now(), steady(self._clock))
        self._passed += max(self._at[0] - monotonic, self._at[1] - still, 0.0)
        return self._passed
