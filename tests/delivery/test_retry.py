import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangbot.clock import steady
from hangbot.delivery.record import Settlement, State
from hangbot.delivery.retry import Moment, Progress, RetryPolicy, Strategy, Until, decide
from hangbot.errors import RateLimited, ServiceError, Unreachable
from pytest_hangfm.manual_clock import ManualClock
from tests.cases import cases
from tests.delivery.builders import AWAY, DEAD, GONE, LOST, REFUSED
from tests.rng import FixedRng

STRATEGIES: st.SearchStrategy[Strategy] = st.sampled_from(["seed", "equal", "full"])


def test_the_step_doubles_up_to_the_longest_and_stays_nothing_where_the_base_is() -> None:
    steps = [RetryPolicy().step(attempt) for attempt in (1, 2, 3, 5, 6, 5_000)]

    assert steps == [1.0, 2.0, 4.0, 16.0, 30.0, 30.0]
    assert RetryPolicy(base=0.0).step(5_000) == 0.0


@cases(
    "strategy throw waits",
    ("seed, least: the step", "seed", 0.0, [1.0, 2.0, 4.0]),
    ("seed, most: the step and 200 ms", "seed", 1.0, [1.2, 2.2, 4.2]),
    ("equal, least: half of it", "equal", 0.0, [0.5, 1.0, 2.0]),
    ("equal, most: the step and 200 ms", "equal", 1.0, [1.2, 2.2, 4.2]),
    ("full, least: nothing", "full", 0.0, [0.0, 0.0, 0.0]),
    ("full, most: the step", "full", 1.0, [1.0, 2.0, 4.0]),
)
def test_a_strategy_draws_between_its_bounds(strategy: Strategy, throw: float, waits: list[float]) -> None:
    policy = RetryPolicy(strategy=strategy)

    drawn = [policy.wait_after(attempt, FixedRng(throw)) for attempt in (1, 2, 3)]

    assert drawn == pytest.approx(waits)


def test_the_two_draws_of_equal_are_independent() -> None:
    wait = RetryPolicy().wait_after(1, FixedRng(0.0, 1.0))

    assert wait == pytest.approx(0.5 + 0.2)


@cases("throw waits", ("least", 0.0, [0.0, 0.0, 15.0, 15.0]), ("most", 1.0, [8.0, 16.0, 30.0, 30.0]))
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


NOW, LATE = Moment(), Moment(late=True)


def asking(error: ServiceError, *, works: bool | None = None) -> Progress:
    return Progress(1, in_doubt=True, asking_error=error, works=works)


def after(error: ServiceError, *, paused: bool = True, **more: Any) -> Progress:  # noqa: ANN401  any field
    progress = Progress(1, **more)
    progress.failed(error, 0.0)
    progress.paused = paused
    return progress


@cases(
    "progress now verdict",
    ("new", Progress(), NOW, "send"),
    ("new, and late without having been refused", Progress(), LATE, "send"),
    ("new, and expired", Progress(), Moment(expired=True), "expired"),
    ("in doubt", Progress(1, in_doubt=True), NOW, "find"),
    ("in doubt, and expired", Progress(1, in_doubt=True), Moment(expired=True), "find"),
    ("acknowledged", Progress(1, acknowledged=True), NOW, "delivered"),
    ("found", Progress(1, found=True), NOW, "delivered"),
    ("withdrawn", Progress(1, withdrawn=True), NOW, "dropped"),
    ("failed", after(LOST, paused=False), NOW, "pause"),
    ("refused", after(REFUSED, paused=False), NOW, "failed"),
    ("a refused token is no refusal", after(DEAD, paused=False), NOW, "pause"),
    ("gone", after(GONE, paused=False), NOW, "uncertain"),
    ("what may have arrived is asked about", after(LOST), NOW, "find"),
    ("however late", after(LOST), LATE, "find"),
    ("what cannot have arrived is sent again", after(AWAY), NOW, "send"),
    ("late: asked whether the service works", after(AWAY), LATE, "probe"),
    ("late, and it works", after(AWAY, works=True), LATE, "failed"),
    ("late, and it is down", after(AWAY, works=False), LATE, "send"),
    ("used up", after(AWAY, counted_attempts=3), NOW, "probe"),
    ("used up: works", after(AWAY, counted_attempts=3, works=True), NOW, "failed"),
    ("used up: down", after(AWAY, counted_attempts=3, works=False), NOW, "send"),
    ("a token ends nothing", after(DEAD, counted_attempts=3), LATE, "send"),
    ("not admitted, and not late", Progress(refused=True), NOW, "send"),
    ("not admitted, and late", Progress(refused=True), LATE, "probe"),
    ("never sent", Progress(refused=True, works=True), LATE, "failed"),
    ("not sent: down", Progress(refused=True, works=False), LATE, "send"),
    ("asked in vain", asking(AWAY), NOW, "pause"),
    ("asked in vain, late", asking(AWAY), LATE, "probe"),
    ("asked in vain: works", asking(AWAY, works=True), LATE, "uncertain"),
    ("asked in vain: down", asking(AWAY, works=False), LATE, "pause"),
    ("asked in vain, expired", asking(AWAY), Moment(expired=True), "pause"),
    ("expired, asked for long", asking(AWAY), Moment(expired=True, asked_long=True), "uncertain"),
    ("a refused question", asking(REFUSED), NOW, "uncertain"),
    ("a question whose connection went", asking(GONE), NOW, "uncertain"),
    ("a question whose token is refused", asking(DEAD), NOW, "pause"),
)
def test_one_verdict(progress: Progress, now: Moment, verdict: str) -> None:
    found = decide(progress, RetryPolicy(), now)

    assert (found.state if isinstance(found, Settlement) else found) == verdict


