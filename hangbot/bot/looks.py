"""When the chat is asked whether its socket brings everything. PURE.

A socket that is open may bring nothing, or not everything. So the group is asked about after a silence, and
the list of conversations in place of every third such look; no less often than that, both are looked at
while the chat is busy. Idle that is at most two requests a minute.
"""

from typing import Final, Literal

__all__ = ["Looks"]

_EVERY: Final = 3
"""Looks, of which one is at the list of conversations; and silences, after which it comes in any case."""

Kind = Literal["group", "conversations"]


class Looks:
    """The schedule of one connection.

    Args:
        silence: Seconds without a message of the group after which it is asked about.
        now: When the connection was known to have brought everything (monotonic seconds).
    """

    def __init__(self, silence: float, now: float) -> None:
        self._silence = silence
        self._heard_at = self._looked_at = self._listed_at = now
        self._looks = 0

    def heard(self, now: float) -> None:
        """Note that a message of the group came; nothing but a message is one."""
        self._heard_at = now

    def next_at(self) -> float:
        """Return when the next look is due."""
        return min(max(self._heard_at, self._looked_at) + self._silence, self._busy_at())

    def due(self, now: float) -> Kind | None:
        """Return what to look at now, and count that as looked at; ``None``: nothing yet."""
        if now < self.next_at():
            return None
        self._looks += 1
        self._looked_at = now
        if self._looks % _EVERY and now < self._busy_at():
            return "group"
        self._looks, self._listed_at = 0, now
        return "conversations"

    def _busy_at(self) -> float:
        return self._listed_at + _EVERY * self._silence
