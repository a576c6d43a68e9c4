from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from pytest_hangfm.simulation.history import Bounds, Dropped, Logged, Requeued, RowAtEnd
from tests.simulation.checker.building import (
    Pair,
    accepted,
    asked,
    attempted,
    crash,
    day,
    delivered,
    failed,
    fault,
    judge,
    late,
    pair,
    requested,
    row,
    sent,
    settled,
    stored,
    without,
)

if TYPE_CHECKING:
    from pytest_hangfm.simulation.history import Event

_DOWN: Final = fault(90, 150, "chat", "send")
_LOST_ANSWER: Final[list[Event]] = [accepted(100), attempted(100.1), requested(100.2), stored(100.2)]

_REFUSED: Final = fault(99, 450, "send", kind="send refused", number=2)
_AWAY: Final = fault(99, 220, "chat", "send")
_FINDS_OUT: Final = Bounds(total=100, longest_wait=20, attempt=10)


def _says_down(at: float) -> Logged:
    return Logged(at, "ERROR", "[ERROR] the chat is down", "breaker_open")


def _given_up_after(attempts: int, at: float = 140.0, arrived: int | None = None) -> list[Event]:
    """A message is accepted at 100 s, and given up after so many attempts, of which so many arrived."""
    times = [at - 2 + number / 100 for number in range(attempts)]
    return [
        accepted(100),
        *(attempted(time, number=number) for number, time in enumerate(times, 1)),
        *(requested(time + 0.001) for time in times[:arrived]),
        settled(at, state="failed", tier=3),
        row(state="failed"),
    ]