@cases(
    "progress now state tier attempts reason remedy",
    ("at once", Progress(acknowledged=True), NOW, "delivered", 1, 0, "", ""),
    ("found", Progress(1, found=True), NOW, "delivered", 2, 1, "", ""),
    ("retried", Progress(2, acknowledged=True, retried=True), NOW, "delivered", 2, 2, "", ""),
    ("refused", after(REFUSED, paused=False), NOW, "failed", 3, 1, "no", REFUSED.remedy),
    ("gone", after(GONE, paused=False), NOW, "uncertain", None, 1, "gone", GONE.remedy),
    (
        "attempts used up",
        *(after(AWAY, counted_attempts=3, works=True), NOW, "failed", 3, 1),
        *("given up after 3 attempts: no connection", AWAY.remedy),
    ),
    (
        "time used up",
        *(after(AWAY, works=True), LATE, "failed", 3, 1),
        *("given up after 300 s: no connection", AWAY.remedy),
    ),
    (
        "never sent",
        *(Progress(refused=True, works=True), LATE, "failed", 3, 0),
        *("given up after 300 s: its turn did not come; nothing was sent", Unreachable.remedy),
    ),
    (
        "not to be known",
        *(asking(REFUSED), NOW, "uncertain", None, 1),
        *("sent, not acknowledged, and asking failed too: no", "Ask again by hand."),
    ),
)
def test_an_end_says_its_tier_why_and_what_to_do(
    *,
    progress: Progress,
    now: Moment,
    state: State,
    tier: int | None,
    attempts: int,
    reason: str,
    remedy: str,
) -> None:
    progress.unknown_remedy = "Ask again by hand."

    assert decide(progress, RetryPolicy(), now) == Settlement(state, tier, attempts, reason, remedy)


@cases(
    "error works counted",
    ("failed", LOST, True, 1),
    ("while the service was down", LOST, False, 0),
    ("never reached it", AWAY, True, 0),
    ("told to wait", RateLimited("429", service="chat"), True, 0),
    ("a refused token", DEAD, True, 0),
)
def test_failures_of_a_working_service_are_counted(*, error: ServiceError, works: bool, counted: int) -> None:
    progress = after(error, paused=False)

    progress.resumed(works=works)

    assert progress.counted_attempts == counted


@cases(
    "until down left",
    ("for ever", Until(), False, math.inf),
    ("its total time", Until(deadline=130.0), False, 30.0),
    ("which an outage does not use up", Until(deadline=130.0), True, math.inf),
    ("until it expires", Until(130.0, expires_at=20.0), True, 20.0),
    ("until the sooner of both", Until(130.0, expires_at=20.0), False, 20.0),
    ("a question, whatever expires", Until(130.0, 20.0, ask_until=50.0), False, 30.0),
    ("a question of an outage", Until(130.0, 20.0, ask_until=50.0), True, 50.0),
    ("a question of what is young", Until(130.0, 90.0, ask_until=50.0), True, 90.0),
)
def test_a_wait_is_worth_it_until_its_end(until: Until, *, down: bool, left: float) -> None:
    clock = ManualClock()
    shifted = Until(
        until.deadline,
        until.expires_at and steady(clock) + until.expires_at,
        until.ask_until and clock.now() + until.ask_until,
    )

    assert shifted.left(clock, 100.0, down=down) == pytest.approx(left)
