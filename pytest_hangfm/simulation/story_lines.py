"""The events of a simulated world in words, a line for each that a reader needs. PURE."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from hangbot.text import one_line
from pytest_hangfm.simulation import history as h

__all__ = ["Line", "Mark", "in_short", "lines_of"]

Mark: TypeAlias = Literal["", "*", "!", "X"]
"""Talk, something of the bot's process and connections, a fault, a violation."""

_AT_ONCE: Final = 2.0
"""Seconds from accepted to stored within which a message has one line."""
_LONGEST: Final = 48
"""Characters of a text that was said: more would push what stands behind it off the line."""
_SHORT_ID: Final = 8
"""Characters of an id that stands in place of one at least twice as long."""
_SERVICES: Final[Mapping[str, str]] = MappingProxyType(
    {"room": "the room", "chat": "the chat's push", "gateway": "the gateway"}
)
_FOUND: Final[Mapping[bool | None, str]] = MappingProxyType({True: "yes", False: "no", None: "no answer"})
_BOT: Final = "the bot"


@dataclass(frozen=True, slots=True)
class Line:
    """What a reader is shown of an event.

    Attributes:
        at: Virtual seconds since the world began.
        mark: What kind of event it is.
        who: Who did it.
        text: What.
    """

    at: float
    mark: Mark
    who: str
    text: str


def in_short(history: h.History) -> Callable[[str], str]:
    """Return what puts names in the place of uids in a text, and short ids in that of long ones."""
    ids = {event.id for event in history.of(h.Accepted)} | {event.id for event in history.of(h.MessageStored)}
    short = {id_: f"{id_[:_SHORT_ID]}…" for id_ in sorted(ids)}
    names = short | {**history.names, history.bot: _BOT}
    instead = {word: name for word, name in names.items() if len(word) >= 2 * _SHORT_ID}
    if not instead:
        return str
    pattern = re.compile("|".join(map(re.escape, instead)))
    return lambda text: pattern.sub(lambda found: instead[found[0]], text)


def lines_of(history: h.History, mask: Callable[[str], str] = str) -> Iterator[Line]:
    """Yield the lines of a history, in its order; most events that went as they should have none.

    Args:
        history: What happened.
        mask: Removes secrets; it runs before a text is cut, because the cut could split one.
    """
    shortened = in_short(history)
    reader = _Reader(history, lambda text: shortened(mask(text)))
    for event in history.events:
        for mark, who, text in reader.read(event):
            yield Line(event.at, mark, mask(who), shortened(mask(text)))


