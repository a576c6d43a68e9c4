"""What can happen to one event of a sound history, and what the checker has to say of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from pytest_hangfm.simulation.history import (
    Accepted,
    Asked,
    Attempted,
    Changed,
    Closed,
    Dropped,
    Event,
    Handled,
    HandlerBegan,
    HealthSeen,
    History,
    Late,
    Left,
    LetGo,
    Logged,
    MessageStored,
    Opened,
    PassedOver,
    Presence,
    Requested,
    Requeued,
    RowAtEnd,
    Said,
    Settled,
    Started,
    StopAsked,
    Stopped,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Corruption", "harmful", "harmless"]


@dataclass(frozen=True)
class Corruption:
    """One event of a history is dropped, is there twice, or changes places with another.

    Attributes:
        history: The history with it.
        what: In words.
        rules: One of them is to find it; none: it does no harm.
    """

    history: History
    what: str
    rules: frozenset[str] = frozenset()


def harmful(history: History) -> Iterator[Corruption]:
    """Yield each that has to be found."""
    known = _Known(history)
    for number, event in enumerate(history.events):
        if rules := _if_dropped(event, known):
            yield _corrupted(history, number, (), "dropped", rules)
        if type(event) in _IF_DOUBLED:
            yield _corrupted(history, number, (event, event), "doubled", _IF_DOUBLED[type(event)])
    yield from _changed_places(history)


def harmless(history: History) -> Iterator[Corruption]:
    """Yield each that shows no fault of a bot, by the reasons of the tables."""
    for number, event in enumerate(history.events):
        if type(event) in _NEEDED_BY_NOTHING:
            yield _corrupted(history, number, (), "dropped", frozenset())
        if type(event) in _THE_SAME_TWICE:
            yield _corrupted(history, number, (event, event), "doubled", frozenset())


# -- dropped

_NEEDED_BY_NOTHING: Final = (
    Accepted,  # what was not accepted has no promise, and the outbox knows it
    Requested,  # the store shows what came of it
    Left,  # nothing was left
)


def _if_dropped(event: Event, known: _Known) -> frozenset[str]:  # noqa: C901, PLR0911, PLR0912  a table
    """Return the rules of which one has to miss an event."""
    match event:
        case MessageStored(id=key) if known.ends[key] == "delivered" and known.stores[key] == 1:
            return frozenset({"once"})
        case Dropped():
            return frozenset({"once"})
        case Requeued():
            return frozenset({"ended", "one-end"})
        case Late():
            return frozenset({"no-copy"})
        case Asked(id=key, found=True) if known.attempts[key] == 1:
            return frozenset({"tier"})
        case Asked(found=None):
            return frozenset({"uncertain"})
        case Said(epoch=epoch, row=row) if (epoch, row) in known.handled:
            return frozenset({"others-lines"})
        case HandlerBegan(run=run, epoch=epoch, row=row) if (run, epoch, row) in known.ended:
            return frozenset({"handled-once"})
        case Handled(epoch=epoch, row=row) if epoch == known.epoch:
            return frozenset({"heard", "turns", "errors"})
        case PassedOver() if known.epoch == 0:
            return frozenset({"heard"})
        case Changed(epoch=epoch) if epoch == known.epoch:
            return frozenset({"heard"})
        case StopAsked():
            return frozenset({"lives"})
        case Closed() | LetGo():
            return frozenset({"one-connection", "left"})
        case Presence(present=True) if event is known.last_arrival:
            return frozenset({"back", "red"})
        case HealthSeen(ready=True) if event is known.last_ready:
            return frozenset({"green"})
    return frozenset()


class _Known:
    """What decides whether an event can be missed."""

    def __init__(self, history: History) -> None:
        self.ends = {row.id: row.state for row in history.of(RowAtEnd)}
        self.stores: dict[str, int] = {}
        self.attempts: dict[str, int] = {}
        for stored in history.of(MessageStored):
            self.stores[stored.id] = self.stores.get(stored.id, 0) + 1
        for attempted in history.of(Attempted):
            self.attempts[attempted.id] = self.attempts.get(attempted.id, 0) + 1
        self.handled = {(call.epoch, call.row) for call in history.of(HandlerBegan)}
        self.ended = {(call.run, call.epoch, call.row) for call in history.of(Handled)}
        self.epoch = max((said.epoch for said in history.of(Said)), default=0)
        presence = [Presence(0, present=False), *history.of(Presence)]
        arrivals = [event for before, event in pairwise(presence) if event.present and not before.present]
        here = [event for event in presence if event.present]
        self.last_arrival = arrivals[-1] if arrivals[-1] is here[-1] else None
        self.last_ready = [event for event in history.of(HealthSeen) if event.ready][-1]


# -- doubled

_IF_DOUBLED: Final = {
    MessageStored: frozenset({"no-copy"}),
    Settled: frozenset({"one-end"}),
    HandlerBegan: frozenset({"handled-once"}),
    Handled: frozenset({"handled-once"}),
}

_THE_SAME_TWICE: Final = (
    Accepted,  # by the same id it is the same message
    Requested,  # with a new token, or once more as a member
    Attempted,  # of the same number: the same attempt
    Asked,  # to ask again harms nobody
    Dropped,
    Late,  # only if something was stored by it
    RowAtEnd,
    Said,
    Changed,
    Opened,  # of the same number: the same connection
    Closed,
    LetGo,
    Presence,
    Started,
    StopAsked,
    Stopped,
    HealthSeen,
    Logged,
    Left,
)


# -- changed places


def _changed_places(history: History) -> Iterator[Corruption]:
    """Yield histories in which two events that belong together come the other way round."""
    last: dict[object, tuple[int, Event]] = {}
    for number, event in enumerate(history.events):
        match event:
            case MessageStored(id=key):
                last["stored", key] = number, event
            case HandlerBegan(run=run, epoch=epoch, row=row):
                last["began", run, epoch, row] = number, event
            case Settled(id=key, state="delivered") if ("stored", key) in last:
                yield _swapped(history, last["stored", key], (number, event), {"once"})
            case Handled(run=run, epoch=epoch, row=row):
                yield _swapped(history, last["began", run, epoch, row], (number, event), {"handled-once"})
    yield from _changed_order(history)


def _changed_order(history: History) -> Iterator[Corruption]:
    """Yield histories in which a message is stored before one that was accepted before it."""
    accepted = {event.id: event.at for event in reversed(history.events) if isinstance(event, Accepted)}
    before: dict[str, tuple[int, MessageStored]] = {}
    for number, event in enumerate(history.events):
        if isinstance(event, MessageStored):
            first = before.get(event.receiver)
            if first is not None and accepted[event.id] < first[1].at and first[1].id != event.id:
                ids = replace(event, id=first[1].id, text=first[1].text)
                other = replace(first[1], id=event.id, text=event.text)
                events = list(history.events)
                events[first[0]], events[number] = other, ids
                what = f"the stores of {event.id} and {first[1].id} changed places"
                rules = frozenset({"order", "once"})
                yield Corruption(replace(history, events=tuple(events)), what, rules)
            before[event.receiver] = number, event


def _swapped(
    history: History, first: tuple[int, Event], second: tuple[int, Event], rules: set[str]
) -> Corruption:
    events = list(history.events)
    events[first[0]] = replace(second[1], at=first[1].at)
    events[second[0]] = replace(first[1], at=second[1].at)
    what = f"{first[1]} and {second[1]} changed places"
    return Corruption(replace(history, events=tuple(events)), what, frozenset(rules))


def _corrupted(
    history: History, number: int, instead: tuple[Event, ...], how: str, rules: frozenset[str]
) -> Corruption:
    events = history.events[:number] + instead + history.events[number + 1 :]
    return Corruption(replace(history, events=events), f"{history.events[number]} was {how}", rules)
