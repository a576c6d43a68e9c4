"""The loop that takes what waits in the outbox to the workers, and notices what became of the file."""

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from hangbot.clock import Clock, iso_time
from hangbot.delivery.outbox import Outbox
from hangbot.delivery.pending import PendingSettlements
from hangbot.delivery.record import EXPIRED_AT_START, Notify, Step
from hangbot.delivery.throttle import Throttle
from hangbot.delivery.workers import Workers
from hangbot.errors import HangbotError, OutboxTaken, OutboxUnusable
from hangbot.journal import SILENT, Journal
from hangbot.system_errors import first_of

__all__ = ["Serving"]

logger = logging.getLogger(__name__)

_WATCH_EVERY: Final = 1.0  # seconds between looks whether the outbox's file is still where it was
_SUSPICIOUS_FOR: Final = 2  # so many looks after something was noticed: what is found has to be found twice


class Serving:
    """Has workers deliver what waits.

    Args:
        outbox: Where it waits.
        workers: Deliver it.
        pending: Are given what became of it.
        throttle: What requests of the workers pass.
        notify: Is given each step.
        clock: Dates what is written.
        others: The clock of other processes, which share the file.
        total: Seconds that a message may take.
        look_every: Seconds between looks at what others put into the file, where nothing is noticed.
        journal: Keeps what operators do to messages.

    Attributes:
        lost: What became of the file, where it was taken away.
    """

    def __init__(  # noqa: PLR0913  what it is wired with
        self,
        outbox: Outbox,
        workers: Workers,
        *,
        pending: PendingSettlements,
        throttle: Throttle,
        notify: Notify,
        clock: Clock,
        others: Clock,
        total: float,
        look_every: float,
        journal: Journal = SILENT,
    ) -> None:
        self.lost: str | None = None
        self._outbox = outbox
        self._workers = workers
        self._pending = pending
        self._throttle = throttle
        self._notify = notify
        self._clock = clock
        self._others = others
        self._total = total
        self._look_every = look_every
        self._watch_at = 0.0
        self._journal = journal
        self._last_step: int | None = None
        self._looks = False

    def look(self) -> None:
        """Look at once for what another process, or the bot itself, did to the outbox."""
        self._looks = True
        self._workers.work.set()

    async def until_stopped(self) -> None:
        """Deliver until the workers are to stop.

        Raises:
            OutboxUnusable: The file failed; or it was taken away, and what was in it is delivered.
        """
        await self._with_workers(self._until_stopped)

    async def until_empty(self) -> None:
        """Deliver everything that waits, oldest first."""
        await self._with_workers(self._until_empty)

    async def _with_workers(self, serve: Callable[[], Awaitable[None]]) -> None:
        """Start workers for as long as a function runs, and return when it and they have ended."""
        self._pending.open()
        self._workers.leaving = False
        try:
            await self._outbox.recover(self._clock.wall())
            await self._expire()
            async with self._workers.running():
                await serve()
        except* HangbotError as group:
            raise first_of(group) from None
        finally:
            self._pending.close()

    async def _expire(self) -> None:
        """End what is too old at the start, in one line of the log: a wrong clock does that, too."""
        now = self._clock.wall()
        expired = await self._outbox.expire(now, self._clock.boot())
        end = EXPIRED_AT_START
        for key, _ in expired:
            self._notify(Step(key, now, "settled", detail=end.reason, settlement=end))
            self._pending.resolve(key, end)
        if expired:
            oldest = expired[0][1]
            logger.error(
                "[ERROR] %d messages are too old to be sent: the oldest is of %s, the clock now says %s."
                " Set the clock if it is wrong, and queue them again with `hangbot outbox retry ID`",
                len(expired),
                iso_time(oldest),
                iso_time(now),
                extra={"action": "outbox_expired", "expired": len(expired)},
            )

    async def _until_stopped(self) -> None:
        await self._outbox.prune(self._clock.wall())
        if others := await self._outbox.count_others():
            more = {"action": "outbox_others", "waiting": others}
            words = "%d messages of other rooms wait in the outbox %s: a bot in these rooms delivers them"
            logger.warning(words, others, self._outbox.place.name, extra=more)
        version = -1
        await self._keep_changes()
        with self._outbox.place.noticing(self._workers.work.set):
            while not self._workers.stopping:
                self._workers.work.clear()
                await self._workers.start()
                try:
                    seen = await self._until_work(version)
                except OutboxTaken as exc:
                    self.lost = str(exc)
                if self.lost:
                    await self._empty_what_is_lost(self.lost)
                if seen != version:
                    await self._pending.refresh()
                if seen != version or self._looks:
                    await self._keep_changes()
                version = seen

    async def _keep_changes(self) -> None:
        """Keep in the journal what operators did since the last time; the first time only find out when."""
        self._looks = False
        if not self._journal.keeps:
            return
        self._last_step, changes = await self._outbox.done_by_hand(self._last_step)
        for change, key in changes:
            self._journal.add("operator", change, key)

    async def _empty_what_is_lost(self, cause: str) -> None:
        """Deliver what the open file still holds: no later process will find it."""
        if remedy := self._outbox.place.lost_remedy:
            raise OutboxTaken(cause, remedy=remedy)
        sentence = f"{cause}: what it holds is delivered, then the bot ends"
        self._outbox.place.conditions.red("outbox", sentence, OutboxTaken.remedy)
        with suppress(TimeoutError, OutboxTaken):
            await self._others.wait_for(self._until_empty(), self._total)
        await self._throttle.quiet()  # each request has its own bound
        with suppress(OutboxUnusable):
            await self._outbox.place.leave_lost()
        raise OutboxTaken(cause)

    async def _until_empty(self) -> None:
        while not self._workers.ends:
            self._workers.work.clear()
            if not await self._workers.start():
                break
            await self._workers.work.wait()  # the last worker that ends sets it

    async def _until_work(self, version: int) -> int:
        """Wait for receivers without a worker, or for another process's write; return its version then."""
        quiet = 0
        while True:
            wait = self._look_every if quiet > _SUSPICIOUS_FOR else min(_WATCH_EVERY, self._look_every)
            quiet += 1
            with suppress(TimeoutError):
                await self._others.wait_for(self._workers.work.wait(), wait)
            closely = (now := self._others.now()) >= self._watch_at
            seen, lost = await self._outbox.place.look(closely=closely)
            if closely:
                self._watch_at, self.lost = now + _WATCH_EVERY, lost
            if seen != version or self._workers.work.is_set() or self.lost:
                return seen
