import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangbot.delivery.limits import TokenBucket
from hangbot.delivery.retry import RetryPolicy, Strategy
from tests.rng import FixedRng

STRATEGIES: st.SearchStrategy[Strategy] = st.sampled_from(["seed", "equal", "full"])


@pytest.mark.parametrize(
    ("attempt", "step"),
    [
        pytest.param(1, 1.0, id="first"),
        pytest.param(2, 2.0, id="second"),
        pytest.param(3, 4.0, id="third"),
        pytest.param(5, 16.0, id="fifth"),
        pytest.param(6, 30.0, id="bounded"),
        pytest.param(5_000, 30.0, id="beyond every float"),
    ],
)
def test_the_step_doubles_up_to_the_longest(attempt: int, step: float) -> None:
    assert RetryPolicy().step(attempt) == step


def test_a_base_of_nothing_waits_for_nothing_however_often() -> None:
    assert RetryPolicy(base=0.0).step(5_000) == 0.0


@pytest.mark.parametrize(
    ("strategy", "throw", "waits"),
    [
        pytest.param("seed", 0.0, [1.0, 2.0, 4.0], id="seed, least: the step"),
        pytest.param("seed", 1.0, [1.2, 2.2, 4.2], id="seed, most: the step and 200 ms"),
        pytest.param("equal", 0.0, [0.5, 1.0, 2.0], id="equal, least: half of it"),
        pytest.param("equal", 1.0, [1.2, 2.2, 4.2], id="equal, most: the step and 200 ms"),
        pytest.param("full", 0.0, [0.0, 0.0, 0.0], id="full, least: nothing"),
        pytest.param("full", 1.0, [1.0, 2.0, 4.0], id="full, most: the step"),
    ],
)
def test_a_strategy_draws_between_its_bounds(strategy: Strategy, throw: float, waits: list[float]) -> None:
    policy = RetryPolicy(strategy=strategy)

    drawn = [policy.wait_after(attempt, FixedRng(throw)) for attempt in (1, 2, 3)]

    assert drawn == pytest.approx(waits)


def test_the_two_draws_of_equal_are_independent() -> None:
    wait = RetryPolicy().wait_after(1, FixedRng(0.0, 1.0))

    assert wait == pytest.approx(0.5 + 0.2)


@pytest.mark.parametrize(
    ("throw", "waits"),
    [
        pytest.param(0.0, [0.0, 0.0, 15.0, 15.0], id="least"),
        pytest.param(1.0, [8.0, 16.0, 30.0, 30.0], id="most"),
    ],
)
def test_at_the_longest_step_another_strategy_may_draw(throw: float, waits: list[float]) -> None:
    policy = RetryPolicy(strategy="full", jitter=0.0, at_longest="equal")

    assert [policy.wait_after(attempt, FixedRng(throw)) for attempt in (4, 5, 6, 500)] == waits


@given(
    STRATEGIES,
    st.integers(1, 10_000),
    st.floats(0, 10),
    st.floats(1, 10),
    st.floats(0, 60),
    st.floats(0, 1, exclude_max=True),
)
def test_no_wait_is_negative_or_longer_than_the_longest_and_the_jitter(
    strategy: Strategy, attempt: int, base: float, factor: float, longest: float, throw: float
) -> None:
    policy = RetryPolicy(base=base, factor=factor, longest=longest, strategy=strategy)

    wait = policy.wait_after(attempt, FixedRng(throw))

    assert 0 <= wait <= longest + policy.jitter


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
