"""What a search comes to: verdicts, what is shown, and what replays it."""

from collections import Counter

from pytest_hangfm.proof.evidence import Evidence
from pytest_hangfm.proof.outcome import Played
from pytest_hangfm.proof.report.page import page
from pytest_hangfm.proof.search.findings import CONFIRMED, Finding, Hunted, Trial
from pytest_hangfm.proof.search.judged import judged, judged_once
from pytest_hangfm.proof.search.judging import RULES
from pytest_hangfm.proof.search.kinds import read_token
from pytest_hangfm.proof.search.searching import SEARCH
from pytest_hangfm.simulation.plan import Fault, Plan
from pytest_hangfm.simulation.token import MadeWith
from tests.cases import cases

MADE = MadeWith("3.11", "a", "b")
PLAN = Plan(
    3, 9.0, pace=2.0, faults=(Fault("chat.send-slow", 0.5, 5.0, {"ms": 5000}), Fault("room.cut", 2.0))
)
KINDS = ("chat.send-slow", "room.cut", "room.reset")
TWICE = Trial(Played((("search.once", "it answered 2 times to 1 question"),), Evidence("bot")), (0, 1))
WELL = Trial(Played(evidence=Evidence("bot")), (0, 1))
LONG = Hunted(30, Counter({"chat.send-slow": 9, "room.cut": 12}), is_over=True)


def found(*trials: Trial) -> dict[str, Finding]:
    return {"search.once": Finding("search.once", PLAN, list(trials))}


def verdicts_of(hunted: Hunted) -> dict[str, tuple[str, str]]:
    return {each.rule: (each.kind, each.what) for each in judged(hunted, KINDS, MADE).verdicts}


def test_a_bot_that_came_through_passes_each_rule() -> None:
    assert verdicts_of(LONG) == dict.fromkeys(RULES, ("pass", ""))


@cases(
    "trials kind what",
    ("each-time", [TWICE] * CONFIRMED, "fail", "10 of 10 times"),
    ("at-times", [TWICE] * 7 + [WELL] * 3, "flaky", "7 of 10 times"),
    ("no-time-for-more", [TWICE], "flaky", "1 of 1 times"),
)
def test_what_failed_is_told_with_its_rate_and_its_faults(trials: list[Trial], kind: str, what: str) -> None:
    hunted = Hunted(30, LONG.fired, found(*trials), is_over=True)

    assert verdicts_of(hunted)["search.once"] == (
        kind,
        f"it answered 2 times to 1 question ({what}, by chat.send-slow and room.cut)",
    )


@cases(
    "hunted why",
    ("interrupted", Hunted(30, LONG.fired), "the search was interrupted after 30 schedules"),
    (
        "too-short",
        Hunted(1, LONG.fired, is_over=True),
        "there was time for 1 schedule, in which 2 of 3 classes",
    ),
    (
        "too-few-faults",
        Hunted(30, Counter({"room.cut": 1}), is_over=True),
        "in which 1 of 3 classes of faults",
    ),
    ("not-played", Hunted(problem="it did not start", is_over=True), "it did not start"),
)
def test_what_was_not_searched_passes_nothing(hunted: Hunted, why: str) -> None:
    assert all(kind == "not_exercised" and why in what for kind, what in verdicts_of(hunted).values())


def test_each_class_of_faults_that_never_took_place_is_named() -> None:
    assert judged(LONG, KINDS, MADE).notes == (
        "30 schedules of faults played, 21 faults took place",
        "not exercised: room.reset",
    )


def test_the_token_of_what_was_found_holds_its_schedule() -> None:
    outcome = judged(Hunted(30, LONG.fired, found(TWICE), is_over=True), KINDS, MADE)

    assert read_token(outcome.found[0].token) == (PLAN, MADE)
    assert outcome.found[0].faults == ("chat.send-slow at 0.5 s for 5 s, ms 5000", "room.cut at 2 s")


def test_the_page_shows_when_it_failed_and_how_to_see_it_again() -> None:
    outcome = judged(Hunted(30, LONG.fired, found(TWICE), is_over=True), KINDS, MADE)

    html = page(SEARCH, outcome)

    assert "chat.send-slow at 0.5 s for 5 s, ms 5000" in html
    assert f"hangbot prove --replay {outcome.found[0].token} -- COMMAND" in html
    assert "What went over the wires" in html
    assert "not exercised: room.reset" in html


@cases(
    "trial kinds notes",
    ("it-fails-again", TWICE, {"pass", "fail"}, ()),
    ("it-came-through", WELL, {"pass"}, ()),
    (
        "a-fault-did-not-take-place",
        Trial(Played(evidence=Evidence("bot")), (1,)),
        {"pass"},
        ("had no effect this time: chat.send-slow",),
    ),
    ("it-did-not-start", Trial(Played(not_exercised="no")), {"not_exercised"}, ()),
)
def test_a_replay_is_judged_by_its_one_play(trial: Trial, kinds: set[str], notes: tuple[str, ...]) -> None:
    outcome = judged_once(PLAN, trial, MADE)

    assert {verdict.kind for verdict in outcome.verdicts} == kinds
    assert outcome.notes == notes
