from itertools import pairwise

from pytest_hangfm.proof.profile import Profile
from pytest_hangfm.proof.search.drawing import draw
from pytest_hangfm.proof.search.kind import wrong_in
from pytest_hangfm.proof.search.kinds import KINDS, fitting

SEEDS = range(300)
ANSWERS = Profile(says="/ping", answers="pong")


def test_a_seed_draws_the_same_each_time() -> None:
    assert [draw(seed, KINDS) for seed in range(20)] == [draw(seed, KINDS) for seed in range(20)]
    assert draw(1, KINDS) != draw(2, KINDS)


def test_a_schedule_has_two_to_six_faults_within_a_minute() -> None:
    for plan in (draw(seed, KINDS) for seed in SEEDS):
        assert 2 <= len(plan.faults) <= 6
        assert 10 <= plan.seconds <= 60
        assert all(first.at <= second.at for first, second in pairwise(plan.faults))
        assert all(fault.at + fault.lasts <= plan.seconds for fault in plan.faults)


def test_what_is_drawn_can_be_played() -> None:
    faults = [fault for seed in SEEDS for fault in draw(seed, KINDS).faults]

    assert [wrong for fault in faults if (wrong := wrong_in(fault, KINDS[fault.kind]))] == []


def test_each_class_has_its_turn() -> None:
    drawn = {fault.kind for seed in range(len(KINDS)) for fault in draw(seed, KINDS).faults}

    assert drawn == set(KINDS)


def test_what_leads_a_bot_to_a_fault_comes_with_it_and_not_before() -> None:
    for seed in SEEDS:
        faults = draw(seed, KINDS).faults
        for fault in faults:
            if after := KINDS[fault.kind].after:
                lead = [other for other in faults if other.kind in after and abs(other.at - fault.at) <= 2.1]
                assert any(other.at >= fault.at for other in lead), (seed, fault.kind)


def test_a_bot_meets_only_what_concerns_it() -> None:
    no_push, nothing = fitting(ANSWERS), fitting(Profile())

    assert "chat.push-broken" not in no_push
    assert {"room.cut", "chat.answer-lost", "bot.restarted"} <= set(no_push)
    assert "room.cut" not in fitting(Profile(says="/ping", answers="pong", room=False))
    assert nothing == {}


def test_classes_lead_only_to_classes_that_there_are() -> None:
    assert [name for kind in KINDS.values() for name in kind.after if name not in KINDS] == []
