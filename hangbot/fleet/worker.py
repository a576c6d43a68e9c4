"""A worker of a fleet: it takes its share of the rooms, runs their bots, and gives them up again."""

import asyncio
import logging
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol

from hangbot.clock import Clock
from hangbot.errors import HangbotError, OutboxUnusable
from hangbot.fleet.assignment import Member
from hangbot.fleet.claim import Holder
from hangbot.fleet.entries import Folder, RoomWish, WorkerEntry
from hangbot.fleet.folder import RoomConfig
from hangbot.fleet.membership import KEPT_ANEW, Membership
from hangbot.fleet.notices import Notices
from hangbot.fleet.records import VERSION
from hangbot.fleet.room_life import RunRoom
from hangbot.fleet.rooms import Rooms
from hangbot.fleet.streams import Cluster, ClusterAway, Outdated
from hangbot.fleet.subjects import Kind
from hangbot.fleet.view import FleetView
from hangbot.fleet.wishes import WISH_LASTS
from hangbot.ids import Rng
from hangbot.system_errors import first_of

__all__ = ["LOOK_EVERY", "RoomFiles", "Worker", "WorkerOptions"]

logger = logging.getLogger("hangbot")

LOOK_EVERY: Final = 0.25
"""Seconds between two looks at the register."""
_FOLDER_EVERY: Final = 3.0
_JOINS_WITHIN: Final = 15.0
"""Seconds for which servers that were there a moment ago may store nothing: they elect a leader."""


class RoomFiles(Protocol):
    """The rooms' files, as `hangbot.fleet.folder.RoomFolder` has them."""

    @property
    def rooms(self) -> Mapping[str, RoomConfig]:
        """The usable ones, by the keys of the rooms."""

    @property
    def entry(self) -> Folder:
        """What other workers are to know of them."""

    async def look(self) -> bool:
        """Read what has changed, and return whether anything has; raises `ConfigError`."""


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """What a worker is started with.

    Attributes:
        holder: This run of it.
        version: Of hangbot.
        most: How many rooms it takes; ``None``: any number.
    """

    holder: Holder
    version: str
    most: int | None = None


