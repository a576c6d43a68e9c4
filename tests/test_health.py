import logging

import pytest

from hangbot.health import Condition, Conditions, Health


def test_a_part_that_is_in_trouble_is_one_line_when_that_begins_and_one_when_it_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    conditions = Conditions()

    for refusals in range(3):
        conditions.red("room token", f"the room refused the token {refusals} times", "Renew it.")
    during = conditions.all()
    for _ in range(2):
        conditions.clear("room token")

    assert during == (Condition("room token", "the room refused the token 2 times", "Renew it."),)
    assert conditions.all() == ()
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("ERROR", "[ERROR] the room refused the token 0 times. Renew it."),
        ("INFO", "[OK] room token: in order again"),
    ]


def test_parts_are_in_trouble_and_recover_by_themselves() -> None:
    conditions = Conditions()
    conditions.red("outbox", "the disk is full", "Make room.")
    conditions.red("room token", "it is refused", "Renew it.")

    conditions.clear("outbox")

    assert [condition.part for condition in conditions.all()] == ["room token"]


def test_a_bot_is_well_where_nothing_is_wrong() -> None:
    trouble = Condition("outbox", "the disk is full", "Make room.")

    assert Health(in_room=True, reads_chat=True, chat_down_for=None, reason="").ok
    assert not Health(in_room=True, reads_chat=True, chat_down_for=None, reason="", red=(trouble,)).ok
