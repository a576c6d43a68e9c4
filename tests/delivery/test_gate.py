import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from hangbot.delivery.breaker import Breaker
from hangbot.delivery.budget import RetryBudget
from hangbot.delivery.gate import Gate, Limits
from hangbot.delivery.policy import RetryPolicy, TokenBucket
from hangbot.errors import AckTimeout, RateLimited, Refused, ServiceError, Unavailable, Unreachable
from pytest_hangfm.clock import ManualClock

DOWN = Unavailable("503", service="chat", status=503)
FOR_EVER = 1e9
FAILING = pytest.mark.parametrize(
    "trouble",
    [DOWN, AckTimeout("no answer", service="chat"), Unreachable("no connection", service="chat")],
    ids=lambda error: type(error).__name__,
)


@dataclass
class Door:
    """A gate with all it borrows; two failures open its breaker, which then waits 10, 20, 40 s."""

    bucket: TokenBucket = field(default_factory=lambda: TokenBucket(0.0, 1))
    budget: RetryBudget = field(default_factory=RetryBudget)
    clock: ManualClock = field(default_factory=ManualClock)
    in_flight: int = 30

    def __post_init__(self) -> None:
        waits = RetryPolicy(base=10.0, longest=40.0, strategy="seed", jitter=0.0)
        limits = Limits(self.bucket, self.budget, Breaker(waits, failures_to_open=2), self.in_flight)
        self.gate = Gate(limits, self.clock, lambda: 0.5)
        self.breaker = self.gate.breaker
        self.gone: list[str] = []

    async def break_down(self) -> None:
        for _ in range(2):
            with suppress(ServiceError):
                await self.gate.through(failing, until=FOR_EVER)
        assert self.breaker.state == "open"

    def turns(self, many: int, *, retry: bool = False, until: float = FOR_EVER) -> list[asyncio.Task[bool]]:
        """Let so many wait for their turn, in this order; each sends in the moment it is let."""

        async def one(name: str) -> bool:
            let = await self.gate.turn(retry=retry, until=until)
            if let:
                self.gone.append(name)
            return let

        return [
            asyncio.create_task(one(f"{'r' if retry else 's'}{n}"), name=f"turn-{n}") for n in range(many)
        ]


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

    let = await door.gate.turn(retry=False, until=FOR_EVER)
    retried = await door.gate.turn(retry=True, until=FOR_EVER)
    answer = await door.gate.through(working, until=FOR_EVER)

    assert (let, retried, answer) == (True, True, "answer")
    assert door.clock.slept == []


async def test_a_turn_comes_late_rather_than_never_when_it_is_only_the_pace_that_holds_it_up() -> None:
    door = Door(bucket=TokenBucket(0.01, 0), clock=ManualClock(auto=True))

    let = await door.gate.turn(retry=False, until=door.clock.now() + 1)

    assert let
    assert door.clock.slept == [100.0]


@FAILING
async def test_failures_in_a_row_shut_it_and_say_so_once(
    trouble: ServiceError, caplog: pytest.LogCaptureFixture
) -> None:
    door = Door()

    async def request() -> None:
        raise trouble

    for _ in range(2):
        with pytest.raises(type(trouble)):
            await door.gate.through(request, until=FOR_EVER)

    assert door.breaker.state == "open"
    assert [(each.levelno, each.message) for each in caplog.records] == [
        (logging.ERROR, f"[ERROR] the chat is down ({trouble}): from here on only asked now and then")
    ]


@pytest.mark.parametrize(
    "answer",
    [Refused("no", service="chat"), RateLimited("slow down", service="chat")],
    ids=lambda error: type(error).__name__,
)
async def test_a_service_that_refuses_is_a_service_that_works(answer: ServiceError) -> None:
    door = Door()

    async def request() -> None:
        raise answer

    for _ in range(10):
        with suppress(ServiceError):
            await door.gate.through(failing, until=FOR_EVER)
        with pytest.raises(type(answer)):
            await door.gate.through(request, until=FOR_EVER)

    assert door.breaker.state == "closed"


async def test_while_it_is_shut_nobody_is_let_and_when_time_is_up_they_are_told() -> None:
    door = Door()
    await door.break_down()

    turns = door.turns(3, until=door.clock.now() + 5)
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

    assert not await door.gate.turn(retry=False, until=door.clock.now())


async def test_a_question_that_cannot_be_put_in_time_tells_that_nothing_was_sent() -> None:
    door = Door()
    await door.break_down()
    asking = asyncio.create_task(door.gate.through(working, until=door.clock.now() + 5), name="ask")
    await door.clock.next_wait()

    await door.clock.advance(5.0)

    with pytest.raises(Unreachable, match=r"the service is down \(503\)"):
        await asking


async def test_one_probes_and_the_others_go_when_it_has_found_the_service_well(
    caplog: pytest.LogCaptureFixture,
) -> None:
    door = Door()
    await door.break_down()
    answered = asyncio.Event()
    requests: list[str] = []

    async def ask(name: str) -> None:
        async def request() -> None:
            requests.append(name)
            await answered.wait()

        await door.gate.through(request, until=FOR_EVER)

    with caplog.at_level(logging.INFO):
        asking = [asyncio.create_task(ask(name), name=name) for name in "abc"]
        await door.clock.next_wait()
        await door.clock.advance(10.0)
        probing = list(requests)
        answered.set()
        await asyncio.gather(*asking)

    assert len(probing) == 1
    assert sorted(requests) == ["a", "b", "c"]
    assert caplog.messages[-1] == "[OK] the chat is back"
    assert door.clock.waits() == []


