"""That each line of another user is handled once, in order and in time, and answered once. PURE."""

import math
from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final

from pytest_hangfm.simulation.checker.lines import Line, began_anew, begun_at, is_for_the_bot, lines
from pytest_hangfm.simulation.checker.timeline import Timeline
from pytest_hangfm.simulation.checker.verdict import Finding
from pytest_hangfm.simulation.history import (
    Accepted,
    Handled,
    HandlerBegan,
    History,
    PassedOver,
    Said,
    Started,
)

__all__ = ["answers_once", "handled_once", "heard", "others_lines", "turns"]

_ROUNDED: Final = 2.0
"""Seconds by which an age may differ: the chat writes whole ones."""
_PUSH: Final = frozenset({"chat", "push", "process", "outbox"})


def heard(history: History) -> Iterator[Finding]:
    """Each line is handled, or reported as passed over, once the bot had the time."""
    missing = [
        line
        for line in lines(history).values()
        if not line.handled and line.passed_at is None and not line.may_be_committed
    ]
    if not missing:
        return
    back, first, anew = history.bounds.back, begun_at(history), began_anew(history)
    calms = [calm for calm in Timeline(history).calms() if calm.end - calm.begin >= back]
    due = []
    for line in missing:
        said = line.said
        number = bisect_left(calms, said.at + back, key=lambda calm: calm.end)
        if said.at <= first or line.gone_at is not None or number == len(calms):
            continue
        if anew.get(said.epoch, math.inf) > max(said.at, calms[number].begin) + back:
            due.append(line)
    for line in _not_passed(due, history):
        yield line.said.at, f"{line.name} was neither handled nor reported as passed over"


def _not_passed(missing: Sequence[Line], history: History) -> Iterator[Line]:
    """Yield the lines for which no report of lines that were passed over can stand."""
    waiting = deque(sorted(missing, key=lambda line: line.said.at))
    for passed in history.of(PassedOver):
        for _ in range(passed.count - len(passed.rows)):
            age = passed.at - waiting[0].said.at if waiting else 0.0
            if age < history.bounds.catch_up - _ROUNDED:
                break
            waiting.popleft()
    yield from waiting


def handled_once(history: History) -> Iterator[Finding]:
    """A line is handled once; it is given to the app again only where a crash or a stop cut that off."""
    timeline = Timeline(history)
    for line in lines(history).values():
        before = None
        for call in line.calls:
            if line.passed_at is not None and line.passed_at < call.began:
                yield call.began, f"{line.name} was handled after it was reported as passed over"
            if before is not None:
                again = before.run == call.run
                if again or (before.counts and timeline.lasts(before.run, before.ended)):
                    yield call.began, f"{line.name} was handled a second time"
            before = call
    yield from _ends_without_a_begin(history)


def _ends_without_a_begin(history: History) -> Iterator[Finding]:
    running: set[tuple[int, int, int]] = set()
    for event in history.events:
        if isinstance(event, HandlerBegan):
            running.add((event.run, event.epoch, event.row))
        elif isinstance(event, Handled):
            call = event.run, event.epoch, event.row
            if call not in running:
                yield event.at, f"the handler of line {event.row} ended, but did not run"
            running.discard(call)


def others_lines(history: History) -> Iterator[Finding]:
    """The app is given lines that other users said to the bot or its room, and nothing else."""
    known: dict[tuple[int, int], bool] = {}
    for event in history.events:
        if isinstance(event, Said):
            known[event.epoch, event.row] = is_for_the_bot(event, history)
        elif isinstance(event, HandlerBegan) and not known.get((event.epoch, event.row), False):
            yield event.at, f"the app was given line {event.row}, which no other user said to the bot"


def answers_once(history: History) -> Iterator[Finding]:
    """A handler that runs again says nothing again; and answers to two lines are two messages.

    That an answer of before is accepted again is not seen, so one that says the same is known by its text.
    """
    run, epoch_of = 0, dict[int, int]()
    said: dict[tuple[int, int, str, bool, str], tuple[int, str]] = {}
    answered: dict[str, tuple[int, int]] = {}
    for event in history.events:
        if isinstance(event, Started):
            run = event.run
        elif isinstance(event, HandlerBegan):
            epoch_of[event.row] = event.epoch
        elif isinstance(event, Accepted) and event.answer_to is not None:
            line = epoch_of.get(event.answer_to, 0), event.answer_to
            if answered.setdefault(event.id, line) != line:
                yield event.at, f"{event.id} answers line {line[1]}, and another one before"
                continue
            what = *line, event.receiver, event.direct, event.text
            before, first = said.setdefault(what, (run, event.id))
            if before != run and first != event.id:
                yield event.at, f"line {line[1]} was answered again, with another message ({event.id})"


def turns(history: History) -> Iterator[Finding]:
    """One user's lines of one conversation come in order, and one is handled at a time.

    One that the service lost on the way comes when it is found.
    """
    timeline, known = Timeline(history), lines(history)
    newest: dict[tuple[int, int, str, bool], Line] = {}
    running: dict[tuple[int, str], tuple[Line, float]] = {}
    bounds = history.bounds
    for event in history.events:
        if not isinstance(event, HandlerBegan | Handled):
            continue
        line = known.get((event.epoch, event.row))
        if line is None:
            continue
        said, user = line.said, (event.run, line.said.sender)
        if isinstance(event, Handled):
            if user in running and running[user][0] is line:
                del running[user]
            continue
        if (other := running.get(user)) is not None and event.at < other[1] + bounds.handler:
            yield event.at, f"{line.name} was handled while {other[0].name} still was"
        running[user] = line, event.at
        where = event.run, said.epoch, said.sender, said.direct
        last = newest.get(where)
        if last is None or last.said.row <= said.row:
            newest[where] = line
        elif not timeline.in_trouble(said.at, event.at, _PUSH, after=bounds.back):
            yield event.at, f"{line.name} was handled after {last.name}"
