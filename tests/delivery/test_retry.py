import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from hangbot.clock import steady
from hangbot.delivery.record import Settlement, Step
from hangbot.delivery.retry import Progress, Retrier, RetryPolicy
from hangbot.errors import (
    AckTimeout,
    ActionLost,
    ConnectionLost,
    NotAMember,
    RateLimited,
    Refused,
    ServiceError,
    Unavailable,
    Unreachable,
)
from pytest_hangfm.manual_clock import ManualClock
from tests.rng import FixedRng

LOST = AckTimeout("no answer", service="chat")
CUT = ConnectionLost("cut", service="chat")
DOWN = Unavailable("503", service="chat", status=503)
AWAY = Unreachable("no connection", service="chat")
REFUSED = Refused("no", service="chat", status=400)
BUSY = RateLimited("slow down", service="chat", status=429, retry_after=15.0)

Outcome = ServiceError | bool | None
SEED = RetryPolicy(strategy="seed")


@dataclass
class Trip:
    """A retrier, and a service with a script; what the script does not hold is a failure of the test."""

    sends: list[Outcome] = field(default_factory=list)
    asks: list[Outcome] = field(default_factory=list)
    policy: RetryPolicy = SEED
    clock: ManualClock = field(default_factory=lambda: ManualClock(auto=True))
    steps: list[Step] = field(default_factory=list)

    async def carry(
        self,
        *,
        turn: Callable[[bool], Awaitable[bool]] | None = None,
        earlier: Progress | None = None,
    ) -> Settlement:
        retrier = Retrier(self.policy, self.clock, FixedRng(), self.steps.append)
        end = await retrier.run(
            "m", self._send, self._ask, turn=turn, earlier=earlier, if_uncertain="Ask again by hand."
        )
        assert (self.sends, self.asks) == ([], []), "the script was not played to its end"
        return end

    async def _send(self) -> None:
        self._play(self.sends)

    async def _ask(self) -> bool:
        return bool(self._play(self.asks))

    def _play(self, script: list[Outcome]) -> Outcome:
        outcome = script.pop(0)
        if isinstance(outcome, ServiceError):
            raise outcome
        return outcome

    @property
    def story(self) -> list[str]:
        return [f"{step.kind} {step.attempt}" for step in self.steps]


async def test_acknowledged_at_once_is_tier_1() -> None:
    trip = Trip([None])

    end = await trip.carry()

    assert end == Settlement("delivered", 1, 1)
    assert trip.story == ["attempt 1", "answer 1", "settled 1"]
    assert trip.steps[-1].settlement == end
    assert trip.clock.slept == []


async def test_a_lost_answer_is_asked_about_and_found_is_tier_2_after_one_attempt() -> None:
    trip = Trip([LOST], [True])

    end = await trip.carry()

    assert end == Settlement("delivered", 2, 1)
    assert trip.story == ["attempt 1", "answer 1", "waiting 1", "asked 1", "settled 1"]


async def test_what_did_not_arrive_is_sent_again() -> None:
    trip = Trip([LOST, None], [False])

    end = await trip.carry()

    assert end == Settlement("delivered", 2, 2)


@pytest.mark.parametrize("trouble", [LOST, CUT, DOWN], ids=lambda error: type(error).__name__)
async def test_whatever_may_have_arrived_is_asked_about_before_it_is_sent_again(
    trouble: ServiceError,
) -> None:
    trip = Trip([trouble, trouble, None], [False, False])

    end = await trip.carry()

    assert end == Settlement("delivered", 2, 3)


@pytest.mark.parametrize("trouble", [AWAY, BUSY], ids=lambda error: type(error).__name__)
async def test_what_cannot_have_arrived_is_sent_again_without_asking(trouble: ServiceError) -> None:
    trip = Trip([trouble, None], [])

    end = await trip.carry()

    assert end == Settlement("delivered", 2, 2)


async def test_a_refusal_fails_at_once_with_its_words_and_remedy() -> None:
    trip = Trip([REFUSED])

    end = await trip.carry()

    assert end == Settlement("failed", 3, 1, "no", REFUSED.remedy)
    assert trip.clock.slept == []


