from dataclasses import replace
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_hangfm.simulation.history import (
    Accepted,
    Closed,
    Crashed,
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
from pytest_hangfm.simulation.pairs import STATES, pairs_of, table

STARTED: Final = Started(0.0, 1)
ROOM: Final = Opened(1.0, "room", 1)
IN: Final = Presence(1.5, present=True)
CHAT: Final = Opened(2.0, "chat", 2)
JOINED: Final = (STARTED, ROOM, IN, CHAT)
SAID: Final = Accepted(3.0, "m-1", "group", direct=False, text="hello")
DONE: Final = Settled(4.0, "m-1", "delivered", 1)
CRASHED: Final = Crashed(5.0, 1)


def cut(number: int = 0) -> FaultFired:
    return FaultFired(9.0, number, "cut")


@pytest.mark.parametrize(
    ("events", "state"),
    [
        pytest.param((), "out", id="before all"),
        pytest.param((STARTED,), "starting", id="a process"),
        pytest.param((STARTED, ROOM), "starting", id="a socket, and not in the room yet"),
        pytest.param((STARTED, ROOM, IN), "deaf", id="in the room"),
        pytest.param(JOINED, "joined", id="all is well"),
        pytest.param((*JOINED, SAID), "joined, sending", id="a message is on its way"),
        pytest.param((*JOINED, SAID, DONE), "joined", id="it has arrived"),
        pytest.param((*JOINED, SAID, Closed(4.0, "chat", 2)), "deaf, sending", id="no push"),
        pytest.param((*JOINED, Closed(4.0, "room", 1)), "reconnecting", id="the room's socket has ended"),
        pytest.param((*JOINED, Presence(4.0, present=False)), "reconnecting", id="kicked"),
        pytest.param((*JOINED, StopAsked(5.0, 1)), "draining", id="asked to stop"),
        pytest.param((*JOINED, StopAsked(5.0, 1), Stopped(6.0, 1)), "out", id="stopped"),
        pytest.param((*JOINED, CRASHED), "out", id="crashed"),
        pytest.param(
            (*JOINED, CRASHED, Closed(6.0, "room", 1), Presence(6.0, present=False), Started(7.0, 2)),
            "starting",
            id="begun again",
        ),
    ],
)
def test_the_state_is_what_was_seen_before_the_fault(events: tuple[Event, ...], state: str) -> None:
    assert pairs_of(History((*events, cut()))) == {(state, "cut"): 1}


def test_the_state_is_that_before_the_effect_which_is_seen_a_little_later() -> None:
    seen = FaultFired(CRASHED.at + 0.9, 0, "crash")

    assert pairs_of(History((*JOINED, CRASHED, seen))) == {("joined", "crash"): 1}


def test_a_fault_counts_once_for_each_state() -> None:
    first, again = replace(cut(), at=0.5), replace(cut(), at=1.2)
    events = (STARTED, first, ROOM, again, again, replace(again, number=1), IN, CHAT, cut())

    assert pairs_of(History(events)) == {
        ("out", "cut"): 1,
        ("starting", "cut"): 2,
        ("joined", "cut"): 1,
    }


def test_the_table_has_a_row_for_each_class_those_without_an_effect_too() -> None:
    lines = table({("joined", "cut"): 12, ("out", "outage"): 1}, {"outage", "cut", "never"})

    assert [line.split() for line in lines[1:]] == [
        ["cut", "-", "-", "12", "-", "-", "-", "-", "-"],
        ["never", "-", "-", "-", "-", "-", "-", "-", "-"],
        ["outage", "1", "-", "-", "-", "-", "-", "-", "-"],
    ]
    assert len({len(line) for line in lines}) == 1


@given(st.lists(st.sampled_from((*JOINED, SAID, DONE, CRASHED, Closed(4.0, "room", 1), cut()))))
def test_whatever_happens_has_a_state(events: list[Event]) -> None:
    pairs = pairs_of(History(tuple(events)))

    assert {state for state, _ in pairs} <= set(STATES)
    assert bool(pairs) == (cut() in events)
