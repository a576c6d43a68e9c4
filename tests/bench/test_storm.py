from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest

from bench.storm import Storm, simulate
from bench.storm_page import draw, page
from hangbot.delivery.retry import RetryPolicy, Strategy
from tests.rng import FixedRng


@pytest.mark.parametrize(
    ("strategy", "draw", "returns_after"),
    [
        pytest.param("seed", 0.0, 1.0, id="seed: 1+2+4+8+16 = 31 s"),
        pytest.param("seed", 0.5, 1.5, id="seed: five times 0.1 s on top"),
        pytest.param("equal", 0.0, 0.5, id="equal: half of 1+2+4+8+16+30 = 30.5 s"),
        pytest.param("full", 0.5, 0.5, id="full: the same half"),
    ],
)
def test_one_client_returns_when_its_steps_add_up_to_more_than_the_outage(
    strategy: Strategy, draw: float, returns_after: float
) -> None:
    storm = simulate(RetryPolicy(strategy=strategy), clients=1, capacity=None, rng=FixedRng(draw))

    assert storm.served == pytest.approx((returns_after,))
    assert storm.requests == 1
    assert storm.peak == pytest.approx(10)  # one in a tenth of a second


def test_clients_without_jitter_all_come_at_once_and_again_every_longest_step() -> None:
    storm = simulate(RetryPolicy(strategy="seed", jitter=0.0), clients=20, capacity=2, rng=FixedRng(0.0))

    assert storm.peak == pytest.approx(200)
    assert storm.served == tuple(31.0 + 30 * turn - 30 for turn in range(10) for _ in range(2))
    assert storm.requests == 20 + 18 + 16 + 14 + 12 + 10 + 8 + 6 + 4 + 2


def test_a_server_that_counts_by_shorter_slices_refuses_more() -> None:
    storm = simulate(
        RetryPolicy(strategy="seed", jitter=0.0), clients=4, capacity=2, rng=FixedRng(0.0), slice_s=0.1
    )

    assert storm.served == (1.0, 31.0, 61.0, 91.0)
    assert storm.later_than(100) == 1


def test_half_of_the_clients_are_served_in_half_of_the_turns() -> None:
    storm = Storm("full", 4, 4, (1, 1, 1, 1), (0.05, 0.15, 0.25, 0.35))

    assert storm.half_s == 0.15
    assert storm.recovered_s == 0.35


def test_the_page_has_a_row_and_the_drawing_a_line_for_each_strategy() -> None:
    strategies: list[Strategy] = ["seed", "equal", "full"]
    storms = {name: Storm(name, 100, 100, (50, 50), (0.05,) * 50 + (0.15,) * 50) for name in strategies}

    text, drawing = page(storms, storms, storms), ET.fromstring(draw(storms, storms))  # noqa: S314  our own text

    rows = [text.index(f"| `{name}` | 500 |") for name in strategies]
    assert all(before < after for before, after in pairwise(rows))
    assert len(drawing.findall("{http://www.w3.org/2000/svg}polyline")) == 2 * len(strategies)
