import threading
import time
from collections.abc import Iterator
from typing import Final

import pytest

from pytest_hangfm.simulation.checker import Violation
from pytest_hangfm.simulation.plan import Fault, Plan
from pytest_hangfm.simulation.worker import CRASHED, HUNG, Verdict, Worker
from tests.bounds import WITHIN
from tests.simulation.toy import RIG

GOOD: Final = Plan(1, seconds=120.0, faults=(Fault("noise", 1.0), Fault("noise", 2.0), Fault("cut", 3.0)))
BAD: Final = GOOD.with_faults((*GOOD.faults, Fault("crash", 4.0)))
SOON: Final = 1.0


def with_a(kind: str) -> Plan:
    return Plan(1, faults=(Fault(kind, 1.0),))


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        pytest.param(Violation("once", 7.0, "m-7 was stored twice"), 1, id="the same rule"),
        pytest.param(Violation("order", 7.0, "m-1 was stored twice"), None, id="another rule"),
        pytest.param(Violation(CRASHED, 0.0, "ValueError: no 7 in it"), 2, id="the same error"),
        pytest.param(Violation(CRASHED, 0.0, "TypeError: no 1 in it"), None, id="another error"),
    ],
)
def test_a_smaller_plan_has_to_break_the_same_rule_and_to_crash_with_the_same_error(
    wanted: Violation, found: int | None
) -> None:
    violations = (
        Violation("heard", 0.0, "a line was lost"),
        Violation("once", 1.0, "m-1 was stored twice"),
        Violation(CRASHED, 0.0, "ValueError: no 1 in it"),
        Violation("once", 2.0, "m-2 was stored twice"),
    )

    assert Verdict(violations).like(wanted) == (None if found is None else violations[found])


@pytest.fixture
def worker() -> Iterator[Worker]:
    with Worker(RIG, limit=WITHIN, plays=3) as worker:
        yield worker


def test_a_world_is_judged_and_what_had_an_effect_is_counted(worker: Worker) -> None:
    good, again, bad = worker.ask(GOOD), worker.ask(GOOD, story=True), worker.ask(BAD)

    assert good.violations == ()
    assert (good.seconds, good.fired) == (120.0, {"noise": 2, "cut": 1})
    assert good.pairs == {("starting", "noise"): 2, ("starting", "cut"): 1}
    assert (good.story, again.story) == ("", "a story of 6 events, 0 violations, seed 1")
    assert good.hash == again.hash != bad.hash
    assert [violation.rule for violation in bad.violations] == ["once"]


def test_a_process_is_replaced_after_so_many_worlds(worker: Worker) -> None:
    hashes = [worker.ask(plan).hash for plan in (GOOD, BAD) * 4]

    assert hashes == hashes[:2] * 4


@pytest.mark.parametrize(
    ("kind", "says", "story"),
    [
        pytest.param("raise", "ValueError: no 1 in it, in happen of toy.py", "toy.py", id="an error"),
        pytest.param("group", "ValueError: no 2 in it", "ExceptionGroup", id="errors of tasks"),
        pytest.param("die", "ended with code 7", "", id="an exit"),
        pytest.param("abort", "ended with code -6", "Fatal Python error: Aborted", id="a signal"),
    ],
)
def test_a_world_that_breaks_is_a_verdict_and_the_next_is_played(
    worker: Worker, kind: str, says: str, story: str
) -> None:
    verdict, after = worker.ask(with_a(kind)), worker.ask(GOOD)

    (violation,) = verdict.violations
    assert violation.rule == CRASHED
    assert says in violation.what
    assert story in verdict.story
    assert after.violations == ()


def test_a_world_that_hangs_is_a_verdict_that_shows_where_and_the_next_is_played() -> None:
    with Worker(RIG, limit=SOON, plays=100) as worker:
        verdict = worker.ask(with_a("hang"))
        after = [worker.ask(GOOD) for _ in range(3)]

    (violation,) = verdict.violations
    assert violation.rule == HUNG
    assert violation.what == "the world did not end within 1 s of real time"
    assert "toy.py" in verdict.story
    assert all(each.violations == () for each in after)


def test_a_worker_that_is_closed_gives_up_at_once_and_begins_nothing_any_more() -> None:
    ended: list[BaseException] = []
    worker = Worker(RIG, limit=WITHIN, plays=100)

    def ask() -> None:
        with pytest.raises(InterruptedError) as interrupted, worker:
            worker.ask(with_a("hang"))
        ended.append(interrupted.value)

    worker.ask(GOOD)
    thread = threading.Thread(target=ask)
    thread.start()
    began = time.monotonic()
    worker.close()
    thread.join(WITHIN)

    assert len(ended) == 1
    assert time.monotonic() - began < WITHIN / 4
    with pytest.raises(InterruptedError):
        worker.ask(GOOD)
