from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from pytest_hangfm.simulation.history import Changed, Handled, HandlerBegan, PassedOver
from tests.simulation.checker.building import (
    Pair,
    accepted,
    began,
    beginning,
    crash,
    day,
    ending,
    fault,
    handled,
    heard,
    judge,
    pair,
    ready,
    red,
    restart,
    said,
    sent,
    without,
)

if TYPE_CHECKING:
    from pytest_hangfm.simulation.history import Event


_AWAY: Final[list[Event]] = [*ending(100)[:-1], *beginning(460, 2)]
"""The bot is stopped, and away for six minutes."""

HEARD: Final = [
    pair(
        "heard",
        "a line of the time after the last fault",
        day(fault(90, 110, "push"), said(105)),
        day(fault(90, 110, "push"), said(105), began(179), handled(179.1)),
    ),
    pair(
        "heard",
        "a handler that a crash cut off does not run again",
        day(said(100), began(100.1), crash(101, 110)),
        day(said(100), began(100.1), crash(101, 110), began(112, run=2), handled(112.1, run=2)),
    ),
    pair(
        "heard",
        "a crash cut a handler off that commits nothing by itself",
        day(said(100), began(100.1), crash(101, 110)),
        day(said(100), began(100.1, commits=True), crash(101, 110)),
    ),
    pair(
        "heard",
        "a handler that the stop cancelled does not run again",
        day(said(99), began(99.1), handled(101, outcome="cancelled"), restart(100, 110)),
        day(
            said(99),
            began(99.1),
            handled(101, outcome="cancelled"),
            restart(100, 110),
            began(112, run=2),
            handled(112.1, run=2),
        ),
    ),
    pair(
        "heard",
        "lines are old, and not reported as passed over",
        day(_AWAY, said(110), said(120, 2)),
        day(_AWAY, said(110), said(120, 2), PassedOver(461, 2)),
    ),
    pair(
        "heard",
        "fewer are reported as passed over than are missing",
        day(_AWAY, said(110), said(120, 2), PassedOver(461, 1)),
        day(_AWAY, said(110), heard(470, 2), PassedOver(461, 1)),
    ),
    pair(
        "heard",
        "one is passed over that is not old",
        day(_AWAY, said(300), PassedOver(461, 1)),
        day(_AWAY, said(155), PassedOver(461, 1)),
    ),
    pair(
        "heard",
        "another one is passed over by its number",
        day(fault(90, 110, "push"), said(105), PassedOver(190, 1, (2,))),
        day(fault(90, 110, "push"), said(105), PassedOver(190, 1, (1,))),
    ),
    pair(
        "heard",
        "said after the bot began to hear",
        day(fault(1, 3, "push"), said(2)),
        day(fault(1, 3, "push"), said(1.4)),
    ),
    pair(
        "heard",
        "said to the bot alone",
        day(fault(90, 110, "push"), said(105, receiver="bot", direct=True)),
        day(fault(90, 110, "push"), said(105, receiver="bob", direct=True)),
    ),
    pair(
        "heard",
        "said before the stop, and long before",
        day(fault(500, 501, "push"), said(505)),
        day(fault(520, 530, "push"), said(525)),
    ),
    pair(
        "heard",
        "edited when it should have been handled",
        day(fault(90, 110, "push"), said(105)),
        day(fault(90, 110, "push"), said(105), Changed(106, 1)),
    ),
    pair(
        "heard",
        "the chat kept it",
        day(fault(90, 110, "push"), said(105), heard(400, epoch=1)),
        day(fault(90, 110, "push"), said(105), heard(120, epoch=1)),
    ),
]

