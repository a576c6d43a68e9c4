"""That no message is given up too soon. PURE."""

from collections.abc import Iterator
from typing import Final

from pytest_hangfm.simulation.checker.messages import DeliveryEvent, messages
from pytest_hangfm.simulation.checker.timeline import Timeline, overlap
from pytest_hangfm.simulation.checker.verdict import Finding
from pytest_hangfm.simulation.history import (
    Accepted,
    Attempted,
    History,
    Requested,
    Requeued,
    Settled,
)

__all__ = ["given_up"]

_REFUSALS: Final = frozenset({"tried again by hand", "ban"})
"""Faults in which the chat refuses a message in its own words."""
_OUTAGES: Final = frozenset({"outage", "restart"})
_IMPAIRS: Final = frozenset({"send"})
_A_LITTLE: Final = 1.0
"""Seconds by which a time may seem shorter: the journal's are rounded, and an outage is noticed late."""


def given_up(history: History) -> Iterator[Finding]:
    """A message fails after all its attempts or all its time, or where the chat refuses it in its own words.

    What the chat is away for is no attempt, and takes none of that time.
    """
    timeline = Timeline(history)
    refusals = timeline.of_kinds(_REFUSALS)
    outages = timeline.of_kinds(_OUTAGES, _IMPAIRS)
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
                    away = overlap(outages, began, at)
                    worked = at - began - away
                    others = timeline.in_trouble(began, at, _IMPAIRS, but=_OUTAGES)
                    # Those made while the chat is away do not reach it.
                    kind = Requested if away and not others else Attempted
                    made = sum(isinstance(each, kind) for each in tried)
                    if made < history.bounds.attempts and worked < history.bounds.total - _A_LITTLE:
                        yield at, f"{key} was given up after {worked:.0f} s and {made} attempts"
