"""How long each line waited for the app. PURE."""

from bisect import bisect_left
from collections.abc import Iterator
from typing import Final, NamedTuple

from pytest_hangfm.simulation.checker.lines import Line, begun_at, lines
from pytest_hangfm.simulation.checker.timeline import Timeline
from pytest_hangfm.simulation.checker.verdict import Finding
from pytest_hangfm.simulation.history import Handled, HandlerBegan, History, Said, Started

__all__ = ["Wait", "in_time", "line_waits"]

_AT_ONCE: Final = 16
"""So many users' lines are handled at a time."""
_LETS_GO: Final = 6.0
"""Seconds after which a handler that was cancelled holds up no other line of its user."""
_IMPAIRS: Final = frozenset({"chat", "push", "send", "outbox", "process", "token"})


class Wait(NamedTuple):
    """How long a line waited that the app was given in the end.

    Attributes:
        line: The line.
        since: From when on nothing of the app's own kept it from the line.
        given: When the app was given it for the first time.
    """

    line: Line
    since: float
    given: float


def in_time(history: History) -> Iterator[Finding]:
    """A line reaches the app in time, counted from where nothing has gone wrong for a while."""
    back, hears = history.bounds.back, history.bounds.hears
    calms = [calm for calm in Timeline(history).calms(_IMPAIRS) if calm.end - calm.begin >= back + hears]
    for line, since, given in line_waits(history):
        number = bisect_left(calms, since + hears, key=lambda calm: calm.end)
        if number == len(calms) or line.gone_at is not None:
            continue
        due = max(since, calms[number].begin + back) + hears
        if given > due:
            yield due, f"{line.name} was heard {given - line.said.at:.0f} s after it was said"


def line_waits(history: History) -> Iterator[Wait]:
    """Yield how long each line waited that the app was given, and that was said since the bot first heard."""
    known, first = lines(history), begun_at(history)
    app = _App(history.bounds.handler + _LETS_GO)
    given: set[tuple[int, int]] = set()
    for event in history.events:
        if isinstance(event, Started):
            app.start()
            continue
        if not isinstance(event, HandlerBegan | Handled):
            continue
        key = event.epoch, event.row
        line = known.get(key)
        if line is None:
            continue
        if isinstance(event, Handled):
            app.end(line.said.sender, key, event.at)
            continue
        if key not in given and line.said.at > first:
            yield Wait(line, max(line.said.at, app.free_for(line.said)), event.at)
        given.add(key)
        app.begin(line.said.sender, key, event.at)


class _App:
    """What the app is at: one line of each user at a time, and not too many at once.

    Args:
        longest: Seconds after which a call holds up no other.
    """

    def __init__(self, longest: float) -> None:
        self._longest = longest
        self._running: dict[str, tuple[tuple[int, int], float]] = {}
        self._free: dict[str, float] = {}
        self._full_until = 0.0

    def start(self) -> None:
        """A new process calls no handler yet."""
        self._running.clear()

    def begin(self, user: str, key: tuple[int, int], at: float) -> None:
        """Note that a call began."""
        self._running[user] = key, at

    def end(self, user: str, key: tuple[int, int], at: float) -> None:
        """Note that a call ended."""
        if user in self._running and self._running[user][0] == key:
            if len(self._running) >= _AT_ONCE:
                self._full_until = at
            del self._running[user]
            self._free[user] = at

    def free_for(self, said: Said) -> float:
        """Return since when a line could have been handled that is about to be."""
        free = max(self._free.get(said.sender, 0.0), self._full_until)
        if said.sender in self._running:  # a call that did not end when it was cancelled
            free = max(free, self._running[said.sender][1] + self._longest)
        return free