ONCE: Final = [
    pair(
        "handled-once",
        "twice by one process",
        day(heard(100), began(101), handled(101.1)),
        day(heard(100), heard(101, 2)),
    ),
    pair(
        "handled-once",
        "again by the next process, though it was written",
        day(heard(100), crash(105, 110), began(112, run=2), handled(112.1, run=2)),
        day(heard(100), crash(100.5, 110), began(112, run=2), handled(112.1, run=2)),
    ),
    pair(
        "handled-once",
        "again after an orderly stop",
        day(heard(99), restart(100, 110), began(112, run=2), handled(112.1, run=2)),
        day(
            fault(98, 105, "outbox"),
            heard(99),
            restart(100, 110),
            began(112, run=2),
            handled(112.1, run=2),
        ),
    ),
    pair(
        "handled-once",
        "again, though the disk had caught up",
        day(fault(80, 90, "outbox"), heard(99), restart(100, 110), began(112, run=2), handled(112.1, run=2)),
        day(fault(80, 95, "outbox"), heard(99), restart(100, 110), began(112, run=2), handled(112.1, run=2)),
    ),
    pair(
        "handled-once",
        "again after it had taken too long",
        day(
            said(60),
            began(60.1),
            handled(90.1, outcome="timed_out"),
            crash(100, 110),
            began(112, run=2),
            handled(112.1, run=2),
        ),
        day(
            said(60),
            began(60.1),
            handled(80.1, outcome="cancelled"),
            crash(100, 110),
            began(112, run=2),
            handled(112.1, run=2),
        ),
    ),
    pair(
        "handled-once",
        "after it was passed over",
        day(said(100), PassedOver(101, 1, (1,)), began(102), handled(102.1)),
        day(said(100), PassedOver(101, 1, (2,)), began(102), handled(102.1)),
    ),
    pair(
        "handled-once",
        "an end without a begin",
        day(heard(100), handled(101)),
        day(heard(100), heard(101, epoch=1)),
    ),
]

OTHERS: Final = [
    pair(
        "others-lines",
        "said by nobody",
        day(began(100), handled(100.1)),
        day(said(99.9), began(100), handled(100.1)),
    ),
    pair(
        "others-lines",
        "said in another group",
        day(heard(100, receiver="elsewhere")),
        day(heard(100)),
    ),
    pair(
        "others-lines",
        "said to another user alone",
        day(heard(100, receiver="bob", direct=True)),
        day(heard(100, receiver="bot", direct=True)),
    ),
    pair(
        "others-lines",
        "said by the bot itself",
        day(heard(100, sender="bot")),
        day(heard(100, sender="bob")),
    ),
    pair(
        "others-lines",
        "a question that the bot answers itself",
        day(heard(100, text="/uptime")),
        day(said(100, text="/uptime"), heard(101, 2, text="/uptime please")),
    ),
]

_CUT_OFF: Final[list[Event]] = [
    said(100),
    began(100.1),
    *sent(100.2, "a", answer_to=1, text="yes"),
    *crash(101, 110),
    began(112, run=2),
    handled(112.5, run=2),
]

ANSWERS: Final = [
    pair(
        "answers-once",
        "another message when the handler runs again",
        day(_CUT_OFF, sent(112.1, "b", answer_to=1, text="yes")),
        day(_CUT_OFF, accepted(112.1, "a", answer_to=1, text="yes")),
    ),
    pair(
        "answers-once",
        "the same words when the handler runs again",
        day(_CUT_OFF, sent(112.1, "b", answer_to=1, text="yes")),
        day(_CUT_OFF, sent(112.1, "b", answer_to=1, text="and this")),
    ),
    pair(
        "answers-once",
        "another message to the same receiver",
        day(_CUT_OFF, sent(112.1, "b", answer_to=1, text="yes")),
        day(_CUT_OFF, sent(112.1, "b", to="ann", direct=True, answer_to=1, text="yes")),
    ),
    pair(
        "answers-once",
        "the same words in another process",
        day(_CUT_OFF, sent(112.1, "b", answer_to=1, text="yes")),
        day(_CUT_OFF, sent(100.3, "b", answer_to=1, text="yes")),
    ),
    pair(
        "answers-once",
        "one message answers two lines",
        day(heard(100), sent(100.015, "a", answer_to=1), heard(101, 2), accepted(101.015, "a", answer_to=2)),
        day(heard(100), sent(100.015, "a", answer_to=1), heard(101, 2), sent(101.015, "b", answer_to=2)),
    ),
    pair(
        "answers-once",
        "one message answers two lines of one number",
        day(
            heard(100),
            sent(100.015, "a", answer_to=1),
            heard(200, epoch=1),
            accepted(200.015, "a", answer_to=1),
        ),
        day(
            heard(100),
            sent(100.015, "a", answer_to=1),
            heard(200, epoch=1),
            sent(200.015, "b", answer_to=1),
        ),
    ),
]

