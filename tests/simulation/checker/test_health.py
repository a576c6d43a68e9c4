from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import pytest

from pytest_hangfm.simulation.history import (
    FaultFired,
    HealthSeen,
    Left,
    LetGo,
    Logged,
    Opened,
    Presence,
    Stopped,
)
from tests.simulation.checker.building import (
    END,
    Pair,
    accepted,
    attempted,
    bare,
    began,
    beginning,
    crash,
    day,
    ending,
    failed,
    fault,
    gone,
    handled,
    heard,
    judge,
    pair,
    ready,
    red,
    row,
    said,
    sent,
    settled,
    without,
)

if TYPE_CHECKING:
    from pytest_hangfm.simulation.history import Event


_ROOM_AWAY: Final[list[Event]] = [
    *fault(100, 300, "room"),
    LetGo(100, "room", 100),
    Presence(100, present=False),
    Presence(320, present=True),
]

_GONE: Final = LetGo(100, "room", 100), Presence(100, present=False)
_SILENT: Final = Presence(101, present=False), LetGo(131, "room", 100)
_ROOM_SILENT: Final[list[Event]] = [
    *fault(100, 300, "room"),
    Presence(101, present=False),
    LetGo(115.8, "room", 100),
    Presence(320, present=True),
]

RED: Final = [
    pair(
        "red",
        "out of the room for long, and well",
        day(_ROOM_AWAY),
        day(_ROOM_AWAY, red(161), ready(321)),
    ),
    pair(
        "red",
        "out of the room for long, and red too late",
        day(_ROOM_AWAY, red(180), ready(321)),
        day(_ROOM_AWAY, red(174), ready(321)),
    ),
    pair(
        "red",
        "out of the room, and green too early",
        day(_ROOM_AWAY, red(161), ready(250)),
        day(_ROOM_AWAY, red(161), ready(320)),
    ),
    pair(
        "red",
        "out of the room for longer than it takes",
        day(fault(100, 177, "room"), _GONE, Presence(178, present=True)),
        day(fault(100, 173, "room"), _GONE, Presence(174, present=True)),
    ),
    pair(
        "red",
        "out of the room over a silent connection for longer than it takes",
        day(fault(100, 199, "room"), _SILENT, Presence(199, present=True)),
        day(fault(100, 199, "room"), _SILENT, Presence(189, present=True)),
    ),
    pair(
        "red",
        "out of the room over a silent connection that it lets go, and red too late",
        day(_ROOM_SILENT, red(178), ready(321)),
        day(_ROOM_SILENT, red(176.6), ready(321)),
    ),
    pair(
        "red",
        "the next process does not say that it is not there",
        day(
            fault(100, 300, "room", number=5),
            without(crash(100, 110), Presence),
            Presence(101, present=False),
            Presence(301, present=True),
        ),
        day(
            fault(100, 300, "room", number=5),
            without(crash(100, 110), Presence, HealthSeen),
            HealthSeen(110, 2, live=True, ready=False, red=()),
            Presence(101, present=False),
            Presence(301, present=True),
            ready(302, run=2),
        ),
    ),
    pair(
        "red",
        "deaf, and well",
        day(fault(100, 190, "push"), said(105), began(185), handled(185.1)),
        day(
            fault(100, 190, "push"),
            said(105),
            red(170, "chat agreement"),
            began(185),
            handled(185.1),
            ready(191),
        ),
    ),
    pair(
        "red",
        "deaf for longer than it takes",
        day(fault(100, 190, "push"), said(105), began(181), handled(181.1)),
        day(fault(100, 190, "push"), said(105), began(179), handled(179.1)),
    ),
    pair(
        "red",
        "deaf for longer than it takes where the chat does not answer",
        day(fault(100, 240, "push", "chat"), said(105), began(221), handled(221.1)),
        day(fault(100, 240, "push", "chat"), said(105), began(219), handled(219.1)),
    ),
    pair(
        "red",
        "deaf, and not just to one line",
        day(fault(100, 190, "push"), said(105), heard(104, 2, "bob"), began(185), handled(185.1)),
        day(fault(100, 190, "push"), said(105), heard(106, 2, "bob"), began(185), handled(185.1)),
    ),
    pair(
        "red",
        "deaf to what is said aloud",
        day(fault(100, 290, "push"), said(105), began(185), handled(185.1)),
        day(fault(100, 290, "push"), said(105, receiver="bot", direct=True), began(185), handled(185.1)),
    ),
]

