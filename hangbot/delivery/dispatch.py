"""One message of the outbox on its way: the disk knows of each attempt before it is made."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final, Protocol

from hangbot.clock import steadily, steady
from hangbot.delivery.carry import Carrier, Earlier
from hangbot.delivery.gate import Gate
from hangbot.delivery.outbox import Outbox
from hangbot.delivery.record import Settlement, Step, Stored
from hangbot.delivery.waiters import Waiters
from hangbot.errors import OutboxOfAnother, OutboxUnusable
from hangbot.wire.chat import Outgoing

__all__ = ["Dispatch", "Transport"]

_CLAIM_HOLDS: Final = 0.1
"""Seconds after which a claimed message that still waits to be sent may have been dropped by hand."""


class Transport(Protocol):
    """What a courier needs of the service."""

    async def send(self, message: Outgoing) -> object:
        """Make one attempt; return when it is acknowledged. Raises `ServiceError`."""

    async def arrived(self, message: Outgoing) -> bool:
        """Tell whether an earlier attempt arrived. Raises `ServiceError` when that cannot be told."""


class Dispatch:
    """Takes a stored message through its attempts to its end, and writes that down.

    Args:
        outbox: Where it stands.
        transport: Where it goes.
        carrier: How it is carried.
        gate: Lets it out.
        waiters: Told how it ended.
        who: Tells the bot's uid, where only the service can: asked before the first message leaves.
            Raises `ServiceError`.
    """

    def __init__(
        self,
        outbox: Outbox,
        transport: Transport,
        *,
        carrier: Carrier,
        gate: Gate,
        waiters: Waiters,
        who: Callable[[], Awaitable[str]] | None = None,
    ) -> None:
        self._outbox = outbox
        self._transport = transport
        self._carrier = carrier
        self._clock = carrier.clock
        self._notify = carrier.notify
        self._gate = gate
        self._waiters = waiters
        self._who = who

    async def take(
        self, row: Stored, *, claimed: bool = False
    ) -> tuple[Settlement, Awaitable[object] | None]:
        """Carry a message unless it has ended, which can be by hand too, and tell who waits for it.

        Returns:
            How it ended, and what to await until that is written where it is not yet. Nothing hangs
            on it: who finds a delivered message unsettled after a crash asks, and is told so.
        """
        written: Awaitable[object] | None = None
        while (end := row.end) is None:
            try:
                end, written = await self._carry(row, claimed=claimed)
                break
            except _Withdrawn:
                row, claimed = await self._outbox.get(row.message.id), False
            except OutboxOfAnother as exc:  # before anything was sent: it waits for its own bot, as it was
                await self._outbox.release(row)
                raise OutboxUnusable(str(exc), remedy=exc.remedy) from None
        self._waiters.tell(row.message.id, end)
        return end, written

    async def _note(self, row: Stored, unwritten: Sequence[Step]) -> None:
        """Keep what happened to a message that is left as it is."""
        if self._who is None:
            await self._outbox.note(row.message.id, unwritten)
        else:
            await self._outbox.release(row)  # whose it is was still asked: nothing was sent

    async def _see_whose(self) -> None:
        if self._who is not None:
            await self._outbox.bind(await self._who())
            self._who = None

    async def _arrived(self, message: Outgoing) -> bool:
        await self._see_whose()
        return await self._transport.arrived(message)

    async def _report(self, given_up: Sequence[str]) -> None:
        """Tell of the parts that ended with one before them: all parts or a clear stop."""
        for part in given_up:
            end = (await self._outbox.get(part)).end
            if end:
                self._notify(Step(part, self._clock.wall(), "settled", detail=end.reason, settlement=end))
                self._waiters.tell(part, end)

    async def _carry(self, row: Stored, *, claimed: bool) -> tuple[Settlement, Awaitable[object] | None]:
        message, key = row.message, row.message.id
        unwritten: list[Step] = []
        in_doubt = claimed  # whether the disk says already that it may be in the room

        def note(step: Step) -> None:
            unwritten.append(step)
            self._notify(step)

        young_until = row.expires_at and steadily(row.expires_at, row.accepted_at, row.boot, self._clock)
        begun, deadline = self._clock.now(), self._carrier.deadline()

        def until() -> float:
            left = math.inf if young_until is None else young_until - steady(self._clock)
            return min(deadline, self._clock.now() + left)

        async def turn(retry: bool) -> bool:  # noqa: FBT001  a callback's only argument
            return await self._gate.turn(retry=retry, until=until())

        async def send() -> None:
            nonlocal in_doubt
            await self._see_whose()
            if not in_doubt or self._clock.now() > begun + _CLAIM_HOLDS:
                steps, unwritten[:] = list(unwritten), []
                if not await self._outbox.sending(key, steps):
                    unwritten[:] = steps[:-1]  # all but the attempt, which is not made
                    raise _Withdrawn
            in_doubt = False  # the next attempt is written before it is made
            await self._transport.send(message)

        async def ask() -> bool:
            return await self._gate.through(lambda: self._arrived(message), until=deadline)

        earlier = Earlier(row.attempts, row.in_doubt, young_until, deadline)
        carrier = replace(self._carrier, notify=note)
        try:
            end = await carrier.carry(
                key,
                lambda: self._gate.through(send, until=until()),
                ask,
                turn=turn,
                earlier=earlier,
                if_uncertain=f"`hangbot outbox retry {key}` asks again.",
            )
        except (_Withdrawn, asyncio.CancelledError):
            await self._note(row, unwritten)
            raise
        written = self._outbox.settle(key, end, unwritten, self._clock.wall())
        if end.state == "delivered":
            return end, written
        await self._report(await written)
        return end, None


class _Withdrawn(Exception):
    """The message was dropped by hand before it was sent (again)."""
