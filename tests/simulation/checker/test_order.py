from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from pytest_hangfm.simulation.history import Requeued, RowAtEnd
from tests.simulation.checker.building import (
    Pair,
    accepted,
    asked,
    attempted,
    crash,
    day,
    delivered,
    failed,
    judge,
    late,
    pair,
    requested,
    row,
    settled,
    stored,
    without,
)

if TYPE_CHECKING:
    from pytest_hangfm.simulation.history import Event

_TWO: Final[list[Event]] = [accepted(100, "a"), accepted(100.1, "b"), row("a"), row("b")]

PAIRS: Final = [
    pair(
        "order",
        "two change places",
        day(_TWO, delivered(101, "b"), delivered(102, "a")),
        day(_TWO, delivered(101, "a"), delivered(102, "b")),
    ),
    pair(
        "order",
        "one is overtaken while it is tried again",
        day(_TWO, attempted(101, "a"), delivered(102, "b"), delivered(103, "a", number=2)),
        day(_TWO, attempted(101, "a"), delivered(103, "a", number=2), delivered(104, "b")),
    ),
    pair(
        "order",
        "one is overtaken that fails later",
        day(
            without(_TWO, RowAtEnd),
            delivered(101, "b"),
            settled(102, "a", "failed", 3),
            row("a", "failed"),
            row("b"),
        ),
        day(
            without(_TWO, RowAtEnd),
            settled(101, "a", "failed", 3),
            delivered(102, "b"),
            row("a", "failed"),
            row("b"),
        ),
    ),
    pair(
        "order",
        "the third overtakes the first",
        day(
            _TWO,
            accepted(100.2, "c"),
            delivered(101, "c"),
            delivered(102, "a"),
            delivered(103, "b"),
            row("c"),
        ),
        day(
            _TWO,
            accepted(100.2, "c", to="ann"),
            delivered(101, "c", to="ann"),
            delivered(102, "a"),
            delivered(103, "b"),
            row("c"),
        ),
    ),
    pair(
        "order",
        "one is overtaken by a message that was accepted after a crash",
        day(
            accepted(100, "a"),
            crash(101, 110),
            accepted(120, "b"),
            delivered(121, "b"),
            delivered(122, "a"),
            row("a"),
            row("b"),
        ),
        day(  # b was on disk first: the crash came before that was seen
            accepted(100, "a"),
            crash(101, 110),
            accepted(120, "b"),
            delivered(121, "b"),
            delivered(122, "a"),
            row("b"),
            row("a"),
        ),
    ),
    pair(
        "order",
        "one is overtaken that is left in the queue",
        day(accepted(590, "a"), accepted(591, "b"), delivered(592, "b"), row("a", "queued"), row("b")),
        day(accepted(590, "a"), accepted(591, "b"), delivered(592, "a"), row("a"), row("b", "queued")),
    ),
    pair(
        "order",
        "one is late that nothing held up",
        day(_TWO, delivered(101, "b"), requested(102, "a"), stored(102, "a"), settled(102.1, "a")),
        day(
            without(_TWO, RowAtEnd),
            attempted(100.5, "a"),
            asked(101, "a", found=None),
            settled(101.1, "a", "uncertain", None),
            delivered(102, "b"),
            late(103, "a"),
            requested(103, "a"),
            stored(103, "a"),
            row("a", "uncertain"),
            row("b"),
        ),
    ),
    pair(
        "order",
        "one comes last that was not tried again by hand",
        day(_TWO, delivered(200, "b"), delivered(201, "a")),
        day(
            without(failed(100, "a"), RowAtEnd),
            accepted(100.1, "b"),
            delivered(101, "b"),
            Requeued(200, "a"),
            delivered(201, "a", number=2),
            row("a"),
            row("b"),
        ),
    ),
]


@pytest.mark.parametrize("each", PAIRS)
def test_messages_to_a_receiver_come_in_order(each: Pair) -> None:
    judge(each)


def test_parts_of_a_text_that_end_with_another_hold_up_nothing() -> None:
    history = without(
        [
            *failed(100, "a"),
            accepted(100, "a.2"),
            accepted(100.1, "b"),
            *delivered(101, "b"),
            row("a.2", "failed"),
            row("b"),
        ]
    )

    judge(Pair("order", PAIRS[0].values[0].bad, day(history)))
