from collections.abc import Mapping

from pytest_hangfm.proof.judge import ALWAYS
from pytest_hangfm.proof.rules import Rule, all_rules
from pytest_hangfm.proof.scenario import load
from pytest_hangfm.proof.search.searching import SEARCH
from pytest_hangfm.proof.tiers import TIERS, Tier, VerdictKind, exit_code, reached, worst
from tests.cases import cases

TABLE = tuple(Rule(f"a.{tier}", tier, "s", "w", "r") for tier in TIERS)
WELL: Mapping[str, VerdictKind] = {rule.id: "pass" for rule in TABLE}


@cases(
    "changes answered tier",
    ("all-pass", {}, True, "platinum"),
    ("gold-fails", {"a.gold": "fail"}, True, "silver"),
    ("silver-is-flaky", {"a.silver": "flaky"}, True, "bronze"),
    ("bronze-fails", {"a.bronze": "fail"}, True, None),
    ("gold-was-not-exercised", {"a.gold": "not_exercised"}, True, "silver"),
    ("silver-has-nothing-that-applies", {"a.silver": "not_applicable"}, True, "bronze"),
    ("no-answer-was-seen", {}, False, "bronze"),
)
def test_a_tier_is_reached_where_nothing_up_to_it_failed(
    changes: Mapping[str, VerdictKind], tier: Tier | None, *, answered: bool
) -> None:
    assert reached(TABLE, {**WELL, **changes}, answered=answered) == tier


def test_what_was_left_out_on_purpose_stops_no_tier_below() -> None:
    assert reached(TABLE, {"a.bronze": "pass", "a.silver": "pass"}, answered=True) == "silver"


@cases(
    "tier asked exercised failed code",
    ("reached", "gold", "silver", True, False, 0),
    ("missed", "bronze", "silver", True, True, 1),
    ("cannot-be-known", "bronze", "silver", False, False, 3),
    ("failed-anyhow", None, "silver", False, True, 1),
)
def test_the_exit_code_says_what_is_reached(
    tier: Tier | None, asked: Tier, code: int, *, exercised: bool, failed: bool
) -> None:
    assert exit_code(tier, asked, exercised=exercised, failed=failed) == code


def test_of_several_verdicts_a_failure_counts_most() -> None:
    assert worst(["pass", "fail", "flaky"]) == "fail"
    assert worst(["pass", "not_applicable"]) == "pass"
    assert worst([]) == "not_exercised"


def test_every_rule_is_judged_somewhere_and_every_scenario_judges_known_rules() -> None:
    known = {rule.id for rule in all_rules()}
    judged = {rule for scenario in (*load().values(), SEARCH) for rule in scenario.rules}

    assert known == judged | set(ALWAYS)


def test_a_rule_tells_an_author_what_to_do() -> None:
    for rule in all_rules():
        assert rule.tier in TIERS
        assert all(text.endswith((".", "`")) for text in (rule.sentence, rule.why, rule.remedy)), rule.id


def test_a_scenario_says_what_happens_in_a_sentence() -> None:
    for scenario in load().values():
        assert scenario.sentence.endswith("."), scenario.id
