"""Keeps what happened in memory, within a bound."""

import math
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from hangbot.journal.chance import Chance, NotedChance
from hangbot.journal.entries import Checkpoint, Entry, Excerpt, Packed, Snapshot, Value
from hangbot.journal.packing import pack, pack_room

__all__ = ["LARGEST", "OLDEST", "SILENT", "Journal"]

OLDEST: Final = 600.0
"""Seconds that are kept, and up to a minute more."""
LARGEST: Final = 5 * 2**20
"""Bytes that are kept at most."""
_SEGMENT_S: Final = 60.0
_SEGMENTS: Final = 4
"""A segment has at most such a part of the bytes."""
_NEWEST: Final = 160
"""The newest entries have at most such a part of the bytes until they are packed, out of the caches still."""
_ENTRY: Final = 160
"""Bytes of an unpacked entry besides its texts (measured)."""
_MOST_ANSWERS: Final = 24
_MOST_UNSETTLED: Final = 256
_MOST_MESSAGES: Final = 4096
_REMEMBERED: Final = frozenset({"request", "answer", "failed", "said", "step"})
_STARTING: Final = ("/me", "/settings", "/members", "/conversations", "/user-token", "/rooms/", "/profile")
"""Parts of the paths that a bot asks at its start: their last answers are kept longer than all else."""


_Target: TypeAlias = tuple[str, str, str]
"""The service, the method and the path."""


@dataclass(slots=True)
class _Segment:
    checkpoint: Checkpoint
    packed: list[Packed] = field(default_factory=list)
    size: int = 0
    """Bytes; counted in the journal while entries come."""
    number: int = 0
    """Of its entries."""
    unsettled: dict[str, Entry] = field(default_factory=dict)
    """What was said in it, and had not ended at its end."""
    settled: list[str] = field(default_factory=list)
    """What was said before it, and ended in it."""
    answers: dict[_Target, tuple[Entry, Entry]] = field(default_factory=dict)
    """The last good ones to the questions of a start, each behind its request."""


