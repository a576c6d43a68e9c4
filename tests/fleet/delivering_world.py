"""A fleet whose bots deliver with the shipped courier and outbox, over the model of the cluster."""

import asyncio
import contextvars
import random
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final

from hangbot.clock import Clock
from hangbot.delivery.courier import Courier
from hangbot.delivery.limits import CircuitBreaker, RetryBudget, ThrottleLimits
from hangbot.delivery.message import Outgoing, split
from hangbot.delivery.outbox import Outbox
from hangbot.delivery.retrier import Retrier
from hangbot.delivery.retry import RetryPolicy
from hangbot.delivery.throttle import Throttle
from hangbot.errors import AckTimeout, OutboxError, Unreachable
from hangbot.fleet.room_life import OwnedRoom, RoomEnd
from hangbot.fleet.room_outbox import RoomPlace
from hangbot.hangfm.permit import Permit
from hangbot.token_bucket import TokenBucket
from pytest_hangfm.simulation.clock import SimulatedClock
from pytest_hangfm.simulation.streams import SimulatedCluster
from tests.fleet.fleet_world import Act, FleetWorld

__all__ = ["DeliveringWorld"]

_TO: Final = "room"
_ON_ITS_WAY: Final = 0.5
"""Seconds that a request takes to the chat at most: less than what a lease has to spare."""


@dataclass(slots=True)
class Chat:
    """A chat that stores each text as often as it is sent, and is asked by id.

    Attributes:
        lines: The ids of what each room was sent, in order.
    """

    rng: random.Random
    lines: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


class Sink:
    """The chat as one bot reaches it."""

    def __init__(self, chat: Chat, room: str, permit: Permit, clock: Clock) -> None:
        self._chat, self._room, self._permit, self._clock = chat, room, permit, clock

    async def probe(self) -> None:
        await self._way()

    async def send(self, message: Outgoing) -> None:
        self._permit.check("a message", service="chat")
        await self._permit.run(self._post(message), "a message", service="chat")

    async def _post(self, message: Outgoing) -> None:
        await self._way()
        if not self._permit.holds():  # as `hangbot.hangfm.http1` asks once more before the bytes leave
            raise Unreachable("may not act any more", service="chat")
        arrived = asyncio.Event()

        def arrive() -> None:
            self._chat.lines[self._room].append(message.id)
            arrived.set()

        # What has left arrives, whatever becomes of the process.
        way = self._chat.rng.random() * _ON_ITS_WAY
        contextvars.Context().run(asyncio.get_running_loop().call_later, way, arrive)
        await arrived.wait()
        if self._chat.rng.random() < 0.2:
            await self._clock.sleep(5)
            raise AckTimeout("no answer", service="chat")
        await self._way()

    async def find(self, message: Outgoing) -> bool:
        await self._way()
        return message.id in self._chat.lines[self._room]

    async def _way(self) -> None:
        await self._clock.sleep(self._chat.rng.random() * _ON_ITS_WAY)


class DeliveringWorld(FleetWorld):
    """A fleet whose bots deliver what others accept.

    Attributes:
        chat: Where it goes.
        accepted: The ids of what was accepted for each room, in order.
    """

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self.chat = Chat(rng)
        self.accepted: dict[str, list[str]] = defaultdict(list)

    async def _bot(self, worker: str, owned: OwnedRoom) -> RoomEnd:
        loop, stop, room, clock = (
            asyncio.get_running_loop(),
            asyncio.Event(),
            owned.config.name,
            SimulatedClock(),
        )
        place = RoomPlace(
            owned.cluster, owned.config.key, writer=worker, fence=owned.token, clock=clock, rng=self.rng
        )
        outbox = Outbox(place)
        try:
            await outbox.open()
            owned.stop, owned.renew = stop.set, place.renew
            self.acts.append(Act(loop.time(), worker, room, owned.token, "joined"))
            owned.ready.set()
            owned.say(ready=True, queued=0)
            await self._deliver(outbox, Sink(self.chat, room, owned.permit, clock), owned, stop, clock)
        except OutboxError as exc:
            return RoomEnd(exc.exit_code, str(exc))
        finally:
            self.acts.append(Act(loop.time(), worker, room, owned.token, "left"))
            await outbox.close()
        return RoomEnd()

    async def _deliver(
        self, outbox: Outbox, sink: Sink, owned: OwnedRoom, stop: asyncio.Event, clock: Clock
    ) -> None:
        limits = ThrottleLimits(TokenBucket(0.0, 1), RetryBudget(floor=1000), CircuitBreaker(RetryPolicy()))
        throttle = Throttle(limits, clock, self.rng, sink, may_send=owned.permit.holds)
        retrier = Retrier(RetryPolicy(attempts=1000, total=10_000.0, longest=2.0), clock, self.rng, throttle)
        courier = Courier(
            outbox, sink, retrier=retrier, throttle=throttle, notify=lambda _: None, ttl=None, others=clock
        )
        running = asyncio.ensure_future(courier.run())
        stopping = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait([running, stopping], return_when=asyncio.FIRST_COMPLETED)
            courier.stop()
            await running
        finally:
            for task in (running, stopping):
                task.cancel()
            await asyncio.gather(running, stopping, return_exceptions=True)

    async def accept(self, room: str, key: str, count: int) -> None:
        """Accept messages for a room from outside, one after the other, as `hangbot send` does."""
        clock = SimulatedClock()
        cluster = SimulatedCluster(self.servers, clock, self.rng)
        outbox = Outbox(RoomPlace(cluster, key, writer="hangbot send", clock=clock, rng=self.rng))
        await outbox.open()
        try:
            for n in range(count):
                message = Outgoing(f"{room}-{n}", _TO, f"line {n}")
                await outbox.put(split(message), clock.wall(), expires_at=None, boot=clock.boot())
                self.accepted[room].append(message.id)
                await asyncio.sleep(self.rng.random() * 3)
        finally:
            await outbox.close()

    def undelivered(self) -> list[str]:
        """What is wrong with what was delivered: lost, doubled, or out of order."""
        return [
            f"{room}: accepted {accepted}, in the room {self.chat.lines[room]}"
            for room, accepted in self.accepted.items()
            if self.chat.lines[room] != accepted
        ]
