"""The servers' side of the model of a fleet's streams: what stands in one, and what happens to it when."""

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from math import inf
from typing import Final

from hangbot.clock import Clock
from hangbot.fleet.streams import Entry, Outdated
from hangbot.ids import Rng

__all__ = ["ServedStream"]

_REMEMBERED: Final = 60.0
"""Seconds for which it is known what stood in a stream: no read is as far behind."""


@dataclass(slots=True)
class _Kept:
    """A record, and when it came and went."""

    stored: Entry
    since: float
    gone: float = inf


class ServedStream:
    """A stream on its servers, which decide one thing after the other. All times are seconds.

    Args:
        clock: Gives the time.
        rng: Draws when a record expires.
        history: Records that are kept of each subject; ``None``: all.
        keys: For how long a key is known again.
        marks: For how long the mark of an expiry stands.
        skew: By how much records may expire too early, or too late.
    """

    def __init__(
        self,
        clock: Clock,
        rng: Rng,
        *,
        history: int | None = None,
        keys: float = 600.0,
        marks: float = 60.0,
        skew: float = 0.0,
    ) -> None:
        self._clock, self._rng = clock, rng
        self._now = clock.now()
        self._history, self._key_window, self._marks, self._skew = history, keys, marks, skew
        self._sequence = 0
        self._kept: dict[str, list[_Kept]] = {}
        self._subjects: dict[str, list[str]] = {}
        """Those of each kind, which is their first word."""
        self._keys: dict[tuple[str, str], tuple[float, int]] = {}
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._order = count()

    # -- time

    def at(self, moment: float, todo: Callable[[], object]) -> None:
        """Have something done at a time, in its order: what is asked later finds it done."""
        heapq.heappush(self._due, (moment, next(self._order), todo))

    def settle(self) -> None:
        """Do what is due by now."""
        now = self._clock.now()
        while self._due and self._due[0][0] <= now:
            self._now, _, todo = heapq.heappop(self._due)
            todo()
        self._now = now

    # -- what it is asked, each at one moment

    def store(self, subject: str, data: bytes, *, last: int, key: str, seconds: int | None) -> int:
        """Store a record, as `hangbot.fleet.streams.Stream.store` says."""
        noted, sequence = self._keys.get((subject, key), (-inf, 0))
        if key and self._now - noted < self._key_window:
            return sequence
        newest = self._last(subject)
        if last != (newest.stored.sequence if newest else 0):
            raise Outdated(f"something else is newest under {subject}")
        sequence = self._put(subject, data)
        if key:
            self._keys[subject, key] = (self._now, sequence)
        if seconds is not None:
            ends = self._now + seconds + self._skew * (2 * self._rng.random() - 1)
            self.at(ends, lambda: self._expire(subject, sequence))
        return sequence

    def newest(self, subjects: Sequence[str], *, behind: float = 0.0) -> list[Entry]:
        """Return the newest records as they stood a while ago."""
        moment = self._now - behind
        found = {subject for asked in subjects for subject in self._fitting(asked)}
        standing = ([*self._standing(subject, moment)] for subject in sorted(found))
        return [records[-1] for records in standing if records]

    def read(self, subject: str, *, after: int, most: int, behind: float = 0.0) -> list[Entry]:
        """Return the next records as they stood a while ago."""
        standing = self._standing(subject, self._now - behind)
        return [record for record in standing if record.sequence > after][:most]

    def forget(self, subject: str, *, before: int) -> None:
        """Remove the older records under a subject."""
        for kept in self._kept.get(subject, ()):
            if kept.stored.sequence < before:
                kept.gone = min(kept.gone, self._now)

    # -- inside

    def _put(self, subject: str, data: bytes | None) -> int:
        now = self._now
        self._sequence += 1
        if subject not in self._kept:
            self._subjects.setdefault(subject.partition(".")[0], []).append(subject)
        kept = self._kept[subject] = [
            each for each in self._kept.get(subject, ()) if each.gone > now - _REMEMBERED
        ]
        kept.append(_Kept(Entry(subject, self._sequence, data), now))
        if self._history is not None:
            for each in kept[: -self._history]:
                each.gone = min(each.gone, now)
        return self._sequence

    def _expire(self, subject: str, sequence: int) -> None:
        newest = self._last(subject)
        if newest and newest.stored.sequence == sequence:
            newest.gone = self._now
            mark = self._put(subject, None)
            self.at(self._now + self._marks, lambda: self._forget_one(subject, mark))

    def _forget_one(self, subject: str, sequence: int) -> None:
        for kept in self._kept[subject]:
            if kept.stored.sequence == sequence:
                kept.gone = min(kept.gone, self._now)

    def _last(self, subject: str) -> _Kept | None:
        now = self._now
        standing = [each for each in self._kept.get(subject, ()) if each.gone > now]
        return standing[-1] if standing else None

    def _standing(self, subject: str, moment: float) -> Iterator[Entry]:
        for each in self._kept.get(subject, ()):
            if each.since <= moment < each.gone:
                yield each.stored

    def _fitting(self, asked: str) -> Iterator[str]:
        if not asked.endswith(".*"):
            yield asked
            return
        for subject in self._subjects.get(asked[:-2], ()):
            if subject.count(".") == 1:
                yield subject
