from collections.abc import Callable
from dataclasses import replace
from typing import Final

from hypothesis import example, given
from hypothesis import strategies as st

from pytest_hangfm.simulation.plan import Fault, Plan
from pytest_hangfm.simulation.shrinking import shrink
from tests.simulation.plans import PLANS

ENOUGH: Final = 5000


def kinds(plan: Plan) -> list[str]:
    return [fault.kind for fault in plan.faults]


class Counted:
    """A predicate that notes what it was asked."""

    def __init__(self, fails: Callable[[Plan], bool]) -> None:
        self.asked: list[Plan] = []
        self._fails = fails

    def __call__(self, plan: Plan) -> bool:
        self.asked.append(plan)
        return self._fails(plan)


@given(PLANS, st.sets(st.sampled_from(("cut", "crash", "delay"))))
@example(plan=Plan(0, seconds=0.5), needed={"cut"})
def test_of_the_faults_those_stay_that_matter(plan: Plan, needed: set[str]) -> None:
    plan = plan.with_faults((*plan.faults, *(Fault(kind, 2e5) for kind in sorted(needed))))

    small = shrink(plan, lambda plan: needed <= set(kinds(plan)), tries=ENOUGH)

    assert sorted(kinds(small)) == sorted(needed)
    assert small == replace(
        small,
        users=min(plan.users, 1),
        env={},
        faults=tuple(Fault(fault.kind, fault.at) for fault in small.faults),
    )
    assert all(fault.at < 11.0 for fault in small.faults) or len(needed) > 1
    assert small.seconds <= plan.seconds


@given(PLANS, st.integers(0, 60), st.randoms(use_true_random=False))
def test_what_is_returned_was_seen_to_fail_and_no_plan_is_tried_twice(
    plan: Plan, tries: int, rng: object
) -> None:
    verdicts: dict[str, bool] = {}
    by_chance = Counted(
        lambda asked: verdicts.setdefault(asked.as_json(), bool(rng.getrandbits(1)))  # type: ignore[attr-defined]  # a Random
    )

    small = shrink(plan, by_chance, tries=tries)

    asked = [candidate.as_json() for candidate in by_chance.asked]
    assert len(asked) == len(set(asked)) <= tries
    assert plan.as_json() not in asked
    assert small == plan or verdicts[small.as_json()]


@given(PLANS)
def test_shrinking_ends_where_everything_fails_and_where_nothing_else_does(plan: Plan) -> None:
    everything = Counted(lambda _: True)
    nothing = Counted(lambda _: False)

    smallest = shrink(plan, everything, tries=ENOUGH)
    unchanged = shrink(plan, nothing, tries=ENOUGH)

    world = Plan(plan.seed, users=min(plan.users, 1))
    assert smallest == replace(world, seconds=smallest.seconds, pace=smallest.pace)
    assert smallest.seconds <= 30.0 or smallest.seconds <= plan.seconds / 2
    assert unchanged == plan
    assert max(len(everything.asked), len(nothing.asked)) < ENOUGH


@given(PLANS)
def test_faults_stay_in_the_order_of_time(plan: Plan) -> None:
    asked = Counted(lambda candidate: len(candidate.faults) > 1)

    shrink(plan, asked, tries=ENOUGH)

    for candidate in asked.asked:
        assert [fault.at for fault in candidate.faults] == sorted(fault.at for fault in candidate.faults)


def test_a_pair_among_many_is_found_in_few_tries() -> None:
    faults = tuple(Fault("noise", 10.0 * number) for number in range(30))
    plan = Plan(1).with_faults((*faults[:7], Fault("crash", 70.5), *faults[7:21], Fault("cut", 211.0)))
    asked = Counted(lambda plan: {"crash", "cut"} <= set(kinds(plan)))

    small = shrink(plan, asked, tries=150)

    assert kinds(small) == ["crash", "cut"]
    assert len(asked.asked) < 60


def test_an_argument_stays_as_large_as_it_has_to_be_and_a_fault_as_long() -> None:
    fault = Fault("cut", 100.25, 63.7, {"after": 712, "direction": "in", "port": 4001})

    def fails(plan: Plan) -> bool:
        return any(
            fault.args.get("after", 0) >= 100 and "port" in fault.args and fault.lasts >= 10.0
            for fault in plan.faults
        )

    small = shrink(Plan(1, seconds=900.0, faults=(fault,)), fails, tries=ENOUGH)

    (left,) = small.faults
    assert left.at <= 11.0
    assert 10.0 <= left.lasts < 20.0
    assert 100 <= left.args["after"] < 200
    assert left.args["port"] == 0
    assert "direction" not in left.args
    assert small.seconds <= left.at + left.lasts + 31.0


def test_a_world_does_not_end_before_its_last_fault_begins() -> None:
    plan = Plan(1, seconds=900.0, faults=(Fault("cut", 100.0, 5.0), Fault("crash", 400.5)))

    small = shrink(plan, lambda plan: len(plan.faults) == 2, tries=ENOUGH)

    assert small.faults[-1].at <= small.seconds < 400.0
