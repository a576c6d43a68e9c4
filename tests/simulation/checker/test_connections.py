from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest

from pytest_hangfm.simulation.history import (
    Closed,
    FaultBegan,
    HealthSeen,
    LetGo,
    Logged,
    Opened,
    Presence,
    StopAsked,
    Stopped,
    Tried,
)
from tests.simulation.checker.building import (
    Pair,
    bare,
    beginning,
    crash,
    day,
    ending,
    fault,
    gone,
    judge,
    pair,
    ready,
    red,
    restart,
    without,
)

if TYPE_CHECKING:
    from pytest_hangfm.simulation.history import Event


def tries(*times: float, service: str = "room", ok: bool = False) -> list[Tried]:
    return [Tried(at, service, ok) for at in times]  # type: ignore[arg-type]  # a literal, by its values


_AWAY: Final = fault(100, 300, "room", "chat", "push", "send")
_ROOM_AGAIN: Final[list[Event]] = [
    LetGo(100, "room", 100),
    Presence(100, present=False),
    red(161),
    Opened(300, "room", 300),
    Presence(301, present=True),
    ready(306),
    LetGo(600.5, "room", 300),
]
"""The room is lost with the fault, and is back with its end."""

ONE: Final = [
    pair(
        "one-connection",
        "two connections to the room",
        day(Opened(200, "room", 300), Closed(201, "room", 300)),
        day(LetGo(199, "room", 100), Opened(200, "room", 300), Closed(201, "room", 300)),
    ),
    pair(
        "one-connection",
        "two sockets of the chat",
        day(Opened(200, "chat", 300), Closed(201, "chat", 300)),
        day(Closed(199, "chat", 101), Opened(200, "chat", 300), Closed(201, "chat", 300)),
    ),
    pair(
        "one-connection",
        "the new one is there before the old one is gone",
        day(Opened(200, "chat", 300), LetGo(200.1, "chat", 101), LetGo(600.5, "chat", 300)),
        day(
            LetGo(199.9, "chat", 101),
            Opened(200, "chat", 300),
            Closed(201, "chat", 101),
            LetGo(600.5, "chat", 300),
        ),
    ),
    pair(
        "one-connection",
        "beside one of the same process after a crash",
        day(crash(100, 110), Opened(200, "room", 300), LetGo(201, "room", 300)),
        day(crash(100, 110), LetGo(199, "room", 200), Opened(200, "room", 300), LetGo(201, "room", 300)),
    ),
]

BACK_OFF: Final = [
    pair(
        "back-off",
        "tried all the time",
        day(_AWAY, _ROOM_AGAIN, tries(*(100 + 1.5 * number for number in range(30)), 200, 290)),
        day(_AWAY, _ROOM_AGAIN, tries(100, 101, 103, 107, 115, 131, 163, 200, 250, 299)),
    ),
    pair(
        "back-off",
        "tried no less often while it lasts",
        day(_AWAY, _ROOM_AGAIN, tries(*range(100, 300, 10))),
        day(_AWAY, _ROOM_AGAIN, tries(*range(100, 300, 12))),
    ),
    pair(
        "back-off",
        "the chat is tried no less often while it lasts",
        day(_AWAY, _ROOM_AGAIN, tries(*range(100, 300, 10), service="chat"), tries(150, 200, 250)),
        day(
            _AWAY,
            _ROOM_AGAIN,
            tries(*range(100, 200, 10), service="chat"),
            LetGo(200, "chat", 101),
            Opened(200, "chat", 301),
            LetGo(600.5, "chat", 301),
            tries(*range(201, 300, 10), service="chat"),
            tries(150, 200, 250),
        ),
    ),
    pair(
        "back-off",
        "many tries of one process",
        day(_AWAY, _ROOM_AGAIN, tries(*(100 + 2.5 * number for number in range(24)), 200, 290)),
        day(
            tries(*(100 + 2.5 * number for number in range(12))),
            crash(129, 129.5),
            tries(*(130 + 2.5 * number for number in range(12)), ok=True),
            Opened(160, "room", 300),
            LetGo(159, "room", 200),
            LetGo(600.5, "room", 300),
        ),
    ),
]

TRIES_ON: Final = [
    pair(
        "tries-on",
        "tried too late",
        day(_AWAY, _ROOM_AGAIN, tries(101, 200, 290)),
        day(_AWAY, _ROOM_AGAIN, tries(101, 190, 280)),
    ),
    pair(
        "tries-on",
        "given up",
        day(
            fault(100, 700, "room"),
            without(_ROOM_AGAIN, Opened, Presence, HealthSeen),
            red(161),
            tries(101, 150),
        ),
        day(
            fault(100, 700, "room"),
            without(_ROOM_AGAIN, Opened, Presence, HealthSeen),
            red(161),
            tries(101, 150, 240, 330, 420, 510),
        ),
    ),
    pair(
        "tries-on",
        "given up until the next process",
        day(_AWAY, tries(101), gone(100), crash(250, 260), tries(260)),
        day(_AWAY, tries(101, 180), gone(100), crash(250, 260), tries(260)),
    ),
]

_OUT: Final[list[Event]] = [Presence(100, present=False), red(161)]

