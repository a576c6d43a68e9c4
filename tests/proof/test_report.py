import json
from typing import Any

from pytest_hangfm.proof.evidence import Evidence, Line, Mark, Run
from pytest_hangfm.proof.outcome import Outcome, Played, Verdict, settle
from pytest_hangfm.proof.profile import Profile
from pytest_hangfm.proof.report.front import badge, front
from pytest_hangfm.proof.report.history import Entry, changes, entry_of, read_history, write_history
from pytest_hangfm.proof.report.page import page
from pytest_hangfm.proof.report.run_result import RunResult
from pytest_hangfm.proof.report.table import row_line, summary
from pytest_hangfm.proof.scenario import load
from tests.cases import cases

ANSWERS = Profile(says="/ping", answers="pong")
ABORT = "room-socket.abort"


def row(scenario: str, *verdicts: tuple[str, str, str]) -> dict[str, Any]:
    kind = "fail" if any(kind == "fail" for _, kind, _ in verdicts) else "pass"
    return {"scenario": scenario, "kind": kind, "verdicts": [list(each) for each in verdicts], "seconds": 1.5}


WELL = row("start.answers", ("start.answers", "pass", ""))
FAILS = row(ABORT, (ABORT, "fail", "it was not in the room within 30 s"))
BACK = row(ABORT, (ABORT, "pass", ""))


def test_a_run_that_reaches_the_tier_ends_with_0() -> None:
    result = RunResult.of([WELL, BACK], "silver", profile=ANSWERS)

    assert (result.tier, result.exit_code) == ("silver", 0)
    assert summary(result, "-- bot")[-1] == "tier: silver (asked for: silver)"


def test_a_broken_rule_ends_with_1_and_says_what_to_do() -> None:
    result = RunResult.of([WELL, FAILS], "silver", profile=ANSWERS)

    assert (result.tier, result.exit_code) == ("bronze", 1)
    told = "\n".join(summary(result, "-- bot"))
    assert "silver room-socket.abort: FAILS." in told
    assert "seen: it was not in the room within 30 s (in room-socket.abort)" in told
    assert "do: At every end of the socket connect again" in told


def test_a_bot_that_answers_nothing_proves_nothing_above_bronze() -> None:
    result = RunResult.of([WELL, BACK], "silver", profile=Profile())

    assert (result.tier, result.exit_code) == ("bronze", 3)
    assert "give a profile with `says` and `answers`" in result.problem


def test_a_bot_that_cannot_be_exercised_is_told_in_one_line() -> None:
    nothing = row("start.answers", ("start.answers", "not_exercised", "it did not start"))

    result = RunResult.of([nothing], "silver", profile=None, problem="it did not start")

    assert result.exit_code == 3
    assert summary(result, "-- bot") == ["cannot tell: it did not start"]


def test_a_quick_run_proves_silver_at_most() -> None:
    gold = row("chat-out.cut", ("chat-out.cut", "pass", ""))

    result = RunResult.of([WELL, BACK, gold], "silver", profile=ANSWERS, most="silver")

    assert result.tier == "silver"


def test_where_a_part_was_played_no_tier_is_told() -> None:
    result = RunResult.of(
        [WELL, BACK], "silver", profile=ANSWERS, owed=["start.answers", "stop.sigterm", ABORT]
    )

    assert (result.tier, result.exit_code) == (None, 3)
    assert summary(result, "-- bot")[-2:] == [
        (
            "cannot tell: only a part was played, and nothing is known of stop.sigterm: "
            "play all (without `--only` and `-k`) to be told a tier"
        ),
        "tier: cannot tell (asked for: silver)",
    ]


def test_what_failed_in_a_part_is_told_as_such() -> None:
    result = RunResult.of([WELL, FAILS], "silver", profile=ANSWERS, owed=["stop.sigterm", ABORT])

    assert (result.tier, result.exit_code, result.problem) == (None, 1, "")


def test_a_part_that_holds_all_of_the_tier_is_enough() -> None:
    result = RunResult.of(
        [WELL, BACK], "bronze", profile=ANSWERS, owed=["start.answers", ABORT, "chat-out.cut"]
    )

    assert (result.tier, result.exit_code, result.problem) == ("silver", 0, "")


def test_a_run_that_was_broken_off_tells_no_tier_that_was_not_exercised() -> None:
    result = RunResult.of([WELL], "silver", profile=ANSWERS, interrupted=True, owed=["start.answers", ABORT])

    assert summary(result, "-- bot")[-1] == "tier: bronze (asked for: silver)"


