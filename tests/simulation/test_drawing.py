from __future__ import annotations

from collections import Counter
from random import Random
from typing import TYPE_CHECKING

import pytest

from pytest_hangfm.simulation.drawing import draw
from pytest_hangfm.simulation.faults import FAULTS, FaultKind
from pytest_hangfm.simulation.plan import Fault, Plan

if TYPE_CHECKING:
    from pytest_hangfm.simulation.faults.kind import Args

SEEDS = range(300)


def test_a_seed_draws_the_same_plan_each_time_and_another_seed_another() -> None:
    plans = [draw(seed) for seed in SEEDS]

    assert plans == [draw(seed) for seed in SEEDS]
    assert len({plan.as_json() for plan in plans}) == len(plans)


def test_a_plan_can_be_written_down_and_read() -> None:
    for plan in map(draw, SEEDS):
        assert Plan.from_json(plan.as_json()) == plan


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"seed": 1}', '{"seed": 1, "faults": [{"what": 1}]}', "\x00"]
)
def test_what_is_no_plan_is_refused_with_a_line(text: str) -> None:
    with pytest.raises(ValueError, match=r"^no plan: "):
        Plan.from_json(text)


def test_each_kind_of_fault_is_in_more_than_a_fifth_of_the_plans() -> None:
    drawn = Counter(fault.kind for seed in SEEDS for fault in draw(seed).faults)

    rare = {name: drawn[name] for name in FAULTS if drawn[name] < len(SEEDS) * 0.2}
    assert rare == {}


def test_faults_come_in_the_order_of_time_and_last_as_long_as_their_kind_says() -> None:
    for plan in map(draw, SEEDS):
        times = [fault.at for fault in plan.faults]
        assert times == sorted(times)
        for fault in plan.faults:
            shortest, longest = FAULTS[fault.kind].lasts
            assert shortest <= fault.lasts <= longest + 0.01


def test_nothing_works_in_the_hours_of_a_long_outage() -> None:
    drawn = [fault for seed in SEEDS for fault in draw(seed).faults if fault.kind == "outage"]

    long = [fault.args["services"] for fault in drawn if fault.lasts > 3600.0]
    assert long
    assert all(services == ["room", "chat", "gateway"] for services in long)
    assert ["room"] in [fault.args["services"] for fault in drawn]


@pytest.mark.parametrize(
    ("kind", "args", "parts"),
    [
        ("outage", {"services": ["room"]}, {"room"}),
        ("outage", {"services": ["chat", "gateway"]}, {"room", "chat", "push", "send"}),
        ("outage", {"services": ["gateway"]}, {"room", "chat", "push", "token"}),
        ("black hole", {"service": "room"}, {"room"}),
        ("black hole", {"service": "chat"}, {"room", "chat", "push", "send"}),
        ("kick", {}, {"room"}),
    ],
)
def test_a_fault_of_one_service_impairs_what_hangs_on_it(kind: str, args: Args, parts: set[str]) -> None:
    assert FAULTS[kind].impairs_with(args) == parts


@pytest.mark.parametrize("kind", FAULTS.values(), ids=lambda kind: kind.name)
def test_a_kind_draws_arguments_that_a_plan_can_hold(kind: FaultKind) -> None:
    drawn = kind.draw(Random(1))  # noqa: S311  to be repeatable
    plan = Plan(1, faults=(Fault(kind.name, 1.0, kind.lasts[0], drawn),))

    assert Plan.from_json(plan.as_json()) == plan
