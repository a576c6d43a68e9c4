"""One message of the outbox on its way: each attempt is on disk before it is made."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from hangbot.clock import Clock, steadily
from hangbot.delivery.movement import Movement
from hangbot.delivery.outbox import Outbox
from hangbot.delivery.ports import MessageSink
from hangbot.delivery.record import Notify, OutboxRow, Step
from hangbot.delivery.retry import Progress, Until
from hangbot.delivery.throttle import LONG, Hold, Request, Stopped, Throttle
from hangbot.errors import GroupClosed, OutboxNotOurs, OutboxOfAnother, ServiceError
from hangbot.journal import SILENT, Journal

__all__ = ["OwnerCheck", "QueuedMessage", "Sending"]

_CLAIM_HOLDS: Final = 0.1
"""Seconds after which a claimed message that still waits to be sent may have been dropped by hand."""


class OwnerCheck:
    """Makes sure, before the first message leaves, that the outbox is this bot's.

    Args:
        outbox: The outbox.
        who: Returns the bot's uid, where only the service knows it; raises `ServiceError`.
    """

    def __init__(self, outbox: Outbox, who: Callable[[], Awaitable[str]] | None) -> None:
        self._outbox = outbox
        self._who = who

    @property
    def pending(self) -> bool:
        """Whether it has not been made yet."""
        return self._who is not None

    async def verify(self) -> None:
        """Make it, once; raises `OutboxOfAnother`, or what ``who`` raises."""
        if self._who is not None:
            await self._outbox.bind(await self._who())
            self._who = None


@dataclass(frozen=True, slots=True)
class Sending:
    """What the messages of one courier share.

    Attributes:
        outbox: Where they stand.
        sink: Where they go.
        throttle: What their requests pass.
        clock: Measures.
        notify: Is given each step.
        owner: Passes before the first of them leaves.
        movement: Knows when each moved last.
        journal: Keeps what is sent.
    """

    outbox: Outbox
    sink: MessageSink
    throttle: Throttle
    clock: Clock
    notify: Notify
    owner: OwnerCheck
    movement: Movement
    journal: Journal = SILENT


class QueuedMessage:
    """One row of the outbox as a `hangbot.delivery.retrier.Sendable`.

    Used with ``async with``: where it is left before its end, what happened is kept, and what was not sent
    is queued again as it was.

    Args:
        row: The message.
        sending: What it shares with the others.
        marked: Whether the disk says already that the next attempt may be there.
    """

    def __init__(self, row: OutboxRow, sending: Sending, *, marked: bool = False) -> None:
        self.key = row.message.id
        self.unknown_remedy = f"`hangbot outbox retry {self.key}` asks again."
        self.unwritten: list[Step] = []
        """The steps that are not on disk yet."""
        self.closed = False
        """Whether its group does not let the bot in."""
        self.row = row
        self._outbox = sending.outbox
        self._sink = sending.sink
        self._throttle = sending.throttle
        self._clock = sending.clock
        self._notify = sending.notify
        self._owner = sending.owner
        self._movement = sending.movement
        self._marked = marked
        self._attempts = row.attempts
        self._begun = sending.clock.now()
        message = row.message
        if row.group_id in {"", message.id}:  # accepted by another process, or before the journal began
            sending.journal.said(message.id, message.to, message.text, direct=message.direct)
        self._may_be_there = row.in_doubt
        """Whether the service may hold it, for all that is known now."""
        self._under_way = False
        """Whether a request about it is."""
        self._withdrawn = False

    def progress(self) -> Progress:
        """Return what has become of it in earlier runs."""
        row = self.row
        expires_at = row.expires_at and steadily(row.expires_at, row.accepted_at, row.boot, self._clock)
        return Progress(row.attempts, row.in_doubt, expires_at)

    def record(self, step: Step) -> None:
        """Keep a step for the next write, and give it to the listeners."""
        self.unwritten.append(step)
        self._attempts = step.attempt
        self._movement.step(self.row.message.to)
        self._notify(step)

    async def admit(self, *, retry: bool, until: Until) -> bool:
        """Wait until an attempt may begin; ``False``: not in time."""
        with self._movement.waiting(self.row.message.to):
            hold = await self._throttle.acquire(retry=retry, until=until, patience=LONG)
            if hold and not hold.late:
                await self._show(hold)
                hold = await self._throttle.acquire(retry=retry, until=until)
        return hold is None

    async def send(self, *, until: Until) -> bool:
        """Make one attempt; ``False``: it was dropped by hand, nothing was sent."""
        async with self._throttle.request(until=until) as request:
            await self._wait_for(request)
            if not self._marked or self._clock.now() > self._begun + _CLAIM_HOLDS:
                steps, self.unwritten = self.unwritten, []
                if not await self._outbox.mark_sending(self.key, steps):
                    self.unwritten = steps[:-1]  # all but the attempt, which is not made
                    self._withdrawn = True
                    request.abandon()
                    return False
            self._marked = False  # the next attempt is written before it is made
            self._may_be_there = self._under_way = True
            try:
                await self._sink.send(self.row.message)
            except ServiceError as exc:
                self._under_way = False
                self._may_be_there = exc.ambiguous
                self.closed = isinstance(exc, GroupClosed)
                raise
        return True

    async def find(self, *, until: Until) -> bool:
        """Return whether an earlier attempt arrived."""
        async with self._throttle.request(until=until) as request:
            await self._wait_for(request)
            self._under_way = True
            try:
                self._may_be_there = await self._sink.find(self.row.message)
            except ServiceError:
                self._under_way = False
                raise
            self._under_way = False
        return self._may_be_there

    async def pause(self, seconds: float) -> None:
        """Wait before the next try; a long wait is on disk before it begins."""
        if seconds > LONG:
            await self._write()
        with self._movement.waiting(self.row.message.to):
            await self._throttle.pause(seconds)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._withdrawn:
            await self._keep()
        elif isinstance(error, OutboxOfAnother):  # before anything was sent: it waits for its own bot
            await self._outbox.release(self.row)
            raise OutboxNotOurs(str(error), remedy=error.remedy) from None
        elif isinstance(error, Stopped | asyncio.CancelledError):
            if not self._under_way and self.unwritten and self.unwritten[-1].kind == "attempt":
                self.unwritten.pop()  # it was not made after all
            await self._keep()
            if not self._under_way:  # it only waited: nothing need take it for one that is on its way
                await self._outbox.release(self.row._replace(in_doubt=self._may_be_there))

    async def _wait_for(self, request: Request) -> None:
        while hold := await request.held_up():
            await self._show(hold)
        await self._owner.verify()

    async def _show(self, hold: Hold) -> None:
        """Write down that it waits, and for what; an attempt that has not begun is not written yet."""
        made = self.unwritten.pop() if self.unwritten and self.unwritten[-1].kind == "attempt" else None
        attempt = made.attempt - 1 if made else self._attempts
        detail = f"held up by {hold.cause} ({hold.seconds:.0f} s)"
        self.record(Step(self.key, self._clock.wall(), "waiting", attempt, detail, hold.seconds))
        await self._write()
        self.unwritten += [made] if made else []

    async def _write(self) -> None:
        """Keep what has happened so far, and that it waits, for all who want to know meanwhile."""
        steps, self.unwritten = self.unwritten, []
        await self._outbox.append_steps(self.key, steps)
        await self._outbox.release(self.row._replace(in_doubt=self._may_be_there))
        self._marked = False

    async def _keep(self) -> None:
        """Keep what has happened to a message that is left as it is."""
        if self._owner.pending:
            await self._outbox.release(self.row)  # whose it is was still asked: nothing was sent
        else:
            await self._outbox.append_steps(self.key, self.unwritten)