class _Reader:
    """Knows what messages and rows hold, since most events name them by their ids."""

    def __init__(self, history: h.History, edited: Callable[[str], str]) -> None:
        self._edited = edited
        self._bot = history.bot
        self._names = history.names
        accepted = {event.id: event.text for event in history.of(h.Accepted) if event.text}
        stored = {event.id: event.text for event in history.of(h.MessageStored)}
        self._texts = {id_: self._short(text) for id_, text in (accepted | stored).items()}
        self._stored: dict[str, list[float]] = {}
        for event in history.of(h.MessageStored):
            self._stored.setdefault(event.id, []).append(event.at)
        self._said = {(event.epoch, event.row): self._short(event.text) for event in history.of(h.Said)}
        self._seen: set[str] = set()
        self._given: set[tuple[int, int]] = set()

    def read(self, event: h.Event) -> Iterator[tuple[Mark, str, str]]:
        """Yield mark, name and text of the lines of one event."""
        yield from self._talk(event)
        yield from self._delivery(event)
        yield from self._app(event)
        yield from _process(event)
        yield from _connections(event)
        yield from _faults(event)
        yield from self._end(event)

    def _talk(self, event: h.Event) -> Iterator[tuple[Mark, str, str]]:
        match event:
            case h.Said():
                yield (
                    "",
                    self._name(event.sender),
                    f"{'to the bot: ' if event.direct else ''}{self._short(event.text)}",
                )
            case h.MessageStored():
                again = " once more" if event.id in self._seen else ""
                self._seen.add(event.id)
                to = f"to {self._name(event.receiver)}: " if event.direct else ""
                yield "*" if again else "", _BOT, f"says{again} {to}{self._short(event.text)} [{event.id}]"
            case _:
                pass

    def _delivery(self, event: h.Event) -> Iterator[tuple[Mark, str, str]]:
        match event:
            case h.Accepted() if not self._is_stored_soon(event):
                yield "", _BOT, f"is to say {self._message(event.id)}"
            case h.Attempted(number=number) if number > 1:
                yield "", _BOT, f"sends for the {_ordinal(number)} time {self._message(event.id)}"
            case h.Asked():
                answer = _FOUND[event.found]
                yield "", _BOT, f"asks the chat whether it has {self._message(event.id)}: {answer}"
            case h.Settled(state=state) if state != "delivered":
                reason = f" ({event.reason})" if event.reason else ""
                yield "*", _BOT, f"reports as {state} {self._message(event.id)}{reason}"
            case h.Dropped():
                yield "*", "operator", f"drops {self._message(event.id)}"
            case h.Late():
                yield "!", "network", f"lets a request through that was given up: {self._message(event.id)}"
            case _:
                pass

    def _app(self, event: h.Event) -> Iterator[tuple[Mark, str, str]]:
        match event:
            case h.HandlerBegan():
                row = event.epoch, event.row
                if row in self._given:
                    yield "*", "the app", f"is given once more {self._line(row)}"
                self._given.add(row)
            case h.Handled(outcome=outcome) if outcome != "returned":
                ended = outcome.replace("_", " ")
                yield "*", "the app", f"{ended} on {self._line((event.epoch, event.row))}"
            case h.PassedOver():
                yield "*", _BOT, f"passes over {event.count} {'line' if event.count == 1 else 'lines'}"
            case h.Heard(catch_up=catch_up):
                yield "", "the app", f"hears {event.kind}{' (it catches up)' if catch_up else ''}"
            case _:
                pass

    def _end(self, event: h.Event) -> Iterator[tuple[Mark, str, str]]:
        match event:
            case h.RowAtEnd(state=state) if state in ("queued", "sending"):
                yield "*", "the outbox", f"still has as {state} {self._message(event.id)}"
            case h.Left(what=what):
                yield from (("*", "at the end", f"is left: {one}") for one in what)
            case _:
                pass

    def _is_stored_soon(self, event: h.Accepted) -> bool:
        return any(event.at <= at <= event.at + _AT_ONCE for at in self._stored.get(event.id, ()))

    def _name(self, uid: str) -> str:
        return _BOT if uid == self._bot else self._names.get(uid, uid)

    def _short(self, text: str) -> str:
        text = one_line(self._edited(text))
        return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"

    def _message(self, id_: str) -> str:
        text = self._texts.get(id_)
        return f"[{id_}]" if text is None else f'"{text}" [{id_}]'

    def _line(self, row: tuple[int, int]) -> str:
        text = self._said.get(row)
        return f"row {row[1]}" if text is None else f'"{text}"'


def _process(event: h.Event) -> Iterator[tuple[Mark, str, str]]:
    match event:
        case h.Started():
            yield "*", _BOT, f"starts, process {event.run}"
        case h.Crashed():
            yield "*", _BOT, f"CRASHES, process {event.run}"
        case h.StopAsked():
            yield "*", _BOT, "is asked to stop"
        case h.Stopped(error=error):
            yield "*", _BOT, f"ends, process {event.run}{f' with {error}' if error else ''}"
        case h.HealthSeen():
            live = "" if event.live else "not live, "
            ready = "ready" if event.ready else "not ready"
            yield (
                "*",
                _BOT,
                f"says of itself: {live}{ready}{', red: ' if event.red else ''}{', '.join(event.red)}",
            )
        case h.Logged(level=level) if level != "INFO":
            yield "*" if level != "WARNING" else "", "log", f"{level} {event.text}"
        case _:
            pass


def _connections(event: h.Event) -> Iterator[tuple[Mark, str, str]]:
    match event:
        case h.Opened():
            yield "*", _BOT, f"is connected to {_SERVICES[event.service]}"
        case h.Closed():
            yield "*", _BOT, f"is no longer connected to {_SERVICES[event.service]}"
        case h.Tried(ok=False):
            yield "*", _BOT, f"cannot connect to {_SERVICES[event.service]}"
        case h.Presence():
            yield "*", _BOT, "is in the room" if event.present else "is no longer in the room"
        case _:
            pass


def _faults(event: h.Event) -> Iterator[tuple[Mark, str, str]]:
    match event:
        case h.FaultBegan():
            impairs = f", impairs {', '.join(sorted(event.impairs))}" if event.impairs else ""
            yield "!", f"fault {event.number + 1}", f"{event.kind} begins{impairs}"
        case h.FaultFired():
            yield "!", f"fault {event.number + 1}", f"{event.kind} has an effect"
        case h.FaultEnded():
            yield "!", f"fault {event.number + 1}", f"{event.kind} ends"
        case _:
            pass


def _ordinal(number: int) -> str:
    last = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{last}"
