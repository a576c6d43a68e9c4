"""Notices that a room says nothing although its song is over: some servers forget who is connected."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from hangbot.clock import Clock
from hangbot.errors import AckTimeout, ConnectionLost
from hangbot.hangfm.wire.overdue import OVERDUE, Overdue
from hangbot.hangfm.wire.state import RoomState

__all__ = ["SongWatch"]

_READ_WITHIN: Final = 1.0
"""Seconds in which what the socket has received is read."""


class SongWatch:
    """Watches one connection, and reports once its song is overdue.

    Args:
        clock: Bounds every wait.
        state: Gives the room as it is, or ``None`` before the join.
        ping_and_wait: Returns when all that the server sent so far has arrived. Raises `AckTimeout` and
            `ConnectionLost`.
    """

    def __init__(
        self,
        clock: Clock,
        state: Callable[[], RoomState | None],
        ping_and_wait: Callable[[], Awaitable[None]],
    ) -> None:
        self._clock = clock
        self._state = state
        self._ping_and_wait = ping_and_wait
        self._overdue = Overdue(clock.now())
        self.clock_offset: float | None = None
        """Seconds by which this machine's clock was ahead of the server's when that was given last."""
        self._time_set = asyncio.Event()

    def hear(self) -> None:
        """Note that the room said something."""
        self._overdue.hear(self._clock.now())

    def set_time(self, server_ms: object) -> None:
        """Learn the server's time, from the answer to joinRoom and from each heartbeat."""
        theirs = self._overdue.set_time(server_ms, self._clock.now())
        if theirs is not None:
            self.clock_offset = self._clock.wall() - theirs
        self._time_set.set()

    async def run(self) -> str | None:
        """Wait until a song is overdue and return what is wrong; ``None`` when the connection has gone."""
        while True:
            left = self._left()
            if left > 0:
                with suppress(TimeoutError):  # another song may play meanwhile
                    await self._clock.wait_for(self._time_set.wait(), left)
                self._time_set.clear()
                continue
            try:
                await self._ping_and_wait()  # what the room said before comes before the answer
            except AckTimeout:
                continue
            except ConnectionLost:
                return None
            await self._clock.sleep(_READ_WITHIN)
            if self._left() <= 0:
                return f"the song has been over for {OVERDUE:g} s, and the room says nothing"

    def _left(self) -> float:
        left = self._overdue.left(self._state(), self._clock.now())
        return OVERDUE if left is None else min(left, OVERDUE)
