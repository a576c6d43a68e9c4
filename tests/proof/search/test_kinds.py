"""Tokens of schedules: what cannot be played is refused in a line."""

from dataclasses import replace

import pytest

from pytest_hangfm.proof.search.drawing import draw
from pytest_hangfm.proof.search.kinds import KINDS, read_token
from pytest_hangfm.simulation.plan import Fault, Plan
from pytest_hangfm.simulation.token import PROOF, MadeWith, TokenError, encode
from tests.cases import cases

MADE = MadeWith("3.11", "a", "b")
PLAN = Plan(3, 9.0, pace=2.0, faults=(Fault("room.cut", 2.0),))


@cases(
    "plan says",
    ("an-unknown-class", replace(PLAN, faults=(Fault("room.fire", 2.0),)), "not known here (room.fire)"),
    ("an-unknown-value", replace(PLAN, faults=(Fault("chat.send-slow", 2.0, 3.0, {"ms": "x"}),)), "ms='x'"),
    ("an-unknown-argument", replace(PLAN, faults=(Fault("room.cut", 2.0, 0.0, {"how": 1}),)), "how=1"),
    ("a-fault-without-end", replace(PLAN, faults=(Fault("room.away", 2.0, 600.0),)), "longer than 60 s"),
    ("no-fault", replace(PLAN, faults=()), "no fault"),
    ("hours", replace(PLAN, seconds=7200.0), "too long"),
    ("a-flood-of-questions", replace(PLAN, pace=0.001), "too many questions"),
)
def test_a_schedule_that_cannot_be_played_is_refused(plan: Plan, says: str) -> None:
    with pytest.raises(TokenError) as refused:
        read_token(encode(plan, MADE, PROOF))

    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_token_of_a_simulation_is_not_played() -> None:
    with pytest.raises(TokenError, match="this is no token of a proof: those begin with prove1-"):
        read_token(encode(PLAN, MADE))


def test_whatever_is_drawn_is_read_back() -> None:
    for plan in (draw(seed, KINDS) for seed in range(100)):
        assert read_token(encode(plan, MADE, PROOF)) == (plan, MADE)
