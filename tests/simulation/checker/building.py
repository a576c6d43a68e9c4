"""Small histories by hand: a calm day of ten minutes, and what else happens on it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import pytest

from pytest_hangfm.simulation.checker import check
from pytest_hangfm.simulation.history import (
    Accepted,
    Asked,
    Attempted,
    Bounds,
    Closed,
    Crashed,
    Event,
    FaultBegan,
    FaultEnded,
    Handled,
    HandlerBegan,
    HealthSeen,
    Hearing,
    History,
    Late,
    Left,
    LetGo,
    MessageStored,
    Opened,
    Presence,
    Requested,
    RowAtEnd,
    Said,
    Settled,
    Started,
    StopAsked,
    Stopped,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Part: TypeAlias = "Event | Iterable[Event]"

STOP: Final = 600.0
END: Final = STOP + 2


@dataclass(frozen=True)
class Pair:
    """A history that breaks one rule, and one that only just does not."""

    rule: str
    bad: History
    good: History


def pair(rule: str, name: str, bad: History, good: History) -> Any:  # noqa: ANN401  a ParameterSet, which has no public name
    return pytest.param(Pair(rule, bad, good), id=name)


def judge(each: Pair) -> None:
    """Assert that just the one rule is named for the bad history, and none for the good one."""
    assert {violation.rule for violation in check(each.bad)} == {each.rule}, check(each.bad)
    assert check(each.good) == ()


# -- the frame


def day(*parts: Part, **fields: Any) -> History:  # noqa: ANN401  the fields of a history
    """Return a history in which a bot runs from 0 to 601 s, in calm, and all this happens, too."""
    events = list(flat(parts))
    last = max((event.run for event in events if isinstance(event, Started)), default=1)
    return bare(beginning(), events, ending(run=last), **fields)


def bare(*parts: Part, **fields: Any) -> History:  # noqa: ANN401  the fields of a history
    """Return a history of just these events, in the order of time; a message may fail unattempted in it."""
    fields.setdefault("bounds", Bounds(attempts=0))
    return History(tuple(sorted(flat(parts), key=lambda event: event.at)), **fields)


def beginning(at: float = 0.0, run: int = 1) -> list[Event]:
    """A process begins, is in the room after a second, and ready after two."""
    return [
        Started(at, run),
        HealthSeen(at, run, live=True, ready=False, red=()),
        Opened(at + 0.9, "room", 100 * run),
        Presence(at + 1.0, present=True),
        Opened(at + 1.2, "chat", 100 * run + 1),
        Hearing(at + 1.5, run),
        HealthSeen(at + 2.0, run, live=True, ready=True, red=()),
    ]


def ending(at: float = STOP, run: int = 1) -> list[Event]:
    """A process is asked to stop, and does; nothing is left."""
    return [
        StopAsked(at, run),
        *gone(at + 0.5, run),
        Presence(at + 0.6, present=False),
        Stopped(at + 1.0, run),
        Left(at + 2.0, ()),
    ]


def gone(at: float, run: int = 1) -> list[Event]:
    """Both sockets of a process end."""
    return [
        LetGo(at, "room", 100 * run),
        LetGo(at, "chat", 100 * run + 1),
        Closed(at, "room", 100 * run),
        Closed(at, "chat", 100 * run + 1),
    ]


def crash(at: float, again: float, run: int = 1) -> list[Event]:
    """A process crashes, and the next one begins; its predecessor's sockets are never seen to end."""
    return [
        *fault(at, again, "process", "room", "chat", "push", "send", number=900 + run, kind="crash"),
        Crashed(at, run),
        *beginning(again, run + 1),
    ]


def restart(at: float, again: float, run: int = 1) -> list[Event]:
    """A process is stopped in order, and the next one begins."""
    return [*ending(at, run)[:-1], *beginning(again, run + 1)]


def fault(begin: float, end: float, *impairs: str, number: int = 1, kind: str = "outage") -> list[Event]:
    """Something goes wrong for a while."""
    return [FaultBegan(begin, number, kind, frozenset(impairs)), FaultEnded(end, number, kind)]


# -- what the bot says


