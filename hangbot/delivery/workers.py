"""One task for each receiver that has waiting messages; it delivers them in order, one at a time."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from hangbot.delivery.message import Outgoing
from hangbot.delivery.pending import PendingSettlements
from hangbot.delivery.record import OutboxRow, Settlement, Step
from hangbot.delivery.retrier import Retrier
from hangbot.delivery.sending import QueuedMessage, Sending
from hangbot.delivery.throttle import Stopped
from hangbot.errors import HangbotError

__all__ = ["Workers"]

logger = logging.getLogger(__name__)


class Workers:
    """The workers of one courier.

    Args:
        sending: What their messages share.
        retrier: Runs each message to its end.
        pending: Is given each end.
        most: Receivers served at a time; the others wait for a worker to end.

    Attributes:
        work: Set when there may be a receiver without a worker that needs one, or the courier is to look up.
        stopping: Whether no further message is begun.
        leaving: Whether that is so for this run only.
    """

    def __init__(self, sending: Sending, retrier: Retrier, pending: PendingSettlements, *, most: int) -> None:
        self.work = asyncio.Event()
        self.stopping = False
        self.leaving = False
        self._sending = sending
        self._outbox = sending.outbox
        self._throttle = sending.throttle
        self._clock = sending.clock
        self._notify = sending.notify
        self._movement = sending.movement
        self._retrier = retrier
        self._pending = pending
        self._most = most
        self._group: asyncio.TaskGroup | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._due: set[str] = set()
        """Receivers that there may be more for than their worker has seen."""
        self._saturated = False
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @property
    def active(self) -> bool:
        """Whether workers begin."""
        return self._group is not None

    @property
    def ends(self) -> bool:
        """Whether no further message is begun."""
        return self.stopping or self.leaving

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Have workers for the time of a block, and wait at its end until all have ended."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                try:
                    yield
                finally:
                    self._group = None
                if self.leaving:
                    await self._throttle.quiet()
                    for task in self._tasks.values():  # they only wait by now; what comes next asks first
                        task.cancel()
        finally:
            self._tasks.clear()  # one that was cancelled before it began had no chance to
            self._due.clear()

    def serve(self, receiver: str) -> None:
        """Have a receiver's worker look (again) for what waits; make one where there is none."""
        self._due.add(receiver)
        if receiver in self._tasks:
            return
        if self._group is None or len(self._tasks) >= self._most:
            self._saturated = True
            return
        task = self._group.create_task(self._serve_receiver(receiver), name=f"hangbot-to-{receiver}")
        self._tasks[receiver] = task

    async def start(self) -> bool:
        """Give each receiver that has waiting messages and no worker one; return whether there is any."""
        self._saturated = False
        receivers = await self._outbox.receivers(without=self._tasks)
        for receiver in receivers:
            self.serve(receiver)
        return bool(receivers or self._tasks)

    async def deliver(self, receiver: str, parts: Sequence[OutboxRow]) -> list[Settlement]:
        """Run the parts of a message to their ends, before what is queued for the same receiver."""
        async with self._lock_of(receiver):
            return [await self._deliver(part) for part in parts]

    async def _serve_receiver(self, receiver: str) -> None:
        """Deliver what waits for a receiver, one message after the other, until nothing does."""
        lock = self._lock_of(receiver)
        written: Awaitable[object] | None = None
        try:
            while receiver in self._due and not self.ends:
                self._due.discard(receiver)
                self._movement.step(receiver)
                async with lock:
                    row = await self._outbox.claim(receiver, only_look=not self._throttle.clear)
                    if row is None:
                        continue
                    if self.ends:
                        await self._outbox.release(row)
                        break
                    if written:
                        await written
                    async with QueuedMessage(row, self._sending, marked=row.state == "sending") as message:
                        end = await self._retrier.run(message, message.progress())
                    if end.state != "dropped":
                        written = await self._settle(message, end)
                    else:  # by hand; or it was queued again since: then it is claimed anew
                        written = None
                        await self._pending.refresh_one(message.key)
                self._due.add(receiver)
                await asyncio.sleep(0)  # what this settlement wakes may accept its next message: one commit
            if written:
                await written
        except Stopped:
            return
        except BaseException:
            self._group = None  # the others are about to end, too: no new ones
            raise
        finally:
            self._due.discard(receiver)
            self._movement.end(receiver)
            self._tasks.pop(receiver, None)
            if self._saturated or not self._tasks:
                self.work.set()

    async def _deliver(self, part: OutboxRow) -> Settlement:
        """Run one message to its end, whatever another process does with it meanwhile."""
        key = part.message.id
        while (end := (row := await self._outbox.get(key)).end) is None:
            try:
                async with QueuedMessage(row, self._sending) as message:
                    end = await self._retrier.run(message, message.progress())
            except Stopped:
                raise HangbotError(
                    f"the bot stopped before {key} had ended; it waits in the outbox",
                    remedy="Start the bot again: it goes on where it stopped.",
                ) from None
            except asyncio.CancelledError:
                if self._group:  # its worker goes on with it, before what is behind it
                    await self._outbox.release(part._replace(in_doubt=True))
                    self.serve(part.message.to)
                raise
            if end.state != "dropped":
                if written := await self._settle(message, end):
                    await written
                return end
        self._pending.resolve(key, end)
        return end

    async def _settle(self, message: QueuedMessage, end: Settlement) -> Awaitable[object] | None:
        """Write how a message ended, and hand that out.

        Returns:
            What to await until it is on disk, where it is not yet. Nothing hangs on it: a delivered message
            that a crash leaves unsettled is asked about at the next start, and found.
        """
        receiver, now = message.row.message.to, self._clock.wall()
        written = self._outbox.settle(message.key, end, message.unwritten, now)
        if end.state == "delivered":
            _log_said(message.row.message)
            self._pending.resolve(message.key, end)
            return written
        await self._report(await written)  # the parts behind it: all parts or a clear stop
        if message.closed and end.state == "failed":
            await self._report(await self._outbox.fail_queued(receiver, end, self._clock.wall()))
        self._pending.resolve(message.key, end)
        return None

    async def _report(self, ended: Sequence[str]) -> None:
        """Hand out the ends of messages that ended with another."""
        for key in ended:
            if end := (await self._outbox.get(key)).end:
                self._notify(Step(key, self._clock.wall(), "settled", detail=end.reason, settlement=end))
                self._pending.resolve(key, end)

    def _lock_of(self, receiver: str) -> asyncio.Lock:
        """Return what only one message to a receiver holds at a time."""
        return self._locks.setdefault(receiver, asyncio.Lock())


def _log_said(message: Outgoing) -> None:
    """Show what was said; what is between two people stays there."""
    more = {"action": "said", "message_id": message.id, "to": message.to}
    if message.direct:
        logger.info("[SAID] to %s: %d characters", message.to, len(message.text), extra=more)
    else:
        logger.info("[SAID] %s", message.text, extra=more)
