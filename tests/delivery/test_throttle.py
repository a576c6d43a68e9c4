import asyncio
import logging
import math
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from hangbot.delivery.limits import CircuitBreaker, RetryBudget, TokenBucket
from hangbot.delivery.retry import RetryPolicy
from hangbot.delivery.throttle import Stopped, Throttle, ThrottleLimits, Until
from hangbot.errors import (
    AckTimeout,
    RateLimited,
    Refused,
    ServiceError,
    TokenRejected,
    Unavailable,
    Unreachable,
)
from hangbot.health import Conditions
from pytest_hangfm.manual_clock import ManualClock
from tests.rng import FixedRng

DOWN = Unavailable("503", service="chat", status=503)
FAILING = pytest.mark.parametrize(
    "trouble",
    [DOWN, AckTimeout("no answer", service="chat"), Unreachable("no connection", service="chat")],
    ids=lambda error: type(error).__name__,
)


def for_ever() -> float:
    return math.inf


@dataclass
class Door:
    """A gate with all it borrows; after two failures it probes, and when that fails again in 10, 20, 40 s."""

    bucket: TokenBucket = field(default_factory=lambda: TokenBucket(0.0, 1))
    budget: RetryBudget = field(default_factory=RetryBudget)
    clock: ManualClock = field(default_factory=ManualClock)
    in_flight: int = 30

    def __post_init__(self) -> None:
        waits = RetryPolicy(base=10.0, longest=40.0, strategy="seed", jitter=0.0)
        limits = ThrottleLimits(
            self.bucket, self.budget, CircuitBreaker(waits, failures_to_open=2), self.in_flight
        )
        self.conditions = Conditions()
        self.gate = Throttle(limits, self.clock, FixedRng(), self.probe, self.conditions)
        self.breaker = self.gate.breaker
        self.gone: list[str] = []
        self.trouble: ServiceError | None = None
        """What a probe comes to; ``None``: an answer."""
        self.probed = 0
        self.held: list[tuple[str, float]] = []

    async def probe(self) -> None:
        self.probed += 1
        if self.trouble:
            raise self.trouble

    async def told(self, cause: str, seconds: float) -> None:
        self.held.append((re.split("[,:]", cause)[0], seconds))

    async def break_down(self, trouble: ServiceError = DOWN) -> None:
        """Go down, and come back before the next probe."""
        self.trouble = trouble
        assert not await self.gate.answers(self.clock.now())
        assert self.breaker.state == "open"
        self.trouble = None

    def turns(self, many: int, *, retry: bool = False, until: Until = for_ever) -> list[asyncio.Task[bool]]:
        """Let so many wait for their turn, in this order; each sends in the moment it is let."""

        async def one(name: str) -> bool:
            let = await self.gate.turn(retry=retry, until=until, held=self.told)
            if let:
                self.gone.append(name)
            return let

        return [
            asyncio.create_task(one(f"{'r' if retry else 's'}{n}"), name=f"turn-{n}") for n in range(many)
        ]


def within(door: Door, seconds: float) -> Until:
    end = door.clock.now() + seconds
    return lambda: end


async def failing() -> None:
    raise DOWN


async def working() -> str:
    return "answer"


def waiting_for(
    event: asyncio.Event, end: Callable[[], Awaitable[object]]
) -> Callable[[], Awaitable[object]]:
    async def request() -> object:
        await event.wait()
        return await end()

    return request


