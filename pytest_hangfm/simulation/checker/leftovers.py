"""That nothing is left at the end, and that the log says ERROR only with a cause. PURE."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Final

from pytest_hangfm.simulation.checker.timeline import Timeline
from pytest_hangfm.simulation.checker.verdict import Finding
from pytest_hangfm.simulation.history import (
    Closed,
    Crashed,
    Handled,
    History,
    Left,
    LetGo,
    Logged,
    Opened,
    RowAtEnd,
    Settled,
    Started,
)

__all__ = ["errors", "left"]

_APP: Final = frozenset({"app_failed", "app_timed_out", "app_abandoned"})
_SOON: Final = 7.0
"""Seconds between the end of a handler and what the log says of it."""


def left(history: History) -> Iterator[Finding]:
    """At the end no task, socket, future or row is left in an in-between state."""
    for event in history.of(Left):
        for what in event.what:
            yield event.at, f"left at the end: {what}"
    timeline = Timeline(history)
    yield from _open_sockets(history, timeline)
    last = max(timeline.runs.values(), key=lambda run: run.number, default=None)
    if last is None or last.crashed or last.error or last.stop_asked is None:
        return
    if last.ended - last.stop_asked < history.bounds.drain:  # otherwise it was cut off, as it should be
        for row in history.of(RowAtEnd):
            if row.state == "sending":
                yield row.at, f"{row.id} is left in sending, though the bot had the time to end"


def _open_sockets(history: History, timeline: Timeline) -> Iterator[Finding]:
    run = 0
    open_: dict[tuple[str, int], int] = {}
    for event in history.events:
        match event:
            case Started():
                run = event.run
            case Crashed():
                open_ = {socket: number for socket, number in open_.items() if number != event.run}
            case Opened():
                open_[event.service, event.connection] = run
            case Closed() | LetGo():
                open_.pop((event.service, event.connection), None)
    for (service, _), number in open_.items():
        if number in timeline.runs and timeline.runs[number].ended < timeline.end:
            yield timeline.end, f"a connection to the {service} is left open"


def errors(history: History) -> Iterator[Finding]:
    """The log says ERROR only where something went wrong not long ago."""
    timeline = Timeline(history)
    calms = timeline.calms(stopping=True)
    failures = [event.at for event in history.of(Handled) if event.outcome != "returned"]
    expired = [event.at for event in history.of(Settled) if event.state == "expired"]
    for line in history.of(Logged):
        if line.level not in {"ERROR", "CRITICAL"}:
            continue
        number = bisect_right(calms, line.at, key=lambda calm: calm.begin) - 1
        calm = calms[number] if number >= 0 else None
        if calm is None or not calm.begin + history.bounds.green < line.at <= calm.end:
            continue
        causes = expired if line.action == "outbox_expired" else failures
        if line.action in _APP or line.action == "outbox_expired":
            near = bisect_left(causes, line.at - _SOON)
            if near < len(causes) and causes[near] <= line.at + _SOON:
                continue
        yield line.at, f"the log says at {line.level}, and nothing went wrong: {line.text}"
