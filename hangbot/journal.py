"""What the bot and its services said to each other in the last minutes, kept in memory for an incident.

An entry is what was sent or received itself, not a copy; it is read, and masked, only when it is asked for.
What is kept begins with a checkpoint: how the connections and the room stood before its first entry.
"""

import json
import sys
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple, Protocol

from hangbot.redact import Redactor

__all__ = [
    "LARGEST",
    "OLDEST",
    "SCHEMA",
    "SILENT",
    "Chance",
    "Checkpoint",
    "Entry",
    "Excerpt",
    "Journal",
    "NotedChance",
    "Snapshot",
    "rows",
]

SCHEMA: Final = 1
"""Of the rows of `rows`."""
OLDEST: Final = 600.0
"""Seconds that are kept, and up to a minute more."""
LARGEST: Final = 5 * 2**20
"""Bytes that are kept at most."""
_SEGMENT_S: Final = 60.0
_SEGMENTS: Final = 8
"""A segment has at most such a part of the bytes."""
_ENTRY: Final = 160
"""Bytes of an entry besides its texts (measured)."""
_MOST_ANSWERS: Final = 24
_MOST_MESSAGES: Final = 4096
_UUID: Final = 128
"""Bits of one."""
_STARTING: Final = ("/me", "/settings", "/members", "/conversations", "/user-token", "/rooms/", "/profile")
"""Parts of the paths that a bot asks at its start: their last answers are kept longer than all else."""

Value = str | bytes | float | int | bool | None | Mapping[str, Any]


class Entry(NamedTuple):
    """One thing that happened.

    Attributes:
        at: Monotonic seconds.
        kind: What it was: see `_FIELDS`.
        values: Its values, in the order of `_FIELDS`.
    """

    at: float
    kind: str
    values: tuple[Any, ...]


class Snapshot(NamedTuple):
    """How things stand.

    Attributes:
        room: The state of the room, as the service would send it; ``None`` outside of it.
        heard: The newest line that was heard of each conversation, by its key.
    """

    room: Mapping[str, Any] | None
    heard: Mapping[str, int]


class Checkpoint(NamedTuple):
    """How things stood before a segment.

    Attributes:
        at: Monotonic seconds.
        open: The services of the connections that were open, by their number.
        heard: As in `Snapshot`.
        room: The room's state as compressed JSON, or ``None``.
    """

    at: float
    open: Mapping[int, str]
    heard: Mapping[str, int]
    room: bytes | None


class _Segment(NamedTuple):
    checkpoint: Checkpoint
    entries: list[Entry]


_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "began": (),
    "request": ("n", "service", "method", "target", "body"),
    "answer": ("n", "status", "headers", "body"),
    "failed": ("n", "how"),
    "open": ("conn", "service"),
    "opened": ("conn",),
    "refused": ("conn", "status", "headers", "body"),
    "unopened": ("conn", "how", "errno"),
    "in": ("conn", "frame"),
    "out": ("conn", "frame"),
    "ping": ("conn", "ping"),
    "pong": ("conn", "ping"),
    "closed": ("conn", "theirs", "code", "reason"),
    "said": ("id", "to", "direct", "text", "refused"),
    "answering": ("id", "message", "app"),
    "acted": ("action", "params"),
    "app": ("what", "outcome"),
    "step": ("id", "step", "attempt", "detail", "state", "tier"),
    "health": ("part", "red", "sentence"),
    "chance": ("number",),
    "drawn": ("bits", "hex"),
    "stopping": (),
    "ended": ("how",),
}
"""The values of each kind of entry, by name."""