async def test_refused_after_a_retry_is_tier_3_all_the_same() -> None:
    trip = Trip([DOWN, REFUSED], [False])

    end = await trip.carry()

    assert (end.state, end.tier, end.attempts) == ("failed", 3, 2)


async def test_the_seeds_numbers_give_three_attempts_with_one_and_two_seconds_and_jitter() -> None:
    trip = Trip([DOWN, DOWN, DOWN], [False, False, False])

    end = await trip.carry()

    assert end == Settlement("failed", 3, 3, "given up after 3 attempts: 503", DOWN.remedy)
    assert trip.clock.slept == pytest.approx([1.1, 2.1, 4.1])  # the last one before the last question


async def test_a_last_attempt_that_arrived_after_all_is_delivered() -> None:
    trip = Trip([DOWN, DOWN, LOST], [False, False, True])

    end = await trip.carry()

    assert end == Settlement("delivered", 2, 3)


async def test_asking_again_and_again_spends_no_attempt() -> None:
    trip = Trip([LOST, None], [DOWN, AWAY, LOST, BUSY, False])

    end = await trip.carry()

    assert end == Settlement("delivered", 2, 2)
    assert [step.kind for step in trip.steps].count("asked") == 5


async def test_a_service_that_is_away_costs_no_attempts() -> None:
    trip = Trip([AWAY] * 6 + [None])

    end = await trip.carry()

    assert end == Settlement("delivered", 2, 7)


async def test_a_service_that_stays_away_is_given_up_after_the_total_time() -> None:
    policy = RetryPolicy(strategy="seed", jitter=0.0, total=60.0)
    trip = Trip([AWAY] * 6, policy=policy)

    end = await trip.carry()

    assert end == Settlement("failed", 3, 6, "given up after 60 s: no connection", AWAY.remedy)
    assert sum(trip.clock.slept) == pytest.approx(60.0)


async def test_retry_after_is_waited_for() -> None:
    trip = Trip([BUSY, None])

    await trip.carry()

    assert trip.clock.slept == [15.0]


async def test_retry_after_never_shortens_the_wait() -> None:
    trip = Trip([RateLimited("x", service="chat", retry_after=0.0), None])

    await trip.carry()

    assert trip.clock.slept == pytest.approx([1.1])


async def test_retry_after_does_not_outlast_the_total_time() -> None:
    trip = Trip([BUSY], policy=RetryPolicy(total=10.0))

    end = await trip.carry()

    assert end.state == "failed"
    assert trip.clock.slept == [10.0]


async def test_retry_after_of_a_503_is_waited_for_before_asking() -> None:
    trip = Trip([Unavailable("503", service="chat", retry_after=7.0)], [True])

    end = await trip.carry()

    assert end.state == "delivered"
    assert trip.clock.slept == [7.0]


async def test_asking_that_fails_to_the_end_is_uncertain_and_never_called_failed() -> None:
    trip = Trip([LOST], [DOWN] * 5, policy=RetryPolicy(strategy="seed", jitter=0.0, total=20.0))

    end = await trip.carry()

    assert (end.state, end.tier, end.attempts) == ("uncertain", None, 1)
    assert end.reason == "sent, not acknowledged, and asking failed too: 503"
    assert end.remedy == "Ask again by hand."
    assert sum(trip.clock.slept) == pytest.approx(20.0)


async def test_the_last_question_is_asked_when_the_total_time_is_over() -> None:
    trip = Trip(
        [LOST], [DOWN, DOWN, DOWN, DOWN, True], policy=RetryPolicy(strategy="seed", jitter=0.0, total=20.0)
    )

    end = await trip.carry()

    assert end == Settlement("delivered", 2, 1)


@pytest.mark.parametrize(
    "refusal", [REFUSED, NotAMember("out", service="chat")], ids=lambda error: type(error).__name__
)
async def test_a_question_that_is_refused_is_uncertain_at_once(refusal: ServiceError) -> None:
    trip = Trip([LOST], [refusal])

    end = await trip.carry()

    assert end.state == "uncertain"
    assert len(trip.clock.slept) == 1


