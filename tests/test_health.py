import logging

import pytest

from hangbot.health import STEADY, Condition, Conditions, Health


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


class Ticking:
    """Conditions whose time a test sets."""

    def __init__(self) -> None:
        self.at = 0.0
        self.conditions = Conditions(lambda: self.at)

    def red(self) -> list[str]:
        return [condition.part for condition in self.conditions.all()]


@pytest.mark.parametrize(("part", "bound"), [("room", 60.0), ("chat", 30.0), ("outbox", 5.0)])
def test_a_part_is_red_once_its_trouble_has_lasted_for_its_bound_and_green_soon_after_it_is_good(
    part: str, bound: float
) -> None:
    ticking = Ticking()
    ticking.conditions.good(part)
    ticking.at = 100.0
    seen = []

    ticking.conditions.bad(part, "it is lost", "Wait.")
    for at in (100.0 + bound - 0.1, 100.0 + bound, 300.0):
        ticking.at = at
        seen.append(ticking.red())
    ticking.conditions.good(part)
    seen.append(ticking.red())
    ticking.at = 300.0 + STEADY
    seen.append(ticking.red())

    assert seen == [[], [part], [part], [part], []]


def test_trouble_that_comes_from_another_part_is_shown_below_it_and_raises_no_alarm() -> None:
    ticking = Ticking()

    ticking.conditions.bad("chat", "history answers 503", "Wait.")
    ticking.conditions.bad("sending", "the chat is down", "Wait.")
    ticking.at = 1000.0

    assert ticking.red() == ["chat"]
    assert [(part.name, part.cause) for part in ticking.conditions.examine()] == [
        ("chat", None),
        ("sending", "chat"),
    ]
