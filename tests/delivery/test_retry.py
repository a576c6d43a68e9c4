import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangbot.clock import steady
from hangbot.delivery.record import Settlement
from hangbot.delivery.retry import Moment, Progress, RetryPolicy, Strategy, Until, decide
from hangbot.errors import (
    AckTimeout,
    ActionLost,
    RateLimited,
    Refused,
    ServiceError,
    TokenRejected,
    Unreachable,
)
from pytest_hangfm.manual_clock import ManualClock
from tests.rng import FixedRng

LOST = AckTimeout("no answer", service="chat")
AWAY = Unreachable("no connection", service="chat")
REFUSED = Refused("no", service="chat", status=400)
DEAD = TokenRejected("a dead token", service="chat")
GONE = ActionLost("gone", service="room")
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


def asking(error: ServiceError, *, works: bool | None = None) -> Progress:
    return Progress(1, in_doubt=True, asking_error=error, works=works)


def after(error: ServiceError, *, paused: bool = True, **more: Any) -> Progress:  # noqa: ANN401  any field
    progress = Progress(1, **more)
    progress.failed(error, 0.0)
    progress.paused = paused
    return progress


@pytest.mark.parametrize(
    ("progress", "now", "verdict"),
    [
        pytest.param(Progress(), Moment(), "send", id="new"),
        pytest.param(Progress(), Moment(late=True), "send", id="new, and late without having been refused"),
        pytest.param(Progress(), Moment(expired=True), "expired", id="new, and expired"),
        pytest.param(Progress(1, in_doubt=True), Moment(), "find", id="in doubt"),
        pytest.param(Progress(1, in_doubt=True), Moment(expired=True), "find", id="in doubt, and expired"),
        pytest.param(Progress(1, acknowledged=True), Moment(), "delivered", id="acknowledged"),
        pytest.param(Progress(1, found=True), Moment(), "delivered", id="found"),
        pytest.param(Progress(1, withdrawn=True), Moment(), "dropped", id="withdrawn"),
        pytest.param(after(LOST, paused=False), Moment(), "pause", id="failed"),
        pytest.param(after(REFUSED, paused=False), Moment(), "failed", id="refused"),
        pytest.param(after(DEAD, paused=False), Moment(), "pause", id="a refused token is no refusal"),
        pytest.param(after(GONE, paused=False), Moment(), "uncertain", id="gone"),
        pytest.param(after(LOST), Moment(), "find", id="what may have arrived is asked about"),
        pytest.param(after(LOST), Moment(late=True), "find", id="however late"),
        pytest.param(after(AWAY), Moment(), "send", id="what cannot have arrived is sent again"),
        pytest.param(after(AWAY), Moment(late=True), "probe", id="late: asked whether the service works"),
        pytest.param(after(AWAY, works=True), Moment(late=True), "failed", id="late, and it works"),
        pytest.param(after(AWAY, works=False), Moment(late=True), "send", id="late, and it is down"),
        pytest.param(after(AWAY, counted_attempts=3), Moment(), "probe", id="used up"),
        pytest.param(after(AWAY, counted_attempts=3, works=True), Moment(), "failed", id="used up: works"),
        pytest.param(after(AWAY, counted_attempts=3, works=False), Moment(), "send", id="used up: down"),
        pytest.param(after(DEAD, counted_attempts=3), Moment(late=True), "send", id="a token ends nothing"),
        pytest.param(Progress(refused=True), Moment(), "send", id="not admitted, and not late"),
        pytest.param(Progress(refused=True), Moment(late=True), "probe", id="not admitted, and late"),
        pytest.param(Progress(refused=True, works=True), Moment(late=True), "failed", id="never sent"),
        pytest.param(Progress(refused=True, works=False), Moment(late=True), "send", id="not sent: down"),
        pytest.param(asking(AWAY), Moment(), "pause", id="asked in vain"),
        pytest.param(asking(AWAY), Moment(late=True), "probe", id="asked in vain, late"),
        pytest.param(asking(AWAY, works=True), Moment(late=True), "uncertain", id="asked in vain: works"),
        pytest.param(asking(AWAY, works=False), Moment(late=True), "pause", id="asked in vain: down"),
        pytest.param(asking(AWAY), Moment(expired=True), "pause", id="asked in vain, expired"),
        pytest.param(
            asking(AWAY), Moment(expired=True, asked_long=True), "uncertain", id="expired, asked for long"
        ),
        pytest.param(asking(REFUSED), Moment(), "uncertain", id="a refused question"),
        pytest.param(asking(GONE), Moment(), "uncertain", id="a question whose connection went"),
        pytest.param(asking(DEAD), Moment(), "pause", id="a question whose token is refused"),
    ],
)
def test_one_verdict(progress: Progress, now: Moment, verdict: str) -> None:
    found = decide(progress, RetryPolicy(), now)

    assert (found.state if isinstance(found, Settlement) else found) == verdict