async def test_a_probe_that_fails_lets_the_others_wait_on_longer() -> None:
    door = Door()
    await door.break_down()
    asking = [
        asyncio.create_task(door.gate.through(failing, until=FOR_EVER), name=f"ask-{n}") for n in range(2)
    ]
    await door.clock.next_wait()

    await door.clock.advance(10.0)

    assert [task.done() for task in asking].count(True) == 1
    assert await door.clock.next_wait() == 20.0
    await end_all(*asking)


async def test_a_probe_that_is_cancelled_hands_its_part_to_the_next() -> None:
    door = Door()
    await door.break_down()
    never = asyncio.Event()
    asking = [
        asyncio.create_task(
            door.gate.through(waiting_for(never, working), until=FOR_EVER), name=f"ask-{number}"
        )
        for number in range(2)
    ]
    await door.clock.next_wait()
    await door.clock.advance(10.0)
    assert door.breaker.state == "probing"

    asking[0].cancel()
    await asyncio.wait([asking[0]])
    await door.clock.advance(0.0)
    state = door.breaker.state
    never.set()

    assert await asking[1] == "answer"
    assert (state, door.gate.breaker.state) == ("probing", "closed")


async def test_who_is_cancelled_and_is_no_probe_makes_no_second_one() -> None:
    door = Door()
    never = asyncio.Event()
    old = asyncio.create_task(
        door.gate.through(waiting_for(never, working), until=FOR_EVER), name="on its way before"
    )
    await asyncio.sleep(0)  # one turn: it has begun
    await door.break_down()
    await door.clock.advance(10.0)
    probe = asyncio.create_task(
        door.gate.through(waiting_for(never, working), until=FOR_EVER), name="the probe"
    )
    await asyncio.sleep(0)  # one turn: it has begun
    assert door.breaker.state == "probing"

    await end_all(old)

    assert door.breaker.state == "probing"
    await end_all(probe)


async def test_those_that_were_on_their_way_when_it_shut_and_fail_do_not_count_as_probes() -> None:
    door = Door()
    late = asyncio.Event()
    before = [
        asyncio.create_task(door.gate.through(waiting_for(late, failing), until=FOR_EVER), name=f"late-{n}")
        for n in range(20)
    ]
    await asyncio.sleep(0)  # one turn: they have begun
    await door.break_down()

    late.set()
    await asyncio.gather(*before, return_exceptions=True)

    assert door.breaker.wait(door.clock.now()) == 10.0


async def test_who_stands_behind_others_when_it_shuts_does_not_go_out() -> None:
    door = Door(in_flight=2)
    late = asyncio.Event()
    gone = []

    async def request() -> None:
        gone.append("request")
        await late.wait()
        raise DOWN

    tasks = [
        asyncio.create_task(door.gate.through(request, until=FOR_EVER), name=f"through-{n}") for n in range(6)
    ]
    await asyncio.sleep(0)  # one turn: they have begun

    late.set()
    await door.clock.next_wait()

    assert len(gone) == 2
    await end_all(*tasks)


async def test_a_late_answer_of_one_that_was_on_its_way_opens_it_for_all() -> None:
    door = Door()
    late = asyncio.Event()
    before = asyncio.create_task(door.gate.through(waiting_for(late, working), until=FOR_EVER), name="late")
    await asyncio.sleep(0)  # one turn: it has begun
    await door.break_down()
    turns = door.turns(3)
    await door.clock.next_wait()

    late.set()
    await before
    lets = await asyncio.gather(*turns)

    assert lets == [True] * 3
    assert door.clock.slept == [10.0] * 3  # begun, and cut short


async def test_after_an_outage_nobody_uses_a_token_of_the_time_before() -> None:
    door = Door(bucket=TokenBucket(1.0, 2))
    await door.break_down()
    turns = door.turns(6)
    await door.clock.next_wait()
    await door.clock.advance(9.0)  # long enough for six tokens

    await door.clock.advance(1.0)
    at_once = list(door.gone)
    assert await door.gate.through(working, until=FOR_EVER) == "answer"
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
    sent = await door.gate.turn(retry=False, until=FOR_EVER)

    assert within == ["r0", "r1"]
    assert sent
    await end_all(*retries)


async def test_a_retry_that_finds_no_room_in_the_budget_in_time_is_told() -> None:
    door = Door(budget=RetryBudget(floor=1))
    retries = door.turns(2, retry=True, until=door.clock.now() + 5)
    await door.clock.next_wait()

    await door.clock.advance(5.0)

    assert sorted([await retry for retry in retries]) == [False, True]


async def test_sends_make_room_for_a_retry_that_waits() -> None:
    door = Door(budget=RetryBudget(floor=1))
    retries = door.turns(2, retry=True)
    await door.clock.next_wait()
    for _ in range(11):
        await door.gate.turn(retry=False, until=FOR_EVER)

    await door.clock.advance(1.0)

    assert [await retry for retry in retries] == [True, True]


async def test_on_a_clock_that_moves_by_itself_an_outage_takes_no_real_time() -> None:
    door = Door(clock=ManualClock(auto=True))
    await door.break_down()

    answers = await asyncio.gather(*(door.gate.through(working, until=FOR_EVER) for _ in range(5)))

    assert answers == ["answer"] * 5


async def test_a_fault_of_the_clock_is_not_swallowed() -> None:
    class Broken(ManualClock):
        async def sleep(self, seconds: float) -> None:
            raise ValueError(seconds)

    door = Door(clock=Broken())
    await door.break_down()

    with pytest.raises(ValueError, match="10"):
        await door.gate.turn(retry=False, until=FOR_EVER)
