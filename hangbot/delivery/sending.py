"""One message of the outbox on its way: the disk knows of each attempt before it is made."""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final

from hangbot.clock import steadily, steady
from hangbot.delivery.message import Outgoing
from hangbot.delivery.outbox import Outbox
from hangbot.delivery.ports import MessageSink
from hangbot.delivery.record import OutboxRow, Settlement, Step
from hangbot.delivery.retry import Progress, Retrier
from hangbot.delivery.throttle import LONG, Stopped, Throttle
from hangbot.delivery.waiters import Waiters
from hangbot.errors import GroupClosed, OutboxNotOurs, OutboxOfAnother, ServiceError

__all__ = ["Dispatch"]

logger = logging.getLogger(__name__)

_CLAIM_HOLDS: Final = 0.1
"""Seconds after which a claimed message that still waits to be sent may have been dropped by hand."""


class Dispatch:
    """Takes a stored message through its attempts to its end, and writes that down.

    Args:
        outbox: Where it stands.
        transport: Where it goes.
        retrier: How it is carried.
        gate: Lets it out.
        waiters: Told how it ended.
        who: Tells the bot's uid, where only the service can: asked before the first message leaves.
            Raises `ServiceError`.
    """

    def __init__(
        self,
        outbox: Outbox,
        transport: MessageSink,
        *,
        retrier: Retrier,
        gate: Throttle,
        waiters: Waiters,
        who: Callable[[], Awaitable[str]] | None = None,
    ) -> None:
        self.outbox = outbox
        self.transport = transport
        self._retrier = retrier
        self.clock = retrier.clock
        self.notify = retrier.notify
        self.gate = gate
        self.total = retrier.policy.total
        self._waiters = waiters
        self._who = who

    async def take(
        self, row: OutboxRow, *, claimed: bool = False
    ) -> tuple[Settlement, Awaitable[object] | None]:
        """Carry a message unless it has ended, which can be by hand too, and tell who waits for it.

        Returns:
            How it ended, and what to await until that is written where it is not yet. Nothing hangs
            on it: who finds a delivered message unsettled after a crash asks, and is told so.

        Raises:
            Stopped: It would have to wait, and the program is to stop; it is queued as it was.
        """
        written: Awaitable[object] | None = None
        while (end := row.end) is None:
            try:
                end, written = await self._carry(row, claimed=claimed)
                break
            except _Withdrawn:
                row, claimed = await self.outbox.get(row.message.id), False
            except OutboxOfAnother as exc:  # before anything was sent: it waits for its own bot, as it was
                await self.outbox.release(row)
                raise OutboxNotOurs(str(exc), remedy=exc.remedy) from None
        self._waiters.tell(row.message.id, end)
        return end, written

    async def _note(self, row: OutboxRow, unwritten: Sequence[Step]) -> None:
        """Keep what happened to a message that is left as it is."""
        if self._who is None:
            await self.outbox.note(row.message.id, unwritten)
        else:
            await self.outbox.release(row)  # whose it is was still asked: nothing was sent

    async def see_whose(self) -> None:
        """Make sure before anything leaves that the outbox is this bot's."""
        if self._who is not None:
            await self.outbox.bind(await self._who())
            self._who = None

    async def _report(self, given_up: Sequence[str]) -> None:
        """Tell of the parts that ended with one before them: all parts or a clear stop."""
        for part in given_up:
            end = (await self.outbox.get(part)).end
            if end:
                self.notify(Step(part, self.clock.wall(), "settled", detail=end.reason, settlement=end))
                self._waiters.tell(part, end)

    async def _carry(self, row: OutboxRow, *, claimed: bool) -> tuple[Settlement, Awaitable[object] | None]:
        key, message = row.message.id, _OnItsWay(self, row, claimed=claimed)
        try:
            end = await message.carry(self._retrier)
        except _Withdrawn:
            await self._note(row, message.unwritten)
            raise
        except (Stopped, asyncio.CancelledError):
            await self._note(row, message.known())
            if not message.asks:  # it only waited: nobody need take it for one that is on its way
                await self.outbox.release(row._replace(in_doubt=message.may_be_there))
            raise
        written = self.outbox.settle(key, end, message.unwritten, self.clock.wall())
        if end.state == "delivered":
            _log_said(row.message)
            return end, written
        await self._report(await written)
        if message.closed and end.state == "failed":
            await self._report(await self.outbox.fail_queued(row.message.to, end, self.clock.wall()))
        return end, None


def _log_said(message: Outgoing) -> None:
    """Show what was said; what is between two people stays there."""
    more = {"action": "said", "message_id": message.id, "to": message.to}
    if message.direct:
        logger.info("[SAID] to %s: %d characters", message.to, len(message.text), extra=more)
    else:
        logger.info("[SAID] %s", message.text, extra=more)


