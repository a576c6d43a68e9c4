import asyncio
import logging
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import pytest

from hangbot.clock import steady
from hangbot.delivery.limits import CircuitBreaker, RetryBudget, ThrottleLimits
from hangbot.delivery.retry import RetryPolicy, Until
from hangbot.delivery.throttle import LONG, Hold, Stopped, Throttle
from hangbot.errors import (
    RateLimited,
    Refused,
    ServiceError,
    TokenRejected,
    Unavailable,
    Unreachable,
)
from hangbot.health import Conditions
from hangbot.token_bucket import TokenBucket
from pytest_hangfm.manual_clock import ManualClock
from tests.cases import cases
from tests.delivery.builders import AWAY, DOWN, LOST
from tests.rng import FixedRng

FOR_EVER: Final = Until()
FAILING = pytest.mark.parametrize("trouble", [DOWN, LOST, AWAY], ids=lambda error: type(error).__name__)


@dataclass
class Service:
    """Answers a probe, or fails it; ``waits`` makes it slow."""

    trouble: ServiceError | None = None
    waits: asyncio.Event | None = None
    probed: int = 0

    async def probe(self) -> None:
        self.probed += 1
        if self.waits:
            await self.waits.wait()
        if self.trouble:
            raise self.trouble


@dataclass
class Bench:
    """A throttle with all it borrows: it probes after two failures, and again after 10, 20, 40 s."""

    bucket: TokenBucket = field(default_factory=lambda: TokenBucket(0.0, 1))
    budget: RetryBudget = field(default_factory=RetryBudget)
    clock: ManualClock = field(default_factory=ManualClock)
    in_flight: int = 30

    def __post_init__(self) -> None:
        waits = RetryPolicy(base=10.0, longest=40.0, strategy="seed", jitter=0.0)
        self.breaker = CircuitBreaker(waits, failures_to_open=2)
        limits = ThrottleLimits(self.bucket, self.budget, self.breaker, self.in_flight)
        self.conditions, self.service = Conditions(), Service()
        self.throttle = Throttle(limits, self.clock, FixedRng(), self.service, self.conditions)
        self.gone: list[str] = []
        self.held: list[tuple[str, float]] = []

    async def broken_down(self) -> "Bench":
        await self.break_down()
        return self

    async def break_down(self, trouble: ServiceError = DOWN) -> None:
        """Go down, and come back before the next probe."""
        self.service.trouble = trouble
        assert not await self.throttle.answers(self.clock.now())
        assert self.breaker.state == "open"
        self.service.trouble = None

    def within(self, seconds: float) -> Until:
        return Until(self.throttle.worked_for() + seconds, expires_at=steady(self.clock) + seconds)

    async def admit(self, *, retry: bool = False, until: Until = FOR_EVER) -> bool:
        """Wait as a message does: what holds it up for long is shown once."""
        hold = await self.throttle.acquire(retry=retry, until=until, patience=LONG)
        if hold and not hold.late:
            self.show(hold)
            hold = await self.throttle.acquire(retry=retry, until=until)
        return hold is None

    def admits(self, many: int, *, retry: bool = False, until: Until = FOR_EVER) -> list[asyncio.Task[bool]]:
        """Let so many wait to be admitted, in this order; each sends in the moment it is."""

        async def one(name: str) -> bool:
            admitted = await self.admit(retry=retry, until=until)
            if admitted:
                self.gone.append(name)
            return admitted

        names = [f"{'r' if retry else 's'}{n}" for n in range(many)]
        return [asyncio.create_task(one(name), name=name) for name in names]

    async def waiting(self, many: int, **how: Any) -> list[asyncio.Task[bool]]:  # noqa: ANN401  as `admits` has them
        """Let so many wait, until one of them sleeps."""
        turns = self.admits(many, **how)
        await self.clock.next_wait()
        return turns

    async def request(
        self,
        error: ServiceError | None = None,
        *,
        after: asyncio.Event | None = None,
        until: Until = FOR_EVER,
    ) -> str:
        """Make a request that is answered, or fails, once an event is set."""
        async with self.throttle.request(until=until) as request:
            while hold := await request.held_up():
                self.show(hold)
            self.gone.append("request")
            if after:
                await after.wait()
            if error:
                raise error
        return "answer"

    def requests(
        self, many: int, error: ServiceError | None = None, *, after: asyncio.Event | None = None
    ) -> list[asyncio.Task[str]]:
        works = [self.request(error, after=after) for _ in range(many)]
        return [asyncio.create_task(work, name="request") for work in works]

    def show(self, hold: Hold) -> None:
        self.held.append((re.split("[,:]", hold.cause)[0], hold.seconds))


