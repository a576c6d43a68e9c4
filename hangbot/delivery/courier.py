"""Takes messages from the outbox to the service, and writes down how each ended.

Per receiver in order and one at a time, so that a retry is never overtaken; receivers do not
wait for each other.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import NamedTuple

from hangbot.clock import Clock, SystemClock
from hangbot.delivery.limits import CircuitBreaker
from hangbot.delivery.message import Outgoing, split
from hangbot.delivery.movement import Movement
from hangbot.delivery.outbox import Outbox
from hangbot.delivery.pending import PendingSettlements
from hangbot.delivery.ports import MessageSink
from hangbot.delivery.record import Notify, OutboxRow, Settlement, State, Step
from hangbot.delivery.retrier import Retrier
from hangbot.delivery.sending import OwnerCheck, Sending
from hangbot.delivery.serving import Serving
from hangbot.delivery.stats import Stats, compute_stats
from hangbot.delivery.throttle import Throttle
from hangbot.delivery.workers import Workers
from hangbot.delivery.writes import Writes
from hangbot.errors import HangbotError, OutboxNotOurs, OutboxOfAnother, OutboxTaken, UsageError
from hangbot.health import AT_ONCE, Conditions
from hangbot.journal import SILENT, Journal

__all__ = ["Courier"]


class _Said(NamedTuple):
    """Keeps in the journal what is said in its block, accepted or refused."""

    journal: Journal
    messages: Sequence[Outgoing]

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        refused = type(error).__name__ if isinstance(error, HangbotError) else ""
        for each in self.messages:
            self.journal.said(each.id, each.to, each.text, direct=each.direct, refused=refused)


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
        outbox.place.conditions = conditions or Conditions(parts=AT_ONCE)
        self._clock = retrier.clock
        self._notify = notify
        self._throttle = throttle
        self._ttl = ttl
        self._turn = turn
        self._pending = PendingSettlements(outbox)
        self._noted: list[str] | None = None
        self.movement = Movement(retrier.clock.now)
        owner = OwnerCheck(outbox, who)
        sending = Sending(outbox, sink, throttle, retrier.clock, notify, owner, self.movement, journal)
        self._workers = Workers(sending, retrier, self._pending, most=max_workers)
        self._journal = journal
        self._serving = Serving(
            outbox,
            self._workers,
            pending=self._pending,
            throttle=throttle,
            notify=notify,
            clock=retrier.clock,
            others=others or SystemClock(),
            total=retrier.policy.total,
            look_every=look_every,
            journal=journal,
        )

    @property
    def breaker(self) -> CircuitBreaker:
        """Whether the service is known to be down, and since when."""
        return self._throttle.breaker

    async def accept(self, message: Outgoing, *, first_wins: bool = False) -> list[OutboxRow]:
        """Write a message to disk; when this returns it will be delivered or reported.

        Where the ``first_wins``, what was accepted under its id before stands for it, whatever it says.

        Raises:
            UsageError: The message cannot be sent as it is, or its id stands for another.
            OutboxFull: As many messages wait as may.
            OutboxUnusable: It could not be written; nothing was accepted.
        """
        now, boot = self._clock.wall(), self._clock.boot()
        with _Said(self._journal, [message]):
            self._refuse_at_the_end()
            try:
                parts = split(message)
            except UsageError:
                if first_wins and (there := await self._outbox.group(message.id)):
                    return there
                raise
            expires_at = self._expires_at(now)
            put = self._outbox.put(parts, now, expires_at=expires_at, boot=boot, first_wins=first_wins)
            self._serve(message.to)  # its claim comes behind the put: one commit for both
            stored = await put
        self._accepted(stored)
        return stored

    async def commit(
        self, messages: Sequence[Outgoing], writes: Writes, *, first_wins: bool = False
    ) -> list[list[OutboxRow]]:
        """Write messages as `accept` does, and what belongs to them: all of it, or nothing.

        Raises:
            StoreConflict: A value that is changed is not what it must be.
            HangbotError: As `accept` does.
        """
        now, boot = self._clock.wall(), self._clock.boot() if messages else None
        with _Said(self._journal, messages):
            self._refuse_at_the_end()
            stored = await self._outbox.commit(
                [split(message) for message in messages],
                writes,
                now,
                expires_at=self._expires_at(now),
                boot=boot,
                first_wins=first_wins,
            )
        for message, rows in zip(messages, stored, strict=True):
            self._serve(message.to)
            self._accepted(rows)
        return stored

    def _refuse_at_the_end(self) -> None:
        if self._workers.stopping:
            raise UsageError(
                "the bot is stopping; nothing was accepted", remedy="Send it when the bot is up."
            )
        if lost := self._serving.lost:
            raise OutboxTaken(f"{lost}; nothing was accepted")

    def _expires_at(self, now: float) -> float | None:
        return None if self._ttl is None else now + self._ttl

    def _serve(self, receiver: str) -> None:
        if self._workers.active:
            self._workers.serve(receiver)

    @contextmanager
    def noting(self) -> Iterator[list[str]]:
        """Yield the ids of what is accepted in the block, one at a time."""
        self._noted = []
        try:
            yield self._noted
        finally:
            self._noted = None

    def _accepted(self, rows: Sequence[OutboxRow]) -> None:
        for row in rows:
            if row.state == "queued" and not row.attempts:
                if self._noted is not None:
                    self._noted.append(row.message.id)
                self._pending.watch(row.message.id)
                self._notify(Step(row.message.id, row.accepted_at, "accepted"))

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

    async def stats(self) -> Stats:
        """Return the figures of all messages that the outbox still has."""
        return compute_stats(await self._outbox.timings(), self._clock.wall())

    async def retry(self, states: Sequence[State]) -> int:
        """Queue again every message in one of these states, which is asked about first; return how many."""
        keys = [row.message.id for row in await self._outbox.rows(states)]
        rows = await self._outbox.requeue(keys, self._clock.wall()) if keys else []
        self.look()
        return len(rows)

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
        """Have `run` look at once for what another process accepted, or an operator did."""
        self._serving.look()

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
            await self._serving.until_stopped()

    async def run_until_empty(self) -> None:
        """Deliver everything that waits, oldest first, and return."""
        await self._serving.until_empty()

    def hand_over(self) -> None:
        """Have `run_until_empty` return, for another process to go on, when what is on its way has ended."""
        self._workers.leaving = True
        self._workers.work.set()
