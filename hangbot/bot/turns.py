"""Which line an app handles next: each user's lines in order, the users in turn. PURE.

No user fills the queue: each may hold as many places as are still free, so one who floods gets half of
them, two a third each, and the next user still finds one.
"""

from collections import Counter, deque
from typing import Final, Generic, TypeVar

__all__ = ["Turns"]

Line = TypeVar("Line")

_ENOUGH: Final = 20
"""A user who was refused without holding a place has room again when one place in so many is free."""


class Turns(Generic[Line]):
    """A bounded queue of lines by user; a line holds its place until it is done.

    Args:
        limit: Places in all.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lines: dict[str, deque[Line]] = {}
        self._waiting: deque[str] = deque()
        self._held: Counter[str] = Counter()
        self._total = 0
        self._refused: set[str] = set()
        self._refused_without_a_place: set[str] = set()

    def __len__(self) -> int:
        """Return the places that are held, by lines that wait and lines that are being handled."""
        return self._total

    @property
    def waiting(self) -> bool:
        """Whether `begin` would return a line."""
        return bool(self._waiting)

    def put(self, user: str, line: Line) -> bool:
        """Queue a line behind the user's others; return ``False`` where there is no room for it."""
        held = self._held.get(user, 0)
        if held >= self._limit - self._total:
            (self._refused if held else self._refused_without_a_place).add(user)
            return False
        if not held:
            self._lines[user] = deque()
            self._waiting.append(user)
        self._lines[user].append(line)
        self._held[user] = held + 1
        self._total += 1
        return True

    def begin(self) -> tuple[str, Line] | None:
        """Return the next line and its user, who gets no other one before `done`; ``None`` without one."""
        if not self._waiting:
            return None
        user = self._waiting.popleft()
        return user, self._lines[user].popleft()

    def done(self, user: str) -> bool:
        """Free the place of the line that `begin` returned for this user.

        Returns:
            Whether a user who was refused has room again.
        """
        self._total -= 1
        self._held[user] -= 1
        if self._lines[user]:
            self._waiting.append(user)
        elif not self._held[user]:
            del self._lines[user], self._held[user]
        return self._has_room_again(user)

    def _has_room_again(self, user: str) -> bool:
        free = self._limit - self._total
        again = False
        if user in self._refused and 2 * self._held.get(user, 0) <= free:
            self._refused.discard(user)
            again = True
        if self._refused_without_a_place and free * _ENOUGH >= self._limit:
            self._refused_without_a_place.clear()
            again = True
        return again

    @property
    def refusing(self) -> bool:
        """Whether a user was refused and has no room yet."""
        return bool(self._refused or self._refused_without_a_place)