async def end_all(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("stopped", [False, True])
async def test_with_a_service_that_works_nothing_waits_and_goes_even_while_it_stops(*, stopped: bool) -> None:
    bench = Bench()
    if stopped:
        bench.throttle.stop()

    let = await bench.admit()
    retried = await bench.admit(retry=True)
    answer = await bench.request()

    assert (let, retried, answer) == (True, True, "answer")
    assert bench.clock.slept == []


async def test_a_turn_comes_late_rather_than_never_when_it_is_only_the_pace_that_holds_it_up() -> None:
    bench = Bench(bucket=TokenBucket(0.01, 0), clock=ManualClock(auto=True))

    let = await bench.admit(until=bench.within(1))

    assert let
    assert bench.clock.slept == [100.0]


@FAILING
async def test_failures_in_a_row_have_it_probed_and_a_probe_that_fails_too_shuts_it_and_says_so_once(
    trouble: ServiceError, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench()
    bench.service.trouble = trouble

    for _ in range(2):
        with pytest.raises(type(trouble)):
            await bench.request(trouble)

    assert (bench.breaker.state, bench.service.probed) == ("open", 1)
    assert [(each.levelno, each.message) for each in caplog.records] == [
        (logging.ERROR, f"[ERROR] the chat is down ({trouble}): from here on only asked now and then")
    ]


@FAILING
async def test_what_fails_one_request_alone_shuts_nothing(trouble: ServiceError) -> None:
    bench = Bench()

    for _ in range(10):
        with pytest.raises(type(trouble)):
            await bench.request(trouble)

    assert bench.breaker.state == "closed"
    assert await bench.request() == "answer"


async def test_a_service_that_refuses_is_a_service_that_works() -> None:
    bench = Bench()
    bench.service.trouble = DOWN

    for error in [DOWN, Refused("no", service="chat")] * 10:
        with pytest.raises(type(error)):
            await bench.request(error)

    assert (bench.breaker.state, bench.service.probed) == ("closed", 0)


async def test_a_probe_that_was_made_since_then_needs_no_other_and_is_shared() -> None:
    bench = Bench()
    then = bench.clock.now()
    await bench.clock.advance(1.0)

    answers = await asyncio.gather(*(bench.throttle.answers(then) for _ in range(5)))
    again = await bench.throttle.answers(then + 1)
    probed = bench.service.probed
    later = await bench.throttle.answers(then + 2)

    assert (answers, again, later) == ([True] * 5, True, True)
    assert (probed, bench.service.probed) == (1, 2)


async def test_a_token_that_is_refused_is_in_red_and_asked_about_seldom_until_it_is_taken() -> None:
    bench = Bench()
    await bench.break_down(TokenRejected("dead", service="chat", remedy="Renew it."))
    red = [(each.part, str(each)) for each in bench.conditions.all()]
    wait = bench.breaker.wait(bench.clock.now())

    turn = await bench.waiting(1)
    await bench.clock.advance(wait)

    assert wait == 40.0
    assert red == [("chat token", "dead. Renew it.")]
    assert await turn[0]
    assert bench.conditions.all() == ()


async def test_a_request_whose_token_is_refused_is_in_red_and_shuts_nothing_by_itself() -> None:
    bench = Bench()

    with pytest.raises(Refused):
        await bench.request(Refused("who?", service="chat", status=401))
    red = [each.part for each in bench.conditions.all()]
    await bench.request()

    assert (red, bench.conditions.all(), bench.breaker.state) == (["chat token"], (), "closed")


@pytest.mark.parametrize(("asked", "wait"), [(3.0, 10.0), (25.0, 25.0), (math.inf, 40.0)])
async def test_a_service_is_left_alone_as_it_asks_up_to_the_longest_wait(asked: float, wait: float) -> None:
    bench = Bench()

    await bench.break_down(RateLimited("slow down", service="chat", retry_after=asked))

    assert bench.breaker.wait(bench.clock.now()) == wait


@pytest.mark.parametrize("seconds", [0.0, 5.0])
async def test_while_it_is_shut_nothing_goes_and_when_time_is_up_it_says_so(seconds: float) -> None:
    bench = await Bench().broken_down()

    turns = bench.admits(3, until=bench.within(seconds))
    asking = asyncio.create_task(bench.request(until=bench.within(seconds)), name="ask")
    await asyncio.sleep(0)  # one turn: they have begun
    await bench.clock.advance(seconds)

    assert [await turn for turn in turns] == [False] * 3
    with pytest.raises(Unreachable, match=r"the service is down \(503\)"):
        await asking
    assert bench.gone == []
    assert bench.clock.waits() == []


async def test_one_probes_and_the_others_go_when_it_is_answered(caplog: pytest.LogCaptureFixture) -> None:
    bench = await Bench().broken_down()

    with caplog.at_level(logging.INFO):
        asking = bench.requests(3)
        await bench.clock.next_wait()
        before = list(bench.gone)
        await bench.clock.advance(10.0)
        await asyncio.gather(*asking)

    assert (before, bench.gone, bench.service.probed) == ([], ["request"] * 3, 2)
    assert caplog.messages[-1] == "[OK] the chat is back"
    assert bench.clock.waits() == []


async def test_a_probe_that_fails_lets_all_wait_on_longer() -> None:
    bench = await Bench().broken_down()
    bench.service.trouble = DOWN
    asking = bench.requests(2)
    await bench.clock.next_wait()

    await bench.clock.advance(10.0)

    assert [task.done() for task in asking] == [False, False]
    assert (bench.service.probed, bench.breaker.wait(bench.clock.now())) == (2, 20.0)
    await end_all(*asking)


async def test_a_probe_that_is_cancelled_hands_its_part_to_the_next() -> None:
    bench = await Bench().broken_down()
    bench.service.waits = asyncio.Event()
    turns = await bench.waiting(2)
    await bench.clock.advance(10.0)
    assert bench.breaker.state == "probing"

    turns[0].cancel()
    await asyncio.wait([turns[0]])
    await bench.clock.advance(0.0)
    state = bench.breaker.state
    bench.service.waits.set()

    assert await turns[1]
    assert (state, bench.breaker.state, bench.service.probed) == ("probing", "closed", 3)


@pytest.mark.parametrize("error", [None, DOWN], ids=["answered", "failed"])
async def test_what_was_on_its_way_when_it_shut_is_no_probe(error: ServiceError | None) -> None:
    bench = Bench()
    late = asyncio.Event()
    before = bench.requests(20, error, after=late)
    await asyncio.sleep(0)  # one turn: they have begun
    await bench.break_down()

    late.set()
    await asyncio.gather(*before, return_exceptions=True)

    assert bench.breaker.down
    assert bench.breaker.wait(bench.clock.now()) == 10.0


async def test_who_stands_behind_others_when_it_shuts_does_not_go_out() -> None:
    bench = Bench(in_flight=2)
    bench.service.trouble = DOWN
    late = asyncio.Event()
    tasks = bench.requests(6, DOWN, after=late)
    await asyncio.sleep(0)  # one turn: they have begun

    late.set()
    await bench.clock.next_wait()

    assert len(bench.gone) == 2
    await end_all(*tasks)


async def test_after_an_outage_nobody_uses_a_token_of_the_time_before() -> None:
    bench = Bench(bucket=TokenBucket(1.0, 2))
    await bench.break_down()
    turns = await bench.waiting(6)
    await bench.clock.advance(9.0)  # long enough for six tokens

    await bench.clock.advance(1.0)
    at_once = list(bench.gone)
    assert await bench.request() == "answer"
    await bench.clock.advance(1.0)
    later = len(bench.gone) - 1
    await bench.clock.advance(10.0)

    assert len(at_once) <= 2
    assert later <= 3
    assert [await turn for turn in turns] == [True] * 6


async def test_turns_at_the_pace_come_in_the_order_in_which_they_were_asked_for() -> None:
    bench = Bench(bucket=TokenBucket(1.0, 1), clock=ManualClock(auto=True))

    await asyncio.gather(*bench.admits(5))

    assert bench.gone == [f"s{n}" for n in range(5)]


async def test_who_is_cancelled_while_it_waits_for_its_turn_holds_up_nobody() -> None:
    bench = Bench(bucket=TokenBucket(1.0, 1))
    turns = await bench.waiting(4)

    await end_all(turns[1], turns[2])
    await bench.clock.advance(2.0)

    assert await turns[3]
    assert bench.gone == ["s0", "s3"]


async def test_it_shuts_while_the_next_waits_for_its_token_and_then_that_one_waits_on() -> None:
    bench = Bench(bucket=TokenBucket(1.0, 1))
    turns = await bench.waiting(2)
    await bench.break_down()

    await bench.clock.advance(1.0)
    before = list(bench.gone)
    await bench.clock.advance(9.0)

    assert before == ["s0"]
    assert await turns[1]


async def test_retries_beyond_the_budget_wait_but_first_sends_do_not() -> None:
    bench = Bench(budget=RetryBudget(floor=2))
    retries = await bench.waiting(4, retry=True)

    sends = bench.admits(3)
    await asyncio.gather(*sends)
    gone = list(bench.gone)
    await bench.clock.advance(60.0)

    assert gone == ["r0", "r1", "s0", "s1", "s2"]
    assert [await retry for retry in retries] == [True] * 4


async def test_lanes_that_were_let_at_the_same_moment_do_not_overdraw_the_budget() -> None:
    bench = Bench(bucket=TokenBucket(10.0, 1), budget=RetryBudget(floor=2))
    retries = await bench.waiting(6, retry=True)

    await bench.clock.advance(5.0)
    within = list(bench.gone)
    sent = await bench.admit()

    assert within == ["r0", "r1"]
    assert sent
    await end_all(*retries)


async def test_a_retry_that_finds_no_room_in_the_budget_in_time_is_told() -> None:
    bench = Bench(budget=RetryBudget(floor=1))
    retries = await bench.waiting(2, retry=True, until=bench.within(5))

    await bench.clock.advance(5.0)

    assert sorted([await retry for retry in retries]) == [False, True]


async def test_sends_make_room_for_a_retry_that_waits() -> None:
    bench = Bench(budget=RetryBudget(floor=1))
    retries = await bench.waiting(2, retry=True)
    for _ in range(11):
        await bench.admit()

    await bench.clock.advance(1.0)

    assert [await retry for retry in retries] == [True, True]


async def test_a_fault_of_the_clock_is_not_swallowed() -> None:
    class Broken(ManualClock):
        async def sleep(self, seconds: float) -> None:
            raise ValueError(seconds)

    bench = Bench(clock=Broken())
    await bench.break_down()

    with pytest.raises(ValueError, match="5"):
        await bench.admit()


# -- whoever is held up for long is told by what


async def test_a_wait_for_a_service_that_is_down_is_told_once_after_five_seconds() -> None:
    bench = await Bench().broken_down()
    bench.service.trouble = DOWN
    turns = await bench.waiting(1)

    await bench.clock.advance(4.9)
    early = list(bench.held)
    await bench.clock.advance(200.0)

    assert (early, bench.held) == ([], [("the service", 5.0)])
    await end_all(*turns)


async def test_a_wait_for_the_budget_is_told_after_five_seconds_one_for_the_rate_before_it_begins() -> None:
    budget = Bench(budget=RetryBudget(floor=1), clock=ManualClock(auto=True))
    rate = Bench(bucket=TokenBucket(0.5, 1), clock=ManualClock(auto=True))

    await asyncio.gather(*budget.admits(2, retry=True), *rate.admits(5))

    assert budget.held == [("the retry budget", 5.0)]
    assert rate.held == [("the rate of sends (HANGBOT_RATE)", seconds) for seconds in (6.0, 8.0)]


async def test_a_wait_for_other_requests_is_told_when_it_is_over() -> None:
    bench = Bench(in_flight=1)
    late = asyncio.Event()
    first = asyncio.create_task(bench.request(after=late), name="first")
    second = asyncio.create_task(bench.request(), name="second")
    await bench.clock.advance(6.0)

    late.set()
    await asyncio.gather(first, second)

    assert bench.held == [("other requests that are still on their way", 6.0)]


# -- nobody is held up when the program is to stop


@cases(
    "make down retry probes",
    ("for the service", Bench, True, False, False),
    ("for a probe on its way", Bench, True, False, True),
    ("for the budget", lambda: Bench(budget=RetryBudget(0.0, 0)), False, True, False),
    ("for the rate", lambda: Bench(bucket=TokenBucket(0.01, 0)), False, False, False),
)
async def test_a_wait_stops_at_once(
    *, make: Callable[[], Bench], down: bool, retry: bool, probes: bool
) -> None:
    bench = make()
    if down:
        await bench.break_down()
    bench.service.waits = asyncio.Event()
    turns = await bench.waiting(3, retry=retry)
    if probes:
        await bench.clock.advance(10.0)
    assert (bench.breaker.state == "probing") == probes

    bench.throttle.stop()
    ends = await asyncio.gather(*turns, return_exceptions=True)

    assert [type(end) for end in ends] == [Stopped] * 3
    assert bench.clock.waits() == []


async def test_what_would_have_to_wait_is_not_begun_while_it_stops() -> None:
    bench = await Bench().broken_down()
    bench.throttle.stop()

    with pytest.raises(Stopped):
        await bench.admit()


async def test_a_long_pause_ends_when_the_program_is_to_stop_and_a_short_one_goes_on() -> None:
    bench = Bench()
    long = asyncio.create_task(bench.throttle.pause(60.0), name="long")
    short = asyncio.create_task(bench.throttle.pause(2.0), name="short")
    await bench.clock.next_wait()

    bench.throttle.stop()
    with pytest.raises(Stopped):
        await long
    going_on = not short.done()
    await bench.clock.advance(2.0)

    assert going_on
    await short


async def test_a_request_that_is_abandoned_is_no_news_of_the_service() -> None:
    bench = Bench()
    bench.service.trouble = DOWN

    with pytest.raises(Unavailable):
        await bench.request(DOWN)
    async with bench.throttle.request() as request:
        assert await request.held_up() is None
        request.abandon()
    with pytest.raises(Unavailable):
        await bench.request(DOWN)

    assert (bench.breaker.state, bench.service.probed) == ("open", 1)
