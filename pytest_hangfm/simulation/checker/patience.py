"""That no message is given up too soon. PURE."""

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Final

from pytest_hangfm.simulation.checker.messages import DeliveryEvent, messages
from pytest_hangfm.simulation.checker.timeline import Timeline, Window, overlap
from pytest_hangfm.simulation.checker.verdict import Finding
from pytest_hangfm.simulation.history import (
    Accepted,
    Attempted,
    History,
    Logged,
    Requested,
    Requeued,
    Settled,
    Started,
)

__all__ = ["given_up"]

_REFUSALS: Final = frozenset({"tried again by hand", "ban"})
"""Faults in which the chat refuses a message in its own words."""
_OUTAGES: Final = frozenset({"outage", "restart"})
_IMPAIRS: Final = frozenset({"send"})
_A_LITTLE: Final = 1.0
"""Seconds by which a time may seem shorter: the journal's are rounded."""


def given_up(history: History) -> Iterator[Finding]:
    """A message fails after all its attempts or all its time, or where the chat refuses it in its own words.

    What the chat is away for is no attempt, and takes none of that time once the bot knows of it.
    """
    timeline = Timeline(history)
    refusals = timeline.of_kinds(_REFUSALS)
    outages = timeline.of_kinds(_OUTAGES, _IMPAIRS)
    known = list(_as_known(outages, history))
    for key, steps in messages(history).items():
        since: DeliveryEvent | None = None
        tried: list[DeliveryEvent] = []
        for _, event in steps:
            match event:
                case Accepted() if since is None:
                    since = event
                case Requeued():
                    since, tried = event, []
                case Attempted() | Requested():
                    tried.append(event)
                case Settled(at=at, state="failed") if since is not None:
                    began = since.at
                    if any(each.begin <= at and began <= each.end + history.bounds.back for each in refusals):
                        continue
                    worked = at - began - overlap(known, began, at)
                    others = timeline.in_trouble(began, at, _IMPAIRS, but=_OUTAGES)
                    # Those made while the chat is away do not reach it.
                    kind = Requested if overlap(outages, began, at) and not others else Attempted
                    made = sum(isinstance(each, kind) for each in tried)
                    if made < history.bounds.attempts and worked < history.bounds.total - _A_LITTLE:
                        yield at, f"{key} was given up after {worked:.0f} s and {made} attempts"


def _as_known(outages: Sequence[Window], history: History) -> Iterator[Window]:
    """Yield the outages from where the bot knew of each: one that nothing met is none to it.

    It knows by what it says, and has to know some time after the first attempt that was made in vain.
    """
    said = list(_said_down(history))
    tried = [event.at for event in history.of(Attempted)]
    finds_out = history.bounds.longest_wait + history.bounds.attempt
    for outage in outages:
        begins = [max(each.begin, outage.begin) for each in said if each.end >= outage.begin]
        begins += [at + finds_out for at in tried[bisect_left(tried, outage.begin) :][:1]]
        if (begin := min(begins, default=math.inf)) < outage.end:
            yield Window(begin, outage.end)


def _said_down(history: History) -> Iterator[Window]:
    """Yield when the bot took the chat for down: from where it says so until it tries a message again."""
    begin: float | None = None
    for event in history.events:
        match event:
            case Logged(at=at, action="breaker_open") if begin is None:
                begin = at
            case Attempted(at=at) | Started(at=at) if begin is not None:
                yield Window(begin, at)
                begin = None
    if begin is not None:
        yield Window(begin, math.inf)
