"""What a worker sees of its whole fleet, for those who look on: it decides nothing by that."""

import math
from contextlib import suppress
from typing import Final, NamedTuple

from hangbot.clock import Clock
from hangbot.errors import OutboxUnusable
from hangbot.fleet.picture import Picture, read_picture
from hangbot.fleet.streams import Stream
from hangbot.fleet.subjects import Kind

__all__ = ["Lookout"]

_EVERY: Final = 2.0
"""Seconds between two questions."""
_PER_ROOM: Final = 0.002
"""Seconds between two looks for each room: each look reads something of every room."""


class _Moment(NamedTuple):
    at: float
    wall: float


class Lookout:
    """Reads the register again and again.

    Args:
        register: Is read; it answered just now.
        worker: The worker's name.
        clock: Measures and waits.

    Attributes:
        picture: The fleet as it was read last.
        has_looked: Whether it was read.
    """

    def __init__(self, register: Stream, worker: str, clock: Clock) -> None:
        self.picture = Picture()
        self.has_looked = False
        self._register, self._worker, self._clock = register, worker, clock
        self._answered_at = clock.now()
        self._looked_at = _Moment(clock.now(), clock.wall())
        self._unowned: dict[str, _Moment] = {}
        """When each room without an owner was first seen so."""

    async def run(self) -> None:
        """Look until it is cancelled; between two looks at many rooms it is only asked whether it answers."""
        looked_at = -math.inf
        while True:
            now = self._clock.now()
            with suppress(OutboxUnusable):
                if now - looked_at >= len(self.picture.rooms) * _PER_ROOM:
                    looked_at = now
                    await self._look()
                else:
                    await self._register.newest([Kind.WORKER.of(self._worker)])
                self._answered_at = self._clock.now()
            await self._clock.sleep(_EVERY)

    async def _look(self) -> None:
        """Read all of it."""
        self.picture = await read_picture(self._register)
        self.has_looked = True
        self._looked_at = now = _Moment(self._clock.now(), self._clock.wall())
        ownerless = [key for key, row in self.picture.rooms.items() if row.owner is None]
        self._unowned = {key: self._unowned.get(key, now) for key in ownerless}

    @property
    def age(self) -> float:
        """Return how many seconds ago the cluster answered last."""
        return max(0.0, self._clock.now() - self._answered_at)

    def unowned_for(self, room: str) -> float:
        """Return for how many seconds a room (the picture's key) was seen without an owner; 0: it has one."""
        since = self._unowned.get(room)
        return self._looked_at.at - since.at if since else 0.0

    def unowned_since(self, room: str) -> float | None:
        """Return when that was seen first, in seconds since the epoch; ``None``: it has an owner."""
        since = self._unowned.get(room)
        return since.wall if since else None