async def test_a_room_action_whose_connection_went_is_uncertain_and_not_repeated() -> None:
    lost = ActionLost("gone", service="room")
    trip = Trip([lost])

    end = await trip.carry()

    assert end == Settlement("uncertain", None, 1, "gone", lost.remedy)


async def test_what_an_earlier_run_left_in_doubt_is_asked_about_first() -> None:
    trip = Trip([], [True])

    end = await trip.carry(earlier=Progress(attempts=2, in_doubt=True))

    assert end == Settlement("delivered", 2, 2)
    assert trip.story == ["asked 2", "settled 2"]


async def test_what_an_earlier_run_left_in_doubt_and_did_not_arrive_is_sent_as_tier_2() -> None:
    trip = Trip([None], [False])

    end = await trip.carry(earlier=Progress(attempts=1, in_doubt=True))

    assert end == Settlement("delivered", 2, 2)


async def test_attempts_of_earlier_runs_count_but_are_not_held_against_this_one() -> None:
    trip = Trip([DOWN, DOWN, DOWN], [False, False, False])

    end = await trip.carry(earlier=Progress(attempts=5))

    assert (end.attempts, end.reason) == (8, "given up after 3 attempts: 503")


async def test_each_attempt_waits_for_its_turn_before_it_begins() -> None:
    trip = Trip([LOST, None], [False])
    turns = []

    async def turn(retry: bool) -> bool:  # noqa: FBT001  a callback's only argument
        turns.append((retry, len(trip.steps)))
        await trip.clock.sleep(5.0)
        return True

    await trip.carry(turn=turn)

    assert [(retry, trip.story[at]) for retry, at in turns] == [(False, "attempt 1"), (True, "attempt 2")]
    assert [step.seconds for step in trip.steps if step.kind == "answer"] == [0.0, 0.0]


async def test_what_an_earlier_run_sent_is_no_retry_of_this_one() -> None:
    trip = Trip([DOWN, None], [False, False])
    retries = []

    async def turn(retry: bool) -> bool:  # noqa: FBT001  a callback's only argument
        retries.append(retry)
        return True

    end = await trip.carry(turn=turn, earlier=Progress(attempts=1, in_doubt=True))

    assert retries == [False, True]
    assert end == Settlement("delivered", 2, 3)


async def test_a_message_whose_turn_never_comes_is_given_up_and_was_never_sent() -> None:
    trip = Trip()

    async def turn(retry: bool) -> bool:  # noqa: FBT001  a callback's only argument
        assert not retry
        await trip.clock.sleep(300.0)
        return False

    end = await trip.carry(turn=turn)

    assert (end.state, end.tier, end.attempts) == ("failed", 3, 0)
    assert end.reason == "given up after 300 s: its turn did not come; nothing was sent"
    assert end.remedy == AWAY.remedy
    assert trip.story == ["settled 0"]


async def test_a_retry_whose_turn_never_comes_is_given_up_with_the_last_trouble() -> None:
    trip = Trip([DOWN], [False])

    async def turn(retry: bool) -> bool:  # noqa: FBT001  a callback's only argument
        if retry:
            await trip.clock.sleep(300.0)
        return not retry

    end = await trip.carry(turn=turn)

    assert end == Settlement("failed", 3, 1, "given up after 300 s: 503", DOWN.remedy)


async def test_the_deadline_of_whoever_carries_it_counts() -> None:
    trip = Trip([AWAY, AWAY])

    end = await trip.carry(earlier=Progress(deadline=trip.clock.now() + 2.0))

    assert (end.state, end.attempts) == ("failed", 2)
    assert sum(trip.clock.slept) == pytest.approx(2.0)


def expiring(trip: Trip, seconds: float, *, in_doubt: bool = False) -> Progress:
    return Progress(in_doubt=in_doubt, expires_at=steady(trip.clock) + seconds)


