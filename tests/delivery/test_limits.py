import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangbot.delivery.limits import CircuitBreaker, RetryBudget, TokenBucket
from hangbot.delivery.retry import RetryPolicy
from tests.rng import FixedRng

SEED = RetryPolicy(strategy="seed", jitter=0.0)


def opened(*, now: float = 100.0) -> CircuitBreaker:
    """Return a breaker that has just opened: the seed's waits without jitter, 1, 2, 4 … 30 s."""
    breaker = CircuitBreaker(SEED)
    breaker.failed(now, "503")
    breaker.unanswered(now, FixedRng(), "503")
    return breaker


def test_a_service_that_works_is_let_through_without_waiting() -> None:
    breaker = CircuitBreaker(RetryPolicy())

    assert not breaker.down
    assert breaker.wait(0.0) == 0.0
    assert (breaker.state, breaker.since) == ("closed", None)


def test_failures_in_a_row_ask_for_a_probe_and_open_nothing_by_themselves() -> None:
    breaker = CircuitBreaker(RetryPolicy(), failures_to_open=3)

    asked_for = []
    for _ in range(2):
        asked_for += [breaker.failed(1.0, "503") for _ in range(4)]
        breaker.succeeded()

    assert asked_for == [False, False, True, True] * 2
    assert not breaker.down


def test_it_is_down_since_the_first_failure_in_a_row_and_not_since_the_probe() -> None:
    breaker = CircuitBreaker(SEED)
    breaker.failed(90.0, "503")
    breaker.succeeded()
    breaker.failed(95.0, "503")
    breaker.failed(97.0, "503")

    breaker.unanswered(100.0, FixedRng(), "no answer")

    assert (breaker.down, breaker.since, breaker.reason) == (True, 95.0, "no answer")


def test_the_time_that_it_is_down_does_not_count() -> None:
    breaker = CircuitBreaker(SEED)
    breaker.failed(10.0, "503")
    counted = [breaker.worked_for(13.0)]  # it may still have been about that request alone
    breaker.unanswered(14.0, FixedRng(), "503")
    counted += [breaker.worked_for(14.0), breaker.worked_for(1_000.0)]
    breaker.answered(1_010.0)
    counted += [breaker.worked_for(1_010.0), breaker.worked_for(1_020.0)]

    assert counted == [13.0, 10.0, 10.0, 10.0, 20.0]


def test_an_open_one_lets_nothing_through_and_wants_no_probe_until_its_wait_is_over() -> None:
    breaker = opened(now=100.0)

    assert not breaker.begin_probe(100.9)
    assert breaker.wait(100.25) == pytest.approx(0.75)


def test_after_the_wait_there_is_one_probe_at_a_time() -> None:
    breaker = opened(now=100.0)

    begun = [breaker.begin_probe(101.0) for _ in range(3)]

    assert begun == [True, False, False]
    assert breaker.state == "probing"
    assert breaker.wait(101.0) > 0


def test_each_probe_that_fails_doubles_the_wait_up_to_the_longest() -> None:
    breaker, waits, now = opened(now=0.0), [], 0.0

    for _ in range(7):
        waits.append(breaker.wait(now))
        now = breaker.retry_at
        assert breaker.begin_probe(now)
        breaker.unanswered(now, FixedRng(), "503")

    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    assert breaker.since == 0.0


def test_what_waiting_does_not_mend_is_asked_about_seldom_from_the_first_time_on() -> None:
    breaker = CircuitBreaker(SEED)

    breaker.unanswered(0.0, FixedRng(), "the token is dead", at_the_cap=True)

    assert breaker.wait(0.0) == 30.0


def test_a_service_that_wants_to_be_left_alone_is() -> None:
    breaker = CircuitBreaker(SEED)

    breaker.unanswered(0.0, FixedRng(), "429", at_least=20.0)

    assert breaker.wait(0.0) == 20.0


