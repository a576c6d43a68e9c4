"""Which worker is to own which room: a function of what stands in the register, alike on every worker. PURE.

Each pair of a room and a worker has a weight that is drawn from their names (rendezvous hashing). A room goes
to the worker with the greatest weight that has a place for it, and a worker with more rooms than places keeps
those with the greatest. So a worker that comes takes its share from all, one that goes leaves its share to
all, and what does not concern it stays where it is; only where places are scarce may others move up.
"""

import heapq
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from math import inf
from struct import Struct
from typing import Final, NamedTuple

__all__ = ["Assignment", "Member", "RoomFile", "assign"]

_UNREAD: Final = "a newer hangbot wrote its records, and no worker here can read them: start one that can"
_BITS: Final = 128
"""Bits for one worker where all of them are counted with at once: a product of two words of 64 fits."""


class RoomFile(NamedTuple):
    """A room's file in the folder of a worker.

    Attributes:
        name: The stem of the file's name: what the room is called.
        digest: Of what the file says.
    """

    name: str
    digest: str


@dataclass(frozen=True, slots=True)
class Member:
    """A live worker.

    Attributes:
        name: Its name.
        folder: The rooms' files that it has, by the keys of the rooms.
        most: How many rooms it takes; ``None``: any number.
        draining: Whether it gives up what it has.
        refuses: Keys of the rooms that it cannot serve.
    """

    name: str
    folder: Mapping[str, RoomFile]
    most: int | None = None
    draining: bool = False
    refuses: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Assignment:
    """Who is to own what.

    Attributes:
        owners: The workers' names, by the keys of the rooms; a room that is missing has no place.
        refused: Why a room is not to be taken anew, by its key: files differ, or none can read its records.
        crowded: Keys of the rooms that no worker has a place for.
    """

    owners: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    crowded: tuple[str, ...] = ()


def assign(members: Sequence[Member], wishes: Mapping[str, str] | None = None) -> Assignment:
    """Give each room of the members' folders to one of them.

    Args:
        members: The live workers. Those that drain get nothing, and their folders are not looked at.
        wishes: Workers that rooms were moved to, by the keys of the rooms: obeyed while the worker is there.
    """
    takers = sorted((member for member in members if not member.draining), key=lambda member: member.name)
    unlike = _unlike(takers)
    rooms = sorted({room for member in unlike for room in member.folder})
    refused = dict(_differing(unlike, rooms)) if len(unlike) > 1 else {}
    places = [_Places(member) for member in takers]
    ranking = _Ranking(takers, wishes or {})
    untried = {room: ranking.of(room) for room in rooms if room not in refused}
    homeless = {*filter(None, [_place(room, places, untried) for room in untried])}
    unread = homeless & frozenset[str].intersection(*(member.refuses for member in takers)) if takers else ()
    owners = {room: each.member.name for each in places for room in each.rooms()}
    return Assignment(owners, refused | dict.fromkeys(unread, _UNREAD), tuple(sorted(homeless - {*unread})))


class _Ranking:
    """The order of the workers for each room.

    A weight is counted for all workers at once, in one long number with `_BITS` for each: with ten thousand
    rooms and a hundred workers, a loop over each pair would hold a worker up for as long as a lease lasts.
    """

    def __init__(self, takers: Sequence[Member], wishes: Mapping[str, str]) -> None:
        self._numbers = {member.name: n for n, member in enumerate(takers)}
        self._wishes = wishes
        self._refusing: dict[str, set[int]] = {}
        for n, member in enumerate(takers):
            for room in member.refuses:
                self._refusing.setdefault(room, set()).add(n)
        self._each = sum(1 << _BITS * n for n in range(len(takers)))
        self._low = self._each * ((1 << _BITS // 2) - 1)
        self._names = sum(_drawn(member.name) << _BITS * n for n, member in enumerate(takers))
        self._layout = Struct("<" + "Q8x" * len(takers))

    def of(self, room: str) -> Iterator[tuple[float, int]]:
        """Yield the numbers of the workers for a room with their weights, the best first."""
        if first := max(self._weighed(room), default=None):
            yield first  # most rooms stay there, and a hundred weights of each would fill the memory
            yield from sorted(self._weighed(room), reverse=True)[1:]

    def _weighed(self, room: str) -> Collection[tuple[float, int]]:
        weights: list[float] = [*self._weights(_drawn(room))]
        if (wanted := self._numbers.get(self._wishes.get(room, ""))) is not None:
            weights[wanted] = inf
        weighed = zip(weights, range(len(weights)), strict=True)
        refusing = self._refusing.get(room, ())
        return [each for each in weighed if each[1] not in refusing] if refusing else [*weighed]

    def _weights(self, room: int) -> tuple[int, ...]:
        """Return the weight of each worker for a room."""
        mixed = (room * self._each ^ self._names) * 0xBF58476D1CE4E5B9 & self._low
        mixed = (mixed ^ mixed >> 29 & self._low) * 0x94D049BB133111EB & self._low
        mixed ^= mixed >> 32
        return self._layout.unpack(mixed.to_bytes(self._layout.size, "little"))


class _Places:
    """The places of a worker, and who has them."""

    def __init__(self, member: Member) -> None:
        self.member = member
        self._most = inf if member.most is None else member.most
        self._taken: list[tuple[float, str]] = []

    def rooms(self) -> Iterator[str]:
        return (room for _, room in self._taken)

    def offer(self, weight: float, room: str) -> str | None:
        """Take a room in; return what has no place for it then."""
        if len(self._taken) < self._most:
            heapq.heappush(self._taken, (weight, room))
            return None
        if not self._taken:
            return room
        return heapq.heappushpop(self._taken, (weight, room))[1]


def _place(
    room: str, places: Sequence[_Places], untried: Mapping[str, Iterator[tuple[float, int]]]
) -> str | None:
    """Give a room a place, and another to the room that had it; return what has none in the end."""
    homeless: str | None = room
    while homeless is not None and (best := next(untried[homeless], None)):
        weight, n = best
        homeless = places[n].offer(weight, homeless)
    return homeless


def _unlike(members: Sequence[Member]) -> list[Member]:
    """Return the first of the members with each folder: usually all have the same."""
    found: list[Member] = []
    for member in members:
        if not any(member.folder is other.folder or member.folder == other.folder for other in found):
            found.append(member)
    return found


def _differing(members: Sequence[Member], rooms: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the rooms that do not stand alike in every folder, each with a sentence about two workers."""
    for room in rooms:
        having = [member for member in members if room in member.folder]
        first, name = having[0], having[0].folder[room].name
        lacking = next((member for member in members if room not in member.folder), None)
        other = next((member for member in having if member.folder[room] != first.folder[room]), None)
        if lacking:
            yield (
                room,
                f"{name}.env is in the folder of worker {first.name} and not in that of {lacking.name}",
            )
        elif other and other.folder[room].name != name:
            named = f"{name}.env, and {other.folder[room].name}.env"
            yield (
                room,
                f"workers {first.name} and {other.name} have files of other names for one room: {named}",
            )
        elif other:
            yield room, f"{name}.env differs between the folders of workers {first.name} and {other.name}"


def _drawn(name: str) -> int:
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big")
