"""Takes messages from the outbox to the service, and writes down how each ended.

Per receiver in order and one at a time, so that a retry never overtakes; receivers do not
wait for each other.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final, TypeVar
from weakref import WeakValueDictionary

from hangbot.delivery.limits import CircuitBreaker
from hangbot.delivery.message import Outgoing, split
from hangbot.delivery.outbox import Outbox
from hangbot.delivery.ports import MessageSink
from hangbot.delivery.record import EXPIRED_AT_START, OutboxRow, Settlement, Step
from hangbot.delivery.retry import Retrier
from hangbot.delivery.sending import Dispatch
from hangbot.delivery.throttle import Stopped, Throttle, ThrottleLimits
from hangbot.delivery.waiters import Waiters
from hangbot.errors import (
    HangbotError,
    OutboxNotOurs,
    OutboxOfAnother,
    OutboxTaken,
    OutboxUnusable,
    UsageError,
    first_of,
)
from hangbot.health import Conditions

__all__ = ["Courier"]

logger = logging.getLogger(__name__)

T = TypeVar("T")

_LOOK_EVERY: Final = 0.05
"""Seconds between looks at what other processes put into the outbox."""
_WATCH_EVERY: Final = 1.0
"""Seconds between looks whether the outbox's file is still where it was."""
_MOST_LANES: Final = 256
"""Receivers served at a time; the others wait for a lane to end."""


