"""That the bot says that it is well when it is, and only then. PURE."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import islice, pairwise
from typing import Final

from pytest_hangfm.simulation.checker.promptness import line_waits
from pytest_hangfm.simulation.checker.sending import standing_still
from pytest_hangfm.simulation.checker.timeline import Timeline
from pytest_hangfm.simulation.checker.verdict import Finding
from pytest_hangfm.simulation.history import (
    FaultEnded,
    FaultFired,
    HealthSeen,
    History,
    LetGo,
    Presence,
)

__all__ = ["green", "red"]

_DISK: Final = frozenset({"disk full", "file locked"})
"""Faults that the bot waits for."""
_ROOM: Final = frozenset({"room"})
_SENDING: Final = frozenset({"chat", "send", "outbox", "token"})
_TELLING: Final = frozenset({"chat", "token"})
_STATE: Final = "room state"
_AT_ONCE: Final = 5.0
"""Seconds within which a line comes that is pushed."""
_ASKED_AGAIN: Final = 1.5
"""Seconds within which the bot is asked again how it is: each second, and a little."""


def red(history: History) -> Iterator[Finding]:
    """Health is red in time while the bot is not in the room, does not hear it, or cannot say or write."""
    timeline = Timeline(history)
    yield from _out_of_the_room(history, timeline)
    yield from _deaf(history, timeline)
    yield from _stuck(history, timeline)
    yield from _cannot_write(history, timeline)


def _out_of_the_room(history: History, timeline: Timeline) -> Iterator[Finding]:
    presence = [(event.at, event.present) for event in history.of(Presence)]
    spans = [(0.0, False), *presence, (timeline.end, True)]
    bounds = history.bounds
    let_go = [event.at for event in history.of(LetGo) if event.service == "room"]
    absences = [(at, until) for (at, here), (until, _) in pairwise(spans) if not here]
    for run in timeline.runs.values():
        first = bisect_right(absences, run.began, key=lambda absence: absence[1])
        for at, until in absences[first:]:
            if at >= run.serves_until:
                break
            noticed = bounds.noticed
            if timeline.in_trouble(at, at, _ROOM):  # a connection may stay open, and nothing come over it
                gone = next(islice(let_go, bisect_left(let_go, at), None), math.inf)
                # Its trouble counts from when it lets go, and shows when it is asked next.
                noticed = max(noticed, min(gone - at, bounds.silent) + _ASKED_AGAIN)
            bound = bounds.room_red + noticed
            due, end = max(at, run.began) + bound, min(until, run.serves_until)
            if due < end and timeline.healthy(run.number, due, end):
                yield (
                    due,
                    f"the bot was out of the room for {end - due + bound:.0f} s, and said that it is well",
                )


def _deaf(history: History, timeline: Timeline) -> Iterator[Finding]:
    """Yield where the bot heard nothing of its room for long; a single push may be lost, and found later.

    The history of the chat shows that it hears everything; it takes longer where that does not answer.
    """
    noticed = history.bounds.noticed
    runs = list(timeline.runs.values())
    waits = [wait for wait in line_waits(history) if not wait.line.said.direct]
    at_once = [given for line, _, given in waits if given - line.said.at < _AT_ONCE]
    for line, since, given in waits:
        number = bisect_right(runs, given, key=lambda run: run.began) - 1
        if number < 0:
            continue
        run = runs[number]
        begun, bound = max(since, run.began), history.bounds.deaf_red + noticed
        if timeline.in_trouble(begun, begun + bound, _TELLING):
            bound = history.bounds.unasked_red + noticed
        due = begun + bound
        hears = bisect_right(at_once, due) > bisect_right(at_once, line.said.at)
        over = min(given, run.serves_until, math.inf if line.gone_at is None else line.gone_at)
        if due < over and not hears and timeline.healthy(run.number, due, due):
            yield due, f"{line.name} was not heard for {bound:g} s, and the bot said that it is well"


def _stuck(history: History, timeline: Timeline) -> Iterator[Finding]:
    """Yield where a message waited for long in trouble, and nothing was tried."""
    bound = history.bounds.stuck_red + history.bounds.noticed
    runs = list(timeline.runs.values())
    for still in standing_still(history, timeline.end, bound, tries=True):
        first = max(bisect_right(runs, still.begin, key=lambda run: run.began) - 1, 0)
        for run in islice(runs, first, None):
            due = max(still.begin, run.began) + bound
            lasts = due < min(still.end, run.serves_until) and timeline.in_trouble(due, due, _SENDING)
            if lasts and timeline.healthy(run.number, due, due):
                what = f"{still.id} to {still.receiver} was not tried for {bound:g} s"
                yield due, f"{what}, and the bot said that it is well"
                break
            if run.began > still.end:
                break


def _cannot_write(history: History, timeline: Timeline) -> Iterator[Finding]:
    """Yield where a write was in vain for long."""
    bound = history.bounds.outbox_red + history.bounds.noticed
    runs = list(timeline.runs.values())
    fired = {fault.number: fault.at for fault in history.of(FaultFired) if fault.kind in _DISK}
    for ended in history.of(FaultEnded):
        begun = fired.get(ended.number, math.inf)
        number = bisect_right(runs, begun, key=lambda run: run.began) - 1
        if number < 0 or begun + bound >= min(ended.at, runs[number].serves_until):
            continue
        if timeline.healthy(runs[number].number, begun + bound, begun + bound):
            yield begun + bound, f"{ended.kind} for {bound:g} s, and the bot said that it is well"


def green(history: History) -> Iterator[Finding]:
    """Health is green again soon after the last fault, and stays so."""
    timeline = Timeline(history)
    seen: dict[int, list[HealthSeen]] = {}
    for health in history.of(HealthSeen):
        seen.setdefault(health.run, []).append(health)
    for calm in timeline.calms():
        due = calm.begin + history.bounds.green
        states = seen.get(calm.run, [])
        if due >= calm.end:
            continue
        first = max(bisect_right(states, due, key=lambda health: health.at) - 1, 0)
        if not states:
            yield due, f"process {calm.run} never said how it is"
        for health in states[first : bisect_right(states, calm.end, key=lambda health: health.at)]:
            if health.live and health.ready and not health.red:
                continue
            fetched = set(health.red) == {_STATE} and health.at < calm.begin + history.bounds.state_green
            if health.at < calm.end and not fetched:
                what = ", ".join(health.red) or "nothing in particular"
                yield max(due, health.at), f"health was red ({what}), and nothing went wrong"
                break
