"""What happens in a room, on its way to the one who reads it at its own pace."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator
from typing import Final

from hangbot.bot.events import RoomEvent

__all__ = ["EventQueue"]

logger = logging.getLogger(__name__)

_LARGEST: Final = 1000


class EventQueue:
    """Keeps events from when a reader begins; when it is full the oldest goes, with one warning.

    So a slow app delays neither a heartbeat nor a patch.

    Args:
        largest: Events that may wait.
    """

    def __init__(self, largest: int = _LARGEST) -> None:
        self._waiting: deque[RoomEvent] = deque(maxlen=largest)
        self._news = asyncio.Event()
        self._read = False
        self._closed = False
        self._warned = False

    def put(self, event: RoomEvent) -> None:
        """Add an event; without a reader it is dropped."""
        if not self._read:
            return
        if len(self._waiting) == self._waiting.maxlen and not self._warned:
            self._warned = True
            logger.warning(
                "[SOCKET] the app is too slow for its room: the oldest of %d events are dropped",
                len(self._waiting),
                extra={"action": "events_dropped"},
            )
        self._waiting.append(event)
        self._news.set()

    def close(self) -> None:
        """Let the reader end when it has read what is there."""
        self._closed = True
        self._news.set()

    async def events(self) -> AsyncIterator[RoomEvent]:
        """Yield the events from now on."""
        self._read = True
        while True:
            while self._waiting:
                yield self._waiting.popleft()
            if self._closed:
                return
            self._news.clear()
            await self._news.wait()
