import json
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import pytest

from pytest_hangfm.simulation.plan import Fault, Plan
from pytest_hangfm.simulation.search import Effort, Failure, Summary, search
from pytest_hangfm.simulation.token import decode
from pytest_hangfm.simulation.worker import Verdict
from tests.simulation.toy import KINDS, RIG, calm, draw, draw_hangs

EFFORT: Final = Effort(processes=2)


def with_a(*kinds: str) -> Callable[[int], Plan]:
    return lambda seed: Plan(seed, faults=tuple(Fault(kind, 20.0) for kind in kinds))


def test_each_failure_is_shrunk_to_the_faults_that_matter_and_replays_from_its_token() -> None:
    summary = search(range(20, 45), draw=draw, rig=RIG, effort=replace(EFFORT, shrinks=100))

    assert len(summary.failures) > 3
    for failure in summary.failures:
        assert sorted(fault.kind for fault in failure.plan.faults) == ["crash", "cut"]
        assert decode(failure.token)[0] == failure.plan
        assert (failure.rule, failure.what) == ("once", "m-1 was stored twice")
        assert failure.note.startswith("shrunk from 9 faults to 2, in ")
        assert failure.story == f"a story of 6 events, 1 violations, seed {failure.seed}"


def test_of_a_rule_that_many_worlds_break_a_few_are_shrunk_and_all_are_listed() -> None:
    summary = search(range(12), draw=with_a("cut", "noise", "crash"), rig=RIG, effort=EFFORT)

    assert len(summary.failures) == 12
    assert sorted(len(failure.plan.faults) for failure in summary.failures) == [2] * 3 + [3] * 9
    assert sum(failure.note.startswith("not shrunk: 3") for failure in summary.failures) == 9
    assert all(failure.story for failure in summary.failures)


def test_two_searches_of_the_same_seeds_say_the_same_whatever_ran_beside_them() -> None:
    efforts = (Effort(processes=3, plays=7, shrinks=0), Effort(processes=1))
    one, other = (search(range(20), draw=draw, rig=RIG, effort=effort) for effort in efforts)
    more = search(range(21), draw=draw, rig=RIG, effort=EFFORT)

    assert one.as_line() == other.as_line() != more.as_line()
    assert one.pairs == other.pairs


def test_the_summary_is_one_line_of_json() -> None:
    summary = search(range(15), draw=calm, rig=RIG, effort=EFFORT)

    line = summary.as_line()
    said = json.loads(line)
    assert "\n" not in line
    assert len(said.pop("hash")) == 64
    assert said == {
        "seeds": 15,
        "failed": 0,
        "virtual_hours": 2.0,
        "fired": {"crash": 15, "cut": 15, "noise": 15},
    }


@pytest.mark.parametrize("kind", ["raise", "die"])
def test_a_world_that_breaks_is_a_failure_of_its_seed_and_shrunk_like_any_other(kind: str) -> None:
    effort = replace(EFFORT, tries=8)  # each time the process has to be begun anew

    summary = search(range(1), draw=with_a("noise", kind, "cut"), rig=RIG, effort=effort)

    (failure,) = summary.failures
    assert failure.rule == "crash"
    assert [fault.kind for fault in failure.plan.faults] == [kind]


def test_a_world_that_hangs_is_a_failure_of_its_seed_and_shrunk_like_any_other() -> None:
    summary = search(range(1), draw=draw_hangs, rig=RIG, effort=replace(EFFORT, limit=0.2, tries=3))

    (failure,) = summary.failures
    assert failure.rule == "hang"
    assert [fault.kind for fault in failure.plan.faults] == ["hang"]
    assert failure.note == "shrunk from 2 faults to 1, in 3 plays"


def test_a_plan_that_plays_differently_each_time_is_named() -> None:
    unshrunk = search(range(1), draw=with_a("chance"), rig=RIG, effort=replace(EFFORT, shrinks=0))

    (failure,) = unshrunk.failures
    assert failure.note.startswith("NOT DETERMINISTIC")


def test_each_world_is_watched() -> None:
    seen: list[tuple[int, int, str, bool]] = []

    def watch(summary: Summary, seed: int, verdict: Verdict, failure: Failure | None) -> None:
        seen.append((summary.seeds, seed, verdict.story, failure is not None))

    search(range(3), draw=with_a("noise"), rig=RIG, effort=replace(EFFORT, stories=True), watch=watch)

    assert [count for count, *_ in seen] == [1, 2, 3]
    assert sorted(seed for _, seed, *_ in seen) == [0, 1, 2]
    assert all(story.startswith("a story of 4 events, 0") and not failed for *_, story, failed in seen)


def test_an_error_of_the_drawing_ends_the_search() -> None:
    def broken(_: int) -> Plan:
        raise LookupError("no such die")

    with pytest.raises(LookupError, match="no such die"):
        search(range(3), draw=broken, rig=RIG, effort=EFFORT)


def test_an_interrupted_search_says_so_and_keeps_what_it_has() -> None:
    def interrupt(summary: Summary, *_: object) -> None:
        if summary.seeds == 2:
            raise KeyboardInterrupt

    summary = search(range(1000), draw=calm, rig=RIG, effort=EFFORT, watch=interrupt)

    assert summary.interrupted
    assert 2 <= summary.seeds < 1000


@pytest.mark.parametrize(
    ("worlds", "each", "idle"),
    [
        pytest.param(100, {"cut": 20, "crash": 20, "noise": 500}, {}, id="enough"),
        pytest.param(100, {"cut": 19, "noise": 20}, {"crash": 0, "cut": 19}, id="one too few, and none"),
        pytest.param(101, {"cut": 20, "crash": 21, "noise": 21}, {"cut": 20}, id="a fifth is a fifth"),
        pytest.param(99, {}, {}, id="too few worlds to judge"),
    ],
)
def test_a_class_that_does_nothing_is_named(worlds: int, each: dict[str, int], idle: dict[str, int]) -> None:
    summary = Summary(hashes=dict.fromkeys(range(worlds), ""))
    summary.fired.update(each)

    assert summary.idle(KINDS) == idle
