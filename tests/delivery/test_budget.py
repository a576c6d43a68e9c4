import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangbot.delivery.limits import RetryBudget


def test_a_quiet_bot_may_retry_as_often_as_the_floor_says() -> None:
    budget = RetryBudget(floor=3)

    waits = []
    for _ in range(4):
        waits.append(budget.wait(100.0))
        budget.retried(100.0)

    assert waits == [0.0, 0.0, 0.0, 60.0]


def test_retries_may_be_a_tenth_of_the_sends_of_the_last_minute() -> None:
    budget = RetryBudget(floor=1)
    for number in range(50):
        budget.sent(100.0 + number / 100)

    retries = 0
    while not budget.wait(110.0):
        budget.retried(110.0)
        retries += 1

    assert retries == 5


def test_sends_make_room_for_retries_at_once() -> None:
    budget = RetryBudget(floor=1)
    budget.retried(100.0)
    before = budget.wait(101.0)

    for _ in range(11):
        budget.sent(101.0)

    assert before == 59.0
    assert budget.wait(101.0) == 0.0


def test_after_a_minute_a_retry_is_forgotten() -> None:
    budget = RetryBudget(floor=1)
    budget.retried(100.0)

    assert [budget.wait(now) for now in (100.0, 159.0, 160.0)] == [60.0, 1.0, 0.0]


def test_after_a_minute_sends_allow_nothing_any_more() -> None:
    budget = RetryBudget(floor=1)
    for _ in range(20):
        budget.sent(100.0)
    budget.retried(130.0)

    assert [budget.wait(now) for now in (140.0, 161.0)] == [0.0, 29.0]


def test_a_budget_of_nothing_is_looked_at_again_in_a_minute() -> None:
    assert RetryBudget(floor=0).wait(100.0) == pytest.approx(60.0)


@given(
    st.lists(st.tuples(st.sampled_from(["send", "retry"]), st.floats(0, 20)), max_size=80), st.integers(0, 5)
)
def test_within_any_minute_retries_are_the_floor_or_the_share_of_what_was_sent_before(
    events: list[tuple[str, float]], floor: int
) -> None:
    budget, now = RetryBudget(0.5, floor), 0.0
    sent: list[float] = []
    retried: list[float] = []

    for kind, pause in events:
        now += pause
        if kind == "send":
            budget.sent(now)
            sent.append(now)
        elif not budget.wait(now):
            budget.retried(now)
            retried.append(now)
            lately = [sum(at > now - 60.0 for at in times) for times in (sent, retried)]
            assert lately[1] <= max(floor, 0.5 * lately[0] + 1)