class Journal:
    """The last ten minutes, within a bound of memory; the oldest segment goes first.

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
        self._segments: deque[tuple[_Segment, int]] = deque()
        self._size = 0
        self._current: list[Entry] = []
        self._current_size = largest  # the first entry begins a segment
        self._current_since = -_SEGMENT_S
        self._numbers = 0
        self._open: dict[int, str] = {}
        self._messages: dict[str, None] = {}
        self._answers: dict[tuple[str, str, str], tuple[Entry, Entry]] = {}
        self.lost = 0
        """Entries that are no longer kept."""

    @property
    def keeps(self) -> bool:
        """Whether anything is kept."""
        return self._largest > 0

    @property
    def size(self) -> int:
        """Bytes that are kept, about."""
        return self._size

    def number(self) -> int:
        """Return the number of a new request or connection."""
        self._numbers += 1
        return self._numbers

    def add(self, kind: str, *values: Value) -> None:
        """Keep an entry."""
        if not self._largest:
            return
        size = _ENTRY
        for value in values:
            if type(value) is str or type(value) is bytes:
                size += sys.getsizeof(value)
        if size * 2 > self._largest:
            values = tuple(_without_bulk(value) for value in values)
            size = _ENTRY * 2
        now = self._now()
        if now - self._current_since >= _SEGMENT_S or self._current_size * _SEGMENTS >= self._largest:
            self._begin_segment(now)
        if kind == "closed":
            self._open.pop(values[0], None)  # type: ignore[arg-type]  # its number
        self._current.append(Entry(now, kind, values))
        self._current_size += size
        self._size += size
        if self._size > self._largest:
            self._drop(now)

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

    def read(self) -> "Excerpt":
        """Return what is kept, as it is now: quick, and to be read in another thread."""
        kept = [segment for segment, _ in self._segments]
        return Excerpt(
            kept[0].checkpoint if kept else None,
            [entry for segment in kept for entry in tuple(segment.entries)],
            [entry for pair in self._answers.values() for entry in pair],
            self._now(),
            self.lost,
        )

    def _begin_segment(self, now: float) -> None:
        self._close_segment()
        standing = self.snapshot()
        room = None
        if standing.room is not None:
            written = json.dumps(standing.room, ensure_ascii=False, separators=(",", ":"))
            room = zlib.compress(written.encode("utf-8", "replace"), 1)
        checkpoint = Checkpoint(now, dict(self._open), dict(standing.heard), room)
        self._current = []
        self._segments.append((_Segment(checkpoint, self._current), 0))
        self._current_size, self._current_since = sys.getsizeof(room) + _ENTRY, now
        self._size += self._current_size
        while len(self._segments) > 1 and self._segments[1][0].checkpoint.at < now - self._oldest:
            self._drop_one()

    def _close_segment(self) -> None:
        if self._segments:
            segment, _ = self._segments.pop()
            self._segments.append((segment, self._current_size))

    def _drop(self, now: float) -> None:
        """Drop the oldest segments, until what is left is within the bound."""
        if len(self._segments) == 1:
            self._begin_segment(now)
        while self._size > self._largest and len(self._segments) > 1:
            self._drop_one()

    def _drop_one(self) -> None:
        segment, size = self._segments.popleft()
        self._size -= size
        self.lost += len(segment.entries)
        asked: dict[int, Entry] = {}
        for entry in segment.entries:
            if entry.kind == "request" and _is_starting(entry.values[3]):
                asked[entry.values[0]] = entry
            elif entry.kind == "answer" and (request := asked.get(entry.values[0])):
                self._keep_answer(request, entry)

    def _keep_answer(self, request: Entry, answer: Entry) -> None:
        """Keep the last good answer to a question of the start: a replay has to begin with one."""
        _, service, method, target, _ = request.values
        if not 200 <= answer.values[1] < 300:  # noqa: PLR2004  HTTP
            return
        key = service, method, str(target).partition("?")[0]
        self._answers.pop(key, None)
        self._answers[key] = request, answer
        if len(self._answers) > _MOST_ANSWERS:
            del self._answers[next(iter(self._answers))]


class Excerpt(NamedTuple):
    """What a journal kept at one moment.

    Attributes:
        checkpoint: How things stood before the first entry; ``None``: nothing is kept.
        entries: In order.
        answers: The last answers to the questions of a start, of before; each behind its request.
        until: When it was read.
        lost: How many entries of before are no longer kept.
    """

    checkpoint: Checkpoint | None
    entries: list[Entry]
    answers: list[Entry]
    until: float
    lost: int


class Chance(Protocol):
    """The part of `hangbot.ids.Rng` that is drawn from."""

    def random(self) -> float:
        """Return a number in [0, 1)."""

    def getrandbits(self, bits: int, /) -> int:
        """Return a whole number of that many random bits."""


class NotedChance:
    """Draws from another, and keeps what was drawn: a replay draws the same.

    Args:
        chance: Where it is drawn from.
        journal: Where it is kept.
    """

    def __init__(self, chance: Chance, journal: Journal) -> None:
        self._chance = chance
        self._journal = journal

    def random(self) -> float:
        """Return a number in [0, 1)."""
        drawn = self._chance.random()
        self._journal.add("chance", drawn)
        return drawn

    def getrandbits(self, bits: int, /) -> int:
        """Return a whole number of that many random bits; of 128, a UUID of version 4, as ids are."""
        drawn = self._chance.getrandbits(bits)
        if bits == _UUID:
            drawn = drawn & ~(0xF << 76 | 0x3 << 62) | 0x4 << 76 | 0x2 << 62
        self._journal.add("drawn", bits, f"{drawn:0{bits // 4}x}")
        return drawn


SILENT: Final = Journal(lambda: 0.0, largest=0)
"""Keeps nothing."""


def rows(excerpt: Excerpt, redactor: Redactor, *, wall: float = 0.0) -> Iterator[dict[str, Any]]:
    """Yield an excerpt as rows for JSON, with every secret masked; their times count from the checkpoint.

    The first row is ``{"kind": "kept", "schema", "lost", "start", "seconds", "began", "open", "heard",
    "room"}``: ``start`` is the checkpoint's monotonic time, ``began`` its time since the epoch.

    Args:
        excerpt: What is to be shown.
        redactor: Masks secrets.
        wall: The time since the epoch at which it was read.
    """
    start = excerpt.checkpoint.at if excerpt.checkpoint else excerpt.until
    checkpoint = excerpt.checkpoint or Checkpoint(start, {}, {}, None)
    yield {
        "kind": "kept",
        "schema": SCHEMA,
        "lost": excerpt.lost,
        "start": start,
        "seconds": round(excerpt.until - start, 6),
        "began": round(wall - (excerpt.until - start), 3),
        "open": sorted(checkpoint.open.values()),
        "heard": dict(checkpoint.heard),
        "room": None
        if checkpoint.room is None
        else redactor.value(json.loads(zlib.decompress(checkpoint.room))),
    }
    for before, entries in ((True, excerpt.answers), (False, excerpt.entries)):
        for entry in entries:
            row: dict[str, Any] = {"t": round(entry.at - start, 6), "kind": entry.kind}
            if before:
                row["before"] = True
            for name, value in zip(_FIELDS[entry.kind], entry.values, strict=True):
                row |= _shown(name, value, redactor)
            yield row


def _shown(name: str, value: Any, redactor: Redactor) -> dict[str, Any]:  # noqa: ANN401  any value of an entry
    if name in {"frame", "body"}:
        return _content(value, redactor)
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    if name == "headers":
        value = dict(value)
    return {name: redactor.value(value)}


def _content(value: str | bytes | None, redactor: Redactor) -> dict[str, Any]:
    """Return a frame or a body: ``json`` where it is that, else ``text``."""
    if not value:
        return {}
    try:
        return {"json": redactor.value(json.loads(value))}
    except (ValueError, RecursionError):
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        return {"text": redactor.text(text)}


def _is_starting(target: bytes | str) -> bool:
    path = (target.decode("ascii", "replace") if isinstance(target, bytes) else target).partition("?")[0]
    return "/messages" not in path and any(part in path for part in _STARTING)


def _without_bulk(value: Value) -> Value:
    """Return a value, or in the place of a text that is larger than all the rest may be, how long it was."""
    if isinstance(value, str | bytes) and len(value) > 4 * _ENTRY:
        kept = f"<{len(value)} characters, too many to keep>"
        return kept if isinstance(value, str) else kept.encode()
    return value