RED_DISK: Final = [
    pair(
        "red",
        "a message waits for long, nothing is tried, and all is well",
        day(
            fault(90, 240, "send"),
            accepted(100),
            attempted(236),
            settled(236.1, state="failed", tier=3),
            row(state="failed"),
        ),
        day(
            fault(90, 240, "send"),
            accepted(100),
            attempted(234),
            settled(234.1, state="failed", tier=3),
            row(state="failed"),
        ),
    ),
    pair(
        "red",
        "a message waits for long, and is red too late",
        day(
            fault(90, 240, "send"),
            accepted(100),
            red(236),
            ready(241),
            settled(242, state="failed", tier=3),
            row(state="failed"),
        ),
        day(
            fault(90, 240, "send"),
            accepted(100),
            red(134),
            ready(241),
            settled(242, state="failed", tier=3),
            row(state="failed"),
        ),
    ),
    pair(
        "red",
        "a disk is full, and all is well",
        day(fault(90, 140, "outbox", kind="disk full"), FaultFired(100, 1, "disk full")),
        day(
            fault(90, 140, "outbox", kind="disk full"),
            FaultFired(100, 1, "disk full"),
            red(119, "outbox"),
            ready(141),
        ),
    ),
    pair(
        "red",
        "a file is locked for longer than it takes",
        day(fault(90, 140, "outbox", kind="file locked"), FaultFired(100, 1, "file locked")),
        day(fault(90, 119, "outbox", kind="file locked"), FaultFired(100, 1, "file locked")),
    ),
    pair(
        "red",
        "a disk is full that is written to",
        day(fault(90, 140, "outbox", kind="disk full"), FaultFired(100, 1, "disk full")),
        day(fault(90, 140, "outbox", kind="disk full")),
    ),
]

GREEN: Final = [
    pair(
        "green",
        "red where nothing goes wrong",
        day(red(300), ready(310)),
        day(fault(250, 260, "room"), red(300), ready(310)),
    ),
    pair(
        "green",
        "red for too long after the last fault",
        day(fault(100, 110, "room"), red(105), ready(240)),
        day(fault(100, 110, "room"), red(105), ready(225)),
    ),
    pair(
        "green",
        "never ready after a start",
        bare(without(beginning(), HealthSeen), HealthSeen(0.0, 1, live=True, ready=False, red=()), ending()),
        bare(
            without(beginning(), HealthSeen),
            ready(119),
            HealthSeen(0.0, 1, live=True, ready=False, red=()),
            ending(),
        ),
    ),
    pair(
        "green",
        "not alive where nothing goes wrong",
        day(HealthSeen(300, 1, live=False, ready=True, red=()), ready(301)),
        day(fault(299, 301, number=4), HealthSeen(300, 1, live=False, ready=True, red=()), ready(301)),
    ),
    pair(
        "green",
        "the state of the room and more is red for long",
        day(fault(100, 110, "room"), red(105, "room state", "room"), ready(400)),
        day(fault(100, 110, "room"), red(105, "room state"), ready(400)),
    ),
    pair(
        "green",
        "a process never says how it is",
        bare(without(beginning(), HealthSeen), ending()),
        bare(without(beginning(), HealthSeen), ready(50), ending()),
    ),
]

LEFT: Final = [
    pair(
        "left",
        "a task",
        bare(beginning(), without(ending(), Left), Left(END, ("task hangbot-room",))),
        bare(beginning(), without(ending(), Left), Left(END, ())),
    ),
    pair(
        "left",
        "a socket",
        bare(beginning(), without(ending(), *{type(event) for event in gone(0)})),
        bare(beginning(), without(ending(), LetGo)),
    ),
    pair(
        "left",
        "a socket that was opened last",
        day(LetGo(300, "chat", 101), Opened(301, "chat", 102)),
        day(LetGo(300, "chat", 101), Opened(301, "chat", 102), LetGo(600.4, "chat", 102)),
    ),
    pair(
        "left",
        "a message in sending, though there was time",
        day(accepted(599), attempted(599.1), row(state="sending")),
        bare(
            beginning(),
            accepted(599),
            attempted(599.1),
            without(ending(), Stopped),
            Stopped(610.5, 1),
            row(state="sending"),
        ),
    ),
    pair(
        "left",
        "a message in sending after an orderly end",
        day(accepted(599), row(state="sending")),
        bare(beginning(), accepted(50), crash(51, 52)[:3], row(state="sending")),
    ),
]


def error(at: float, text: str = "[ERROR] it failed", action: str = "", level: str = "ERROR") -> Logged:
    return Logged(at, level, text, action)  # type: ignore[arg-type]  # a literal, by its values