BACK: Final = [
    pair(
        "back",
        "not back in time",
        day(fault(90, 101, "room"), _OUT, Presence(195, present=True), ready(200)),
        day(fault(90, 110, "room"), _OUT, Presence(195, present=True), ready(200)),
    ),
    pair(
        "back",
        "leaves where nothing goes wrong",
        day(Presence(300, present=False), Presence(301, present=True)),
        day(fault(299, 301, "room"), Presence(300, present=False), Presence(301, present=True)),
    ),
    pair(
        "back",
        "leaves where only the chat has trouble",
        day(fault(299, 301, "chat"), Presence(300, present=False), Presence(301, present=True)),
        day(fault(299, 301, "room", "chat"), Presence(300, present=False), Presence(301, present=True)),
    ),
    pair(
        "back",
        "not in the room for long after a start",
        bare(
            without(beginning(), Presence, HealthSeen),
            HealthSeen(0.0, 1, live=True, ready=False, red=()),
            Presence(95, present=True),
            ready(95),
            ending(),
        ),
        bare(
            without(beginning(), Presence, HealthSeen),
            HealthSeen(0.0, 1, live=True, ready=False, red=()),
            Presence(85, present=True),
            ready(85),
            ending(),
        ),
    ),
    pair(
        "back",
        "leaves before it is asked to stop",
        day(Presence(599, present=False)),
        day(Presence(600.2, present=False)),
    ),
]

_STATE_LOST: Final = Logged(300, "WARNING", "[SOCKET] state lost (no such user)", "room_lost")

_IN_ANEW: Final[list[Event]] = [
    LetGo(180, "room", 100),
    Opened(180.1, "room", 180),
    LetGo(600.5, "room", 180),
]

STATE: Final = [
    pair("state", "lost in calm", day(_STATE_LOST), day(replace(_STATE_LOST, text="not in the room"))),
    pair(
        "state",
        "lost long after trouble, and whole in between",
        day(fault(20, 50, "room"), _IN_ANEW, _STATE_LOST),
        day(fault(20, 190, "room"), _IN_ANEW, _STATE_LOST),
    ),
    pair(
        "state",
        "lost long after a frame, with nothing said since",
        day(_STATE_LOST),
        day(fault(100, 150, "room"), _STATE_LOST),
    ),
    pair(
        "state",
        "lost in trouble of the chat",
        day(fault(250, 350, "chat"), _STATE_LOST),
        day(fault(250, 350, "chat", "room"), _STATE_LOST),
    ),
]

STOPPED: Final = [
    pair(
        "stopped",
        "stops too late, also for a disk that stands still",
        bare(beginning(), fault(590, 604, "outbox"), without(ending(), Stopped), Stopped(620, 1)),
        bare(beginning(), fault(590, 606, "outbox"), without(ending(), Stopped), Stopped(620, 1)),
    ),
    pair(
        "stopped",
        "stops too late",
        bare(beginning(), without(ending(), Stopped), Stopped(616, 1)),
        bare(beginning(), without(ending(), Stopped), Stopped(614, 1)),
    ),
    pair(
        "stopped",
        "does not stop",
        bare(beginning(), without(ending(), Stopped), Presence(620, present=False)),
        bare(beginning(), without(ending(), Stopped), Presence(612, present=False)),
    ),
    pair(
        "stopped",
        "the first process does not stop in time",
        bare(
            beginning(),
            without(ending(100), Stopped, StopAsked),
            StopAsked(80, 1),
            Stopped(101, 1),
            beginning(110, 2),
            ending(run=2),
        ),
        bare(
            beginning(),
            without(ending(100), Stopped, StopAsked),
            StopAsked(90, 1),
            Stopped(101, 1),
            beginning(110, 2),
            ending(run=2),
        ),
    ),
]

_QUITS: Final = without(restart(100, 110), StopAsked, Presence)

LIVES: Final = [
    pair(
        "lives",
        "ends by itself",
        day(_QUITS),
        day(
            FaultBegan(99, 1, "kick", frozenset({"room"})),
            _QUITS,
            fault(99, 99)[1],
        ),
    ),
    pair(
        "lives",
        "ends with an error",
        day(without(_QUITS, Stopped), Stopped(101, 1, "the outbox cannot be used")),
        day(
            fault(95, 99, "outbox"),
            without(_QUITS, Stopped),
            Stopped(101, 1, "the outbox cannot be used"),
        ),
    ),
    pair(
        "lives",
        "does not wait for a file that is locked",
        day(
            fault(95, 105, "outbox", kind="file locked"),
            without(_QUITS, Stopped),
            Stopped(101, 1, "the outbox cannot be used"),
        ),
        day(
            fault(95, 105, "outbox", kind="file locked"),
            fault(96, 97, "outbox", kind="disk full", number=2),
            without(_QUITS, Stopped),
            Stopped(101, 1, "the outbox cannot be used"),
        ),
    ),
    pair(
        "lives",
        "ends with an error when it is asked to",
        bare(beginning(), without(ending(), Stopped), Stopped(601, 1, "TypeError")),
        bare(beginning(), without(ending(), Stopped), Stopped(601, 1)),
    ),
    pair(
        "lives",
        "ends before it was put out",
        day(_QUITS, fault(102, 103, "room", kind="kick")),
        day(_QUITS, fault(98, 103, "room", kind="ban")),
    ),
]


@pytest.mark.parametrize("each", ONE)
def test_there_is_one_connection_of_each_kind(each: Pair) -> None:
    judge(each)


@pytest.mark.parametrize("each", BACK_OFF)
def test_a_service_that_is_away_is_tried_less_and_less_often(each: Pair) -> None:
    judge(each)


@pytest.mark.parametrize("each", TRIES_ON)
def test_the_room_is_tried_on(each: Pair) -> None:
    judge(each)


@pytest.mark.parametrize("each", STATE)
def test_the_state_of_the_room_is_kept(each: Pair) -> None:
    judge(each)


@pytest.mark.parametrize("each", BACK)
def test_the_bot_comes_back_and_stays(each: Pair) -> None:
    judge(each)


@pytest.mark.parametrize("each", STOPPED)
def test_a_process_stops_in_time(each: Pair) -> None:
    judge(each)


@pytest.mark.parametrize("each", LIVES)
def test_a_process_ends_for_a_reason(each: Pair) -> None:
    judge(each)