async def test_what_is_too_old_is_not_sent() -> None:
    trip = Trip()

    end = await trip.carry(earlier=expiring(trip, 0.0))

    assert (end.state, end.tier, end.attempts) == ("expired", None, 0)
    assert "time to live" in end.reason
    assert end.remedy


async def test_what_becomes_too_old_while_it_waits_for_its_turn_is_not_sent() -> None:
    trip = Trip()

    async def turn(retry: bool) -> bool:  # noqa: FBT001  a callback's only argument
        assert not retry
        await trip.clock.sleep(5.0)
        return True

    end = await trip.carry(turn=turn, earlier=expiring(trip, 5.0))

    assert (end.state, end.attempts) == ("expired", 0)


async def test_what_becomes_too_old_before_its_turn_comes_is_expired_rather_than_failed() -> None:
    trip = Trip()

    async def turn(retry: bool) -> bool:  # noqa: FBT001  a callback's only argument
        assert not retry
        await trip.clock.sleep(5.0)
        return False

    end = await trip.carry(turn=turn, earlier=expiring(trip, 5.0))

    assert end.state == "expired"


@pytest.mark.parametrize("days", [-3_000, 3_000])
async def test_a_wall_clock_that_is_set_makes_nothing_older_or_younger(days: int) -> None:
    trip = Trip([BUSY, None])

    async def turn(_retry: bool) -> bool:  # noqa: FBT001  a callback's only argument
        trip.clock.set_wall(trip.clock.wall() + days * 86_400)
        await trip.clock.sleep(2.0)
        return True

    end = await trip.carry(turn=turn, earlier=expiring(trip, 60.0))
    late = await trip.carry(earlier=expiring(trip, -0.001))

    assert (end.state, end.attempts) == ("delivered", 2)
    assert late.state == "expired"


async def test_what_becomes_too_old_between_two_attempts_is_not_sent_again() -> None:
    trip = Trip([BUSY])

    end = await trip.carry(earlier=expiring(trip, 10.0))

    assert (end.state, end.attempts) == ("expired", 1)


@pytest.mark.parametrize("arrived", [True, False])
async def test_what_may_have_arrived_is_asked_about_however_old_it_is(arrived: bool) -> None:  # noqa: FBT001  a row
    trip = Trip([], [arrived])

    end = await trip.carry(earlier=expiring(trip, -5.0, in_doubt=True))

    assert end.state == ("delivered" if arrived else "expired")


async def test_every_step_tells_when_and_how_long() -> None:
    trip = Trip([DOWN, None], [False])

    await trip.carry()

    details = [(step.kind, step.detail) for step in trip.steps]
    assert details == [
        ("attempt", ""),
        ("answer", "Unavailable: 503"),
        ("waiting", "1.100 s"),
        ("asked", "it did not arrive"),
        ("attempt", ""),
        ("answer", "acknowledged"),
        ("settled", "tier 2"),
    ]
    assert trip.steps[3].at - trip.steps[2].at == pytest.approx(1.1)


async def test_an_answer_tells_how_long_it_took() -> None:
    clock = ManualClock(auto=True)
    steps: list[Step] = []

    async def send() -> None:
        await clock.sleep(0.25)

    async def ask() -> bool:
        raise AssertionError

    await Retrier(SEED, clock, FixedRng(), steps.append).run("m", send, ask)

    assert steps[1].seconds == 0.25


async def test_cancelling_goes_through_at_once() -> None:
    clock = ManualClock()
    trip = Trip([DOWN], clock=clock)
    task = asyncio.create_task(trip.carry(), name="carry")
    await clock.next_wait()

    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()
    assert clock.waits() == []


async def test_a_fault_that_is_no_service_error_is_not_swallowed() -> None:
    async def send() -> None:
        raise ValueError("a bug")

    async def ask() -> bool:
        raise AssertionError

    retrier = Retrier(SEED, ManualClock(auto=True), FixedRng(), lambda _: None)
    with pytest.raises(ValueError, match="a bug"):
        await retrier.run("m", send, ask)
