import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangbot.delivery.limits import CircuitBreaker, RetryBudget
from hangbot.delivery.retry import RetryPolicy
from tests.cases import cases
from tests.rng import FixedRng

SEED = RetryPolicy(strategy="seed", jitter=0.0)


def opened(*, now: float = 100.0) -> CircuitBreaker:
    """Return a breaker that has just opened: the seed's waits without jitter, 1, 2, 4 … 30 s."""
    breaker = CircuitBreaker(SEED)
    breaker.failed(now, "503")
    breaker.unanswered(now, FixedRng(), "503")
    return breaker


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


def test_after_the_wait_there_is_one_probe_at_a_time() -> None:
    breaker = opened(now=100.0)
    early = (breaker.begin_probe(100.9), breaker.wait(100.25))

    begun = [breaker.begin_probe(101.0) for _ in range(3)]

    assert early == (False, 0.75)
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


@cases(
    "at_the_cap at_least wait",
    ("what waiting alone does not mend: seldom from the first time on", True, 0.0, 30.0),
    ("what wants to be left alone: so long", False, 20.0, 20.0),
)
def test_the_first_wait_may_be_longer(*, at_the_cap: bool, at_least: float, wait: float) -> None:
    breaker = CircuitBreaker(SEED)

    breaker.unanswered(0.0, FixedRng(), "no", at_least=at_least, at_the_cap=at_the_cap)

    assert breaker.wait(0.0) == wait


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


def test_a_closed_one_lets_all_through_and_a_probe_that_was_called_off_changes_nothing() -> None:
    breaker = CircuitBreaker(RetryPolicy())

    breaker.probe_cancelled(5.0)

    assert breaker == CircuitBreaker(RetryPolicy())
    assert (breaker.down, breaker.wait(0.0), breaker.since) == (False, 0.0, None)


@given(st.lists(st.sampled_from(["fails", "works", "no answer", "answer", "called off", "time"])))
def test_time_never_runs_faster_and_a_service_that_works_again_is_let_through(events: list[str]) -> None:
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


@cases(
    "floor sends retries waits",
    ("a quiet bot, below the floor", 3, [], [100.0] * 2, {100.0: 0.0}),
    ("at the floor", 3, [], [100.0] * 3, {100.0: 60.0}),
    ("below a tenth", 1, [100.0 + n / 100 for n in range(50)], [110.0] * 4, {110.0: 0.0}),
    ("a tenth", 1, [100.0 + n / 100 for n in range(50)], [110.0] * 5, {110.0: 50.0 + 10.0}),
    ("sends make room at once", 1, [101.0] * 11, [100.0], {101.0: 0.0}),
    ("a retry is forgotten after a minute", 1, [], [100.0], {100.0: 60.0, 159.0: 1.0, 160.0: 0.0}),
    ("and so are sends", 1, [100.0] * 20, [130.0], {140.0: 0.0, 161.0: 29.0}),
    ("nothing: looked at again in a minute", 0, [], [], {100.0: 60.0}),
)
def test_a_budget_allows_the_floor_or_a_tenth_of_the_sends_of_the_last_minute(
    floor: int, sends: list[float], retries: list[float], waits: dict[float, float]
) -> None:
    budget = RetryBudget(floor=floor)
    for at in sends:
        budget.sent(at)
    for at in retries:
        budget.retried(at)

    assert {now: budget.wait(now) for now in waits} == pytest.approx(waits)


@given(
    st.lists(st.tuples(st.sampled_from(["send", "retry"]), st.floats(0, 20)), max_size=80), st.integers(0, 5)
)
def test_in_a_minute_retries_are_the_floor_or_the_share(events: list[tuple[str, float]], floor: int) -> None:
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
