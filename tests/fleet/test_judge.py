"""The judge of the fleet of processes finds what it is to find: see `tests/fleet/proofs`."""

from typing import Any

import pytest

from tests.fleet.proofs.acts import Act
from tests.fleet.proofs.disturbances import Loss
from tests.fleet.proofs.judge import arrivals, trespasses
from tests.fleet.proofs.ownership import Owned
from tests.fleet.proofs.takeovers import takeovers

OWNED = [Owned("w1", "a", 10.0, 10.1, 20.0), Owned("w2", "b", 23.0, 23.2, 40.0)]


def act(at: float, worker: str) -> Act:
    return Act(at, worker, "room", "POST /v3.0/messages")


def message(number: int, *, word: str = "load", muid: str | None = None) -> dict[str, Any]:
    text = {"text": f"{word} {number}"}
    return {"muid": muid or f"m-{number}", "sender": "bot", "receiver": "room", "data": text}


ACCEPTED = [{"id": f"m-{number}", "at": 1.0} for number in range(3)]
ANSWERED = message(7, word="answers", muid="a-7")


def test_the_owner_of_the_time_may_act() -> None:
    assert not [*trespasses([act(10.5, "w1"), act(22.9, "w1"), act(23.5, "w2")], OWNED)]


@pytest.mark.parametrize(
    ("at", "worker"),
    [
        pytest.param(9.0, "w1", id="before it owned the room"),
        pytest.param(23.1, "w1", id="after another one did"),
        pytest.param(12.0, "w2", id="while another one did"),
    ],
)
def test_whoever_else_acts_is_found(at: float, worker: str) -> None:
    assert [*trespasses([act(at, worker)], OWNED)] == [act(at, worker)]


def test_what_may_have_left_in_time_is_no_trespass() -> None:
    late = act(24.0, "w1")

    assert [*trespasses([late], OWNED, lambda at: at - 0.5)] == [late]
    assert not [*trespasses([late], OWNED, lambda at: at - 1.5)]


@pytest.mark.parametrize(
    ("arrived", "wrong"),
    [
        pytest.param([0, 1, 2], "", id="all"),
        pytest.param([0, 2], "m-1 (accepted at 1.00) arrived 0 times", id="one lost"),
        pytest.param([0, 1, 2, 2], "m-2 (accepted at 1.00) arrived 2 times", id="one doubled"),
        pytest.param([0, 2, 1], "from bot to room the order is wrong: [(2, 1)]", id="two exchanged"),
    ],
)
def test_what_arrived_is_told_from_what_was_accepted(arrived: list[int], wrong: str) -> None:
    rows = [*map(message, arrived), ANSWERED]

    assert ", ".join(arrivals(ACCEPTED, {"room": [7]}, rows)) == wrong


@pytest.mark.parametrize(
    ("asked", "answers", "wrong"),
    [
        pytest.param(
            [7], [], "question 7 in room was asked 1 times, and answered 0 times", id="not answered"
        ),
        pytest.param(
            [7], [ANSWERED] * 2, "question 7 in room was asked 1 times, and answered 2 times", id="twice"
        ),
        pytest.param(
            [], [ANSWERED], "question 7 in room was asked 0 times, and answered 1 times", id="not asked"
        ),
    ],
)
def test_each_question_has_one_answer(asked: list[int], answers: list[dict[str, Any]], wrong: str) -> None:
    assert [*arrivals([], {"room": asked}, answers)] == [wrong]


def test_a_takeover_counts_from_the_disturbance_that_the_owner_did_not_survive() -> None:
    survived = Loss("w1 is paused for 1 s", 15.0, 16.0, {"room": "a"})
    killed = Loss("w1 is killed", 20.2, 25.0, {"room": "a"})
    server = Loss("n0 is killed", 30.0, 31.0, server=True)

    (found,) = takeovers([survived, killed, server], {"room": OWNED}, {"room": [act(24.2, "w2")]})

    assert found.what == "w1 is killed"
    assert found.leased == pytest.approx(3.0)
    assert found.acted == pytest.approx(4.0)
    assert found.was_alone


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(Loss("n0 is killed", 22.0, 24.0, server=True), id="a server"),
        pytest.param(Loss("w2 is paused", 18.0, 19.5), id="a worker that has only just come back"),
        pytest.param(Loss("w3 is cut", 23.0), id="a worker that may be the next owner"),
    ],
)
def test_a_takeover_while_something_else_is_disturbed_is_not_alone(other: Loss) -> None:
    killed = Loss("w1 is killed", 20.2, 25.0, {"room": "a"})

    (found,) = takeovers([killed, other], {"room": OWNED}, {})

    assert not found.was_alone
