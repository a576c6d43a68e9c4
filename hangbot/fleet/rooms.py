"""The rooms of a worker: taken, run, kept over a lapse of their leases, and given up."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import nullcontext, suppress
from typing import Final

from hangbot.clock import Clock
from hangbot.errors import OutboxUnusable
from hangbot.exit_codes import PUT_OUT
from hangbot.fleet.claim import Claim, Holder
from hangbot.fleet.entries import RoomWish
from hangbot.fleet.folder import RoomConfig
from hangbot.fleet.leases import Leases
from hangbot.fleet.room_life import RoomEnd, RoomLife, RunRoom
from hangbot.fleet.streams import Cluster, Entry
from hangbot.fleet.subjects import Kind
from hangbot.fleet.wishes import WISH_LASTS, put
from hangbot.ids import Rng
from hangbot.logs import Whose, about

__all__ = ["Rooms"]

logger = logging.getLogger("hangbot")

_AT_ONCE: Final = 8
"""How many bots start at a time, and how many rooms are given up at a time: each is to be away shortly."""
_TAKEN_WITHIN: Final = 3.0
"""Seconds for which a room that was given up is waited for to have an owner, before the next is given up."""
_AGAIN_AFTER: Final = 0.5


class Rooms:
    """What a worker has, takes and gives up.

    Args:
        holder: This run of the worker.
        cluster: The fleet's.
        run_room: Runs a room's bot.
        clock: Measures and waits.
        rng: Draws.

    Attributes:
        leases: Of what it has.
        lives: What it runs, by the rooms' keys.
        refuses: Why it cannot serve a room, by the room's key.
        changed: Set when something has come about that the worker should look at.
    """

    def __init__(
        self, holder: Holder, cluster: Cluster, run_room: RunRoom, *, clock: Clock, rng: Rng
    ) -> None:
        def suspend(room: str) -> None:
            if life := self.lives.get(room):
                life.lapsed()

        def resume(room: str) -> None:
            if life := self.lives.get(room):
                life.resumed()

        self.leases = Leases(
            cluster.register, holder, clock=clock, rng=rng, lapsed=suspend, resumed=resume, lost=suspend
        )
        self.lives: dict[str, RoomLife] = {}
        self.refuses: dict[str, str] = {}
        self.changed = asyncio.Event()
        self._holder, self._cluster, self._run_room, self._clock, self._rng = (
            holder,
            cluster,
            run_room,
            clock,
            rng,
        )
        self._taking: set[str] = set()
        self._handing: dict[str, asyncio.Event] = {}
        """Rooms that are given up, each with what is set when another worker has it."""
        self._starting, self._leaving = asyncio.Semaphore(_AT_ONCE), asyncio.Semaphore(_AT_ONCE)

    def __contains__(self, room: str) -> bool:
        """Return whether it has a room, or tries to take it."""
        return room in self.lives or room in self._taking

    @property
    def is_empty(self) -> bool:
        """Whether it has nothing, and tries to take nothing."""
        return not (self.lives or self._taking)

    def pending(self) -> Iterator[str]:
        """Yield the rooms whose leases are to be looked at: given up just now, or lost under a bot."""
        yield from self._handing
        yield from self._unheld()

    def look(self, tasks: asyncio.TaskGroup, leases: dict[str, Entry]) -> None:
        """Act on leases that were read just now, by their rooms' keys."""
        for room, taken in self._handing.items():
            if self._is_anothers(leases.get(room)):
                taken.set()
        for room in [*self._unheld()]:
            if self._is_anothers(leases.get(room)):
                life = self.lives[room]
                logger.warning(
                    "[FLEET] %s was taken by another worker meanwhile: its bot here ends",
                    life.config.name,
                    extra={"action": "room_left"},
                )
                life.lost()
            else:
                self._begin(tasks, room, leases.get(room), None)

    def observe(self) -> None:
        """End what has not been permitted to act for too long."""
        for life in self.lives.values():
            life.observe()

    # -- taking

    def take(self, tasks: asyncio.TaskGroup, config: RoomConfig, lease: Entry | None) -> None:
        """Begin to take a room, whose lease was read just now, and to run it."""
        if not self._is_anothers(lease):
            self._begin(tasks, config.key, lease, config)

    def _begin(
        self, tasks: asyncio.TaskGroup, room: str, lease: Entry | None, config: RoomConfig | None
    ) -> None:
        self._taking.add(room)
        taking = self._apart(room, lambda: self._take(tasks, room, lease, config))
        tasks.create_task(taking, name=f"hangbot-take-{room}")

    async def _take(
        self, tasks: asyncio.TaskGroup, room: str, lease: Entry | None, config: RoomConfig | None
    ) -> None:
        """Take a room to run it, or, without a configuration, for the bot of it that still runs."""
        try:
            with suppress(OutboxUnusable):
                name = config.name if config else self.lives[room].config.name
                await self.leases.take(room, lease, name=name)
            if room not in self.leases:
                return
            if life := self.lives.get(room):
                await life.taken_again()
            elif config is None:
                await self.leases.give_up(room)  # its bot has ended meanwhile
            else:
                self._run(tasks, config)
        finally:
            self._taking.discard(room)
            self.changed.set()

    def _run(self, tasks: asyncio.TaskGroup, config: RoomConfig) -> None:
        with about(Whose(config.name, config.settings.room_uuid)):  # a task has the context of its start
            life = self.lives[config.key] = RoomLife(
                config,
                self._cluster,
                self.leases,
                self._run_room,
                self._settle,
                starting=self._starting,
                clock=self._clock,
                rng=self._rng,
            )
            living = self._apart(config.key, lambda: self._live(life))
            tasks.create_task(living, name=f"hangbot-{config.name}")

    async def _live(self, life: RoomLife) -> None:
        try:
            await life.run()
        finally:
            del self.lives[life.config.key]
            if not self.lives:
                for taken in self._handing.values():
                    taken.set()  # nothing is left that would wait for it
            self.changed.set()

    async def _settle(self, life: RoomLife, end: RoomEnd) -> None:
        """Note what keeps a room from being run, before its lease is given up."""
        room, name = life.config.key, life.config.name
        if end.is_newer:
            self.refuses[room] = end.why
            self.changed.set()
        if end.code == PUT_OUT:
            words = (
                "[ERROR] %s is not run again by itself: %s. `hangbot fleet move %s WORKER` has it run again"
            )
            logger.error(words, name, end.why, name, extra={"action": "room_off"})
            await self._switch_off(room, end.why)

    async def _switch_off(self, room: str, why: str) -> None:
        while True:
            with suppress(OutboxUnusable):
                wish = RoomWish(off=why).to_bytes()
                await put(self._cluster.register, Kind.WISH.of(room), wish, self._clock, seconds=WISH_LASTS)
                return
            await self._clock.sleep(_AGAIN_AFTER)

    # -- giving up

    def leave(self, tasks: asyncio.TaskGroup, room: str, *, to_another: bool, why: str = "") -> None:
        """Begin to give a room up, where that has not begun; what may be another's by now ends at once."""
        if room in self._handing or self.lives[room].is_leaving:
            return
        if why:
            more = {"action": "room_left"}
            logger.info("[FLEET] %s is given up: %s", self.lives[room].config.name, why, extra=more)
        if not self.leases.may_act(room):
            self.lives[room].lost()
            return
        taken = self._handing[room] = asyncio.Event()
        if not to_another:
            taken.set()
        life = self.lives[room]
        leaving = self._apart(room, lambda: self._hand_over(life, taken))
        tasks.create_task(leaving, name=f"hangbot-leave-{room}")

    async def _hand_over(self, life: RoomLife, taken: asyncio.Event) -> None:
        """Give a room up, and wait a moment until another worker has it."""
        try:
            async with self._leaving if life.serves else nullcontext():  # what never began is left at once
                await life.leave()
                self.changed.set()
                with suppress(TimeoutError):
                    await self._clock.wait_for(taken.wait(), _TAKEN_WITHIN)
        finally:
            del self._handing[life.config.key]
            self.changed.set()

    async def _apart(self, room: str, do: Callable[[], Awaitable[None]]) -> None:
        """Do something about one room: a fault there ends its bot, and nothing else."""
        try:
            await do()
        except Exception:
            logger.exception(
                "[ERROR] the bot of the room %s ends here by a fault of hangbot itself",
                room,
                extra={"action": "room_failed"},
            )
            if life := self.lives.get(room):
                life.lost()
            else:
                await self.leases.give_up(room)

    def _unheld(self) -> Iterator[str]:
        """Yield the rooms whose bots still run although their leases are lost."""
        for room, life in self.lives.items():
            if room not in self.leases and room not in self._taking and not life.is_leaving:
                yield room

    def _is_anothers(self, lease: Entry | None) -> bool:
        claim = Claim.from_bytes(lease.data) if lease and lease.data else None
        return claim is not None and not claim.free and claim.holder.run != self._holder.run
