from pytest_hangfm.proof.rules import all_rules
from pytest_hangfm.proof.search.kinds import KINDS
from pytest_hangfm.proof.search.known import ALONE, without_known


def test_each_class_names_rules_that_there_are() -> None:
    rules = {rule.id for rule in all_rules()}

    assert set(ALONE) == set(KINDS)
    assert [name for names in ALONE.values() for name in names if name not in rules] == []


def test_what_a_bot_fails_in_alone_is_not_searched_for_again() -> None:
    left = without_known(KINDS, {"chat-out.empty-500", "start.exchange-fails"})

    assert set(KINDS) - set(left) == {"chat.send-empty-500", "gateway.503", "gateway.cut"}


def test_what_nothing_leads_to_any_more_is_left_out_too() -> None:
    left = without_known(
        KINDS, {"chat-out.lost-answer", "chat-out.cut", "chat-out.unavailable", "chat-out.empty-500"}
    )

    assert "chat.lookup-503" not in left
    assert "chat.send-page" in left


def test_a_bot_that_breaks_no_rule_meets_each_class() -> None:
    assert without_known(KINDS, ()) == dict(KINDS)
