from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from pytest_hangfm.simulation.checker import check, notes
from pytest_hangfm.simulation.history import Dropped, MessageStored, Requeued, RowAtEnd, Settled
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
    sent,
    settled,
    stored,
    with_changes,
    without,
)

if TYPE_CHECKING:
    from pytest_hangfm.simulation.history import Event

_LOST_ANSWER: Final[list[Event]] = [accepted(100), attempted(100.1), requested(100.2), stored(100.2)]
_UNKNOWN: Final[list[Event]] = [
    asked(199, found=None),
    settled(200, state="uncertain", tier=None),
    row(state="uncertain"),
]

PAIRS: Final = [
    # once
    pair(
        "once",
        "reported as delivered, and never stored",
        day(without(sent(100), MessageStored)),
        day(sent(100)),
    ),
    pair(
        "once",
        "reported as delivered before it was stored",
        day(with_changes(sent(100), MessageStored, at=100.04)),
        day(sent(100)),
    ),
    pair(
        "once",
        "delivered in the outbox, and never stored",
        day(accepted(100), attempted(100.1), requested(100.2), row()),
        day(accepted(100), attempted(100.1), requested(100.2), stored(100.3), row()),
    ),
    pair(
        "once",
        "in the room and failed",
        day(_LOST_ANSWER, settled(101, state="failed", tier=3), row(state="failed")),
        day(
            _LOST_ANSWER,
            asked(101, found=None),
            settled(102, state="uncertain", tier=None),
            row(state="uncertain"),
        ),
    ),
    pair(
        "once",
        "in the room and expired",
        day(_LOST_ANSWER, settled(101, state="expired", tier=None), row(state="expired")),
        day(failed(100)),
    ),
    pair(
        "once",
        "in the room by a request in time, and failed",
        day(
            accepted(100),
            attempted(100.1),
            asked(111),
            requested(130),
            stored(130),
            settled(131, state="failed", tier=3),
            row(state="failed"),
        ),
        day(
            accepted(100),
            attempted(100.1),
            asked(111),
            settled(112, state="failed", tier=3),
            late(130),
            requested(130),
            stored(130),
            row(state="failed"),
        ),
    ),
    pair(
        "once",
        "neither in the room nor reported",
        day(accepted(590), sent(300, "other")),
        day(accepted(590), row(state="queued"), sent(300, "other")),
    ),
    pair(
        "once",
        "in the room, and vanished from the outbox",
        day(accepted(590), attempted(590.1), requested(590.2), stored(590.2), sent(300, "other")),
        day(accepted(590), attempted(590.1), requested(590.2), stored(590.2), row(), sent(300, "other")),
    ),
    pair(
        "once",
        "dropped by no hand",
        day(accepted(100), row(state="dropped")),
        day(accepted(100), Dropped(101, "m1"), row(state="dropped")),
    ),
    pair(
        "once",
        "reported as failed, and queued in the outbox",
        day(accepted(590), settled(590.1, state="failed", tier=3), row(state="queued")),
        day(
            accepted(590),
            settled(590.1, state="failed", tier=3),
            Requeued(590.2, "m1"),
            row(state="queued"),
        ),
    ),
    pair(
        "once",
        "reported as failed long before a crash, and delivered in the outbox",
        day(_LOST_ANSWER, settled(101, state="failed", tier=3), crash(110, 120), row()),
        day(
            _LOST_ANSWER,
            settled(101, state="failed", tier=3),
            crash(101.5, 120),
            asked(123, found=True),
            settled(123, tier=2),
            row(),
        ),
    ),
    # no copy
    pair(
        "no-copy",
        "stored twice by one request",
        day(sent(100), stored(100.04)),
        day(sent(100), stored(100.04, "m2"), row("m2")),
    ),
    pair(
        "no-copy",
        "stored a second time by a request that was not late",
        day(
            accepted(100),
            attempted(100.1),
            asked(111),
            attempted(112, number=2),
            requested(112.1, connection=8),
            stored(112.1),
            settled(112.2, tier=2),
            stored(130),
            row(),
        ),
        day(
            accepted(100),
            attempted(100.1),
            asked(111),
            attempted(112, number=2),
            requested(112.1, connection=8),
            stored(112.1),
            settled(112.2, tier=2),
            late(130),
            requested(130),
            stored(130),
            row(),
        ),
    ),
    pair(
        "no-copy",
        "two copies, and one late request",
        day(sent(100), late(130), requested(130), stored(130), stored(131)),
        day(sent(100), late(130), requested(130), stored(130), late(131, connection=9), stored(131)),
    ),
    pair(
        "no-copy",
        "stored again in the same count of the chat",
        day(sent(100), stored(200, epoch=1), stored(201, epoch=1)),
        day(sent(100), stored(200, epoch=1)),
    ),
    # as accepted
    pair(
        "as-accepted",
        "another text",
        day(with_changes(sent(100), MessageStored, text="text of somebody")),
        day(sent(100, text="text of m1")),
    ),
    pair(
        "as-accepted",
        "another receiver",
        day(with_changes(sent(100), MessageStored, receiver="elsewhere")),
        day(sent(100, to="elsewhere")),
    ),
    pair(
        "as-accepted",
        "said aloud what was for one alone",
        day(with_changes(sent(100, to="ann", direct=True), MessageStored, direct=False)),
        day(sent(100, to="ann", direct=True)),
    ),
    pair(
        "as-accepted",
        "never accepted",
        day(sent(100), stored(200, "m2")),
        day(sent(100), stored(200, "m2"), row("m2")),
    ),
    pair(
        "as-accepted",
        "for another user, and never accepted",
        day(sent(100), stored(200, "m2", to="ann", direct=True)),
        day(sent(100), stored(200, "m2", to="bot", direct=True)),
    ),
    # one end
    pair(
        "one-end",
        "two ends",
        day(failed(100), settled(101, state="expired", tier=None), row(state="expired")),
        day(failed(100)),
    ),
    pair(
        "one-end",
        "one end twice",
        day(sent(100), settled(101)),
        day(sent(100), sent(101, "m2")),
    ),
    pair(
        "one-end",
        "a second end by the next process, though the first was written",
        day(
            _LOST_ANSWER, settled(100.3), crash(110, 120), asked(123, found=True), settled(123, tier=2), row()
        ),
        day(
            _LOST_ANSWER,
            settled(100.3),
            crash(100.4, 120),
            asked(123, found=True),
            settled(123, tier=2),
            row(),
        ),
    ),
    pair(
        "one-end",
        "a second end without a hand",
        day(without(failed(100), RowAtEnd), _UNKNOWN),
        day(without(failed(100), RowAtEnd), Requeued(198, "m1"), _UNKNOWN),
    ),
    # tier
    pair(
        "tier",
        "tier 1 after two attempts",
        day(accepted(100), attempted(100.1), delivered(102, number=2)[:3], settled(102.1, tier=1), row()),
        day(accepted(100), attempted(100.1), delivered(102, number=2)[:3], settled(102.1, tier=2), row()),
    ),
    pair(
        "tier",
        "tier 1 where it was found by asking",
        day(_LOST_ANSWER, asked(111, found=True), settled(111, tier=1), row()),
        day(_LOST_ANSWER, asked(111, found=True), settled(111, tier=2), row()),
    ),
    pair(
        "tier",
        "tier 2 at the first attempt",
        day(with_changes(sent(100), Settled, tier=2)),
        day(sent(100)),
    ),
    pair(
        "tier",
        "failed without tier 3",
        day(with_changes(failed(100), Settled, tier=None)),
        day(failed(100)),
    ),
    pair(
        "tier",
        "uncertain with a tier",
        day(
            _LOST_ANSWER,
            asked(111, found=None),
            settled(112, state="uncertain", tier=3),
            row(state="uncertain"),
        ),
        day(
            _LOST_ANSWER,
            asked(111, found=None),
            settled(112, state="uncertain", tier=None),
            row(state="uncertain"),
        ),
    ),
    # uncertain
    pair(
        "uncertain",
        "uncertain without a question",
        day(_LOST_ANSWER, settled(112, state="uncertain", tier=None), row(state="uncertain")),
        day(
            _LOST_ANSWER,
            asked(111, found=None),
            settled(112, state="uncertain", tier=None),
            row(state="uncertain"),
        ),
    ),
    pair(
        "uncertain",
        "uncertain though the chat said that it is not there",
        day(
            accepted(100),
            attempted(100.1),
            asked(111, found=False),
            settled(112, state="uncertain", tier=None),
            row(state="uncertain"),
        ),
        day(
            accepted(100),
            attempted(100.1),
            asked(111, found=False),
            attempted(112, number=2),
            asked(123, found=None),
            settled(124, state="uncertain", tier=None),
            row(state="uncertain"),
        ),
    ),
    pair(
        "uncertain",
        "uncertain by a question before the last attempt",
        day(
            accepted(100),
            attempted(100.1),
            asked(111, found=None),
            asked(112, found=False),
            attempted(113, number=2),
            settled(124, state="uncertain", tier=None),
            row(state="uncertain"),
        ),
        day(
            accepted(100),
            attempted(100.1),
            asked(111, found=None),
            asked(112, found=False),
            attempted(113, number=2),
            asked(123, found=None),
            settled(124, state="uncertain", tier=None),
            row(state="uncertain"),
        ),
    ),
]


@pytest.mark.parametrize("each", PAIRS)
def test_a_message_ends_once_and_as_it_was_reported(each: Pair) -> None:
    judge(each)


def test_a_copy_by_a_late_request_is_noted() -> None:
    history = day(sent(100), late(130), requested(130), stored(130))

    assert check(history) == ()
    assert [(note.rule, note.at) for note in notes(history)] == [("no-copy", 130)]
