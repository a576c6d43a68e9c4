"""A fleet as it stands in its register: rooms, owners, workers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hangbot.clock import iso_time
from hangbot.fleet.assignment import assign
from hangbot.fleet.claim import Claim, Holder
from hangbot.fleet.entries import Folder, RoomWish, WorkerEntry, digest_of
from hangbot.fleet.members import member_of, moved, switched_off
from hangbot.fleet.streams import Entry, Stream
from hangbot.fleet.subjects import Kind

__all__ = ["Picture", "RoomRow", "picture_of", "read_picture"]


@dataclass(frozen=True, slots=True)
class RoomRow:
    """A room of the fleet.

    Attributes:
        key: Its key.
        name: What it is called: the name of its file.
        owner: The owner; ``None``: it has none.
        ready: Whether its bot is.
        queued: Messages that wait; ``None`` without an owner.
        since: Since when the owner has it: seconds since the epoch.
        why: What is wrong, in words; empty: nothing.
    """

    key: str
    name: str
    owner: Holder | None = None
    ready: bool = False
    queued: int | None = None
    since: float | None = None
    why: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as ``fleet status --json`` prints it."""
        owner = self.owner and {"worker": self.owner.worker, "host": self.owner.host, "pid": self.owner.pid}
        return {
            "room": self.name,
            "owner": owner,
            "ready": self.ready,
            "queued": self.queued,
            "since": None if self.since is None else iso_time(self.since),
            "why": self.why or None,
        }


@dataclass(frozen=True, slots=True)
class Picture:
    """All of it.

    Attributes:
        rooms: By key.
        workers: The live ones, by name.
        refused: Why rooms are taken by none anew, by key.
    """

    rooms: Mapping[str, RoomRow] = field(default_factory=dict)
    workers: Mapping[str, WorkerEntry] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return it as ``fleet status --json`` prints it."""
        rooms = sorted(self.rooms.values(), key=lambda row: (row.name, row.key))
        workers = [
            {
                "worker": name,
                "host": entry.host,
                "pid": entry.pid,
                "version": entry.version,
                "since": iso_time(entry.since),
                "rooms": sum(row.owner is not None and row.owner.run == entry.run for row in rooms),
                "most": entry.most,
                "draining": entry.draining,
            }
            for name, entry in sorted(self.workers.items())
        ]
        return {"rooms": [row.to_json() for row in rooms], "workers": workers}


async def read_picture(register: Stream) -> Picture:
    """Read a fleet's register; raises `ClusterAway`.

    Of folders that are alike one is read.
    """
    entries = await register.newest([Kind.WORKER.all, Kind.LEASE.all, Kind.WISH.all])
    having = {worker.folder: name for name, worker in _workers(_by_kind(entries)[Kind.WORKER]).items()}
    folders = [Kind.FOLDER.of(name) for name in having.values()] or [Kind.FOLDER.all]
    return picture_of([*entries, *await register.newest(folders)])


def picture_of(entries: Sequence[Entry]) -> Picture:
    """Return what entries of a register say."""
    found = _by_kind(entries)
    workers = _workers(found[Kind.WORKER])
    folders = {
        digest_of(data): folder
        for name, data in found[Kind.FOLDER].items()
        if (folder := Folder.from_bytes(data)) is not None and (name in workers or not workers)
    }
    read = {room: RoomWish.from_bytes(data) for room, data in found[Kind.WISH].items()}
    wishes = {room: wish for room, wish in read.items() if wish is not None}
    off = switched_off(wishes)
    members = [
        member_of(name, worker, folders.get(worker.folder, Folder()), off) for name, worker in workers.items()
    ]
    plan = assign(members, moved(wishes))
    claims = {room: claim for room, data in found[Kind.LEASE].items() if (claim := Claim.from_bytes(data))}
    names = {room: claim.name for room, claim in claims.items() if not claim.free}
    names |= {key: file.name for folder in folders.values() for key, file in folder.rooms.items()}
    faulty = {name: fault for folder in folders.values() for name, fault in folder.faulty.items()}
    why = dict.fromkeys(plan.crowded, "no worker has a place for it") | dict(plan.refused)
    why |= {key: faulty[name] for key, name in names.items() if name in faulty}
    why |= {room: wishes[room].off for room in off}
    drain = all(worker.draining for worker in workers.values())
    nobody = (
        ("every worker drains" if drain else "no worker has taken it yet") if workers else "no worker runs"
    )
    rooms = {key: _row(key, name, claims.get(key), why.get(key, ""), nobody) for key, name in names.items()}
    known = {row.name for row in rooms.values()}
    rooms |= {
        f"{name}.env": RoomRow("", name, why=fault) for name, fault in faulty.items() if name not in known
    }
    return Picture(rooms, workers, plan.refused)


def _by_kind(entries: Sequence[Entry]) -> dict[Kind, dict[str, bytes]]:
    found: dict[Kind, dict[str, bytes]] = {kind: {} for kind in Kind}
    for entry in entries:
        kind, _, name = entry.subject.partition(".")
        if entry.data is not None:
            found[Kind(kind)][name] = entry.data
    return found


def _workers(found: Mapping[str, bytes]) -> dict[str, WorkerEntry]:
    read = {name: WorkerEntry.from_bytes(data) for name, data in found.items()}
    return {name: worker for name, worker in read.items() if worker is not None}


def _row(key: str, name: str, claim: Claim | None, why: str, nobody: str) -> RoomRow:
    if claim is None or claim.free:
        return RoomRow(key, name, why=why or nobody)
    return RoomRow(key, name, claim.holder, claim.ready, claim.queued, claim.since, claim.why or why)
