"""Takes messages from the outbox to the service, and writes down how each ended.

Per receiver in order and one at a time, so that a retry never overtakes; receivers do not
wait for each other.
"""

import asyncio
import functools
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, Protocol

from hangbot.clock import Clock
from hangbot.delivery.carry import Carrier
from hangbot.delivery.message import parts_of
from hangbot.delivery.outbox import Outbox
from hangbot.delivery.policy import Dice, RetryPolicy, TokenBucket
from hangbot.delivery.record import Notify, Settlement, Step, Stored
from hangbot.errors import HangbotError, first_of
from hangbot.wire.chat import Outgoing

__all__ = ["Courier", "Transport"]

_LOOK_EVERY: Final = 0.05
"""Seconds between looks at what other processes put into the outbox."""


class Transport(Protocol):
    """What a courier needs of the service."""

    async def send(self, message: Outgoing) -> object:
        """Make one attempt; return when it is acknowledged. Raises `ServiceError`."""

    async def arrived(self, message: Outgoing) -> bool:
        """Tell whether an earlier attempt arrived. Raises `ServiceError` when that cannot be told."""


class Courier:
    """Delivers from a borrowed outbox over a borrowed transport.

    One courier an outbox at a time: whoever makes it holds `hangbot.delivery.outbox.exclusive`.
    """

    def __init__(
        self,
        outbox: Outbox,
        transport: Transport,
        *,
        policy: RetryPolicy,
        bucket: TokenBucket,
        clock: Clock,
        dice: Dice,
        notify: Notify,
    ) -> None:
        self._outbox = outbox
        self._transport = transport
        self._policy = policy
        self._bucket = bucket
        self._clock = clock
        self._dice = dice
        self._notify = notify
        self._work = asyncio.Event()
        self._stopping = False
        self._waiters: dict[str, list[asyncio.Future[Settlement]]] = {}
        self._lanes: dict[str, asyncio.Task[None]] = {}

    async def accept(self, message: Outgoing) -> list[Stored]:
        """Write a message to disk; when this returns it will be delivered or reported.

        Raises:
            UsageError: The message cannot be sent as it is, or its id stands for another.
            OutboxUnusable: It could not be written; nothing was accepted.
        """
        parts = parts_of(message)
        stored = await self._outbox.put(parts, self._clock.wall())
        for part in parts:
            self._notify(Step(part.id, self._clock.wall(), "accepted"))
        self._work.set()
        return stored

    async def deliver(self, message: Outgoing) -> Settlement:
        """Accept a message, carry it at once, and return how it (its worst part) ended.

        For use without `run`, in a command or a test.
        """
        parts = await self.accept(message)
        ends = [_ended(part) or await self._carry(part) for part in parts]
        return max(ends, key=lambda end: (end.state != "delivered", end.tier or 0))

    async def settled(self, key: str) -> Settlement:
        """Wait until a message that `run` carries has ended."""
        future: asyncio.Future[Settlement] = asyncio.get_running_loop().create_future()
        waiters = self._waiters.setdefault(key, [])
        waiters.append(future)
        try:
            return _ended(await self._outbox.get(key)) or await future
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
        try:
            async with asyncio.TaskGroup() as lanes:
                while not self._stopping:
                    self._work.clear()
                    await self._start_lanes(lanes)
                    version = await self._until_work(version)
        except* HangbotError as group:
            raise first_of(group) from None

    async def run_until_empty(self) -> None:
        """Deliver everything that waits, oldest first, and return."""
        try:
            async with asyncio.TaskGroup() as lanes:
                while await self._start_lanes(lanes) or self._lanes:
                    await asyncio.wait(self._lanes.values(), return_when=asyncio.FIRST_COMPLETED)
        except* HangbotError as group:
            raise first_of(group) from None

    async def _start_lanes(self, lanes: asyncio.TaskGroup) -> int:
        """Give each receiver that has waiting messages and no lane a lane."""
        batch = await self._outbox.waiting(without=frozenset(self._lanes))
        for receiver in dict.fromkeys(row.message.to for row in batch):
            keys = [row.message.id for row in batch if row.message.to == receiver]
            lane = lanes.create_task(self._lane(keys), name=f"hangbot-lane-{receiver}")
            self._lanes[receiver] = lane
            lane.add_done_callback(functools.partial(self._lane_ended, receiver))
        return len(batch)

    def _lane_ended(self, receiver: str, _: asyncio.Task[None]) -> None:
        self._lanes.pop(receiver, None)
        self._work.set()  # more may have come for this receiver while its lane was busy

    async def _lane(self, keys: Sequence[str]) -> None:
        for key in keys:
            if self._stopping:
                return
            row = await self._outbox.get(key)
            if _ended(row) is None:  # not dropped by hand meanwhile
                await self._carry(row)

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

        async def send() -> None:
            await self._clock.sleep(self._bucket.take(self._clock.now()))
            steps, unwritten[:] = list(unwritten), []
            await self._outbox.sending(key, steps)
            await self._transport.send(message)

        async def ask() -> bool:
            return await self._transport.arrived(message)

        carrier = Carrier(self._policy, self._clock, self._dice, note)
        try:
            end = await carrier.carry(key, send, ask, attempts=row.attempts, in_doubt=row.in_doubt)
        except asyncio.CancelledError:
            await self._outbox.note(key, unwritten)
            raise
        await self._outbox.settle(key, end, unwritten, self._clock.wall())
        for waiter in self._waiters.get(key, ()):
            if not waiter.done():
                waiter.set_result(end)
        return end


def _ended(row: Stored) -> Settlement | None:
    if row.state in {"queued", "sending"}:
        return None
    return Settlement(row.state, row.tier, row.attempts, row.reason, row.remedy)
