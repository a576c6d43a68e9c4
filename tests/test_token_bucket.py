"""A bucket of tokens keeps its rate."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangbot.token_bucket import TokenBucket
from tests.cases import cases


@cases(
    "rate burst takes waits",
    ("a burst, then the pace", 5.0, 3, [100.0] * 5, [0.0, 0.0, 0.0, 0.2, 0.4]),
    ("it fills up", 5.0, 2, [0.0, 0.0, 0.2, 0.2], [0.0, 0.0, 0.0, 0.2]),
    ("but not beyond its burst", 5.0, 2, [0.0, *[1_000.0] * 3], [0.0, 0.0, 0.0, 0.2]),
    ("without a rate nothing waits", 0.0, 1, [0.0] * 100, [0.0] * 100),
    ("without a burst one by one goes", 2.0, 0, [0.0, 0.0], [0.5, 1.0]),
)
def test_a_bucket_paces(rate: float, burst: int, takes: list[float], waits: list[float]) -> None:
    bucket = TokenBucket(rate, burst)

    assert [bucket.take(at) for at in takes] == pytest.approx(waits)


@given(st.floats(0.1, 100), st.integers(1, 20), st.lists(st.floats(0, 5), min_size=1, max_size=25))
def test_a_bucket_lets_through_its_burst_and_its_rate(rate: float, burst: int, pauses: list[float]) -> None:
    bucket = TokenBucket(rate, burst)
    now, used = 0.0, []

    for pause in pauses:
        now += pause
        used.append(now + bucket.take(now))

    for first in range(len(used)):
        for last in range(first, len(used)):
            assert last - first + 1 <= burst + rate * (used[last] - used[first]) + 1e-6
