"""How long to wait until the state of a room is fetched anew."""

from typing import Final

__all__ = ["ResyncPace"]

_SHORTEST: Final = 10.0
_LONGEST: Final = 600.0
_SOUND_AFTER: Final = 60.0


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