class _OnItsWay:
    """One message while it is carried: as the retrier needs it, and what of it is not on disk yet."""

    def __init__(self, dispatch: Dispatch, row: OutboxRow, *, claimed: bool) -> None:
        self.unwritten: list[Step] = []
        self.may_be_there = row.in_doubt
        """Whether the service may hold it, for all that is known now."""
        self.closed = False
        """Whether its group does not let the bot in."""
        self.asks = False
        """Whether a request about it is under way."""
        self._dispatch = dispatch
        self._gate = dispatch.gate
        self._clock = dispatch.clock
        self._row = row
        self._marked = claimed
        """Whether the disk says already that the next attempt may be there."""
        self._attempts = row.attempts
        self._young_until = row.expires_at and steadily(
            row.expires_at, row.accepted_at, row.boot, self._clock
        )
        self._begun = self._clock.now()
        self._total = dispatch.total
        self._deadline = self._gate.worked_for() + self._total

    def known(self) -> list[Step]:
        """Return what is not on disk yet, without an attempt that was not made after all."""
        if not self.asks and self.unwritten and self.unwritten[-1].kind == "attempt":
            return self.unwritten[:-1]
        return self.unwritten

    async def carry(self, retrier: Retrier) -> Settlement:
        earlier = Progress(self._row.attempts, self._row.in_doubt, self._young_until, self._deadline)
        return await replace(retrier, notify=self._note, service=self).run(
            self._row.message.id,
            lambda: self._gate.through(self._send, until=self._until, held=self._held),
            lambda: self._gate.through(self._ask, until=self._until_asked, held=self._held),
            turn=self._turn,
            earlier=earlier,
            if_uncertain=f"`hangbot outbox retry {self._row.message.id}` asks again.",
        )

    def worked_for(self) -> float:
        return self._gate.worked_for()

    async def answers(self, since: float) -> bool:
        return await self._gate.answers(since)

    def longest_wait(self) -> float:
        return self._gate.longest_wait()

    async def pause(self, seconds: float) -> None:
        if seconds > LONG:
            await self._write()
        await self._gate.pause(seconds)

    def _note(self, step: Step) -> None:
        self.unwritten.append(step)
        self._attempts = step.attempt
        self._dispatch.notify(step)

    async def _held(self, cause: str, seconds: float) -> None:
        made = self.unwritten.pop() if self.unwritten and self.unwritten[-1].kind == "attempt" else None
        self._note(
            Step(
                self._row.message.id,
                self._clock.wall(),
                "waiting",
                made.attempt - 1 if made else self._attempts,
                f"held up by {cause} ({seconds:.0f} s)",
                seconds,
            )
        )
        await self._write()
        self.unwritten += [made] if made else []

    async def _write(self) -> None:
        """Keep what has happened so far, and that it waits, for whoever wants to know meanwhile."""
        steps, self.unwritten = self.unwritten, []
        await self._dispatch.outbox.note(self._row.message.id, steps)
        await self._dispatch.outbox.release(self._row._replace(in_doubt=self.may_be_there))
        self._marked = False

    def _until(self) -> float:
        """Tell until when it is worth waiting to send it; what the service is down for costs nothing."""
        left = math.inf if self._gate.breaker.down else self._deadline - self._gate.worked_for()
        return self._clock.now() + min(left, self._young_for())

    def _until_asked(self) -> float:
        """Tell until when it is worth waiting to ask about it."""
        if not self._gate.breaker.down:
            return self._clock.now() + self._deadline - self._gate.worked_for()
        return max(self._clock.now() + self._young_for(), self._begun + self._total)

    def _young_for(self) -> float:
        return math.inf if self._young_until is None else self._young_until - steady(self._clock)

    async def _turn(self, retry: bool) -> bool:  # noqa: FBT001  a callback's only argument
        return await self._gate.turn(retry=retry, until=self._until, held=self._held)

    async def _send(self) -> None:
        await self._dispatch.see_whose()
        if not self._marked or self._clock.now() > self._begun + _CLAIM_HOLDS:
            steps, self.unwritten = self.unwritten, []
            if not await self._dispatch.outbox.sending(self._row.message.id, steps):
                self.unwritten = steps[:-1]  # all but the attempt, which is not made
                raise _Withdrawn
        self._marked = False  # the next attempt is written before it is made
        self.may_be_there = self.asks = True
        try:
            await self._dispatch.transport.send(self._row.message)
        except ServiceError as exc:
            self.asks = False
            self.may_be_there = exc.ambiguous
            self.closed = isinstance(exc, GroupClosed)
            raise

    async def _ask(self) -> bool:
        await self._dispatch.see_whose()
        self.asks = True
        try:
            self.may_be_there = await self._dispatch.transport.find(self._row.message)
        except ServiceError:
            self.asks = False
            raise
        self.asks = False
        return self.may_be_there


class _Withdrawn(Exception):
    """The message was dropped by hand before it was sent (again)."""
