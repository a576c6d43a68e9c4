"""Takes messages from the outbox to the service, and writes down how each ended.

Per receiver in order and one at a time, so that a retry never overtakes; receivers do not
wait for each other.
"""

import asyncio
import functools
import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final, Protocol
from weakref import WeakValueDictionary

from hangbot.delivery.breaker import Breaker
from hangbot.delivery.carry import Carrier, Earlier
from hangbot.delivery.gate import Gate, Limits
from hangbot.delivery.message import parts_of
from hangbot.delivery.outbox import Outbox
from hangbot.delivery.record import Settlement, Step, Stored
from hangbot.errors import HangbotError, UnknownMessage, UsageError, first_of
from hangbot.wire.chat import Outgoing

__all__ = ["Courier", "Transport"]

_LOOK_EVERY: Final = 0.05
"""Seconds between looks at what other processes put into the outbox."""
_MOST_LANES: Final = 256
"""Receivers served at a time; the others wait for a lane to end."""


class Transport(Protocol):
    """What a courier needs of the service."""

    async def send(self, message: Outgoing) -> object:
        """Make one attempt; return when it is acknowledged. Raises `ServiceError`."""

    async def arrived(self, message: Outgoing) -> bool:
        """Tell whether an earlier attempt arrived. Raises `ServiceError` when that cannot be told."""


