"""What a worker knows of its fleet: the newest that it has read of each subject."""

from collections.abc import Callable, Container, Iterator, Sequence
from math import inf
from typing import Final, TypeVar

from hangbot.clock import Clock
from hangbot.fleet.assignment import Assignment, Member, RoomFile, assign
from hangbot.fleet.entries import DrainWish, Folder, RoomWish, WorkerEntry, digest_of
from hangbot.fleet.members import member_of, moved, switched_off, without
from hangbot.fleet.streams import Entry, Stream
from hangbot.fleet.subjects import Kind

__all__ = ["FleetView"]

T = TypeVar("T")
_SILENT: Final = 2.2
"""Seconds after which a worker that has stored nothing counts as gone, before its entry has ended: its rooms
are looked at then, and whether they may be had their leases say."""
_STILL: Final = 1.6
"""Seconds without a store of any worker after which the cluster takes none, having no leader: the silence of
others says nothing of them then. All workers would want all rooms at once."""

_BEHIND: Final = 60.0


class FleetView:
    """What stands in the register, as far as it was read.

    Args:
        register: Is read.
        clock: Measures.

    Attributes:
        plan: Who is to own what, by what was read.
    """

    def __init__(self, register: Stream, clock: Clock) -> None:
        self.plan = Assignment()
        self._register, self._clock = register, clock
        self._entries: dict[str, Entry] = {}
        self._new_at: dict[str, float] = {}
        """When the newest of each subject was read for the first time."""
        self._heard_at = self._again_at = -inf
        """When any worker's entry was new, and when that was so again after a while without."""
        self._parsed: dict[str, tuple[int, object]] = {}
        self._planned_for: object = None
        self._own = ""
        self._folders: dict[str, Folder] = {}
        """What workers have, by its digest: it may be a megabyte, and is usually the same for all."""

    def keep(self, digest: str, own: Folder) -> None:
        """Note what the worker's own folder has: of others that have the same it is not read."""
        self._own = digest
        self._folders[digest] = own

    async def read(self, kept: str, fresh: Sequence[str]) -> dict[str, Entry]:
        """Read who is there and what is wished.

        Args:
            kept: A further subject of that kind.
            fresh: Subjects of which the newest as it was read now is returned.

        Raises:
            ClusterAway: The cluster cannot be reached.
        """
        entries = await self._register.newest([Kind.WORKER.all, Kind.WISH.all, kept, *fresh])
        found = {entry.subject: entry for entry in entries if entry.subject in set(fresh)}
        self._take([entry for entry in entries if entry.subject not in found])
        self._forget({entry.subject for entry in entries})
        await self._read_folders()
        return found

    def workers(self) -> dict[str, WorkerEntry]:
        """Return the live workers by name."""
        now, workers = self._clock.now(), self._all(Kind.WORKER, WorkerEntry.from_bytes)
        if now - self._heard_at > _STILL:
            return workers
        since = now - _SILENT
        return {
            name: entry
            for name, entry in workers.items()
            if max(self._new_at[Kind.WORKER.of(name)], self._again_at) > since
        }

    def wishes(self) -> dict[str, RoomWish]:
        """Return what is wished, by the rooms' keys."""
        return self._all(Kind.WISH, RoomWish.from_bytes)

    def file_of(self, room: str) -> RoomFile | None:
        """Return a room's file as it stands in any folder."""
        return next((found for each in self._folders.values() if (found := each.rooms.get(room))), None)

    def wishes_of(self, name: str, rooms: Container[str], *, older: float) -> Iterator[Entry]:
        """Yield the wishes that a worker is to keep, as they stand, of those known for so many seconds."""
        since = self._clock.now() - older
        for room, wish in self.wishes().items():
            subject = Kind.WISH.of(room)
            if room in rooms and (wish.off or wish.worker == name) and self._new_at[subject] < since:
                yield self._entries[subject]

    def drains(self, name: str, run: str) -> bool:
        """Return whether a worker is to drain."""
        wish = self._one(Kind.DRAIN.of(name), DrainWish.from_bytes)
        return wish is not None and wish.run == run

    def make_plan(self, own: Member) -> Assignment:
        """Decide who is to own what; while a folder was not read yet, what was decided before stands.

        Args:
            own: The worker that asks, as it is now.
        """
        workers, wishes = self.workers(), self.wishes()
        others = [name for name in workers if name != own.name]
        if any(workers[name].folder not in self._folders for name in others):
            return self.plan
        off = switched_off(wishes)
        members = [
            member_of(name, workers[name], self._folders[workers[name].folder], off) for name in others
        ]
        members.append(without(own, off))
        asked = (members, moved(wishes))
        if asked != self._planned_for:
            self.plan, self._planned_for = assign(*asked), asked
        return self.plan

    # -- inside

    async def _read_folders(self) -> None:
        """Read each folder that is not known, from one of the workers that have it."""
        having = {entry.folder: name for name, entry in self.workers().items()}
        for name in [name for digest, name in having.items() if digest not in self._folders]:
            for found in await self._register.newest([Kind.FOLDER.of(name)]):
                if found.data is not None:
                    self._folders[digest_of(found.data)] = Folder.from_bytes(found.data) or Folder()
        for digest in [digest for digest in self._folders if digest not in {*having, self._own}]:
            del self._folders[digest]

    def _take(self, entries: Sequence[Entry]) -> None:
        now = self._clock.now()
        for entry in entries:
            known, is_worker = self._entries.get(entry.subject), Kind.WORKER.has(entry.subject)
            if is_worker and entry.data is None:
                continue  # its silence says as much, and whether it counts
            if known is None or entry.sequence > known.sequence:
                self._entries[entry.subject] = entry
                self._new_at[entry.subject] = now
                if is_worker:
                    self._again_at = now if now - self._heard_at > _STILL else self._again_at
                    self._heard_at = now

    def _forget(self, read: Container[str]) -> None:
        """Forget wishes that are read no more, whose expiry was not seen: no server is behind for so long."""
        since = self._clock.now() - _BEHIND
        for subject in [each for each in self._entries if Kind.WISH.has(each) and each not in read]:
            if self._new_at[subject] < since:
                del self._entries[subject], self._new_at[subject]

    def _all(self, kind: Kind, parse: Callable[[bytes], T | None]) -> dict[str, T]:
        subjects = [subject for subject in self._entries if kind.has(subject)]
        found = {subject.partition(".")[2]: self._one(subject, parse) for subject in subjects}
        return {name: value for name, value in found.items() if value is not None}

    def _one(self, subject: str, parse: Callable[[bytes], T | None]) -> T | None:
        entry = self._entries.get(subject)
        if entry is None or entry.data is None:
            return None
        sequence, value = self._parsed.get(subject, (0, None))
        if sequence != entry.sequence:
            value = parse(entry.data)
            self._parsed[subject] = (entry.sequence, value)
        return value  # type: ignore[return-value]  # one subject is parsed by one function
