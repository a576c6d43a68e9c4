"""In which state of the bot a fault had its effect: what a search has reached, as a table. PURE."""

from collections import Counter, deque
from collections.abc import Collection, Mapping
from typing import Final

from pytest_hangfm.simulation.history import (
    Accepted,
    Closed,
    Crashed,
    Dropped,
    Event,
    FaultFired,
    History,
    Opened,
    Presence,
    Settled,
    Started,
    StopAsked,
    Stopped,
)

__all__ = ["STATES", "pairs_of", "table"]

STATES: Final = (
    "out",
    "starting",
    "joined",
    "joined, sending",
    "deaf",
    "deaf, sending",
    "reconnecting",
    "draining",
)
"""No process runs; one has never been in the room yet; it is in the room, with or without messages that have
not ended, and with or without the chat's socket; it is out of the room again; it was asked to stop."""

_SEEN_AFTER: Final = 1.0
"""Seconds: an effect is seen so much later at most, and the state that counts is the one before it."""


def pairs_of(history: History) -> Counter[tuple[str, str]]:
    """Return how many faults of a class had an effect in a state, by state and class; each fault once."""
    state = _State()
    past: deque[tuple[float, str]] = deque([(0.0, state.name)])
    seen: dict[tuple[str, int], str] = {}
    for event in history.events:
        if isinstance(event, FaultFired):
            while len(past) > 1 and past[1][0] <= event.at - _SEEN_AFTER:
                past.popleft()
            seen[past[0][1], event.number] = event.kind
        else:
            state.see(event)
            if state.name != past[-1][1]:
                past.append((event.at, state.name))
    return Counter((name, kind) for (name, _), kind in seen.items())


def table(pairs: Mapping[tuple[str, str], int], kinds: Collection[str]) -> list[str]:
    """Return the table of pairs as lines: a row for each class of faults, a column for each state."""
    width = max((len(kind) for kind in kinds), default=0)
    head = " ".join(name.rjust(max(len(name), 6)) for name in STATES)
    lines = [f"{'':{width}}  {head}"]
    for kind in sorted(kinds):
        counts = (str(pairs.get((name, kind), 0) or "-").rjust(max(len(name), 6)) for name in STATES)
        lines.append(f"{kind:{width}}  {' '.join(counts)}")
    return lines


class _State:
    """What the history so far says of the bot."""

    def __init__(self) -> None:
        self._runs = False
        self._stopping = False
        self._was_in = False
        self._present = False
        self._sockets: dict[str, set[int]] = {"room": set(), "chat": set(), "gateway": set()}
        self._pending: set[str] = set()

    @property
    def name(self) -> str:
        if not self._runs:
            return "out"
        if self._stopping:
            return "draining"
        if not (self._present and self._sockets["room"]):
            return "reconnecting" if self._was_in else "starting"
        heard = "joined" if self._sockets["chat"] else "deaf"
        return f"{heard}, sending" if self._pending else heard

    def see(self, event: Event) -> None:
        match event:
            case Started():
                self._runs, self._stopping, self._was_in = True, False, False
            case Crashed() | Stopped():
                self._runs = False
            case StopAsked():
                self._stopping = True
            case Opened(service=service, connection=connection):
                self._sockets[service].add(connection)
            case Closed(service=service, connection=connection):
                self._sockets[service].discard(connection)
            case Presence(present=present):
                self._present = present
            case Accepted(id=message):
                self._pending.add(message)
            case Settled(id=message) | Dropped(id=message):
                self._pending.discard(message)
            case _:
                return
        self._was_in = self._was_in or (self._runs and self._present and bool(self._sockets["room"]))