def test_the_json_names_every_rule_once() -> None:
    result = RunResult.of([WELL, FAILS], "silver", profile=ANSWERS)

    read = json.loads(json.dumps(result.as_json()))
    rules = {each["id"]: each["verdict"] for each in read["rules"]}
    assert len(rules) == len(read["rules"])
    assert (rules[ABORT], rules["start.answers"], rules["chat-out.cut"]) == ("fail", "pass", "not_exercised")


@cases(
    "blames kind what",
    ("well", [()], "pass", ""),
    ("failed-twice", [(("a.b", "bad"),), (("a.b", "bad"),)], "fail", "bad"),
    ("failed-once", [(("a.b", "bad"),), (), (("a.b", "bad"),)], "flaky", "bad (2 of 3 times)"),
)
def test_a_failure_that_does_not_come_each_time_is_flaky(
    blames: list[tuple[tuple[str, str], ...]], kind: str, what: str
) -> None:
    outcome = settle("a.b", ("a.b",), (), [Played(each) for each in blames])

    assert outcome.verdicts == (Verdict("a.b", kind, what),)  # type: ignore[arg-type]  # a verdict's kind


def test_what_could_not_be_played_is_not_judged() -> None:
    assert settle("a.b", ("a.b",), (), [Played(not_exercised="why")]).kind == "not_exercised"
    assert settle("a.b", ("a.b",), (), [Played(not_applicable="why")]).kind == "not_applicable"


def test_a_rule_that_passed_once_and_fails_now_is_named_with_its_day() -> None:
    past = [Entry("d1", "gold", {"a.b": "pass"}), Entry("d2", "silver", {"a.b": "fail"})]

    found = changes(past, Entry("d3", "silver", {"a.b": "fail"}))

    assert [str(change) for change in found] == ["since d2: a.b fails"]


def test_a_rule_that_is_mended_is_named() -> None:
    past = [Entry("d1", "silver", {"a.b": "fail"})]

    assert [str(each) for each in changes(past, Entry("d2", "gold", {"a.b": "pass"}))] == [
        "since d2: a.b passes"
    ]


def test_a_history_is_read_back_and_odd_lines_are_passed_over() -> None:
    entry = entry_of(RunResult.of([WELL], "bronze", profile=ANSWERS), "d1")

    assert read_history("no json\n[]\n" + write_history([entry])) == [entry]


def test_a_page_shows_what_happened_and_obeys_nothing_of_it() -> None:
    rows = ({"n": 1, "t_ms": 5, "service": "room", "dir": "in", "kind": "frame", "frame": "<script>"},)
    evidence = Evidence(
        "bot",
        rows,
        (Line(1, "bot", "room", "pong <b>"),),
        marks=(Mark(1, 9, "the connection breaks"),),
        runs=(Run(0, 1, ("\x1b[31m<i>down",)),),
    )
    outcome = Outcome(ABORT, (Verdict(ABORT, "fail", "it <was> out"),), (Played(evidence=evidence),))

    html = page(load()[ABORT], outcome)

    for text in (
        "&lt;script&gt;",
        "pong &lt;b&gt;",
        "the connection breaks",
        "&lt;i&gt;down",
        "it &lt;was&gt; out",
    ):
        assert text in html
    assert "\x1b" not in html
    assert "<script" not in html


def test_the_front_page_begins_with_the_verdict_and_what_to_do_first() -> None:
    result = RunResult.of([WELL, FAILS], "silver", profile=ANSWERS)

    html = front(result, [], "today")

    assert "bronze: silver is not reached" in html
    assert html.index("What to do first") < html.index("<h2>Rules</h2>")
    assert "scenarios/room-socket.abort.html" in html


@cases("rows text", ("reached", [WELL, BACK], "silver"), ("failing", [FAILS], "failing"))
def test_the_badge_shows_the_tier(rows: list[dict[str, Any]], text: str) -> None:
    assert f">{text}</text>" in badge(RunResult.of(rows, "silver", profile=ANSWERS))


def test_a_line_of_progress_says_what_went_wrong_and_how_long_it_will_take() -> None:
    assert row_line(FAILS, 3, 98, 10).endswith("it was not in the room within 30 s")
    assert row_line(WELL, 3, 98, 200).endswith("(3 min left)")
    assert row_line(WELL, 3, 98, 20).startswith(" 3/98 ok    start.answers")