TURNS: Final = [
    pair(
        "turns",
        "two lines of one user change places",
        day(said(100), said(101, 2), began(102, 2), handled(102.1, 2), began(103), handled(103.1)),
        day(said(100), said(101, 2, "bob"), began(102, 2), handled(102.1, 2), began(103), handled(103.1)),
    ),
    pair(
        "turns",
        "two lines change places, and no push was lost",
        day(
            fault(90, 95, "room"),
            said(100),
            said(101, 2),
            began(102, 2),
            handled(102.1, 2),
            began(103),
            handled(103.1),
        ),
        day(
            fault(90, 95, "push"),
            said(100),
            said(101, 2),
            began(102, 2),
            handled(102.1, 2),
            began(103),
            handled(103.1),
        ),
    ),
    pair(
        "turns",
        "lines said aloud change places",
        day(said(100), said(101, 2), began(102, 2), handled(102.1, 2), began(103), handled(103.1)),
        day(
            said(100),
            said(101, 2, receiver="bot", direct=True),
            began(102, 2),
            handled(102.1, 2),
            began(103),
            handled(103.1),
        ),
    ),
    pair(
        "turns",
        "two lines of one user at a time",
        day(said(100), said(101, 2), began(100.1), began(101.1, 2), handled(102), handled(103, 2)),
        day(said(100), said(101, 2, "bob"), began(100.1), began(101.1, 2), handled(102), handled(103, 2)),
    ),
    pair(
        "turns",
        "a line is handled beside one that may still run",
        day(
            said(100),
            said(101, 2),
            began(100.1),
            began(120, 2),
            handled(121, 2),
            handled(130.1, outcome="timed_out"),
        ),
        day(
            said(100),
            said(101, 2),
            began(100.1),
            began(135.1, 2),
            handled(135.2, 2),
            handled(140, outcome="timed_out"),
        ),
    ),
]

TIME: Final = [
    pair(
        "in-time",
        "a line is heard late",
        day(without(heard(200), HandlerBegan, Handled), began(265), handled(265.1)),
        day(without(heard(200), HandlerBegan, Handled), began(255), handled(255.1)),
    ),
    pair(
        "in-time",
        "a line is heard late, and its user's last one was done",
        day(heard(200), said(201, 2), began(265, 2), handled(265.1, 2)),
        day(said(200), began(200.1), said(201, 2), handled(229, 1), began(265, 2), handled(265.1, 2)),
    ),
    pair(
        "in-time",
        "a line is heard late after the last fault",
        day(fault(100, 110, "chat"), said(105), red(150), ready(225), began(270), handled(270.1)),
        day(fault(100, 110, "chat"), said(105), red(150), ready(225), began(255), handled(255.1)),
    ),
    pair(
        "in-time",
        "a line is heard late beside few others",
        day(
            [said(200, number, f"user {number}") for number in range(2, 10)],
            [began(200.1, number) for number in range(2, 10)],
            said(201),
            began(265),
            [handled(220, number) for number in range(2, 10)],
            handled(265.1),
        ),
        day(
            [said(200, number, f"user {number}") for number in range(2, 18)],
            [began(200.1, number) for number in range(2, 18)],
            said(201),
            [handled(220, number) for number in range(2, 18)],
            began(265),
            handled(265.1),
        ),
    ),
]


@pytest.mark.parametrize("each", HEARD)
def test_each_line_is_handled_or_reported_as_passed_over(each: Pair) -> None:
    judge(each)


@pytest.mark.parametrize("each", ONCE)
def test_a_line_is_handled_once(each: Pair) -> None:
    judge(each)


@pytest.mark.parametrize("each", OTHERS)
def test_the_app_is_given_what_others_said_to_the_bot(each: Pair) -> None:
    judge(each)


@pytest.mark.parametrize("each", ANSWERS)
def test_a_line_is_answered_once(each: Pair) -> None:
    judge(each)


@pytest.mark.parametrize("each", TURNS)
def test_one_users_lines_come_in_order(each: Pair) -> None:
    judge(each)


@pytest.mark.parametrize("each", TIME)
def test_a_line_is_heard_in_time(each: Pair) -> None:
    judge(each)