async def end_all(*tasks: asyncio.Task[object] | asyncio.Task[bool]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_with_a_service_that_works_nothing_waits() -> None:
    door = Door()

    let = await door.gate.turn(retry=False, until=for_ever)
    retried = await door.gate.turn(retry=True, until=for_ever)
    answer = await door.gate.through(working, until=for_ever)

    assert (let, retried, answer) == (True, True, "answer")
    assert door.clock.slept == []


async def test_a_turn_comes_late_rather_than_never_when_it_is_only_the_pace_that_holds_it_up() -> None:
    door = Door(bucket=TokenBucket(0.01, 0), clock=ManualClock(auto=True))

    let = await door.gate.turn(retry=False, until=within(door, 1))

    assert let
    assert door.clock.slept == [100.0]


@FAILING
async def test_failures_in_a_row_have_it_probed_and_a_probe_that_fails_too_shuts_it_and_says_so_once(
    trouble: ServiceError, caplog: pytest.LogCaptureFixture
) -> None:
    door = Door()
    door.trouble = trouble

    async def request() -> None:
        raise trouble

    for _ in range(2):
        with pytest.raises(type(trouble)):
            await door.gate.through(request, until=for_ever)

    assert (door.breaker.state, door.probed) == ("open", 1)
    assert [(each.levelno, each.message) for each in caplog.records] == [
        (logging.ERROR, f"[ERROR] the chat is down ({trouble}): from here on only asked now and then")
    ]


@FAILING
async def test_what_fails_one_request_alone_shuts_nothing(trouble: ServiceError) -> None:
    door = Door()

    async def request() -> None:
        raise trouble

    for _ in range(10):
        with pytest.raises(type(trouble)):
            await door.gate.through(request, until=for_ever)

    assert door.breaker.state == "closed"
    assert await door.gate.through(working, until=for_ever) == "answer"


async def test_a_service_that_refuses_is_a_service_that_works() -> None:
    door = Door()
    door.trouble = DOWN

    async def request() -> None:
        raise Refused("no", service="chat")

    for _ in range(10):
        with suppress(ServiceError):
            await door.gate.through(failing, until=for_ever)
        with pytest.raises(Refused):
            await door.gate.through(request, until=for_ever)

    assert (door.breaker.state, door.probed) == ("closed", 0)


async def test_a_probe_that_was_made_since_then_needs_no_other() -> None:
    door = Door()
    then = door.clock.now()
    await door.clock.advance(1.0)

    answers = [
        await door.gate.answers(then),
        await door.gate.answers(then),
        await door.gate.answers(then + 1),
    ]
    later = await door.gate.answers(then + 2)

    assert answers == [True] * 3
    assert (later, door.probed) == (True, 2)


async def test_those_who_want_to_know_at_the_same_time_share_a_probe() -> None:
    door = Door()
    now = door.clock.now()

    answers = await asyncio.gather(*(door.gate.answers(now) for _ in range(5)))

    assert (answers, door.probed) == ([True] * 5, 1)


async def test_a_token_that_is_refused_is_in_red_and_asked_about_seldom_until_it_is_taken() -> None:
    door = Door()
    await door.break_down(TokenRejected("dead", service="chat", remedy="Renew it."))
    red = [(each.part, str(each)) for each in door.conditions.all()]
    wait = door.breaker.wait(door.clock.now())

    turn = door.turns(1)
    await door.clock.next_wait()
    await door.clock.advance(wait)

    assert wait == 40.0
    assert red == [("chat token", "dead. Renew it.")]
    assert await turn[0]
    assert door.conditions.all() == ()


async def test_a_request_whose_token_is_refused_is_in_red_and_shuts_nothing_by_itself() -> None:
    door = Door()

    async def request() -> None:
        raise Refused("who?", service="chat", status=401)

    with pytest.raises(Refused):
        await door.gate.through(request, until=for_ever)
    red = [each.part for each in door.conditions.all()]
    await door.gate.through(working, until=for_ever)

    assert (red, door.conditions.all(), door.breaker.state) == (["chat token"], (), "closed")


@pytest.mark.parametrize(("asked", "wait"), [(3.0, 10.0), (25.0, 25.0), (math.inf, 40.0)])
async def test_a_service_that_wants_to_be_left_alone_is_for_a_time_that_can_be_kept(
    asked: float, wait: float
) -> None:
    door = Door()

    await door.break_down(RateLimited("slow down", service="chat", retry_after=asked))

    assert door.breaker.wait(door.clock.now()) == wait


async def test_while_it_is_shut_nobody_is_let_and_when_time_is_up_they_are_told() -> None:
    door = Door()
    await door.break_down()

    turns = door.turns(3, until=within(door, 5))
    await door.clock.next_wait()
    early = [turn.done() for turn in turns]
    await door.clock.advance(5.0)

    assert early == [False] * 3
    assert [await turn for turn in turns] == [False] * 3
    assert door.gone == []
    assert door.clock.waits() == []


async def test_time_that_is_up_already_is_told_at_once() -> None:
    door = Door()
    await door.break_down()

    assert not await door.gate.turn(retry=False, until=within(door, 0))


async def test_a_question_that_cannot_be_put_in_time_tells_that_nothing_was_sent() -> None:
    door = Door()
    await door.break_down()
    asking = asyncio.create_task(door.gate.through(working, until=within(door, 5)), name="ask")
    await door.clock.next_wait()

    await door.clock.advance(5.0)

    with pytest.raises(Unreachable, match=r"the service is down \(503\)"):
        await asking


async def test_one_probes_and_the_others_go_when_it_has_found_the_service_well(
    caplog: pytest.LogCaptureFixture,
) -> None:
    door = Door()
    await door.break_down()
    requests: list[str] = []

    async def ask(name: str) -> None:
        async def request() -> None:
            requests.append(name)

        await door.gate.through(request, until=for_ever)

    with caplog.at_level(logging.INFO):
        asking = [asyncio.create_task(ask(name), name=name) for name in "abc"]
        await door.clock.next_wait()
        before = list(requests)
        await door.clock.advance(10.0)
        await asyncio.gather(*asking)

    assert before == []
    assert sorted(requests) == ["a", "b", "c"]
    assert door.probed == 2
    assert caplog.messages[-1] == "[OK] the chat is back"
    assert door.clock.waits() == []


async def test_a_probe_that_fails_lets_all_wait_on_longer() -> None:
    door = Door()
    await door.break_down()
    door.trouble = DOWN
    asking = [
        asyncio.create_task(door.gate.through(working, until=for_ever), name=f"ask-{n}") for n in range(2)
    ]
    await door.clock.next_wait()

    await door.clock.advance(10.0)

    assert [task.done() for task in asking] == [False, False]
    assert (door.probed, door.breaker.wait(door.clock.now())) == (2, 20.0)
    await end_all(*asking)


async def test_a_probe_that_is_cancelled_hands_its_part_to_the_next() -> None:
    door = Door()
    await door.break_down()
    answer = asyncio.Event()

    async def slow() -> None:
        door.probed += 1
        await answer.wait()

    door.gate._ask_whether_it_works = slow
    turns = door.turns(2)
    await door.clock.next_wait()
    await door.clock.advance(10.0)
    assert door.breaker.state == "probing"

    turns[0].cancel()
    await asyncio.wait([turns[0]])
    await door.clock.advance(0.0)
    state = door.breaker.state
    answer.set()

    assert await turns[1]
    assert (state, door.breaker.state, door.probed) == ("probing", "closed", 3)


async def test_those_that_were_on_their_way_when_it_shut_and_fail_do_not_count_as_probes() -> None:
    door = Door()
    late = asyncio.Event()
    before = [
        asyncio.create_task(door.gate.through(waiting_for(late, failing), until=for_ever), name=f"late-{n}")
        for n in range(20)
    ]
    await asyncio.sleep(0)  # one turn: they have begun
    await door.break_down()

    late.set()
    await asyncio.gather(*before, return_exceptions=True)

    assert door.breaker.wait(door.clock.now()) == 10.0


async def test_who_stands_behind_others_when_it_shuts_does_not_go_out() -> None:
    door = Door(in_flight=2)
    door.trouble = DOWN
    late = asyncio.Event()
    gone = []

    async def request() -> None:
        gone.append("request")
        await late.wait()
        raise DOWN

    tasks = [
        asyncio.create_task(door.gate.through(request, until=for_ever), name=f"through-{n}") for n in range(6)
    ]
    await asyncio.sleep(0)  # one turn: they have begun

    late.set()
    await door.clock.next_wait()

    assert len(gone) == 2
    await end_all(*tasks)


async def test_a_late_answer_of_one_that_was_on_its_way_is_no_probe() -> None:
    door = Door()
    late = asyncio.Event()
    before = asyncio.create_task(door.gate.through(waiting_for(late, working), until=for_ever), name="late")
    await asyncio.sleep(0)  # one turn: it has begun
    await door.break_down()

    late.set()

    assert await before == "answer"
    assert door.breaker.down


async def test_after_an_outage_nobody_uses_a_token_of_the_time_before() -> None:
    door = Door(bucket=TokenBucket(1.0, 2))
    await door.break_down()
    turns = door.turns(6)
    await door.clock.next_wait()
    await door.clock.advance(9.0)  # long enough for six tokens

    await door.clock.advance(1.0)
    at_once = list(door.gone)
    assert await door.gate.through(working, until=for_ever) == "answer"
    await door.clock.advance(1.0)
    later = len(door.gone)
    await door.clock.advance(10.0)

    assert len(at_once) <= 2
    assert later <= 3
    assert [await turn for turn in turns] == [True] * 6


async def test_turns_at_the_pace_come_in_the_order_in_which_they_were_asked_for() -> None:
    door = Door(bucket=TokenBucket(1.0, 1), clock=ManualClock(auto=True))

    await asyncio.gather(*door.turns(5))

    assert door.gone == [f"s{n}" for n in range(5)]


async def test_who_is_cancelled_while_it_waits_for_its_turn_holds_up_nobody() -> None:
    door = Door(bucket=TokenBucket(1.0, 1))
    turns = door.turns(4)
    await door.clock.next_wait()

    await end_all(turns[1], turns[2])
    await door.clock.advance(2.0)

    assert await turns[3]
    assert door.gone == ["s0", "s3"]


async def test_it_shuts_while_the_next_waits_for_its_token_and_then_that_one_waits_on() -> None:
    door = Door(bucket=TokenBucket(1.0, 1))
    turns = door.turns(2)
    await door.clock.next_wait()
    await door.break_down()

    await door.clock.advance(1.0)
    before = list(door.gone)
    await door.clock.advance(9.0)

    assert before == ["s0"]
    assert await turns[1]


async def test_retries_beyond_the_budget_wait_but_first_sends_do_not() -> None:
    door = Door(budget=RetryBudget(floor=2))
    retries = door.turns(4, retry=True)
    await door.clock.next_wait()

    sends = door.turns(3)
    await asyncio.gather(*sends)
    gone = list(door.gone)
    await door.clock.advance(60.0)

    assert gone == ["r0", "r1", "s0", "s1", "s2"]
    assert [await retry for retry in retries] == [True] * 4


async def test_lanes_that_were_let_at_the_same_moment_do_not_overdraw_the_budget() -> None:
    door = Door(bucket=TokenBucket(10.0, 1), budget=RetryBudget(floor=2))
    retries = door.turns(6, retry=True)
    await door.clock.next_wait()

    await door.clock.advance(5.0)
    within = list(door.gone)
    sent = await door.gate.turn(retry=False, until=for_ever)

    assert within == ["r0", "r1"]
    assert sent
    await end_all(*retries)


async def test_a_retry_that_finds_no_room_in_the_budget_in_time_is_told() -> None:
    door = Door(budget=RetryBudget(floor=1))
    retries = door.turns(2, retry=True, until=within(door, 5))
    await door.clock.next_wait()

    await door.clock.advance(5.0)

    assert sorted([await retry for retry in retries]) == [False, True]


async def test_sends_make_room_for_a_retry_that_waits() -> None:
    door = Door(budget=RetryBudget(floor=1))
    retries = door.turns(2, retry=True)
    await door.clock.next_wait()
    for _ in range(11):
        await door.gate.turn(retry=False, until=for_ever)

    await door.clock.advance(1.0)

    assert [await retry for retry in retries] == [True, True]


async def test_on_a_clock_that_moves_by_itself_an_outage_takes_no_real_time() -> None:
    door = Door(clock=ManualClock(auto=True))
    await door.break_down()

    answers = await asyncio.gather(*(door.gate.through(working, until=for_ever) for _ in range(5)))

    assert answers == ["answer"] * 5


async def test_a_fault_of_the_clock_is_not_swallowed() -> None:
    class Broken(ManualClock):
        async def sleep(self, seconds: float) -> None:
            raise ValueError(seconds)

    door = Door(clock=Broken())
    await door.break_down()

    with pytest.raises(ValueError, match="5"):
        await door.gate.turn(retry=False, until=for_ever)


# -- whoever is held up for long is told by what


async def test_a_wait_for_a_service_that_is_down_is_told_once_after_five_seconds() -> None:
    door = Door()
    await door.break_down()
    door.trouble = DOWN
    turns = door.turns(1)
    await door.clock.next_wait()

    await door.clock.advance(4.9)
    early = list(door.held)
    await door.clock.advance(200.0)

    assert (early, door.held) == ([], [("the service", 5.0)])
    await end_all(*turns)


async def test_a_wait_for_the_retry_budget_is_told() -> None:
    door = Door(budget=RetryBudget(floor=1), clock=ManualClock(auto=True))

    await asyncio.gather(*door.turns(2, retry=True))

    assert door.held == [("the retry budget", 5.0)]


async def test_a_wait_for_the_rate_is_told_before_it_begins_as_long_as_it_will_be() -> None:
    door = Door(bucket=TokenBucket(0.5, 1), clock=ManualClock(auto=True))

    await asyncio.gather(*door.turns(5))

    assert door.held == [("the rate of sends (HANGBOT_RATE)", seconds) for seconds in (6.0, 8.0)]


async def test_a_wait_for_other_requests_is_told_when_it_is_over() -> None:
    door = Door(in_flight=1)
    late = asyncio.Event()
    first = asyncio.create_task(door.gate.through(waiting_for(late, working), until=for_ever), name="first")
    second = asyncio.create_task(door.gate.through(working, until=for_ever, held=door.told), name="second")
    await door.clock.advance(6.0)

    late.set()
    await asyncio.gather(first, second)

    assert door.held == [("other requests that are still on their way", 6.0)]


# -- nobody is held up when the program is to stop


async def test_who_waits_for_the_service_for_the_budget_or_for_the_rate_stops_at_once() -> None:
    down, budget = Door(), Door(budget=RetryBudget(floor=0, share=0.0))
    rate = Door(bucket=TokenBucket(0.01, 0))
    await down.break_down()
    doors = [(down, down.turns(2)), (budget, budget.turns(2, retry=True)), (rate, rate.turns(3))]

    for door, turns in doors:
        await door.clock.next_wait()
        door.gate.stop()

        ends = await asyncio.gather(*turns, return_exceptions=True)
        assert [type(end) for end in ends] == [Stopped] * len(turns)
        assert door.clock.waits() == []


async def test_a_probe_on_its_way_does_not_keep_a_program_from_stopping() -> None:
    door = Door()
    await door.break_down()
    door.gate._ask_whether_it_works = asyncio.Event().wait  # type: ignore[assignment]  # its result is nobody's
    turns = door.turns(2)
    await door.clock.next_wait()
    await door.clock.advance(10.0)
    assert door.breaker.state == "probing"

    door.gate.stop()
    ends = await asyncio.gather(*turns, return_exceptions=True)

    assert [type(end) for end in ends] == [Stopped] * 2


async def test_a_long_pause_ends_when_the_program_is_to_stop_and_a_short_one_goes_on() -> None:
    door = Door()
    long = asyncio.create_task(door.gate.pause(60.0), name="long")
    short = asyncio.create_task(door.gate.pause(2.0), name="short")
    await door.clock.next_wait()

    door.gate.stop()
    with pytest.raises(Stopped):
        await long
    going_on = not short.done()
    await door.clock.advance(2.0)

    assert going_on
    await short


async def test_while_it_stops_what_need_not_wait_still_goes() -> None:
    door = Door()
    door.gate.stop()

    assert await door.gate.turn(retry=True, until=for_ever)
    assert await door.gate.through(working, until=for_ever) == "answer"