class Courier:
    """Delivers from a borrowed outbox over a borrowed transport.

    One courier an outbox at a time: whoever makes it holds `hangbot.delivery.outbox.exclusive`.

    Args:
        outbox: Where messages are accepted, and taken from.
        transport: Where they go.
        carrier: How each is carried; its clock and listener are the courier's.
        limits: What holds for all of them together.
        ttl: Seconds after which a message that waits is not worth sending any more.
    """

    def __init__(
        self,
        outbox: Outbox,
        transport: Transport,
        *,
        carrier: Carrier,
        limits: Limits,
        ttl: float | None = None,
    ) -> None:
        self._outbox = outbox
        self._transport = transport
        self._carrier = carrier
        self._clock = carrier.clock
        self._notify = carrier.notify
        self._gate = Gate(limits, carrier.clock, carrier.dice)
        self._ttl = ttl
        self._work = asyncio.Event()
        self._stopping = False
        self._over = False
        self._waiters: dict[str, list[asyncio.Future[Settlement]]] = {}
        self._lanes: dict[str, asyncio.Task[None]] = {}
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @property
    def breaker(self) -> Breaker:
        """Whether the service is known to be down, and since when."""
        return self._gate.breaker

    async def accept(self, message: Outgoing) -> list[Stored]:
        """Write a message to disk; when this returns it will be delivered or reported.

        Raises:
            UsageError: The message cannot be sent as it is, or its id stands for another.
            OutboxFull: As many messages wait as may.
            OutboxUnusable: It could not be written; nothing was accepted.
        """
        if self._stopping:
            raise UsageError(
                "the bot is stopping; nothing was accepted", remedy="Send it when the bot is up."
            )
        now = self._clock.wall()
        expires_at = None if self._ttl is None else now + self._ttl
        stored = await self._outbox.put(parts_of(message), now, expires_at=expires_at)
        for row in stored:
            if row.state == "queued" and not row.attempts:
                self._notify(Step(row.message.id, row.accepted_at, "accepted"))
        self._work.set()
        return stored

    async def deliver(self, message: Outgoing) -> Settlement:
        """Accept a message, carry it at once, and return how it (its worst part) ended.

        It waits for what is on its way to the same receiver, but not for what is queued.
        """
        parts = await self.accept(message)
        async with self._turn_of(message.to):
            ends = [await self._take(part.message.id) for part in parts]
        return max(ends, key=lambda end: (end.state != "delivered", end.tier or 0))

    async def settled(self, key: str) -> Settlement:
        """Wait until a message that `run` carries has ended.

        Raises:
            HangbotError: `run` ended before; the message waits in the outbox.
            UnknownMessage: There is none with that id.
        """
        future: asyncio.Future[Settlement] = asyncio.get_running_loop().create_future()
        waiters = self._waiters.setdefault(key, [])
        waiters.append(future)
        try:
            end = _ended(await self._outbox.get(key))
            if end is None and self._over:
                raise _left(key)
            return end or await future
        finally:
            waiters.remove(future)
            if not waiters:
                self._waiters.pop(key, None)

    def stop(self) -> None:
        """Begin no further message; `run` returns when what is on its way has ended."""
        self._stopping = True
        self._work.set()

    async def run(self) -> None:
        """Deliver until `stop` is called.

        Cancelling it leaves what is on its way in doubt on disk: the next start asks first.
        """
        version = -1
        self._over = False
        try:
            await self._outbox.prune(self._clock.wall())
            async with asyncio.TaskGroup() as lanes:
                while not self._stopping:
                    self._work.clear()
                    await self._start_lanes(lanes)
                    seen = await self._until_work(version)
                    if seen != version:
                        await self._tell_waiters()
                    version = seen
        except* HangbotError as group:
            raise first_of(group) from None
        finally:
            self._over = True
            self._send_away()

    async def run_until_empty(self) -> None:
        """Deliver everything that waits, oldest first, and return."""
        try:
            async with asyncio.TaskGroup() as lanes:
                while not self._stopping:
                    self._work.clear()
                    if not await self._start_lanes(lanes) and not self._lanes and not self._work.is_set():
                        break
                    await self._work.wait()  # a lane that ends sets it
        except* HangbotError as group:
            raise first_of(group) from None

    async def _start_lanes(self, lanes: asyncio.TaskGroup) -> int:
        """Give each receiver that has waiting messages and no lane a lane, and say how many it gave."""
        free = _MOST_LANES - len(self._lanes)
        receivers = (await self._outbox.receivers(without=frozenset(self._lanes)))[:free]
        for receiver in receivers:
            lane = lanes.create_task(self._lane(receiver), name=f"hangbot-lane-{receiver}")
            self._lanes[receiver] = lane
            lane.add_done_callback(functools.partial(self._lane_ended, receiver))
        return len(receivers)

    def _lane_ended(self, receiver: str, _: asyncio.Task[None]) -> None:
        self._lanes.pop(receiver, None)
        self._work.set()  # more may have come for this receiver while its lane was busy

    async def _lane(self, receiver: str) -> None:
        while keys := await self._outbox.waiting(receiver):
            for key in keys:
                async with self._turn_of(receiver):
                    if self._stopping:
                        return
                    await self._take(key)

    def _turn_of(self, receiver: str) -> asyncio.Lock:
        """Return what only one message to a receiver holds at a time."""
        return self._turns.setdefault(receiver, asyncio.Lock())

    async def _take(self, key: str) -> Settlement:
        """Carry a message unless it has ended, which can be by hand too, and tell who waits for it."""
        row = await self._outbox.get(key)
        end = _ended(row)
        if end is None:
            end = await self._carry(row)
        self._tell(key, end)
        return end

    async def _report(self, given_up: Sequence[str]) -> None:
        """Tell of the parts that ended with one before them: all parts or a clear stop."""
        for part in given_up:
            end = _ended(await self._outbox.get(part))
            if end:
                self._notify(Step(part, self._clock.wall(), "settled", detail=end.reason, settlement=end))
                self._tell(part, end)

    async def _tell_waiters(self) -> None:
        """Tell who waits for a message that another process has ended (dropped it by hand)."""
        for key in list(self._waiters):
            with suppress(UnknownMessage):  # who waits for what is not there is told so by `settled`
                end = _ended(await self._outbox.get(key))
                if end:
                    self._tell(key, end)

    def _send_away(self) -> None:
        """Tell who still waits that there is nothing to wait for."""
        for key, waiters in self._waiters.items():
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_exception(_left(key))

    def _tell(self, key: str, end: Settlement) -> None:
        for waiter in self._waiters.get(key, ()):
            if not waiter.done():
                waiter.set_result(end)

    async def _until_work(self, version: int) -> int:
        """Wait for a message of ours, or for another process's write."""
        while not self._work.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_EVERY):
                    await self._work.wait()
            seen = await self._outbox.version()
            if seen != version:
                return seen
        return version

    async def _carry(self, row: Stored) -> Settlement:
        message, key = row.message, row.message.id
        unwritten: list[Step] = []

        def note(step: Step) -> None:
            unwritten.append(step)
            self._notify(step)

        deadline = self._carrier.deadline()

        async def turn(retry: bool) -> bool:  # noqa: FBT001  a callback's only argument
            left = math.inf if row.expires_at is None else row.expires_at - self._clock.wall()
            return await self._gate.turn(retry=retry, until=min(deadline, self._clock.now() + left))

        async def send() -> None:
            steps, unwritten[:] = list(unwritten), []
            if not await self._outbox.sending(key, steps):
                unwritten[:] = steps[:-1]  # all but the attempt, which is not made
                raise _Withdrawn
            await self._transport.send(message)

        async def ask() -> bool:
            return await self._gate.through(lambda: self._transport.arrived(message), until=deadline)

        earlier = Earlier(row.attempts, row.in_doubt, row.expires_at, deadline)
        carrier = replace(self._carrier, notify=note)
        try:
            end = await carrier.carry(
                key, lambda: self._gate.through(send, until=deadline), ask, turn=turn, earlier=earlier
            )
        except _Withdrawn:
            await self._outbox.note(key, unwritten)
            return await self._take(key)
        except asyncio.CancelledError:
            await self._outbox.note(key, unwritten)
            raise
        await self._report(await self._outbox.settle(key, end, unwritten, self._clock.wall()))
        return end


def _left(key: str) -> HangbotError:
    return HangbotError(
        f"the bot stopped before {key} had ended; it waits in the outbox",
        remedy="Start the bot again: it goes on where it stopped.",
    )


class _Withdrawn(Exception):
    """The message was dropped by hand before it was sent (again)."""


def _ended(row: Stored) -> Settlement | None:
    if row.state in {"queued", "sending"}:
        return None
    return Settlement(row.state, row.tier, row.attempts, row.reason, row.remedy)