def accepted(at: float, key: str = "m1", to: str = "group", **more: Any) -> Accepted:  # noqa: ANN401
    return Accepted(at, key, to, more.pop("direct", False), more.pop("text", f"text of {key}"), **more)


def attempted(at: float, key: str = "m1", number: int = 1) -> Attempted:
    return Attempted(at, key, number)


def asked(at: float, key: str = "m1", *, found: bool | None = False) -> Asked:
    return Asked(at, key, found)


def requested(at: float, key: str = "m1", connection: int = 7) -> Requested:
    return Requested(at, key, connection)


def late(at: float, key: str = "m1", connection: int = 7) -> Late:
    return Late(at, key, connection)


def stored(at: float, key: str = "m1", to: str = "group", **more: Any) -> MessageStored:  # noqa: ANN401
    text = more.pop("text", f"text of {key}")
    return MessageStored(at, key, more.pop("row", 1000), to, more.pop("direct", False), text, **more)


def settled(at: float, key: str = "m1", state: Any = "delivered", tier: int | None = 1) -> Settled:  # noqa: ANN401
    return Settled(at, key, state, tier, "" if state == "delivered" else "for a reason")


def row(key: str = "m1", state: str = "delivered") -> RowAtEnd:
    return RowAtEnd(END, key, state)


def sent(at: float, key: str = "m1", to: str = "group", **more: Any) -> list[Event]:  # noqa: ANN401
    """A message is accepted, and delivered at the first attempt."""
    steps = delivered(at + 0.01, key, to, direct=more.get("direct", False))
    if "text" in more:
        steps = with_changes(steps, MessageStored, text=more["text"])
    return [accepted(at, key, to, **more), *steps, row(key)]


def delivered(
    at: float, key: str = "m1", to: str = "group", number: int = 1, *, direct: bool = False
) -> list[Event]:
    """A message is attempted, stored and acknowledged."""
    return [
        attempted(at, key, number),
        requested(at + 0.01, key),
        stored(at + 0.01, key, to, direct=direct),
        settled(at + 0.02, key, tier=1 if number == 1 else 2),
    ]


def failed(at: float, key: str = "m1") -> list[Event]:
    """A message is accepted and attempted, and refused for good."""
    return [
        accepted(at, key),
        attempted(at + 0.01, key),
        settled(at + 0.02, key, "failed", 3),
        row(key, "failed"),
    ]


# -- what the bot hears


def said(at: float, number: int = 1, sender: str = "ann", **more: Any) -> Said:  # noqa: ANN401
    to, direct = more.pop("receiver", "group"), more.pop("direct", False)
    return Said(at, number, sender, to, direct, more.pop("text", f"line {number}"), **more)


def began(at: float, number: int = 1, run: int = 1, epoch: int = 0, *, commits: bool = False) -> HandlerBegan:
    return HandlerBegan(at, number, run, epoch, commits)


def handled(at: float, number: int = 1, run: int = 1, outcome: Any = "returned", epoch: int = 0) -> Handled:  # noqa: ANN401
    return Handled(at, number, run, outcome, epoch)


def heard(at: float, number: int = 1, sender: str = "ann", run: int = 1, **more: Any) -> list[Event]:  # noqa: ANN401
    """A line is said, and handled at once."""
    return [
        said(at, number, sender, **more),
        began(at + 0.01, number, run, more.get("epoch", 0)),
        handled(at + 0.02, number, run, epoch=more.get("epoch", 0)),
    ]


def ready(at: float, run: int = 1) -> HealthSeen:
    return HealthSeen(at, run, live=True, ready=True, red=())


def red(at: float, *parts: str, run: int = 1) -> HealthSeen:
    return HealthSeen(at, run, live=True, ready=False, red=parts or ("room",))


# -- changes


def without(events: Iterable[Event], *kinds: type) -> list[Event]:
    return [event for event in events if not isinstance(event, kinds)]


def with_changes(events: Iterable[Event], kind: type, **changes: Any) -> list[Event]:  # noqa: ANN401
    return [replace(event, **changes) if isinstance(event, kind) else event for event in events]


def flat(parts: Sequence[Part]) -> Iterable[Event]:
    return chain.from_iterable(part if isinstance(part, (list, tuple)) else (part,) for part in parts)
