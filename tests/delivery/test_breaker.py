import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangbot.delivery.breaker import Breaker
from hangbot.delivery.policy import RetryPolicy


def opened(failures: int = 3, *, now: float = 100.0) -> Breaker:
    """Return a breaker that has just opened: the seed's waits without jitter, 1, 2, 4 … 30 s."""
    breaker = Breaker(RetryPolicy(strategy="seed", jitter=0.0), failures_to_open=failures)
    for _ in range(failures):
        breaker.failed(now, lambda: 0.5, "503")
    return breaker


def test_a_service_that_works_is_let_through_without_waiting() -> None:
    breaker = Breaker(RetryPolicy())

    assert breaker.admit(0.0)
    assert breaker.wait(0.0) == 0.0
    assert (breaker.state, breaker.since) == ("closed", None)


def test_failures_open_it_only_when_they_come_in_a_row() -> None:
    breaker = Breaker(RetryPolicy(), failures_to_open=3)

    for _ in range(10):
        breaker.failed(1.0, lambda: 0.5, "503")
        breaker.failed(1.0, lambda: 0.5, "503")
        breaker.succeeded()

    assert breaker.state == "closed"


def test_an_open_one_lets_nothing_through_until_its_wait_is_over() -> None:
    breaker = opened(now=100.0)

    assert (breaker.state, breaker.since, breaker.reason) == ("open", 100.0, "503")
    assert not breaker.admit(100.9)
    assert breaker.wait(100.25) == pytest.approx(0.75)


def test_after_the_wait_one_request_probes_and_the_others_wait_for_it() -> None:
    breaker = opened(now=100.0)

    admitted = [breaker.admit(101.0) for _ in range(3)]

    assert admitted == [True, False, False]
    assert breaker.state == "probing"
    assert breaker.wait(101.0) > 0


def test_each_probe_that_fails_doubles_the_wait_up_to_the_longest() -> None:
    breaker, waits, now = opened(now=0.0), [], 0.0

    for _ in range(7):
        waits.append(breaker.wait(now))
        now = breaker.retry_at
        assert breaker.admit(now)
        breaker.failed(now, lambda: 0.5, "503")

    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    assert breaker.since == 0.0


def test_a_probe_that_succeeds_closes_it_and_forgets_the_failures() -> None:
    breaker = opened(now=100.0)
    breaker.admit(101.0)

    breaker.succeeded()
    breaker.failed(102.0, lambda: 0.5, "503")

    assert (breaker.state, breaker.since) == ("closed", None)
    assert breaker.admit(102.0)


def test_a_probe_that_was_called_off_makes_way_for_the_next() -> None:
    breaker = opened(now=100.0)
    breaker.admit(101.0)

    breaker.abandoned(101.5)

    assert breaker.state == "open"
    assert breaker.wait(101.5) == 0.0
    assert [breaker.admit(101.5), breaker.admit(101.5)] == [True, False]


def test_a_request_that_was_called_off_while_it_is_closed_changes_nothing() -> None:
    breaker = Breaker(RetryPolicy())

    breaker.abandoned(5.0)

    assert breaker == Breaker(RetryPolicy())


@given(st.lists(st.sampled_from(["fails", "works", "called off", "time"])))
def test_whatever_happens_a_service_that_works_again_is_let_through_again(events: list[str]) -> None:
    breaker, now = Breaker(RetryPolicy(), failures_to_open=2), 0.0

    for event in events:
        admitted = breaker.admit(now)
        if event == "time":
            now += 31.0
        if admitted and event == "fails":
            breaker.failed(now, lambda: 0.5, "503")
        elif admitted and event == "works":
            breaker.succeeded()
        elif admitted:
            breaker.abandoned(now)
    now += 31.0
    last = breaker.admit(now)
    breaker.succeeded()

    assert last
    assert breaker.admit(now)