@pytest.mark.parametrize(
    ("progress", "now", "end"),
    [
        pytest.param(Progress(acknowledged=True), Moment(), Settlement("delivered", 1, 0), id="at once"),
        pytest.param(Progress(1, found=True), Moment(), Settlement("delivered", 2, 1), id="found"),
        pytest.param(
            Progress(2, acknowledged=True, retried=True),
            Moment(),
            Settlement("delivered", 2, 2),
            id="retried",
        ),
        pytest.param(
            after(REFUSED, paused=False),
            Moment(),
            Settlement("failed", 3, 1, "no", REFUSED.remedy),
            id="refused",
        ),
        pytest.param(
            after(GONE, paused=False),
            Moment(),
            Settlement("uncertain", None, 1, "gone", GONE.remedy),
            id="gone",
        ),
        pytest.param(
            after(AWAY, counted_attempts=3, works=True),
            Moment(),
            Settlement("failed", 3, 1, "given up after 3 attempts: no connection", AWAY.remedy),
            id="attempts used up",
        ),
        pytest.param(
            after(AWAY, works=True),
            Moment(late=True),
            Settlement("failed", 3, 1, "given up after 300 s: no connection", AWAY.remedy),
            id="time used up",
        ),
        pytest.param(
            Progress(refused=True, works=True),
            Moment(late=True),
            Settlement(
                "failed",
                3,
                0,
                "given up after 300 s: its turn did not come; nothing was sent",
                Unreachable.remedy,
            ),
            id="never sent",
        ),
        pytest.param(
            asking(REFUSED),
            Moment(),
            Settlement(
                "uncertain",
                None,
                1,
                "sent, not acknowledged, and asking failed too: no",
                "Ask again by hand.",
            ),
            id="not to be known",
        ),
    ],
)
def test_an_end_says_its_tier_why_and_what_to_do(progress: Progress, now: Moment, end: Settlement) -> None:
    progress.unknown_remedy = "Ask again by hand."

    assert decide(progress, RetryPolicy(), now) == end


@pytest.mark.parametrize(
    ("error", "works", "counted"),
    [
        pytest.param(LOST, True, 1, id="failed"),
        pytest.param(LOST, False, 0, id="while the service was down"),
        pytest.param(AWAY, True, 0, id="never reached it"),
        pytest.param(RateLimited("429", service="chat"), True, 0, id="told to wait"),
        pytest.param(DEAD, True, 0, id="a refused token"),
    ],
)
def test_only_failures_of_a_service_that_works_are_counted(
    *, error: ServiceError, works: bool, counted: int
) -> None:
    progress = after(error, paused=False)

    progress.resumed(works=works)

    assert progress.counted_attempts == counted


@pytest.mark.parametrize(
    ("until", "down", "left"),
    [
        pytest.param(Until(), False, math.inf, id="for ever"),
        pytest.param(Until(deadline=130.0), False, 30.0, id="its total time"),
        pytest.param(Until(deadline=130.0), True, math.inf, id="which an outage does not use up"),
        pytest.param(Until(130.0, expires_at=20.0), True, 20.0, id="until it expires"),
        pytest.param(Until(130.0, expires_at=20.0), False, 20.0, id="until the sooner of both"),
        pytest.param(Until(130.0, 20.0, ask_until=50.0), False, 30.0, id="a question, whatever expires"),
        pytest.param(Until(130.0, 20.0, ask_until=50.0), True, 50.0, id="a question of an outage"),
        pytest.param(Until(130.0, 90.0, ask_until=50.0), True, 90.0, id="a question of what is young"),
    ],
)
def test_a_wait_is_worth_it_until_its_end(until: Until, *, down: bool, left: float) -> None:
    clock = ManualClock()
    shifted = Until(
        until.deadline,
        until.expires_at and steady(clock) + until.expires_at,
        until.ask_until and clock.now() + until.ask_until,
    )

    assert shifted.left(clock, 100.0, down=down) == pytest.approx(left)
