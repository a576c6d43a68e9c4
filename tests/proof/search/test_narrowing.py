from pytest_hangfm.proof.search.kinds import KINDS
from pytest_hangfm.proof.search.narrowing import FEW, fewer, rounds
from pytest_hangfm.simulation.plan import Fault, Plan

CUT = Fault("room.cut", 1.0)
SLOW = Fault("chat.send-slow", 0.5, 4.0, {"ms": 3000})
LOOK_UP = Fault("chat.lookup-503", 20.0, 4.0)
LOST = Fault("chat.answer-lost", 20.4, 3.0)
LATER = Fault("chat.token-ends", 40.0)
PLAN = Plan(7, 45.0, pace=3.0, faults=(SLOW, CUT, LOOK_UP, LOST, LATER))
ALL = range(len(PLAN.faults))


def kinds_of(plan: Plan) -> tuple[str, ...]:
    return tuple(fault.kind for fault in plan.faults)


def test_what_came_together_is_tried_before_what_did_not() -> None:
    together, apart = (set(map(kinds_of, plans)) for plans in rounds(PLAN, ALL, KINDS))

    assert {
        ("chat.send-slow", "room.cut"),
        ("chat.lookup-503", "chat.answer-lost"),
        ("chat.token-ends",),
    } <= together
    assert ("chat.send-slow", "chat.token-ends") in apart
    assert not together & apart


def test_each_is_small_and_shorter_than_what_failed() -> None:
    for plan in (each for plans in rounds(PLAN, ALL, KINDS) for each in plans):
        assert 1 <= len(plan.faults) <= FEW
        assert plan.seconds < PLAN.seconds
        assert (plan.pace, plan.seed) == (PLAN.pace, PLAN.seed)


def test_in_a_plain_schedule_what_waits_for_the_bot_comes_first_and_what_is_over_at_once_last() -> None:
    plan = Plan(7, 45.0, faults=(CUT, LOST, LOOK_UP))

    plain = next(
        plan
        for plan in rounds(plan, (0, 1, 2), KINDS)[1]
        if kinds_of(plan) == ("chat.answer-lost", "room.cut")
    )
    other = rounds(Plan(7, 45.0, faults=(LOST, LOOK_UP)), (0, 1), KINDS)[0][0]

    assert [fault.at for fault in plain.faults] == [0.5, 2.0]
    assert kinds_of(other) == ("chat.lookup-503", "chat.answer-lost")
    assert [fault.lasts for fault in other.faults] == [KINDS[fault.kind].lasts[1] for fault in other.faults]


def test_what_had_no_effect_is_left_out() -> None:
    tried = {kind for plans in rounds(PLAN, (0, 1), KINDS) for plan in plans for kind in kinds_of(plan)}

    assert tried == {"chat.send-slow", "room.cut"}


def test_one_fault_less_is_each_of_them_once() -> None:
    assert [kinds_of(plan) for plan in fewer(PLAN.with_faults((SLOW, CUT, LATER)))] == [
        ("room.cut", "chat.token-ends"),
        ("chat.send-slow", "chat.token-ends"),
        ("chat.send-slow", "room.cut"),
    ]
