import logging
from collections.abc import Collection, Mapping

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hangbot.health import PARTS, STEADY, Condition, Conditions, Health, Part


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

    def __init__(self, parts: Mapping[str, Part] = PARTS) -> None:
        self.at = 0.0
        self.conditions = Conditions(lambda: self.at, parts)

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


CHAT = ["chat token", "chat", "outbox", "sending", "delivery"]


def events_of(parts: Collection[str]) -> st.SearchStrategy[list[tuple[float, str, str]]]:
    what = st.tuples(st.floats(0.0, 200.0), st.sampled_from(sorted(parts)), st.sampled_from(["good", "bad"]))
    return st.lists(what, max_size=30)


def played(events: list[tuple[float, str, str]]) -> Ticking:
    ticking = Ticking()
    for seconds, part, what in events:
        ticking.at += seconds
        if what == "good":
            ticking.conditions.good(part)
        else:
            ticking.conditions.bad(part, "it is lost", "Wait.")
    return ticking


@given(events=events_of(PARTS), seconds=st.floats(0.0, 200.0))
def test_what_comes_from_another_part_raises_no_alarm_and_each_cause_is_shown(
    events: list[tuple[float, str, str]], seconds: float
) -> None:
    ticking = played(events)
    ticking.at += seconds

    parts = {part.name: part for part in ticking.conditions.examine()}

    for part in parts.values():
        assert not (part.red and (part.cause or part.ok or part.warns))
        assert part.cause is None or parts[part.cause].cause is None
        assert part.ok or (part.sentence and part.remedy)


@example(events=[(0.0, "sending", "bad"), (40.0, "chat", "good")], seconds=1.0, more={"chat"})
@given(events=events_of(CHAT), seconds=st.floats(0.0, 200.0), more=st.sets(st.sampled_from(CHAT)))
def test_while_no_word_is_good_an_alarm_stays_or_gives_way_to_another(
    events: list[tuple[float, str, str]], seconds: float, more: set[str]
) -> None:
    ticking = played(events)
    before = {part.name for part in ticking.conditions.examine() if part.red}
    in_trouble = {name for name, fact in ticking.conditions.facts().items() if fact.trouble}

    for part in sorted(more):
        ticking.conditions.bad(part, "it is lost, too", "Wait.")
    ticking.at += seconds

    after = {part.name: part for part in ticking.conditions.examine()}
    assert all(after[after[name].cause or name].red for name in before & in_trouble)


def test_trouble_that_comes_and_goes_keeps_no_alarm_of_another_back_for_long() -> None:
    ticking = Ticking()
    ticking.conditions.bad("sending", "the chat is down", "Wait.")
    seen = []

    for at in (25.0, 29.0, 33.0, 37.0, 41.0):
        ticking.at = at
        ticking.conditions.bad("chat", "history answers 503", "Wait.")
        ticking.conditions.good("chat")
        seen.append((at, ticking.red()))

    assert seen == [(25.0, []), (29.0, []), (33.0, ["sending"]), (37.0, ["sending"]), (41.0, ["sending"])]


@given(gaps=st.lists(st.floats(0.1, STEADY - 0.1), max_size=30))
def test_a_red_part_that_is_good_for_a_moment_now_and_then_stays_red(gaps: list[float]) -> None:
    ticking = Ticking()
    ticking.conditions.bad("room", "it is lost", "Wait.")
    ticking.at = 100.0
    seen = [ticking.red()]

    for seconds in gaps:
        ticking.conditions.good("room")
        ticking.at += seconds
        seen.append(ticking.red())
        ticking.conditions.bad("room", "it is lost", "Wait.")
        seen.append(ticking.red())

    assert seen == [["room"]] * len(seen)


def test_no_part_comes_from_itself_and_no_cause_is_a_warning() -> None:
    def causes(name: str) -> set[str]:
        return {cause for other in PARTS[name].depends for cause in {other} | causes(other)}

    assert all(name not in causes(name) for name in PARTS)
    assert not any(PARTS[cause].warns for name in PARTS for cause in PARTS[name].depends)


def test_a_silence_that_no_look_met_is_none_and_one_that_was_met_is_over_with_the_next_word() -> None:
    ticking = Ticking()
    ticking.conditions.good("heartbeat")

    ticking.at = 600.0
    ticking.conditions.good("heartbeat", at=590.0)
    unmet = ticking.red()
    ticking.at = 700.0
    met = ticking.red()
    ticking.conditions.good("heartbeat")
    lull = ticking.red()
    for _ in range(3):
        ticking.at += 2.0
        ticking.conditions.good("heartbeat")
    over = ticking.red()

    assert (unmet, met, lull, over) == ([], ["heartbeat"], ["heartbeat"], [])