ERRORS: Final = [
    pair("errors", "an error in calm", day(error(300)), day(error(300, level="WARNING"))),
    pair("errors", "a critical line in calm", day(error(300, level="CRITICAL")), day(error(100))),
    pair(
        "errors",
        "an error long after the last fault",
        day(fault(100, 110, "chat"), error(240)),
        day(fault(100, 110, "chat"), error(220)),
    ),
    pair(
        "errors",
        "an error at the stop",
        day(error(600.5)),
        day(fault(598, 599, "chat"), error(600.5)),
    ),
    pair(
        "errors",
        "the app is said to fail",
        day(said(300), began(300.1), handled(300.2), error(300.3, action="app_failed")),
        day(said(300), began(300.1), handled(300.2, outcome="raised"), error(300.3, action="app_failed")),
    ),
    pair(
        "errors",
        "the app is said to fail long after it did",
        day(said(300), began(300.1), handled(300.2, outcome="raised"), error(320, action="app_failed")),
        day(said(300), began(300.1), handled(300.2, outcome="timed_out"), error(305, action="app_timed_out")),
    ),
    pair(
        "errors",
        "messages are said to be too old",
        day(error(300, action="outbox_expired")),
        day(
            accepted(290),
            settled(299.9, state="expired", tier=None),
            row(state="expired"),
            error(300, action="outbox_expired"),
        ),
    ),
]

_SECRET: Final = "p@ss/word of Ann"
_IN_BASE64: Final = base64.b64encode(f"bot:{_SECRET}!".encode()).decode()

SECRET: Final = [
    pair(
        "secret",
        "in the log",
        day(error(100, f"the token {_SECRET} was refused"), secrets=(_SECRET,)),
        day(error(100, "the token p*** was refused"), secrets=(_SECRET,)),
    ),
    pair(
        "secret",
        "quoted in the output",
        day(secrets=(_SECRET,), output=("one", f"GET /?token={quote(_SECRET, safe='')}")),
        day(secrets=(_SECRET,), output=("one", f"GET /?token={quote(_SECRET[:6], safe='')}")),
    ),
    pair(
        "secret",
        "in base64, within something longer",
        day(secrets=("another one", _SECRET), output=(f"Basic {_IN_BASE64}",)),
        day(secrets=("another one", _SECRET), output=("Basic Ym90Og==",)),
    ),
    pair(
        "secret",
        "in the reason of a message",
        day(
            accepted(100),
            settled(101, state="failed", tier=3),
            row(state="failed"),
            secrets=("for a reason",),
        ),
        day(failed(100), secrets=("for another reason",)),
    ),
    pair(
        "secret",
        "in what is left",
        bare(
            beginning(),
            without(ending(), Stopped),
            Stopped(601, 1, _SECRET),
            fault(590, 595, "outbox"),
            secrets=(_SECRET,),
        ),
        bare(
            beginning(),
            without(ending(), Stopped),
            Stopped(601, 1, "***"),
            fault(590, 595, "outbox"),
            secrets=(_SECRET,),
        ),
    ),
    pair(
        "secret",
        "in JSON",
        day(secrets=('a "secret"\n',), output=('{"token": "a \\"secret\\"\\n"}',)),
        day(secrets=('a "secret"\n',), output=('{"token": "a secret"}',)),
    ),
]


@pytest.mark.parametrize("each", [*RED, *RED_DISK])
def test_health_is_red_in_time(each: Pair) -> None:
    judge(each)


@pytest.mark.parametrize("each", GREEN)
def test_health_is_green_while_nothing_goes_wrong(each: Pair) -> None:
    judge(each)


@pytest.mark.parametrize("each", LEFT)
def test_nothing_is_left_at_the_end(each: Pair) -> None:
    judge(each)


@pytest.mark.parametrize("each", ERRORS)
def test_an_error_has_a_cause(each: Pair) -> None:
    judge(each)


@pytest.mark.parametrize("each", SECRET)
def test_no_secret_is_written(each: Pair) -> None:
    judge(each)


@pytest.mark.parametrize("place", [0, 1, 2, 3, 4])
def test_a_secret_is_found_in_base64_wherever_it_begins(place: int) -> None:
    written = base64.urlsafe_b64encode(b"x" * place + _SECRET.encode() + b"y" * place).decode()

    judge(Pair("secret", day(secrets=(_SECRET,), output=(written,)), day(sent(100), secrets=(_SECRET,))))
