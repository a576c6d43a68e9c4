"""Who has to wait until a command may be used again. PURE."""

from typing import Final, NamedTuple

from hangbot.app.commands import Command

__all__ = ["Cooldowns", "Wait"]

_MOST: Final = 10_000


class Wait(NamedTuple):
    """How long a user has to wait, in seconds, and whether this is the first refusal."""

    seconds: float
    first: bool


class Cooldowns:
    """Remembers who used a command when: the last ten thousand uses."""

    def __init__(self) -> None:
        self._until: dict[tuple[str, str], float] = {}
        self._notified: set[tuple[str, str]] = set()

    def begin(self, command: Command, user: str, now: float) -> Wait | None:
        """Note that a user uses a command that has one; return how long to wait where that is too soon."""
        use = command.name, user
        left = self._until.get(use, now) - now
        if left > 0:
            first = use not in self._notified
            self._notified.add(use)
            return Wait(left, first)
        self._notified.discard(use)
        self._until.pop(use, None)
        self._until[use] = now + command.cooldown
        if len(self._until) > _MOST:
            oldest = next(iter(self._until))
            del self._until[oldest]
            self._notified.discard(oldest)
        return None
