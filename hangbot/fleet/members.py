"""Workers, as they stand where rooms are shared out: by workers, and by those that look on. PURE."""

from collections.abc import Mapping
from dataclasses import replace

from hangbot.fleet.assignment import Member
from hangbot.fleet.entries import Folder, RoomWish, WorkerEntry

__all__ = ["member_of", "moved", "switched_off", "without"]


def member_of(name: str, entry: WorkerEntry, folder: Folder, off: frozenset[str]) -> Member:
    """Return a worker as it stands in the register, without the rooms that nothing is to run."""
    member = Member(
        name,
        folder.rooms,
        entry.most,
        draining=entry.draining,
        refuses=frozenset(entry.refuses),
    )
    return without(member, off)


def without(member: Member, off: frozenset[str]) -> Member:
    """Return a member whose folder has no rooms that nothing is to run."""
    if not off & member.folder.keys():
        return member
    return replace(member, folder={room: file for room, file in member.folder.items() if room not in off})


def switched_off(wishes: Mapping[str, RoomWish]) -> frozenset[str]:
    """Return the rooms that nothing is to run, by their keys."""
    return frozenset(room for room, wish in wishes.items() if wish.off)


def moved(wishes: Mapping[str, RoomWish]) -> dict[str, str]:
    """Return the workers that rooms were moved to, by the keys of the rooms."""
    return {room: wish.worker for room, wish in wishes.items() if wish.worker}
