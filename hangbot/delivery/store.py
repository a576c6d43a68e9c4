"""What an app keeps and is woken for, on disk beside the outbox: it is committed with what the app says."""

from collections.abc import Awaitable

from hangbot.clock import Clock
from hangbot.delivery import kept_sql
from hangbot.delivery.kept_sql import UNREAD, Change, Timer, TimerChange
from hangbot.delivery.place import OutboxPlace

__all__ = ["UNREAD", "Change", "Store", "Timer", "TimerChange"]


class Store:
    """Reads what is kept, in an outbox's file; `hangbot.delivery.outbox.Outbox.commit` changes it.

    Every method raises `OutboxUnusable` when the disk or the file fails.

    Args:
        place: The outbox's, which is open.
        clock: Says what has expired.
    """

    def __init__(self, place: OutboxPlace, clock: Clock) -> None:
        self._place = place
        self._clock = clock

    def read(self, space: str, key: str) -> Awaitable[str | None]:
        """Return a value as JSON, or ``None`` where there is none."""
        wanted = kept_sql.Wanted(space, key, self._clock.wall())
        return self._place.writer.submit(kept_sql.read_all, writes=False, shared=True, item=wanted)

    async def keys(self, space: str) -> list[str]:
        """Return the keys of a space, in order."""
        return await self._place.read(kept_sql.keys, space, self._clock.wall())

    async def timers_called(self, space: str, begins: str) -> list[Timer]:
        """Return the timers of a space whose ids begin so."""
        return await self._place.read(kept_sql.timers_called, space, begins)

    async def timers_due(self, space: str, after: Timer | None, most: int) -> list[Timer]:
        """Return what is due in a space and what is due next: see `hangbot.delivery.kept_sql.timers_due`."""
        return await self._place.read(kept_sql.timers_due, space, self._clock.wall(), after, most)
