"""One connection of each kind at a time, and patience in making them. PURE."""

from collections import deque
from collections.abc import Iterator
from typing import Final

from pytest_hangfm.simulation.checker.timeline import Run, Timeline
from pytest_hangfm.simulation.checker.verdict import Finding
from pytest_hangfm.simulation.history import (
    Bounds,
    Closed,
    Crashed,
    History,
    LetGo,
    Opened,
    Presence,
    Started,
    Stopped,
    Tried,
)

__all__ = ["back_off", "gives_up", "one_connection"]

_MINUTE: Final = 60.0


def one_connection(history: History) -> Iterator[Finding]:
    """A process has one connection to the room and one to the chat at a time.

    What a dead one left behind, and what the bot has let go of, is none of them.
    """
    open_: dict[str, set[int]] = {}
    for event in history.events:
        match event:
            case Opened(service=service, connection=number):
                others = open_.setdefault(service, set())
                if others - {number}:
                    yield event.at, f"a connection to the {service} was opened beside another"
                others.add(number)
            case Closed() | LetGo():
                open_.get(event.service, set()).discard(event.connection)
            case Started() | Crashed() | Stopped():
                open_.clear()


def back_off(history: History) -> Iterator[Finding]:
    """A service is tried seldom: not often in a minute, and less and less often while tries fail."""
    series: dict[str, _Series] = {}
    for event in history.events:
        match event:
            case Started():
                series.clear()
            case Tried(at=at, service=service):
                if what := series.setdefault(service, _Series(history.bounds)).add(at):
                    yield at, f"the {service} was tried {what}"
            case Opened(service="room") | Presence(present=False):
                continue
            case Opened(service=service):
                series.setdefault(service, _Series(history.bounds)).succeed()
            case Presence():
                series.setdefault("room", _Series(history.bounds)).succeed()


class _Series:
    """The tries of one process to connect to one service."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._recent: deque[float] = deque()
        self._failing: list[float] = []
        self._reported = False

    def add(self, at: float) -> str | None:
        """Note a try; return how it was one too many, once for each series."""
        self._recent.append(at)
        self._failing.append(at)
        while self._recent[0] <= at - _MINUTE:
            self._recent.popleft()
        lasted = at - self._failing[0]
        most = self._bounds.quick_tries + lasted / (self._bounds.longest_wait / 2)
        what = None
        if len(self._recent) > self._bounds.tries_a_minute:
            what = f"{len(self._recent)} times in a minute"
        elif len(self._failing) > most:
            what = f"{len(self._failing)} times in {lasted:.0f} s without success"
        if what is None or self._reported:
            return None
        self._reported = True
        return what

    def succeed(self) -> None:
        """Note that the last try succeeded."""
        self._failing.clear()
        self._reported = False


def gives_up(history: History) -> Iterator[Finding]:
    """The room is tried again within the longest wait, as long as the process is to work."""
    timeline = Timeline(history)
    last: dict[int, float] = {}
    run: Run | None = None
    for event in history.events:
        match event:
            case Started():
                if run is not None and (found := _too_long(last, run, run.serves_until, history.bounds)):
                    yield found
                run = timeline.runs[event.run]
            case Tried(at=at, service="room") if run is not None:
                if found := _too_long(last, run, min(at, run.serves_until), history.bounds):
                    yield found
                last[run.number] = at
            case Opened(service="room") if run is not None:
                last.pop(run.number, None)
    if run is not None:
        end = min(run.serves_until, timeline.end)
        if found := _too_long(last, run, end, history.bounds):
            yield found


def _too_long(last: dict[int, float], run: Run, until: float, bounds: Bounds) -> Finding | None:
    most = bounds.longest_wait + bounds.attempt
    since = last.get(run.number)
    if since is None or until - since <= most:
        return None
    return since + most, f"the room was not tried again for {until - since:.0f} s"
