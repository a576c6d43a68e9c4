"""Takes messages from the outbox to the service, and writes down how each ended.

Per receiver in order and one at a time, so that a retry is never overtaken; receivers do not
wait for each other.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from typing import Final

from hangbot.clock import Clock, SystemClock
from hangbot.delivery.limits import CircuitBreaker
from hangbot.delivery.message import Outgoing, split
from hangbot.delivery.movement import Movement
from hangbot.delivery.outbox import Outbox
from hangbot.delivery.pending import PendingSettlements
from hangbot.delivery.ports import MessageSink
from hangbot.delivery.record import EXPIRED_AT_START, Notify, OutboxRow, Settlement, Step
from hangbot.delivery.retrier import Retrier
from hangbot.delivery.sending import OwnerCheck, Sending
from hangbot.delivery.throttle import Throttle
from hangbot.delivery.workers import Workers
from hangbot.errors import (
    HangbotError,
    OutboxNotOurs,
    OutboxOfAnother,
    OutboxTaken,
    OutboxUnusable,
    UsageError,
)
from hangbot.health import AT_ONCE, Conditions
from hangbot.journal import SILENT, Journal
from hangbot.system_errors import first_of

__all__ = ["Courier"]

logger = logging.getLogger(__name__)

_WATCH_EVERY: Final = 1.0  # seconds between looks whether the outbox's file is still where it was
_SUSPICIOUS_FOR: Final = 2  # so many looks after something was noticed: what is found has to be found twice


class Courier:
    """Delivers from a borrowed outbox to a borrowed sink.

    One courier an outbox at a time: its maker holds `hangbot.delivery.outbox.exclusive`.

    Args:
        outbox: Where messages are accepted, and taken from.
        sink: Where they go.
        retrier: Runs each to its end; its clock is the courier's.
        throttle: What requests to the sink pass.
        notify: Is given each step.
        ttl: Seconds after which a message that waits is not worth sending any more.
        conditions: Shows what is wrong and lasts.
        who: Returns the bot's uid, where only the service knows it; raises `ServiceError`.
        turn: Awaited by `run` before it delivers: ``True`` when this process may, ``False`` when the function
            that it is given says that the bot stops.
        max_workers: Receivers served at a time; the others wait for a worker to end.
        others: The clock of other processes, which share the file: by default the loop's own.
        look_every: Seconds between looks at what they put into it, where nothing is noticed from outside.
        journal: Keeps what is accepted.
    """

    def __init__(  # noqa: PLR0913  what it is wired with
        self,
        outbox: Outbox,
        sink: MessageSink,
        *,
        retrier: Retrier,
        throttle: Throttle,
        notify: Notify,
        ttl: float | None = None,
        conditions: Conditions | None = None,
        who: Callable[[], Awaitable[str]] | None = None,
        turn: Callable[[Callable[[], bool]], Awaitable[bool]] | None = None,
        max_workers: int = 256,
        others: Clock | None = None,
        look_every: float = 10.0,
        journal: Journal = SILENT,
    ) -> None:
        self._outbox = outbox
        self._conditions = outbox.file.conditions = conditions or Conditions(parts=AT_ONCE)
        self._clock = retrier.clock
        self._total = retrier.policy.total
        self._notify = notify
        self._throttle = throttle
        self._ttl = ttl
        self._turn = turn
        self._others = others or SystemClock()
        self._pending = PendingSettlements(outbox)
        self.movement = Movement(retrier.clock.now)
        owner = OwnerCheck(outbox, who)
        sending = Sending(outbox, sink, throttle, retrier.clock, notify, owner, self.movement, journal)
        self._workers = Workers(sending, retrier, self._pending, most=max_workers)
        self._look_every = look_every
        self._journal = journal
        self._lost: str | None = None
        self._watch_at = 0.0

    @property
    def breaker(self) -> CircuitBreaker:
        """Whether the service is known to be down, and since when."""
        return self._throttle.breaker

    async def accept(self, message: Outgoing, *, first_wins: bool = False) -> list[OutboxRow]:
        """Write a message to disk, as `_accept` does, and keep in the journal that it was said."""
        keep = partial(self._journal.said, message.id, message.to, message.text, direct=message.direct)
        try:
            stored = await self._accept(message, first_wins=first_wins)
        except HangbotError as exc:
            keep(refused=type(exc).__name__)
            raise
        keep()
        return stored

    async def _accept(self, message: Outgoing, *, first_wins: bool) -> list[OutboxRow]:
        """Write a message to disk; when this returns it will be delivered or reported.

        Where the ``first_wins``, what was accepted under its id before stands for it, whatever it says.

        Raises:
            UsageError: The message cannot be sent as it is, or its id stands for another.
            OutboxFull: As many messages wait as may.
            OutboxUnusable: It could not be written; nothing was accepted.
        """
        if self._workers.stopping:
            raise UsageError(
                "the bot is stopping; nothing was accepted", remedy="Send it when the bot is up."
            )
        if self._lost:
            raise OutboxTaken(f"{self._lost}; nothing was accepted")
        now, boot = self._clock.wall(), self._clock.boot()
        expires_at = None if self._ttl is None else now + self._ttl
        try:
            parts = split(message)
        except UsageError:
            if first_wins and (there := await self._outbox.group(message.id)):
                return there
            raise
        put = self._outbox.put(parts, now, expires_at=expires_at, boot=boot, first_wins=first_wins)
        if self._workers.active:
            self._workers.serve(message.to)  # its claim comes behind the put: one commit for both
        stored = await put
        for row in stored:
            if row.state == "queued" and not row.attempts:
                self._pending.watch(row.message.id)
                self._notify(Step(row.message.id, row.accepted_at, "accepted"))
        return stored

    async def deliver(self, message: Outgoing) -> Settlement:
        """Accept a message, send it at once, and return how it (its worst part) ended.

        It waits for what is on its way to the same receiver, but not for what is queued.
        """
        parts = await self.accept(message)
        ends = await self._workers.deliver(message.to, parts)
        return max(ends, key=lambda end: (end.state != "delivered", end.tier or 0))

    async def settled(self, key: str) -> Settlement:
        """Wait until a message that `run` delivers has ended.

        Raises:
            HangbotError: `run` ended before; the message waits in the outbox.
            UnknownMessage: There is none with that id.
        """
        return await self._pending.settled(key)

    @asynccontextmanager
    async def request(self) -> AsyncIterator[None]:
        """Make another request to the same service: while that is down, it waits like all others.

        Raises:
            Stopped: `stop` was called while it waited.
        """
        async with self._throttle.request() as request:
            while await request.held_up():
                pass  # only messages show that they wait
            yield

    async def available(self) -> None:
        """Wait while the service is known to be down, as a request would; raises `Stopped`."""
        async with self._throttle.request() as request:
            while await request.held_up():
                pass
            request.abandon()

    async def answers(self, since: float) -> bool:
        """Return whether the service works, by a question put to it since then (monotonic seconds) or now."""
        return await self._throttle.answers(since)

    async def belongs_to(self, uid: str) -> None:
        """Make sure that the outbox is this bot's; raises `OutboxNotOurs` where it is another's."""
        try:
            await self._outbox.bind(uid)
        except OutboxOfAnother as exc:
            raise OutboxNotOurs(str(exc), remedy=exc.remedy) from None

    def look(self) -> None:
        """Have `run` look at once for what another process accepted."""
        self._workers.work.set()

    def stop(self) -> None:
        """Begin no further message; `run` returns when what is on its way has ended.

        What only waits (for the service, the rate, the retry budget) does not wait on: it stays queued.
        """
        self._workers.stopping = True
        self._throttle.stop()
        self._workers.work.set()

    async def run(self) -> None:
        """Deliver until `stop` is called, from when it is this process's turn on.

        Cancelling it leaves what is on its way in doubt on disk: the next start asks first.

        Raises:
            OutboxUnusable: The file failed; or it was taken away, and what was in it is delivered.
        """
        if self._turn is None or await self._turn(lambda: self._workers.stopping):
            await self._with_workers(self._until_stopped)

    async def run_until_empty(self) -> None:
        """Deliver everything that waits, oldest first, and return."""
        await self._with_workers(self._until_empty)

    def hand_over(self) -> None:
        """Have `run_until_empty` return, for another process to go on, when what is on its way has ended."""
        self._workers.leaving = True
        self._workers.work.set()

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
                _moment(oldest),
                _moment(now),
                extra={"action": "outbox_expired", "expired": len(expired)},
            )

    async def _until_stopped(self) -> None:
        await self._outbox.prune(self._clock.wall())
        if others := await self._outbox.count_others():
            more = {"action": "outbox_others", "waiting": others}
            words = "%d messages of other rooms wait in the outbox %s: a bot in these rooms delivers them"
            logger.warning(words, others, self._outbox.path, extra=more)
        version = -1
        with self._outbox.file.noticing(self._workers.work.set):
            while not self._workers.stopping:
                self._workers.work.clear()
                await self._workers.start()
                try:
                    seen = await self._until_work(version)
                except OutboxTaken as exc:
                    self._lost = str(exc)
                if self._lost:
                    await self._empty_what_is_lost(self._lost)
                if seen != version:
                    await self._pending.refresh()
                version = seen

    async def _empty_what_is_lost(self, cause: str) -> None:
        """Deliver what the open file still holds: no later process will find it."""
        sentence = f"{cause}: what it holds is delivered, then the bot ends"
        self._conditions.red("outbox", sentence, OutboxTaken.remedy)
        with suppress(TimeoutError, OutboxTaken):
            await self._others.wait_for(self._until_empty(), self._total)
        await self._throttle.quiet()  # each request has its own bound
        with suppress(OutboxUnusable):
            await self._outbox.file.leave_lost()
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
            seen, lost = await self._outbox.file.look(closely=closely)
            if closely:
                self._watch_at, self._lost = now + _WATCH_EVERY, lost
            if seen != version or self._workers.work.is_set() or self._lost:
                return seen


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
