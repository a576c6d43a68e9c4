from hypothesis import given
from hypothesis import strategies as st

from hangbot.delivery.message import Outgoing
from hangbot.delivery.record import OutboxRow, State
from hangbot.delivery.stats import compute_stats
from tests.cases import cases

STATES: list[State] = ["queued", "sending", "delivered", "failed", "uncertain", "expired", "dropped"]


def row(
    state: State, tier: int | None = None, *, accepted: float = 100.0, settled: float | None = None
) -> OutboxRow:
    return OutboxRow(Outgoing("m", "room", "hi"), state, tier, 1, False, accepted, settled, "", "")  # noqa: FBT003  in doubt


def test_nothing_has_no_rates() -> None:
    figures = compute_stats([], now=0.0).as_row()

    none = ["first_try_rate", "p50_ms", "p95_ms", "p99_ms", "oldest_queued_s"]
    counts = ["delivered", "tier1", "tier2", "failed", "uncertain", "queued", "expired", "dropped"]
    assert figures == dict.fromkeys(counts, 0) | dict.fromkeys(none)


def test_messages_are_counted_by_how_they_ended() -> None:
    delivered = [row("delivered", tier, settled=101.0) for tier in (1, 1, 2)]
    others: list[State] = ["failed", "uncertain", "expired", "dropped"]
    waiting = [row("queued", accepted=90.0), row("sending", accepted=95.0)]
    rows = delivered + [row(state, settled=105.0) for state in others] + waiting

    figures = compute_stats(rows, now=110.0)

    assert (figures.delivered, figures.tier1, figures.tier2) == (3, 2, 1)
    assert (figures.failed, figures.uncertain, figures.expired, figures.dropped) == (1, 1, 1, 1)
    assert (figures.queued, figures.oldest_queued_s) == (2, 20.0)
    assert figures.first_try_rate == 0.4  # of what was delivered, failed or is uncertain


@cases(
    "settled quantiles",
    ("a hundred", [100.0 + ms / 1000 for ms in range(1, 101)], (50.0, 95.0, 99.0)),
    ("one", [100.007], (7.0, 7.0, 7.0)),
    ("two", [100.001, 100.009], (1.0, 9.0, 9.0)),
    ("three", [100.001, 100.005, 100.009], (5.0, 9.0, 9.0)),
    ("settled before it was accepted: a clock was set back", [40.0], (0.0, 0.0, 0.0)),
)
def test_the_quantiles_of_what_was_delivered_are_those_of_the_nearest_rank(
    settled: list[float], quantiles: tuple[float, float, float]
) -> None:
    others = [row("failed", 3, settled=500.0), row("dropped", settled=500.0)]

    figures = compute_stats([row("delivered", 1, settled=at) for at in settled] + others, now=600.0)

    assert (figures.p50_ms, figures.p95_ms, figures.p99_ms) == quantiles


def test_a_clock_that_was_set_back_makes_no_age_negative() -> None:
    assert compute_stats([row("queued", accepted=100.0)], now=50.0).oldest_queued_s == 0.0


ROWS = st.lists(
    st.builds(
        row, st.sampled_from(STATES), st.none() | st.integers(1, 3), settled=st.none() | st.floats(0, 1e9)
    )
)


@given(ROWS)
def test_every_message_is_counted_once(rows: list[OutboxRow]) -> None:
    figures = compute_stats(rows, now=1_000.0)

    counted = figures.delivered + figures.failed + figures.uncertain + figures.expired + figures.dropped
    assert counted + figures.queued == len(rows)
    assert (figures.p50_ms or 0) <= (figures.p95_ms or 0) <= (figures.p99_ms or 0)
