"""Which process ran when, when something went wrong, and how healthy the bot said it was. PURE."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final, NamedTuple

from pytest_hangfm.simulation.history import (
    Crashed,
    FaultBegan,
    FaultEnded,
    HealthSeen,
    History,
    Started,
    StopAsked,
    Stopped,
)

__all__ = ["Calm", "Run", "Timeline", "Window", "overlap"]

_WRITTEN_WITHIN: Final = 1.0
"""Seconds after which what a process has reported is on a disk that works."""
_CAUGHT_UP_WITHIN: Final = 6.0
"""Seconds after which a disk that stood still has written what waited for it."""


class Window(NamedTuple):
    """A span of time, in seconds."""

    begin: float
    end: float


@dataclass(frozen=True, slots=True)
class Run:
    """One process of the bot.

    Attributes:
        number: The first is 1.
        began: When it began.
        ended: When it ended; infinity while it runs at the end of the history.
        crashed: Whether that was a crash.
        stop_asked: When it was asked to stop, if it was.
        error: With what it ended, where that was an error.
    """

    number: int
    began: float
    ended: float = math.inf
    crashed: bool = False
    stop_asked: float | None = None
    error: str = ""

    @property
    def serves_until(self) -> float:
        """Until when it is to do its work."""
        return self.ended if self.stop_asked is None else min(self.stop_asked, self.ended)


class _Trouble(NamedTuple):
    """A fault: when it lasted, its class, and what it impairs."""

    window: Window
    kind: str
    impairs: frozenset[str]


class Calm(NamedTuple):
    """A span of time within one process in which nothing goes wrong."""

    begin: float
    end: float
    run: int


class Timeline:
    """What the rules ask of a history beside what they judge.

    Args:
        history: The history.

    Attributes:
        end: When its last event happened.
        runs: The processes, by number.
    """

    def __init__(self, history: History) -> None:
        self.end = history.events[-1].at if history.events else 0.0
        self.runs: dict[int, Run] = {}
        faults: dict[int, _Trouble] = {}
        health: dict[int, list[tuple[float, bool]]] = {}
        for event in history.events:
            match event:
                case Started(at, number):
                    self.runs[number] = Run(number, at)
                case Crashed(at, number) if number in self.runs:
                    self.runs[number] = replace(self.runs[number], ended=at, crashed=True)
                case Stopped(at, number, error) if number in self.runs:
                    self.runs[number] = replace(self.runs[number], ended=at, error=error)
                case StopAsked(at, number) if number in self.runs:
                    self.runs[number] = replace(self.runs[number], stop_asked=at)
                case FaultBegan(at, number, kind, impairs):
                    faults[number] = _Trouble(Window(at, math.inf), kind, impairs)
                case FaultEnded(at, number) if number in faults:
                    fault = faults[number]
                    faults[number] = fault._replace(window=fault.window._replace(end=at))
                case HealthSeen(at, number, live, ready, red):
                    health.setdefault(number, []).append((at, live and ready and not red))
        self._faults = list(faults.values())
        self._health = health
        self._troubles: dict[tuple[frozenset[str] | None, frozenset[str]], Sequence[Window]] = {}

    # -- faults

    def troubles(
        self, impairs: Collection[str] | None = None, *, but: frozenset[str] = frozenset()
    ) -> Sequence[Window]:
        """Return when some fault lasted that impairs one of these, or any fault at all, in order.

        A fault of no length has a window of none; those of the classes ``but`` do not count.
        """
        wanted = None if impairs is None else frozenset(impairs)
        if (wanted, but) not in self._troubles:
            faults = (fault for fault in self._faults if fault.kind not in but)
            self._troubles[wanted, but] = _windows(faults, wanted)
        return self._troubles[wanted, but]

    def of_kinds(self, kinds: Collection[str], impairs: Collection[str] | None = None) -> Sequence[Window]:
        """Return when some fault of these classes lasted that impairs one of those, if any, in order."""
        faults = (fault for fault in self._faults if fault.kind in kinds)
        return _windows(faults, None if impairs is None else frozenset(impairs))

    def in_trouble(
        self,
        begin: float,
        end: float,
        impairs: Collection[str] | None = None,
        *,
        after: float = 0.0,
        but: frozenset[str] = frozenset(),
    ) -> bool:
        """Return whether such a fault lasted between two times, or had ended for less than ``after``."""
        windows = self.troubles(impairs, but=but)
        first = bisect_left(windows, begin - after, key=lambda window: window.end)
        return first < len(windows) and windows[first].begin <= end

    def calms(self, impairs: Collection[str] | None = None, *, stopping: bool = False) -> list[Calm]:
        """Return when processes were to do their work and no such fault lasted, in order.

        Args:
            impairs: As for `troubles`.
            stopping: Whether a process that stops is meant, too.
        """
        windows = self.troubles(impairs)
        calms = []
        for run in self.runs.values():
            end = min(run.ended if stopping else run.serves_until, self.end)
            begin = run.began
            first = bisect_left(windows, begin, key=lambda each: each.end)
            for window in islice(windows, first, None):
                if window.begin > end:
                    break
                if window.begin > begin:
                    calms.append(Calm(begin, window.begin, run.number))
                begin = max(begin, window.end)
            if end > begin:
                calms.append(Calm(begin, end, run.number))
        return calms

    # -- processes

    def lasts(self, run: int, at: float) -> bool:
        """Return whether what a process reported then is on disk: no crash and no full disk undid it."""
        process = self.runs.get(run)
        if process is not None and process.crashed and process.ended <= at + _WRITTEN_WITHIN:
            return False
        return not self.in_trouble(at, at + _WRITTEN_WITHIN, {"outbox"}, after=_CAUGHT_UP_WITHIN)

    def healthy(self, run: int, begin: float, end: float) -> bool:
        """Return whether a process said at the first of two times, or before the second, that all is well."""
        seen = self._health.get(run, [])
        first = max(bisect_right(seen, begin, key=lambda each: each[0]) - 1, 0)
        last = bisect_left(seen, end, key=lambda each: each[0])
        return any(well for _, well in islice(seen, first, max(last, first + 1)))


def overlap(windows: Sequence[Window], begin: float, end: float) -> float:
    """Return how many seconds between two times lie in windows that do not overlap each other."""
    return math.fsum(max(0.0, min(each.end, end) - max(each.begin, begin)) for each in windows)


def _windows(faults: Iterable[_Trouble], impairs: frozenset[str] | None) -> list[Window]:
    """Return when some of the faults lasted that impair one of these, or any of them, in order."""
    return list(_merged(sorted(each.window for each in faults if impairs is None or each.impairs & impairs)))


def _merged(windows: Sequence[Window]) -> Iterator[Window]:
    """Yield windows that overlap as one."""
    last: Window | None = None
    for window in windows:
        if last is not None and window.begin <= last.end:
            last = last._replace(end=max(last.end, window.end))
        else:
            if last is not None:
                yield last
            last = window
    if last is not None:
        yield last