PAIRS: Final = [
    # dropped
    pair(
        "dropped",
        "sent after it was dropped",
        day(accepted(100), Dropped(101, "m1"), requested(102), row(state="dropped")),
        day(accepted(100), attempted(100.9), Dropped(101, "m1"), requested(102), row(state="dropped")),
    ),
    pair(
        "dropped",
        "attempted and sent after it was dropped",
        day(accepted(100), Dropped(101, "m1"), attempted(102), requested(102.1), row(state="dropped")),
        day(accepted(100), Dropped(101, "m1"), attempted(102), row(state="dropped")),
    ),
    pair(
        "dropped",
        "sent long after the attempt that was under way",
        day(accepted(100), attempted(100.9), Dropped(101, "m1"), requested(120), row(state="dropped")),
        day(
            accepted(100),
            attempted(100.9),
            Dropped(101, "m1"),
            late(120),
            requested(120),
            row(state="dropped"),
        ),
    ),
    pair(
        "dropped",
        "sent after an attempt that was over",
        day(
            accepted(100),
            attempted(100.1),
            asked(101),
            Dropped(102, "m1"),
            requested(103),
            row(state="dropped"),
        ),
        day(
            accepted(100),
            attempted(100.1),
            asked(101),
            Dropped(102, "m1"),
            Requeued(102.5, "m1"),
            delivered(103, number=2),
            row(),
        ),
    ),
    # ended
    pair(
        "ended",
        "sent after it failed",
        day(failed(100), requested(110)),
        day(failed(100), late(110), requested(110)),
    ),
    pair(
        "ended",
        "attempted after it failed",
        day(failed(590), attempted(595, number=2)),
        day(
            without(failed(590), RowAtEnd), Requeued(594, "m1"), attempted(595, number=2), row(state="queued")
        ),
    ),
    pair(
        "ended",
        "attempted by the next process after it expired",
        day(
            accepted(100),
            settled(101, state="expired", tier=None),
            crash(110, 120),
            attempted(125),
            row(state="expired"),
        ),
        day(
            accepted(100),
            settled(101, state="expired", tier=None),
            crash(101.5, 120),
            attempted(125),
            row(state="expired"),
        ),
    ),
    # asked first
    pair(
        "asked-first",
        "sent again without a question",
        day(_LOST_ANSWER, attempted(112, number=2), requested(112.1), settled(112.2, tier=2), row()),
        day(_LOST_ANSWER, asked(111, found=True), settled(111.1, tier=2), row()),
    ),
    pair(
        "asked-first",
        "sent again by the next process without a question",
        day(
            _LOST_ANSWER,
            crash(101, 120),
            attempted(125, number=2),
            requested(125.1),
            settled(126, tier=2),
            row(),
        ),
        day(_LOST_ANSWER, crash(101, 120), asked(125, found=True), settled(126, tier=2), row()),
    ),
    pair(
        "asked-first",
        "sent again after a question without an answer",
        day(
            _LOST_ANSWER,
            asked(111, found=None),
            attempted(112, number=2),
            requested(112.1),
            settled(112.2, tier=2),
            row(),
        ),
        day(
            _LOST_ANSWER,
            asked(111, found=False),  # the chat had begun anew
            attempted(112, number=2),
            requested(112.1),
            stored(112.1, epoch=1),
            settled(112.2, tier=2),
            row(),
        ),
    ),
    # given-up
    pair(
        "given-up",
        "after one attempt",
        day(_REFUSED, _given_up_after(1), bounds=Bounds()),
        day(_REFUSED, _given_up_after(3), bounds=Bounds()),
    ),
    pair(
        "given-up",
        "before its time is over",
        day(_REFUSED, _given_up_after(1, at=190), bounds=Bounds(total=100)),
        day(_REFUSED, _given_up_after(1, at=201), bounds=Bounds(total=100)),
    ),
    pair(
        "given-up",
        "long after the chat refused something in its own words",
        day(_REFUSED, fault(10, 11, "send", kind="ban"), _given_up_after(1, at=161), bounds=Bounds(back=30)),
        day(_REFUSED, fault(10, 80, "send", kind="ban"), _given_up_after(1), bounds=Bounds(back=30)),
    ),
    pair(
        "given-up",
        "for the time of an outage",
        day(_AWAY, _says_down(101), _given_up_after(5, at=230, arrived=2), bounds=Bounds(total=100)),
        day(_AWAY, _says_down(201), _given_up_after(5, at=230, arrived=2), bounds=Bounds(total=100)),
    ),
    pair(
        "given-up",
        "for the time of an outage that had begun when the chat had been down for long",
        day(_AWAY, _says_down(50), _given_up_after(5, at=230, arrived=2), bounds=Bounds(total=100)),
        day(
            _AWAY,
            _says_down(50),
            sent(60, "m2"),
            _given_up_after(5, at=230, arrived=2),
            bounds=Bounds(total=100),
        ),
    ),
    pair(
        "given-up",
        "for the time of an outage in which it was tried in vain",
        day(_AWAY, attempted(101, "m2"), _given_up_after(5, at=230, arrived=2), bounds=_FINDS_OUT),
        day(_AWAY, attempted(201, "m2"), _given_up_after(5, at=230, arrived=2), bounds=_FINDS_OUT),
    ),
    pair(
        "given-up",
        "for the time of an outage that it met, though a short one",
        day(
            fault(104, 106, "chat", "send"),
            _says_down(104.1),
            _given_up_after(2, at=120),
            bounds=Bounds(total=20),
        ),
        day(fault(104, 106, "chat", "send"), _given_up_after(2, at=120), bounds=Bounds(total=20)),
    ),
    pair(
        "given-up",
        "before its time is over, while the room alone is away",
        day(_REFUSED, fault(99, 220, "room"), _given_up_after(1, at=190), bounds=Bounds(total=100)),
        day(_REFUSED, fault(99, 220, "room"), _given_up_after(1, at=201), bounds=Bounds(total=100)),
    ),
    pair(
        "given-up",
        "for its attempts in an outage",
        day(fault(99, 200, "chat", "send"), _given_up_after(5, at=210, arrived=2), bounds=Bounds()),
        day(fault(99, 200, "chat", "send"), _given_up_after(5, at=210, arrived=3), bounds=Bounds()),
    ),
    pair(
        "given-up",
        "as soon as it is tried again by hand",
        day(
            fault(99, 450, "send", kind="send refused"),
            without(_given_up_after(3), RowAtEnd),
            Requeued(300, "m1"),
            _given_up_after(1, at=303)[1:],
            bounds=Bounds(),
        ),
        day(
            fault(99, 450, "send", kind="send refused"),
            without(_given_up_after(3), RowAtEnd),
            Requeued(300, "m1"),
            _given_up_after(3, at=303)[1:],
            bounds=Bounds(),
        ),
    ),
    # waits
    pair(
        "waits",
        "a message is never sent",
        day(accepted(100), row(state="queued")),
        day(accepted(500), row(state="queued")),
    ),
    pair(
        "waits",
        "a message waits for longer after an outage than any",
        day(_DOWN, accepted(100), delivered(280), row()),
        day(_DOWN, accepted(100), delivered(260), row()),
    ),
    pair(
        "waits",
        "messages wait behind one that does not move",
        day(accepted(100), accepted(101, "m2"), delivered(300), delivered(301, "m2"), row(), row("m2")),
        day(
            accepted(100),
            accepted(101, "m2"),
            delivered(200),
            delivered(301, "m2"),
            row(),
            row("m2"),
        ),
    ),
    pair(
        "waits",
        "one receiver waits while another is served",
        day(accepted(100, to="ann"), sent(150, "m2"), sent(200, "m3"), row(state="queued")),
        day(accepted(100), sent(150, "m2", to="ann"), sent(200, "m3", to="ann"), delivered(210), row()),
    ),
    pair(
        "waits",
        "one that is tried again by hand is never sent",
        day(without(failed(100), RowAtEnd), Requeued(200, "m1"), row(state="queued")),
        day(failed(100)),
    ),
]


@pytest.mark.parametrize("each", PAIRS)
def test_a_message_is_sent_when_it_may_be(each: Pair) -> None:
    judge(each)