def test_only_a_probe_that_is_answered_closes_it() -> None:
    breaker = opened(now=100.0)

    breaker.succeeded()  # of a request that was on its way before
    after_a_request = breaker.down
    breaker.begin_probe(101.0)
    breaker.answered(101.0)

    assert (after_a_request, breaker.down, breaker.since) == (True, False, None)
    assert not breaker.failed(102.0, "503")


def test_a_probe_that_was_called_off_makes_way_for_the_next() -> None:
    breaker = opened(now=100.0)
    breaker.begin_probe(101.0)

    breaker.probe_cancelled(101.5)

    assert breaker.state == "open"
    assert breaker.wait(101.5) == 0.0
    assert [breaker.begin_probe(101.5), breaker.begin_probe(101.5)] == [True, False]


def test_a_request_that_was_called_off_while_it_is_closed_changes_nothing() -> None:
    breaker = CircuitBreaker(RetryPolicy())

    breaker.probe_cancelled(5.0)

    assert breaker == CircuitBreaker(RetryPolicy())


@given(st.lists(st.sampled_from(["fails", "works", "no answer", "answer", "called off", "time"])))
def test_whatever_happens_time_never_runs_faster_and_a_service_that_works_again_is_let_through(
    events: list[str],
) -> None:
    breaker, now, counted = CircuitBreaker(RetryPolicy(), failures_to_open=2), 0.0, 0.0

    for event in events:
        probes = breaker.begin_probe(now) or not breaker.down
        if event == "time":
            now += 31.0
        elif event == "fails":
            breaker.failed(now, "503")
        elif event == "works":
            breaker.succeeded()
        elif probes and event == "no answer":
            breaker.unanswered(now, FixedRng(), "503")
        elif probes and event == "answer":
            breaker.answered(now)
        elif probes:
            breaker.probe_cancelled(now)
        assert breaker.worked_for(now) <= max(counted + 31.0, now)
        counted = breaker.worked_for(now)
    now += 31.0
    due = breaker.begin_probe(now) or not breaker.down or breaker.state == "probing"
    breaker.answered(now)

    assert due
    assert not breaker.down


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


def test_a_bucket_lets_a_burst_through_and_then_paces() -> None:
    bucket = TokenBucket(5.0, 3)

    waits = [bucket.take(100.0) for _ in range(5)]

    assert waits == pytest.approx([0.0, 0.0, 0.0, 0.2, 0.4])


def test_a_bucket_fills_up_while_nothing_is_sent_but_not_beyond_its_burst() -> None:
    bucket = TokenBucket(5.0, 2)
    for _ in range(2):
        bucket.take(0.0)

    soon = [bucket.take(0.2), bucket.take(0.2)]
    late = [bucket.take(1_000.0) for _ in range(3)]

    assert soon == pytest.approx([0.0, 0.2])
    assert late == pytest.approx([0.0, 0.0, 0.2])


def test_a_bucket_without_a_rate_never_waits() -> None:
    bucket = TokenBucket(0.0, 1)

    assert [bucket.take(0.0) for _ in range(100)] == [0.0] * 100


def test_a_bucket_without_a_burst_still_lets_one_by_one_through() -> None:
    bucket = TokenBucket(2.0, 0)

    assert [bucket.take(0.0), bucket.take(0.0)] == [0.5, 1.0]


@given(
    st.floats(0.1, 100),
    st.integers(1, 20),
    st.lists(st.floats(0, 5), min_size=1, max_size=25),
)
def test_a_bucket_never_lets_more_through_than_its_burst_and_its_rate(
    rate: float, burst: int, pauses: list[float]
) -> None:
    bucket = TokenBucket(rate, burst)
    now, used = 0.0, []

    for pause in pauses:
        now += pause
        used.append(now + bucket.take(now))

    for first in range(len(used)):
        for last in range(first, len(used)):
            assert last - first + 1 <= burst + rate * (used[last] - used[first]) + 1e-6
