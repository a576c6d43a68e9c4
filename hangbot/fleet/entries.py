"""What workers leave in the register besides their leases: who they are, their folders, what is wished. PURE.

``worker.NAME`` expires soon after its worker, ``folder.NAME`` and the wishes of operators a month after it.
What a later version adds is passed over.
"""

import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Self

from hangbot.fleet.assignment import RoomFile
from hangbot.fleet.packed import UNREADABLE, point_in_time, unpacked

__all__ = ["DrainWish", "Folder", "RoomWish", "WorkerEntry", "digest_of"]

_DEFLATE_FROM: Final = 4096


@dataclass(frozen=True, slots=True)
class WorkerEntry:
    """A live worker.

    Attributes:
        run: Of this run of it alone.
        host: The machine.
        pid: The process there.
        version: Of hangbot.
        reads: The newest version of records that it can read.
        since: When it started: seconds since the epoch.
        most: How many rooms it takes; ``None``: any number.
        draining: Whether it gives up what it has.
        rooms: How many it owns.
        folder: The digest of its folder's entry; empty: there is none yet.
        refuses: Why it cannot serve a room, by the room's key.
    """

    run: str
    host: str
    pid: int
    version: str
    reads: int
    since: float
    most: int | None = None
    draining: bool = False
    rooms: int = 0
    folder: str = ""
    refuses: Mapping[str, str] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """Return it as it is stored."""
        return _written(asdict(self))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self | None:
        """Read what is stored; ``None``: that is no worker's entry."""
        try:
            read = _read(data)
            most = read.get("most")
            return cls(
                str(read["run"]),
                str(read["host"]),
                int(read["pid"]),
                str(read["version"]),
                int(read["reads"]),
                point_in_time(read["since"]),
                None if most is None else int(most),
                draining=read.get("draining") is True,
                rooms=int(read.get("rooms", 0)),
                folder=str(read.get("folder", "")),
                refuses={str(key): str(why) for key, why in read.get("refuses", {}).items()},
            )
        except UNREADABLE:
            return None


@dataclass(frozen=True, slots=True)
class Folder:
    """The rooms' files of a worker.

    Attributes:
        rooms: Each with its digest, by the keys of the rooms.
        faulty: What is wrong with each file that cannot be used, by its name without the ending.
    """

    rooms: Mapping[str, RoomFile] = field(default_factory=dict)
    faulty: Mapping[str, str] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """Return it as it is stored."""
        rooms = {file.name: [key, file.digest] for key, file in self.rooms.items()}
        return _written({"rooms": rooms, "faulty": dict(self.faulty)})

    @classmethod
    def from_bytes(cls, data: bytes) -> Self | None:
        """Read what is stored; ``None``: that is no folder."""
        try:
            read = _read(data)
            rooms = {str(row[0]): RoomFile(str(name), str(row[1])) for name, row in read["rooms"].items()}
            return cls(rooms, {str(name): str(why) for name, why in read.get("faulty", {}).items()})
        except UNREADABLE:
            return None


@dataclass(frozen=True, slots=True)
class RoomWish:
    """What an operator, or a moderator of the room, wants of a room.

    Attributes:
        worker: Which worker is to own it; empty: whichever does.
        off: Why no worker is to run it; empty: one is.
    """

    worker: str = ""
    off: str = ""

    def to_bytes(self) -> bytes:
        """Return it as it is stored."""
        return _written(asdict(self))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self | None:
        """Read what is stored; ``None``: that is no wish."""
        try:
            read = _read(data)
            return cls(str(read.get("worker", "")), str(read.get("off", "")))
        except UNREADABLE:
            return None


@dataclass(frozen=True, slots=True)
class DrainWish:
    """That one run of a worker is to give up its rooms and end.

    Attributes:
        run: Which: a later one of the same name is not meant.
    """

    run: str

    def to_bytes(self) -> bytes:
        """Return it as it is stored."""
        return _written(asdict(self))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self | None:
        """Read what is stored; ``None``: that is no wish."""
        try:
            return cls(str(_read(data)["run"]))
        except UNREADABLE:
            return None


def digest_of(data: bytes) -> str:
    """Return what tells one entry from others: workers whose folders are alike have one for all of them."""
    return hashlib.sha256(data).hexdigest()[:16]


def _written(values: Mapping[str, Any]) -> bytes:
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
    data = text.encode(errors="backslashreplace")  # half a character as JSON itself writes it
    return data if len(data) < _DEFLATE_FROM else zlib.compress(data)


def _read(data: bytes) -> dict[str, Any]:
    read = json.loads(unpacked(data))
    if not isinstance(read, dict):
        raise TypeError("no object")
    return read
