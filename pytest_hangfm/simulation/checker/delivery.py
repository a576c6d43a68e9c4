"""How each message ends, and that it is in the room once. PURE."""

from collections.abc import Iterator
from typing import Final

from pytest_hangfm.simulation.checker.messages import DeliveryEvent, messages
from pytest_hangfm.simulation.checker.timeline import Timeline
from pytest_hangfm.simulation.checker.verdict import Finding
from pytest_hangfm.simulation.history import (
    Accepted,
    Asked,
    Attempted,
    Dropped,
    History,
    Late,
    MessageStored,
    Requeued,
    RowAtEnd,
    Settled,
)

__all__ = ["as_accepted", "late_copies", "no_copy", "once", "one_end", "tier", "uncertain"]

_ABSENT: Final = frozenset({"failed", "expired"})


def once(history: History) -> Iterator[Finding]:
    """Each message that was accepted is in the room or was given up, never both and never neither."""
    timeline, rows = Timeline(history), next(history.of(RowAtEnd), None) is not None
    for key, steps in messages(history).items():
        if not any(isinstance(event, Accepted) for _, event in steps):
            continue
        fate = _Fate()
        for run, event in steps:
            fate.take(event, lasts=not isinstance(event, Settled) or timeline.lasts(run, event.at))
        if what := fate.wrong(rows=rows):
            yield fate.at, f"{key} {what}"


class _Fate:
    """What became of one message.

    Attributes:
        at: When its last event was, or its first wrong one.
    """

    def __init__(self) -> None:
        self.at = 0.0
        self._reported: str | None = None
        self._lasts = True
        self._row: str | None = None
        self._stored = self._present = self._late = self._dropped = self._too_soon = False

    def take(self, event: DeliveryEvent, *, lasts: bool) -> None:
        """Note an event; ``lasts``: no crash undid the report that it is."""
        match event:
            case Late():
                self._late = True
            case MessageStored():
                self._stored = True
                self._present = self._present or not self._late
            case Asked(found=False):
                self._present = False
            case Requeued():
                self._reported = None
            case Dropped():
                self._reported, self._lasts, self._dropped = "dropped", True, True
            case Settled(state=state):
                self._too_soon = self._too_soon or (state == "delivered" and not self._stored)
                self._reported, self._lasts = state, lasts
            case RowAtEnd(state=state):
                self._row = state
                return
        self.at = event.at

    def wrong(self, *, rows: bool) -> str | None:
        """Return what is wrong with it; ``rows``: whether the outbox is known as it is at the end."""
        end = self._reported if self._row is None else self._row
        if self._too_soon:
            return "was reported as delivered before the chat had stored it"
        if end == "delivered" and not self._stored:
            return "is delivered in the outbox, but the chat never stored it"
        if end in _ABSENT and self._present:
            return f"is {end}, but it is in the room"
        if end == "dropped" and not self._dropped:
            return "is dropped, but not by hand"
        if end is None and (rows or not self._stored):
            return "was accepted, but it has no end and is not in the outbox any more"
        contradicts = self._row and self._reported and self._row != self._reported
        if contradicts and self._lasts and not self._dropped:
            return f"was reported as {self._reported}, but is {self._row} in the outbox"
        return None


def no_copy(history: History) -> Iterator[Finding]:
    """No message is stored twice, but for a request that the network let go of too late."""
    for at, key, allowed in _copies(history):
        if not allowed:
            yield at, f"{key} was stored a second time"


def late_copies(history: History) -> Iterator[Finding]:
    """Yield the copies that are allowed: the network let go of a request too late."""
    for at, key, allowed in _copies(history):
        if allowed:
            yield at, f"{key} was stored a second time, by a request that was late"


def _copies(history: History) -> Iterator[tuple[float, str, bool]]:
    """Yield when each copy was stored, and whether a late request explains it."""
    late: dict[str, int] = {}
    stored: set[tuple[str, int]] = set()
    for event in history.events:
        if isinstance(event, Late):
            late[event.id] = late.get(event.id, 0) + 1
        elif isinstance(event, MessageStored):
            if (event.id, event.epoch) not in stored:
                stored.add((event.id, event.epoch))
                continue
            allowed = late.get(event.id, 0) > 0
            late[event.id] = late.get(event.id, 0) - allowed
            yield event.at, event.id, allowed


def as_accepted(history: History) -> Iterator[Finding]:
    """What is stored is what was accepted."""
    accepted: dict[str, Accepted] = {}
    for message in history.of(Accepted):
        accepted.setdefault(message.id, message)
    rows = {row.id for row in history.of(RowAtEnd)}
    for stored in history.of(MessageStored):
        known = accepted.get(stored.id)
        if known is None:
            if rows and stored.id not in rows and stored.receiver != history.bot:
                yield stored.at, f"{stored.id} was stored, but never accepted"
        elif (known.receiver, known.direct) != (stored.receiver, stored.direct):
            yield stored.at, f"{stored.id} was stored for {stored.receiver}, but is for {known.receiver}"
        elif known.text != stored.text:
            yield stored.at, f"{stored.id} was stored with another text than was accepted"


def uncertain(history: History) -> Iterator[Finding]:
    """A message is uncertain only where it was sent, and asking about it failed too."""
    for key, steps in messages(history).items():
        if not any(isinstance(event, Accepted | RowAtEnd) for _, event in steps):
            continue  # an action in the room, of which nothing is known once its connection is lost
        asking_failed = False
        for _, event in steps:
            match event:
                case Attempted() | Requeued():
                    asking_failed = False
                case Asked(found=found):
                    asking_failed = found is None
                case Settled(state="uncertain") if not asking_failed:
                    yield event.at, f"{key} was reported as uncertain, but asking about it had not failed"


def tier(history: History) -> Iterator[Finding]:
    """The tier says how a message arrived: at the first attempt, later, or not at all."""
    for key, steps in messages(history).items():
        run, number, asked = 0, 0, False
        for now, event in steps:
            if now != run:
                run, asked = now, False
            match event:
                case Attempted():
                    number = event.number
                case Asked():
                    asked = True
                case Settled(state="delivered", tier=shown):
                    right = 1 if number <= 1 and not asked else 2
                    if shown != right:
                        yield event.at, f"{key} was reported as tier {shown}, but is tier {right}"
                case Settled(state=state, tier=shown):
                    if shown != (3 if state == "failed" else None):
                        yield event.at, f"{key} was reported as {state} and tier {shown}"


def one_end(history: History) -> Iterator[Finding]:
    """The end of a message is reported once, unless a crash came before it was written."""
    timeline = Timeline(history)
    for key, steps in messages(history).items():
        end: tuple[int, Settled] | None = None
        for run, event in steps:
            match event:
                case Requeued() | Dropped():
                    end = None
                case Settled():
                    if end and (end[0] == run or timeline.lasts(end[0], end[1].at)):
                        first = end[1].state
                        yield event.at, f"{key} was reported as {first}, and then as {event.state}"
                    end = run, event
