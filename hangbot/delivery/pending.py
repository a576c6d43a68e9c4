"""Futures of messages that have not ended: the courier, the disk or the courier's end resolves them."""

import asyncio
from contextlib import suppress

from hangbot.delivery.outbox import Outbox
from hangbot.delivery.record import Settlement
from hangbot.errors import HangbotError, UnknownMessage

__all__ = ["PendingSettlements"]


class PendingSettlements:
    """Keeps the futures of those who wait for a settlement.

    Args:
        outbox: Knows how a message ended that has done so before, or by another process.
    """

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._futures: dict[str, list[asyncio.Future[Settlement]]] = {}
        self._open: set[str] = set()
        """Ids accepted here that have not ended, unless by another process since the last `refresh`."""
        self._closed = False

    def watch(self, key: str) -> None:
        """Note that a message has not ended: the disk need not be asked."""
        self._open.add(key)

    def open(self) -> None:
        """Note that from here on messages are delivered."""
        self._closed = False

    def close(self) -> None:
        """Note that from here on no message is delivered any more: what still waits for one fails."""
        self._closed = True
        for key, futures in self._futures.items():
            for future in futures:
                if not future.done():
                    future.set_exception(_still_waits(key))
                    future.exception()  # seen: the disk may say sooner how it ended

    def resolve(self, key: str, end: Settlement) -> None:
        """Hand out how a message ended."""
        self._open.discard(key)
        for future in self._futures.get(key, ()):
            if not future.done():
                future.set_result(end)

    async def refresh(self) -> None:
        """Hand out the end of each message that another process has ended (dropped by hand)."""
        self._open.clear()
        for key in list(self._futures):
            await self.refresh_one(key)

    async def refresh_one(self, key: str) -> None:
        """Hand out the end of one message, where it has ended on disk."""
        with suppress(UnknownMessage):  # `settled` raises that itself
            if end := (await self._outbox.get(key)).end:
                self.resolve(key, end)

    async def settled(self, key: str) -> Settlement:
        """Wait until a message has ended.

        Raises:
            HangbotError: Nothing is delivered any more; the message waits in the outbox.
            UnknownMessage: There is none with that id.
        """
        future: asyncio.Future[Settlement] = asyncio.get_running_loop().create_future()
        futures = self._futures.setdefault(key, [])
        futures.append(future)
        try:
            end = None if key in self._open and not self._closed else (await self._outbox.get(key)).end
            if end is None and self._closed:
                raise _still_waits(key)
            return end or await future
        finally:
            futures.remove(future)
            if not futures:
                self._futures.pop(key, None)


def _still_waits(key: str) -> HangbotError:
    return HangbotError(
        f"the bot stopped before {key} had ended; it waits in the outbox",
        remedy="Start the bot again: it goes on where it stopped.",
    )
