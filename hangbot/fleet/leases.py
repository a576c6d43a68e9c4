"""Keeps the leases of one worker: takes rooms, stores their leases again in time, gives them up."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from hangbot.clock import Clock
from hangbot.errors import OutboxUnusable
from hangbot.fleet.claim import Claim, Holder
from hangbot.fleet.elapsed import Elapsed
from hangbot.fleet.lease import EVERY, LASTS, Lease
from hangbot.fleet.lease_figures import LeaseFigures
from hangbot.fleet.streams import AnswerMissing, Entry, Outdated, Stream
from hangbot.fleet.subjects import Kind
from hangbot.ids import Rng, new_id

__all__ = ["Leases"]

_TICK: Final = 0.1
"""Seconds between two looks at what is due."""
_TOGETHER: Final = 0.25
"""Seconds within which leases become due that are stored together: a store alone costs the servers some times
as much as one of fifty."""
_TRIES: Final = 4
"""So often it is tried to take a room, until it is looked at again."""


@dataclass(slots=True)
class _Held:
    lease: Lease
    claim: Claim
    data: bytes
    """The claim as it is stored: it is the same for seconds."""
    acts: bool = True
    asking: asyncio.Task[None] | None = None


class Leases:
    """The leases of one run of a worker.

    Args:
        register: Where they stand.
        holder: The run.
        clock: Measures and waits.
        rng: Spreads the stores over the time.
        lapsed: Called with a room whose owner must not act any more, although its lease may not be lost.
        resumed: Called with such a room when its owner may act again.
        lost: Called with a room whose lease has ended or is another worker's.

    Attributes:
        holder: The run.
        now: Returns the seconds that have passed since these were made, suspension included.
        figures: What is counted of them.
    """

    def __init__(
        self,
        register: Stream,
        holder: Holder,
        *,
        clock: Clock,
        rng: Rng,
        lapsed: Callable[[str], object] = lambda _: None,
        resumed: Callable[[str], object] = lambda _: None,
        lost: Callable[[str], object] = lambda _: None,
    ) -> None:
        self.holder = holder
        self.now = Elapsed(clock)
        self.figures = LeaseFigures()
        self._register, self._clock, self._rng = register, clock, rng
        self._lapsed, self._resumed, self._lost = lapsed, resumed, lost
        self._held: dict[str, _Held] = {}

    def __contains__(self, room: str) -> bool:
        """Return whether a room's lease was taken and is not known to be lost; see `may_act`."""
        return room in self._held

    def __iter__(self) -> Iterator[str]:
        """Iterate over the rooms whose leases are held."""
        return iter(tuple(self._held))

    def may_act(self, room: str) -> bool:
        """Return whether no other worker can own a room yet: to be asked at each act, just before it."""
        held = self._held.get(room)
        return held is not None and held.lease.may_act(self.now())

    def token(self, room: str) -> int:
        """Return the number of a room's ownership; later owners have greater ones."""
        return self._held[room].lease.token

    def say(self, room: str, *, ready: bool, queued: int, why: str = "") -> None:
        """Have the next store of a room's lease say how its bot fares."""
        if held := self._held.get(room):
            held.claim = replace(held.claim, ready=ready, queued=queued, why=why)
            held.data = held.claim.to_bytes()

    async def take(self, room: str, newest: Entry | None, *, name: str = "") -> bool:
        """Try to own a room, as its lease was read a while ago; return whether it is owned now.

        Args:
            room: Its key.
            newest: What was read.
            name: What it is called.

        Raises:
            OutboxUnusable: The cluster cannot be reached, or takes nothing.
        """
        id_ = new_id(self._rng)[:16]
        claim = Claim(room, name, self.holder, id_, self._clock.wall())
        held = _Held(Lease(room, id_), claim, claim.to_bytes())
        lease = held.lease
        lease.saw(newest, self.now())
        for _ in range(_TRIES):
            if lease.expects is None:
                return False  # another one's
            await self._store(held)
            if lease.owned:
                held.acts = lease.may_act(self.now())
                lease.due -= EVERY * self._rng.random() / 2
                self._held[room] = held
                self.figures.taken.count()
                return True
            await self._look(lease)
        return False

    async def give_up(self, room: str) -> None:
        """Let any worker have a room at once; nothing acts on it here any more.

        Where the cluster cannot be reached, or takes nothing, the lease ends by itself.
        """
        held = self._held.pop(room, None)
        if held is None:
            return
        if held.asking is not None:
            await asyncio.wait([held.asking])
        data = held.claim.given_up().to_bytes()
        with suppress(Outdated, OutboxUnusable):
            if held.lease.expects is None:
                await self._look(held.lease)
            if (expects := held.lease.expects) is not None and held.lease.owned:
                await self._register.store(Kind.LEASE.of(room), data, last=expects, seconds=LASTS)

    async def run(self) -> None:
        """Store each lease again in time, until it is cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                now = self.now()
                for held in tuple(self._held.values()):
                    self._watch(held, now)
                for held in self._due(now):
                    name = f"hangbot-lease-{held.lease.room}"
                    held.asking = tasks.create_task(self._renew(held), name=name)
                await self._clock.sleep(_TICK)

    def _due(self, now: float) -> list[_Held]:
        """Return what is to be stored now: where anything is, what would be soon as well."""
        waiting = [held for held in self._held.values() if held.asking is None]
        if all(held.lease.due > now for held in waiting):
            return []
        return [held for held in waiting if held.lease.due <= now + _TOGETHER]

    def _watch(self, held: _Held, now: float) -> None:
        acts = held.lease.may_act(now)
        if acts != held.acts:
            held.acts = acts
            (self._resumed if acts else self._lapsed)(held.lease.room)

    async def _renew(self, held: _Held) -> None:
        """Store a lease again, or find out what stands there."""
        lease = held.lease
        try:
            if lease.expects is None:
                await self._look(lease)
            if lease.owned and lease.expects is not None and self._held.get(lease.room) is held:
                await self._store(held)
        except OutboxUnusable:  # what is refused may be stored in a moment, when that is mended
            lease.unreached(self.now())
        finally:
            held.asking = None
        if self._held.get(lease.room) is not held:
            return
        if lease.owned:
            self._watch(held, self.now())
        else:
            del self._held[lease.room]
            self.figures.lost.count()
            self._lost(lease.room)

    async def _store(self, held: _Held) -> None:
        lease, asked = held.lease, self.now()
        expects = lease.expects or 0
        try:
            sequence = await self._register.store(
                Kind.LEASE.of(lease.room), held.data, last=expects, seconds=LASTS
            )
        except Outdated:
            lease.outdated(self.now())
        except AnswerMissing:
            lease.unanswered(self.now())
        else:
            lease.stored(sequence, asked)

    async def _look(self, lease: Lease) -> None:
        newest = await self._register.newest([Kind.LEASE.of(lease.room)])
        lease.saw(newest[0] if newest else None, self.now())