class Worker:
    """One run of a worker.

    Args:
        options: What it is started with.
        cluster: The fleet's.
        files: The rooms' files.
        run_room: Runs a room's bot.
        clock: Measures and waits.
        rng: Draws.

    Attributes:
        rooms: What it has.
    """

    def __init__(
        self,
        options: WorkerOptions,
        cluster: Cluster,
        files: RoomFiles,
        run_room: RunRoom,
        *,
        clock: Clock,
        rng: Rng,
    ) -> None:
        self.rooms = Rooms(options.holder, cluster, run_room, clock=clock, rng=rng)
        self._options, self._cluster, self._files, self._clock = options, cluster, files, clock
        self._name, self._since = options.holder.worker, clock.wall()
        self._notices = notices = Notices(clock)
        self._membership = Membership(cluster.register, self._name, self._entry, clock, notices.unstored)
        self._view = FleetView(cluster.register, clock)
        self._draining = False
        self._shown: object = None

    @property
    def is_draining(self) -> bool:
        """Whether it gives up what it has."""
        return self._draining

    def drain(self) -> None:
        """Begin to give all rooms up; `run` returns when none is left. Calling it again changes nothing."""
        if not self._draining:
            self._draining = True
            self.rooms.changed.set()

    async def run(self) -> None:
        """Serve until it was drained.

        Raises:
            ClusterAway: The cluster stores nothing at the start, for longer than electing a leader takes.
            HangbotError: Another worker has its name, or there is no folder.
        """
        await self._files.look()
        self._notices.folder(self._files.entry)
        await self._join()
        count = len(self._files.rooms)
        more = {"action": "worker", "rooms": count}
        logger.info(
            "worker %s of the fleet at %s, rooms: %d", self._name, self._cluster.name, count, extra=more
        )
        try:
            async with asyncio.TaskGroup() as tasks:
                keeping = [
                    tasks.create_task(self.rooms.leases.run(), name="hangbot-leases"),
                    tasks.create_task(self._membership.run(), name="hangbot-worker"),
                    tasks.create_task(self._watch_folder(), name="hangbot-folder"),
                ]
                await self._serve(tasks)
                for task in keeping:
                    task.cancel()
        except* HangbotError as group:
            raise first_of(group) from None

    async def _join(self) -> None:
        """Become one of the live workers."""
        end = self._clock.now() + _JOINS_WITHIN
        while not self._draining:
            try:
                await self._store_folder()
                await self._membership.join()
            except ClusterAway:
                if self._clock.now() >= end:
                    raise
                await self._clock.sleep(LOOK_EVERY)
            else:
                return

    async def _serve(self, tasks: asyncio.TaskGroup) -> None:
        while not (self._draining and self.rooms.is_empty):
            self.rooms.changed.clear()
            await self._show()
            with suppress(OutboxUnusable):
                await self._look(tasks)
            wishes = self._view.wishes()
            for room in [*self.rooms.lives]:
                self._leave_or_change(tasks, room, wishes.get(room))
            self.rooms.observe()
            with suppress(TimeoutError):
                await self._clock.wait_for(self.rooms.changed.wait(), LOOK_EVERY)

    async def _look(self, tasks: asyncio.TaskGroup) -> None:
        """Read what there is, and begin what follows from it."""
        asked = {room: Kind.LEASE.of(room) for room in (*self._wanted(), *self.rooms.pending())}
        found = await self._view.read(Kind.DRAIN.of(self._name), list(asked.values()))
        leases = {room: found[subject] for room, subject in asked.items() if subject in found}
        if self._view.drains(self._name, self._options.holder.run):
            self.drain()
        plan = self._view.make_plan(self._as_member())
        if not self._draining:  # how the others share the rooms then is not its matter
            self._notices.plan(plan, self._name_of)
        self.rooms.look(tasks, leases)
        for room in [*self._wanted()]:
            if room in asked:
                self.rooms.take(tasks, self._files.rooms[room], leases.get(room))
            else:
                self.rooms.changed.set()  # its lease is read the next time

    def _wanted(self) -> Iterator[str]:
        """Yield the rooms that are to be taken."""
        if not self._draining:
            for room, owner in self._view.plan.owners.items():
                if owner == self._name and room not in self.rooms and room in self._files.rooms:
                    yield room

    def _leave_or_change(self, tasks: asyncio.TaskGroup, room: str, wish: RoomWish | None) -> None:
        """Give a room up that is another worker's now, or no worker's; take in what its file says now."""
        running, owner = self.rooms.lives[room].config, self._view.plan.owners.get(room)
        config = self._files.rooms.get(room)
        is_gone = config is None and running.name not in self._files.entry.faulty
        elsewhere = owner is not None and owner != self._name
        if self._draining:
            self.rooms.leave(tasks, room, to_another=elsewhere)
        elif is_gone or elsewhere or (wish and wish.off):
            why = f"worker {owner} is to have it" if elsewhere else "it is not to be run"
            why = f"its file {running.name}.env is gone" if is_gone else why
            self.rooms.leave(tasks, room, to_another=elsewhere, why=why)
        elif config and config.digest != running.digest and owner == self._name:
            self.rooms.lives[room].change(config)
        elif config and config.name != running.name:
            self.rooms.lives[room].rename(config.name)

    # -- what others know of it

    def _as_member(self) -> Member:
        return Member(
            self._name,
            self._files.entry.rooms,
            self._options.most,
            draining=self._draining,
            refuses=frozenset(self.rooms.refuses),
        )

    async def _store_folder(self) -> None:
        entry = self._files.entry
        self._view.keep(await self._membership.store_folder(entry), entry)

    def _entry(self, folder: str) -> WorkerEntry:
        holder = self._options.holder
        return WorkerEntry(
            holder.run,
            holder.host,
            holder.pid,
            self._options.version,
            VERSION,
            self._since,
            self._options.most,
            draining=self._draining,
            rooms=len(self.rooms.lives),
            folder=folder,
            refuses=dict(self.rooms.refuses),
        )

    async def _show(self) -> None:
        """Have others know at once that it drains, and what it refuses."""
        shown = self._draining, len(self.rooms.refuses)
        if shown != self._shown:
            if self._draining and self._shown is not None:
                count = len(self.rooms.lives)
                logger.info("draining, rooms to be given up: %d", count, extra={"action": "drain"})
            if self._shown is not None:
                await self._membership.refresh()
            self._shown = shown

    async def _watch_folder(self) -> None:
        while True:
            await self._clock.sleep(_FOLDER_EVERY)
            try:
                changed = await self._files.look()
            except HangbotError as exc:
                self._notices.no_folder(f"{exc}. {exc.remedy}")
                continue
            self._notices.folder(self._files.entry)
            if changed:
                self.rooms.changed.set()
            try:
                await self._store_folder()
            except OutboxUnusable:
                continue
            except HangbotError as exc:
                self._notices.unshown(f"{exc}. {exc.remedy}")
            else:
                self._notices.unshown("")
                await self._keep_wishes()

    async def _keep_wishes(self) -> None:
        """Store what is wanted of rooms that are here again before it is forgotten."""
        for entry in [*self._view.wishes_of(self._name, self._files.rooms, older=KEPT_ANEW)]:
            with suppress(Outdated, OutboxUnusable):  # another worker, or another wish, came first
                data = entry.data or b""
                await self._cluster.register.store(
                    entry.subject, data, last=entry.sequence, seconds=WISH_LASTS
                )

    def _name_of(self, room: str) -> str:
        """Return what a room is called here, or where else it is known."""
        if life := self.rooms.lives.get(room):
            return life.config.name
        file = self._files.entry.rooms.get(room) or self._view.file_of(room)
        return file.name if file else room
