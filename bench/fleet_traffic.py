"""What a fleet asks of its cluster, in messages and bytes: counted as they come, and on paper.

Bytes are headers and data, as NATS counts them; the lines of its protocol are not.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final

from hangbot.fleet.claim import Claim, Holder
from hangbot.fleet.entries import RoomWish, WorkerEntry
from hangbot.fleet.jetstream import store_headers
from hangbot.fleet.lease import EVERY, LASTS
from hangbot.fleet.shapes import register_names
from hangbot.fleet.streams import Entry, Stream
from hangbot.fleet.worker import LOOK_EVERY

__all__ = ["CountedStream", "Traffic", "claim", "entry", "holder", "in_all", "on_paper", "room_key"]

_NAMES: Final = register_names("hangbot")
_SEQUENCE: Final = 1_000_000_000
"""As long as the sequence of a stream that has stored ten thousand leases a second for a day."""
_SINCE: Final = 1_800_000_000.0
_PARTS: Final = {"lease": "leases", "worker": "workers"}


@dataclass(slots=True)
class Traffic:
    """Messages and bytes between workers and servers; those among the servers are not in it.

    Attributes:
        asked: Messages to the servers.
        answered: Messages from them.
        bytes_in: To the servers.
        bytes_out: From them.
    """

    asked: float = 0
    answered: float = 0
    bytes_in: float = 0
    bytes_out: float = 0

    def add(self, other: "Traffic") -> None:
        """Add what else there was."""
        self.asked += other.asked
        self.answered += other.answered
        self.bytes_in += other.bytes_in
        self.bytes_out += other.bytes_out

    @property
    def messages(self) -> float:
        """Of both kinds."""
        return self.asked + self.answered

    def times(self, factor: float) -> "Traffic":
        """Return so many times as much."""
        return Traffic(
            self.asked * factor, self.answered * factor, self.bytes_in * factor, self.bytes_out * factor
        )


def in_all(parts: Mapping[str, Traffic]) -> Traffic:
    """Return the sum of the parts."""
    found = Traffic()
    for part in parts.values():
        found.add(part)
    return found


# -- one request


def _headers(lines: Mapping[str, str]) -> int:
    return len("NATS/1.0\r\n\r\n") + sum(len(f"{name}: {value}\r\n") for name, value in lines.items())


_ASKED: Final = _headers(store_headers(_NAMES, "", _SEQUENCE, "", LASTS))
_ACKNOWLEDGED: Final = len(f'{{"stream":"{_NAMES.stream}","seq":{_SEQUENCE}}}')
_LOOKED: Final = len(json.dumps({"multi_last": []}))
_NEXT: Final = len(json.dumps(_NAMES.prefix) + ", ")
_SHOWN: Final = _headers(
    store_headers(_NAMES, "", _SEQUENCE, "", LASTS)
    | {
        "Nats-Stream": _NAMES.stream,
        "Nats-Subject": _NAMES.prefix,
        "Nats-Sequence": str(_SEQUENCE),
        "Nats-Time-Stamp": "2026-11-30T03:33:08.123456789Z",
        "Nats-Num-Pending": "0",
        "Nats-Last-Sequence": str(_SEQUENCE),
    }
)
_ENDED: Final = len(" 204 EOB") + _headers(
    {"Nats-Num-Pending": "0", "Nats-Last-Sequence": str(_SEQUENCE), "Nats-UpTo-Sequence": str(_SEQUENCE)}
)


def stored(data: bytes) -> Traffic:
    """Return what one store of a record that expires is."""
    return Traffic(1, 1, _ASKED + len(data), _ACKNOWLEDGED)


def looked(subjects: Sequence[str], found: int, size: int) -> Traffic:
    """Return what one request for the newest is.

    Args:
        subjects: What is asked for.
        found: How many records are there.
        size: Bytes of their subjects and of what they say.
    """
    asked = _LOOKED + sum(map(len, subjects)) + _NEXT * len(subjects)
    return Traffic(1, found + 1, asked, _ENDED + _SHOWN * found + size)


# -- what is in it


def room_key(number: int) -> str:
    """Return a room's key, as long as they are: two UUIDs."""
    return f"00000000-0000-4000-8000-{number:012x}-00000000-0000-4000-9000-{number:012x}"


def holder(number: int) -> Holder:
    """Return a run of a worker."""
    return Holder(f"worker-{number}", f"{number:016x}", f"worker-{number}.bots.example", 4000 + number)


def claim(room: int, worker: int) -> Claim:
    """Return what stands under a lease."""
    return Claim(room_key(room), f"room-{room}", holder(worker), f"{room:016x}", _SINCE, ready=True)


def entry(worker: int, rooms: int) -> WorkerEntry:
    """Return what stands under a worker."""
    own = holder(worker)
    return WorkerEntry(own.run, own.host, own.pid, "1.0.0", 1, _SINCE, rooms=rooms, folder="0" * 16)


def on_paper(rooms: int, workers: int, wishes: int = 0) -> dict[str, Traffic]:
    """Return what a calm fleet asks in a second, by what for.

    Args:
        rooms: How many.
        workers: How many.
        wishes: How many rooms were moved by hand.
    """
    own = entry(workers // 2, rooms // max(workers, 1)).to_bytes()
    lease = stored(claim(rooms // 2, workers // 2).to_bytes())
    there = workers * (len(own) + len("worker.worker-50"))
    wished = wishes * (len(RoomWish("worker-50").to_bytes()) + len(f"wish.{room_key(1)}"))
    look = looked(["worker.*", "wish.*", "drain.worker-50"], workers + wishes, there + wished)
    return {
        "leases": lease.times(rooms / EVERY),
        "workers": stored(own).times(workers / EVERY),
        "looks": look.times(workers / LOOK_EVERY),
    }


# -- counted


class CountedStream:
    """A stream whose requests are counted; see `hangbot.fleet.streams.Stream`.

    Attributes:
        largest: Bytes of the largest record that can be stored.
        counted: What was asked, by what for.
    """

    def __init__(self, stream: Stream, counted: defaultdict[str, Traffic]) -> None:
        self.largest = stream.largest
        self.counted = counted
        self._stream = stream

    async def store(
        self, subject: str, data: bytes, *, last: int, key: str = "", seconds: int | None = None
    ) -> int:
        """Store a record."""
        kind = subject.partition(".")[0]
        self.counted[_PARTS.get(kind, "others")].add(stored(data))
        return await self._stream.store(subject, data, last=last, key=key, seconds=seconds)

    async def newest(self, subjects: Sequence[str]) -> list[Entry]:
        """Return the newest records."""
        found = await self._stream.newest(subjects)
        size = sum(len(each.subject) + len(each.data or b"") for each in found)
        self.counted["looks"].add(looked(subjects, len(found), size))
        return found

    async def read(self, subject: str, *, after: int, most: int = 256) -> list[Entry]:
        """Return the next records."""
        return await self._stream.read(subject, after=after, most=most)

    async def forget(self, subject: str, *, before: int) -> None:
        """Remove older records."""
        await self._stream.forget(subject, before=before)

    def hearing(self, subject: str, notice: Callable[[int], None]) -> AbstractAsyncContextManager[None]:
        """Hear of what is stored."""
        return self._stream.hearing(subject, notice)

    async def notify(self, subject: str, sequence: int) -> None:
        """Notify others of what is stored."""
        await self._stream.notify(subject, sequence)
