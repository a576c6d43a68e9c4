"""What stands under ``lease.ROOM``: which worker owns a room, and how its bot fares. PURE."""

import json
from dataclasses import dataclass, replace
from typing import Any, Self

from hangbot.fleet.packed import UNREADABLE, point_in_time

__all__ = ["Claim", "Holder"]


@dataclass(frozen=True, slots=True)
class Holder:
    """One run of a worker.

    Attributes:
        worker: Its name.
        run: Unlike that of any other run, of the same worker too.
        host: The machine.
        pid: The process there.
    """

    worker: str
    run: str
    host: str
    pid: int


@dataclass(frozen=True, slots=True)
class Claim:
    """An owner's entry.

    Attributes:
        room: The room's key.
        name: What it is called.
        holder: The owner.
        id: Of this ownership alone: a worker that gives a room up may take it again.
        since: When it took the room: seconds since the epoch.
        ready: Whether the room's bot is.
        queued: Messages that wait in its outbox.
        free: Whether it has given the room up: it may be taken at once.
        why: Why its bot is not ready, in words; empty: it is, or begins.
    """

    room: str
    name: str
    holder: Holder
    id: str
    since: float
    ready: bool = False
    queued: int = 0
    free: bool = False
    why: str = ""

    def given_up(self) -> Self:
        """Return the same, given up."""
        return replace(self, free=True, ready=False)

    def to_bytes(self) -> bytes:
        """Return it as it is stored."""
        values: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        holder = values.pop("holder")
        values |= {name: getattr(holder, name) for name in holder.__slots__}
        return json.dumps(values, separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self | None:
        """Read what is stored, by a later version too; ``None``: that is no claim."""
        try:
            read = json.loads(data)
            holder = Holder(str(read["worker"]), str(read["run"]), str(read["host"]), int(read["pid"]))
            return cls(
                str(read["room"]),
                str(read["name"]),
                holder,
                str(read["id"]),
                point_in_time(read["since"]),
                ready=read["ready"] is True,
                queued=int(read["queued"]),
                free=read["free"] is True,
                why=str(read.get("why", "")),
            )
        except UNREADABLE:
            return None