class Journal:
    """The last ten minutes, within a bound of memory; the oldest segment goes first.

    Entries are packed some dozens at a time: thousands of objects that come and go by themselves cost more
    than the work does, since the processor's caches have forgotten each of them when its turn comes.

    Args:
        now: The monotonic time, in seconds.
        oldest: Seconds after which a segment goes.
        largest: Bytes of all that is kept; 0: nothing is.

    Attributes:
        snapshot: Says how things stand, for the next checkpoint; set where a bot is opened.
    """

    def __init__(self, now: Callable[[], float], *, oldest: float = OLDEST, largest: int = LARGEST) -> None:
        self.snapshot: Callable[[], Snapshot] = lambda: Snapshot(None, {})
        self._now = now
        self._oldest = oldest
        self._largest = largest
        self._segments: deque[_Segment] = deque()
        self._closed_size = 0
        self._newest: list[Entry] = []  # of the last segment, not packed yet
        self._newest_size = 0
        self._newest_most = largest // _NEWEST
        self._current_size = 0  # of what is packed of the last segment
        self._current_ends = -math.inf
        self._current_most = 0
        self._numbers = 0
        self._open: dict[int, str] = {}
        self._asked: dict[int, Entry] = {}
        self._messages: dict[str, None] = {}
        self._unsettled: dict[str, Entry] = {}
        """What was said before all that is kept, and had not ended then."""
        self._answers: dict[_Target, tuple[Entry, Entry]] = {}
        self.lost = 0
        """Entries that are no longer kept."""

    @property
    def keeps(self) -> bool:
        """Whether anything is kept."""
        return self._largest > 0

    @property
    def size(self) -> int:
        """Bytes that are kept, about."""
        return self._closed_size + self._current_size + self._newest_size

    def noted(self, chance: Chance, whose: str) -> Chance:
        """Return what draws from the same and keeps what it drew, for one that draws."""
        if not self._largest:
            return chance
        source = chance.source if isinstance(chance, NotedChance) else chance
        return NotedChance(source, self.add, whose)

    def number(self) -> int:
        """Return the number of a new request or connection."""
        self._numbers += 1
        return self._numbers

    def add(self, kind: str, *values: Value) -> None:
        """Keep an entry."""
        if not self._largest:
            return
        size = 0
        for value in values:
            if isinstance(value, (str, bytes)):
                size += value.__sizeof__()
        self.keep(kind, values, size)
        if kind in _REMEMBERED:
            self._remember(self._newest[-1])

    def keep(self, kind: str, values: tuple[Value, ...], size: int) -> None:
        """Keep an entry in a journal that `keeps`; the short way for what comes with every frame.

        Between two frames the processor's caches have forgotten all of this: its time grows with the code
        and the objects that are touched, tenfold.

        Args:
            kind: What it is.
            values: Its values.
            size: Bytes of its texts.
        """
        now = self._now()
        size += _ENTRY
        if now >= self._current_ends or self._newest_size + size > self._newest_most:
            if size * 2 > self._largest:
                values = tuple(_without_bulk(value) for value in values)
                size = _ENTRY * 2
            self._make_room(now, size)
        self._newest.append((now, kind, values))
        self._newest_size += size

    def said(self, key: str, to: str, text: str, *, direct: bool, refused: str = "") -> None:
        """Keep that the bot was to say something, once for each message that was accepted."""
        if not self._largest or key in self._messages:
            return
        if not refused:
            self._messages[key] = None
            if len(self._messages) > _MOST_MESSAGES:
                del self._messages[next(iter(self._messages))]
        self.add("said", key, to, direct, text, refused)

    def opened(self, number: int, service: str) -> None:
        """Keep that a connection is open."""
        self.add("opened", number)
        if self._largest:
            self._open[number] = service

    def closed(self, number: int, *, theirs: bool, code: int | None, reason: str) -> None:
        """Keep that a connection has ended, by whose close frame, or without one."""
        self.add("closed", number, theirs, code, reason)
        self._open.pop(number, None)

    def read(self) -> Excerpt:
        """Return what is kept, as it is now: quick, and to be read in another thread."""
        kept = list(self._segments)
        return Excerpt(
            kept[0].checkpoint if kept else None,
            [packed for segment in kept for packed in segment.packed] + [list(self._newest)],
            [entry for pair in self._answers.values() for entry in pair] + list(self._unsettled.values()),
            self._now(),
            self.lost,
        )

    def _make_room(self, now: float, size: int) -> None:
        """Pack the newest entries; begin a segment where it is time, or one more of that size has no room."""
        if self._newest:
            packed, taken = pack(self._newest, self._newest_size)
            segment = self._segments[-1]
            segment.packed.append(packed)
            segment.number += len(self._newest)
            self._current_size += taken
            self._newest, self._newest_size = [], 0
        size = max(size, self._newest_most)
        if now >= self._current_ends or self._current_size + size > self._current_most:
            self._begin_segment(now, size)

    def _begin_segment(self, now: float, size: int) -> None:
        """Begin a segment that has room for entries of so many bytes; drop old ones for it."""
        if self._segments:
            self._segments[-1].size = self._current_size
            self._closed_size += self._current_size
        standing = self.snapshot()
        room = None if standing.room is None else pack_room(standing.room)
        checkpoint = Checkpoint(now, dict(self._open), dict(standing.heard), room, standing.app)
        self._current_size, self._current_ends = sys.getsizeof(room) + _ENTRY, now + _SEGMENT_S
        self._current_most = max(self._largest // _SEGMENTS, self._current_size + size)
        while self._segments and self._closed_size + self._current_most > self._largest:
            self._drop_one()
        self._segments.append(_Segment(checkpoint))
        while len(self._segments) > 1 and self._segments[1].checkpoint.at < now - self._oldest:
            self._drop_one()

    def _remember(self, entry: Entry) -> None:
        """Remember of an entry what is kept longer than its segment."""
        _, kind, values = entry
        segment = self._segments[-1]
        if kind == "request":
            if _is_starting(values[3]):
                self._asked[values[0]] = entry
        elif kind == "failed":
            self._asked.pop(values[0], None)
        elif kind == "answer":
            request = self._asked.pop(values[0], None)
            if request and 200 <= values[1] < 300:  # noqa: PLR2004  HTTP
                _put_last(segment.answers, _target(request), (request, entry))
        elif kind == "said":
            if len(segment.unsettled) < _MOST_UNSETTLED:
                segment.unsettled[values[0]] = entry
        elif values[1] == "settled" and segment.unsettled.pop(values[0], None) is None:
            segment.settled.append(values[0])

    def _drop_one(self) -> None:
        segment = self._segments.popleft()
        self._closed_size -= segment.size
        self.lost += segment.number
        for target, pair in segment.answers.items():  # a replay has to begin with one
            _put_last(self._answers, target, pair)
        for key in segment.settled:
            self._unsettled.pop(key, None)
        for key, said in segment.unsettled.items():
            if len(self._unsettled) < _MOST_UNSETTLED:
                self._unsettled[key] = said


SILENT: Final = Journal(lambda: 0.0, largest=0)
"""Keeps nothing."""


def _target(request: Entry) -> _Target:
    _, _, (_, service, method, target, _) = request
    return service, method, str(target).partition("?")[0]


def _put_last(
    answers: dict[_Target, tuple[Entry, Entry]], target: _Target, pair: tuple[Entry, Entry]
) -> None:
    answers.pop(target, None)
    answers[target] = pair
    if len(answers) > _MOST_ANSWERS:
        del answers[next(iter(answers))]


def _is_starting(target: bytes | str) -> bool:
    path = (target.decode("ascii", "replace") if isinstance(target, bytes) else target).partition("?")[0]
    return "/messages" not in path and any(part in path for part in _STARTING)


def _without_bulk(value: Value) -> Value:
    """Return a value, or in the place of a text that is larger than all the rest may be, how long it was."""
    if isinstance(value, str | bytes) and len(value) > 4 * _ENTRY:
        kept = f"<{len(value)} characters, too many to keep>"
        return kept if isinstance(value, str) else kept.encode()
    return value
