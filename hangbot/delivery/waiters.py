"""Who waits for which message to end: each is told once, by the courier, the disk, or its end."""

import asyncio
from contextlib import suppress

from hangbot.delivery.outbox import Outbox
from hangbot.delivery.record import Settlement
from hangbot.errors import HangbotError, UnknownMessage

__all__ = ["Waiters"]


class Waiters:
    """Keeps who waits; `end` tells those who still do that there is nothing to wait for.

    Args:
        outbox: Knows how a message ended that has done so before, or by another process.
    """

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._waiting: dict[str, list[asyncio.Future[Settlement]]] = {}
        self._open: set[str] = set()
        """Ids accepted here that have not ended, unless by another process since the last look."""
        self._over = False

    def expect(self, key: str) -> None:
        """Note that a message has not ended: the disk need not be asked."""
        self._open.add(key)

    def begin(self) -> None:
        """From here on messages are carried."""
        self._over = False

    def end(self) -> None:
        """From here on no message is carried any more."""
        self._over = True
        for key, waiting in self._waiting.items():
            for future in waiting:
                if not future.done():
                    future.set_exception(_left(key))
                    future.exception()  # seen: it may be that the disk tells sooner how it ended

    def tell(self, key: str, end: Settlement) -> None:
        """Tell how a message ended."""
        self._open.discard(key)
        for future in self._waiting.get(key, ()):
            if not future.done():
                future.set_result(end)

    async def look(self) -> None:
        """Tell of the messages that another process has ended (dropped by hand)."""
        self._open.clear()
        for key in list(self._waiting):
            with suppress(UnknownMessage):  # who waits for what is not there is told so by `settled`
                end = (await self._outbox.get(key)).end
                if end:
                    self.tell(key, end)

    async def settled(self, key: str) -> Settlement:
        """Wait until a message has ended.

        Raises:
            HangbotError: Nothing is carried any more; the message waits in the outbox.
            UnknownMessage: There is none with that id.
        """
        future: asyncio.Future[Settlement] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(key, [])
        waiting.append(future)
        try:
            end = None if key in self._open and not self._over else (await self._outbox.get(key)).end
            if end is None and self._over:
                raise _left(key)
            return end or await future
        finally:
            waiting.remove(future)
            if not waiting:
                self._waiting.pop(key, None)


def _left(key: str) -> HangbotError:
    return HangbotError(
        f"the bot stopped before {key} had ended; it waits in the outbox",
        remedy="Start the bot again: it goes on where it stopped.",
    )