class Courier:
    """Delivers from a borrowed outbox over a borrowed transport.

    One courier an outbox at a time: whoever makes it holds `hangbot.delivery.outbox.exclusive`.

    Args:
        outbox: Where messages are accepted, and taken from.
        transport: Where they go.
        retrier: How each is carried; its clock and listener are the courier's.
        limits: What holds for all of them together.
        ttl: Seconds after which a message that waits is not worth sending any more.
        conditions: Told what is wrong and lasts.
        who: Tells the bot's uid, where only the service can; raises `ServiceError`.
        turn: Awaited by `run` before it delivers: ``True`` when this process may, ``False`` when it is
            told by the function it is given that nobody waits for that any more.
    """

    def __init__(
        self,
        outbox: Outbox,
        transport: MessageSink,
        *,
        retrier: Retrier,
        limits: ThrottleLimits,
        ttl: float | None = None,
        conditions: Conditions | None = None,
        who: Callable[[], Awaitable[str]] | None = None,
        turn: Callable[[Callable[[], bool]], Awaitable[bool]] | None = None,
    ) -> None:
        self._outbox = outbox
        self._conditions = outbox.conditions = conditions or Conditions()
        self._clock = retrier.clock
        self._notify = retrier.notify
        self._gate = Throttle(limits, retrier.clock, retrier.rng, transport.probe, self._conditions)
        self._ttl = ttl
        self._work = asyncio.Event()
        self._stopping = False
        self._leaving = False
        self._turn = turn
        self._total = retrier.policy.total
        self._lost: str | None = None
        self._watch_at = 0.0
        self._waiters = Waiters(outbox)
        self._dispatch = Dispatch(
            outbox, transport, retrier=retrier, gate=self._gate, waiters=self._waiters, who=who
        )
        self._running: asyncio.TaskGroup | None = None
        self._lanes: dict[str, asyncio.Task[None]] = {}
        self._more: set[str] = set()
        """Receivers for whom there may be more than their lane has seen."""
        self._crowded = False
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @property
    def breaker(self) -> CircuitBreaker:
        """Whether the service is known to be down, and since when."""
        return self._gate.breaker

    async def accept(self, message: Outgoing) -> list[OutboxRow]:
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
        if self._lost:
            raise OutboxTaken(f"{self._lost}; nothing was accepted")
        now = self._clock.wall()
        expires_at = None if self._ttl is None else now + self._ttl
        put = self._outbox.put(split(message), now, expires_at=expires_at, boot=self._clock.boot())
        if self._running:
            self._serve(message.to)  # what its lane asks for comes behind the put: one commit for both
        stored = await put
        for row in stored:
            if row.state == "queued" and not row.attempts:
                self._waiters.expect(row.message.id)
                self._notify(Step(row.message.id, row.accepted_at, "accepted"))
        return stored

    async def deliver(self, message: Outgoing) -> Settlement:
        """Accept a message, carry it at once, and return how it (its worst part) ended.

        It waits for what is on its way to the same receiver, but not for what is queued.
        """
        parts = await self.accept(message)
        ends = []
        async with self._turn_of(message.to):
            for part in parts:
                try:
                    end, written = await self._dispatch.take(await self._outbox.get(part.message.id))
                except Stopped:
                    raise HangbotError(
                        f"the bot stopped before {part.message.id} had ended; it waits in the outbox",
                        remedy="Start the bot again: it goes on where it stopped.",
                    ) from None
                except asyncio.CancelledError:
                    if self._running:  # who goes on with it, before what is behind it
                        await self._outbox.release(part._replace(in_doubt=True))
                        self._serve(message.to)
                    raise
                ends.append(end)
                if written:
                    await written
        return max(ends, key=lambda end: (end.state != "delivered", end.tier or 0))

    async def settled(self, key: str) -> Settlement:
        """Wait until a message that `run` carries has ended.

        Raises:
            HangbotError: `run` ended before; the message waits in the outbox.
            UnknownMessage: There is none with that id.
        """
        return await self._waiters.settled(key)

    async def through(self, request: Callable[[], Awaitable[T]]) -> T:
        """Make another request to the same service: while that is down, it waits like all others.

        Raises:
            Stopped: `stop` was called while it waited.
            ServiceError: What the request raised.
        """
        return await self._gate.through(request, until=lambda: math.inf)

    async def answers(self, since: float) -> bool:
        """Tell whether the service works, by a question put to it since then (monotonic seconds) or now."""
        return await self._gate.answers(since)

    async def belongs_to(self, uid: str) -> None:
        """Make sure that the outbox is this bot's; raises `OutboxNotOurs` where it is another's."""
        try:
            await self._outbox.bind(uid)
        except OutboxOfAnother as exc:
            raise OutboxNotOurs(str(exc), remedy=exc.remedy) from None

    def stop(self) -> None:
        """Begin no further message; `run` returns when what is on its way has ended.

        What only waits (for the service, the rate, the retry budget) does not wait on: it stays queued.
        """
        self._stopping = True
        self._gate.stop()
        self._work.set()

    async def run(self) -> None:
        """Deliver until `stop` is called, from when it is this process's turn on.

        Cancelling it leaves what is on its way in doubt on disk: the next start asks first.

        Raises:
            OutboxUnusable: The file failed; or it was taken away, and what was in it is delivered.
        """
        if self._turn is None or await self._turn(lambda: self._stopping):
            await self._with_lanes(self._until_stopped)

    async def run_until_empty(self) -> None:
        """Deliver everything that waits, oldest first, and return."""
        await self._with_lanes(self._until_empty)

    def hand_over(self) -> None:
        """Have `run_until_empty` return, for another process to go on, when what is on its way has ended."""
        self._leaving = True
        self._work.set()

    async def _with_lanes(self, serve: Callable[[], Awaitable[None]]) -> None:
        """Start lanes as told by a function, and return when it and they have ended."""
        self._waiters.begin()
        self._leaving = False
        try:
            await self._outbox.recover(self._clock.wall())
            await self._expire()
            async with asyncio.TaskGroup() as lanes:
                self._running = lanes
                try:
                    await serve()
                finally:
                    self._running = None
                if self._leaving:
                    await self._gate.quiet()
                    for lane in self._lanes.values():  # they only wait by now; who comes next asks first
                        lane.cancel()
        except* HangbotError as group:
            raise first_of(group) from None
        finally:
            self._lanes.clear()  # one that was cancelled before it began had no chance to
            self._more.clear()
            self._waiters.end()

    async def _expire(self) -> None:
        """End what is too old at the start, and say so once for all of it: a wrong clock does that, too."""
        now = self._clock.wall()
        expired = await self._outbox.expire(now, self._clock.boot())
        if not expired:
            return
        for key, _ in expired:
            end = EXPIRED_AT_START
            self._notify(Step(key, now, "settled", detail=end.reason, settlement=end))
            self._waiters.tell(key, end)
        (_, oldest), *_ = expired
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
            logger.warning(
                "%d messages of other rooms wait in the outbox %s: a bot in these rooms delivers them",
                others,
                self._outbox.path,
                extra={"action": "outbox_others", "waiting": others},
            )
        version = -1
        while not self._stopping:
            self._work.clear()
            await self._start_lanes()
            try:
                seen = await self._until_work(version)
            except OutboxTaken as exc:
                self._lost = str(exc)
            if self._lost:
                await self._empty_what_is_lost(self._lost)
            if seen != version:
                await self._waiters.look()
            version = seen

    async def _empty_what_is_lost(self, cause: str) -> None:
        """Deliver what the open file still holds: nobody will find it again."""
        sentence = f"{cause}: what it holds is delivered, then the bot ends"
        self._conditions.red("outbox", sentence, OutboxTaken.remedy)
        with suppress(TimeoutError, OutboxTaken):
            async with asyncio.timeout(self._total):
                await self._until_empty()
        await self._gate.quiet()  # each request has its own bound
        with suppress(OutboxUnusable):
            await self._outbox.leave_lost()
        raise OutboxTaken(cause)

    async def _until_empty(self) -> None:
        while not self._ends:
            self._work.clear()
            if not await self._start_lanes() and not self._lanes:
                break
            await self._work.wait()  # the last lane that ends sets it

    async def _start_lanes(self) -> bool:
        """Give each receiver that has waiting messages and no lane a lane; tell whether there was one."""
        self._crowded = False
        receivers = await self._outbox.receivers(without=self._lanes)
        for receiver in receivers:
            self._serve(receiver)
        return bool(receivers)

    def _serve(self, receiver: str) -> None:
        """Have a receiver's lane look (again) for what waits; make one where there is none."""
        self._more.add(receiver)
        if receiver in self._lanes:
            return
        if self._running is None or len(self._lanes) >= _MOST_LANES:
            self._crowded = True
            return
        lane = self._running.create_task(self._lane(receiver), name=f"hangbot-lane-{receiver}")
        self._lanes[receiver] = lane

    async def _lane(self, receiver: str) -> None:
        """Deliver what waits for a receiver, one message after the other, until nothing does."""
        turn = self._turn_of(receiver)
        written: Awaitable[object] | None = None
        try:
            while receiver in self._more and not self._ends:
                self._more.discard(receiver)
                async with turn:
                    row = await self._outbox.claim(receiver, only_look=not self._gate.clear)
                    if row is None:
                        continue
                    if self._ends:
                        await self._outbox.release(row)
                        break
                    if written:
                        await written
                    try:
                        _, written = await self._dispatch.take(row, claimed=row.state == "sending")
                    except Stopped:
                        return
                self._more.add(receiver)
                await asyncio.sleep(0)  # whoever was told may have the next one: it shares the commit
            if written:
                await written
        except BaseException:
            self._running = None  # the others are about to end, too: no new ones
            raise
        finally:
            self._more.discard(receiver)
            self._lanes.pop(receiver, None)
            if self._crowded or not self._lanes:
                self._work.set()

    @property
    def _ends(self) -> bool:
        return self._stopping or self._leaving

    def _turn_of(self, receiver: str) -> asyncio.Lock:
        """Return what only one message to a receiver holds at a time."""
        return self._turns.setdefault(receiver, asyncio.Lock())

    async def _until_work(self, version: int) -> int:
        """Wait for receivers without a lane, or for another process's write; return its version then."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_EVERY):
                    await self._work.wait()
            await self._watch_the_file()
            seen = await self._outbox.version()
            if seen != version or self._work.is_set() or self._lost:
                return seen

    async def _watch_the_file(self) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._watch_at:
            self._watch_at = now + _WATCH_EVERY
            self._lost = await self._outbox.lost()


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
