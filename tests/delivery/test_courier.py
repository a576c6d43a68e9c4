import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from hangbot.delivery.courier import Courier
from hangbot.delivery.limits import CircuitBreaker, RetryBudget, ThrottleLimits
from hangbot.delivery.message import Outgoing
from hangbot.delivery.outbox import Outbox
from hangbot.delivery.record import OutboxRow, Settlement, Step
from hangbot.delivery.retrier import Retrier
from hangbot.delivery.retry import RetryPolicy
from hangbot.delivery.throttle import Throttle
from hangbot.errors import GroupClosed, HangbotError, OutboxUnusable, RateLimited, ServiceError, UsageError
from hangbot.health import Conditions
from hangbot.journal import Journal, unpack
from hangbot.token_bucket import TokenBucket
from pytest_hangfm.manual_clock import ManualClock
from tests.bounds import WITHIN
from tests.cases import cases
from tests.delivery.builders import AWAY, DEAD, DOWN, LOST, REFUSED, message, opened
from tests.rng import FixedRng

Outcome = ServiceError | tuple[bool, ServiceError]
Run = Callable[[Courier], Coroutine[Any, Any, None]]
SEED = RetryPolicy(strategy="seed", jitter=0.0)
SELDOM = RetryPolicy(base=200.0, longest=200.0, strategy="seed")


@dataclass
class Service:
    """A chat with a script: what each attempt on a message and each question comes to.

    An attempt is ``True`` (stored and acknowledged) where the script says nothing; an error is
    raised after storing when it stands in a tuple with ``True``.
    """

    room: list[str] = field(default_factory=list)
    attempts: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    script: dict[str, list[Outcome]] = field(default_factory=lambda: defaultdict(list))
    answers: dict[str, list[ServiceError]] = field(default_factory=lambda: defaultdict(list))
    held: set[str] = field(default_factory=set)
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    release: asyncio.Event = field(default_factory=asyncio.Event)
    probes: list[ServiceError] = field(default_factory=list)
    """What the next probes come to; the service answers those behind them."""
    probed: int = 0

    async def probe(self) -> None:
        self.probed += 1
        if self.probes:
            raise self.probes.pop(0)

    async def send(self, message: Outgoing) -> None:
        self.attempts.append(message.id)
        script = self.script[message.id]
        outcome = script.pop(0) if script else None
        stored, error = outcome if isinstance(outcome, tuple) else (outcome is None, outcome)
        if message.id in self.held:
            self.reached.set()
            await self.release.wait()
        if stored:
            self.room.append(message.id)
        if error:
            raise error

    async def find(self, message: Outgoing) -> bool:
        self.asked.append(message.id)
        if self.answers[message.id]:
            raise self.answers[message.id].pop(0)
        return message.id in self.room


@dataclass
class Desk:
    """A courier with all it borrows."""

    outbox: Outbox
    service: Service = field(default_factory=Service)
    clock: ManualClock = field(default_factory=lambda: ManualClock(auto=True))
    policy: RetryPolicy = SEED
    bucket: TokenBucket = field(default_factory=lambda: TokenBucket(0.0, 1))
    breaker: CircuitBreaker = field(default_factory=lambda: CircuitBreaker(SEED))
    ttl: float | None = None
    max_workers: int = 256
    look_every: float = 0.01
    steps: list[Step] = field(default_factory=list)
    journal: Journal = field(default_factory=lambda: Journal(lambda: 0.0))

    def courier(self) -> Courier:
        limits, conditions = ThrottleLimits(self.bucket, RetryBudget(), self.breaker), Conditions()
        throttle = Throttle(limits, self.clock, FixedRng(), self.service, conditions)
        return Courier(
            self.outbox,
            self.service,
            retrier=Retrier(self.policy, self.clock, FixedRng(), throttle),
            throttle=throttle,
            notify=self.steps.append,
            ttl=self.ttl,
            conditions=conditions,
            max_workers=self.max_workers,
            look_every=self.look_every,
            journal=self.journal,
        )

    async def accepting(self, *messages: Outgoing | str) -> Courier:
        """Return a courier that has accepted these messages, or such with these ids for one receiver."""
        courier = self.courier()
        for each in messages:
            await courier.accept(message(each) if isinstance(each, str) else each)
        return courier

    def delivering(self, key: str = "m") -> asyncio.Task[Settlement]:
        return asyncio.create_task(self.courier().deliver(message(key)), name="deliver")

    async def state(self, key: str = "m") -> tuple[str, int | None, int]:
        row = await self.outbox.get(key)
        return row.state, row.tier, row.attempts

    async def doubt(self, key: str = "m") -> tuple[str, bool, int]:
        row = await self.outbox.get(key)
        return row.state, row.in_doubt, row.attempts

    def go_down(self) -> None:
        """Have the service be known to be down, and not be asked again for 200 s."""
        self.breaker = CircuitBreaker(SELDOM, failures_to_open=1)
        self.breaker.unanswered(self.clock.now(), FixedRng(), "503")

    def changes(self) -> list[tuple[str, str]]:
        """Return what operators did, as the journal has it."""
        return [values for _, kind, values in unpack(self.journal.read().kept) if kind == "operator"]

    def count(self, kind: str, key: str = "") -> int:
        """Return how many steps of a kind were told, of one message or of all."""
        return sum(step.kind == kind and step.id.startswith(key) for step in self.steps)


@pytest.fixture
def desk(outbox: Outbox) -> Desk:
    return Desk(outbox)


@asynccontextmanager
async def running(courier: Courier) -> AsyncIterator[asyncio.Task[None]]:
    """Run a courier for as long as the block; stop it then."""
    task = asyncio.create_task(courier.run(), name="courier")
    try:
        yield task
        courier.stop()
        await asyncio.wait_for(task, WITHIN)
    finally:
        task.cancel()
        await asyncio.wait([task])


async def soon(condition: Callable[[], Awaitable[bool] | bool]) -> None:
    """Look again until something is so; there is no event for it."""
    async with asyncio.timeout(WITHIN):
        while not (found if isinstance(found := condition(), bool) else await found):  # noqa: ASYNC110  see above
            await asyncio.sleep(0.005)


async def crash(task: asyncio.Task[object]) -> None:
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


async def test_a_delivered_message_is_settled_on_disk_with_its_story(desk: Desk) -> None:
    desk.service.script["m"] = [DOWN]

    end = await desk.courier().deliver(message())

    assert end == Settlement("delivered", 2, 2)
    assert await desk.state() == ("delivered", 2, 2)
    told = [(step.kind, step.attempt, step.detail) for step in desk.steps]
    written = [(step.kind, step.attempt, step.detail) for step in await desk.outbox.history("m")]
    assert told == written
    kinds = "accepted attempt answer waiting asked attempt answer settled"
    assert [kind for kind, *_ in told] == kinds.split()


async def test_before_an_attempt_leaves_it_is_on_disk_that_it_may_have(desk: Desk) -> None:
    desk.service.held = {"m"}
    delivering = desk.delivering()

    await desk.service.reached.wait()
    on_disk = await desk.doubt()
    desk.service.release.set()
    await delivering

    assert on_disk == ("sending", True, 1)


async def test_a_long_text_is_delivered_in_parts_and_ends_as_its_worst_part(desk: Desk) -> None:
    desk.service.script["m.2"] = [REFUSED]

    end = await desk.courier().deliver(message(text="word " * 500))

    assert end.state == "failed"
    assert desk.service.room == ["m"]
    assert desk.service.attempts == ["m", "m.2"]
    last, told = await desk.outbox.get("m.3"), desk.steps[-1]
    words = "not sent: part m.2 of the same text did not arrive"
    assert (last.state, last.tier, last.reason) == ("failed", 3, words)
    assert (told.id, told.kind, told.detail) == ("m.3", "settled", words)
    assert [step.kind for step in await desk.outbox.history("m.3")] == ["accepted", "settled"]


async def test_a_part_queued_again_is_not_told_as_ended(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.service.script["m"] = [REFUSED]
    settled = desk.outbox.settle

    async def and_again(*args: Any) -> list[str]:  # noqa: ANN401  passed on as they are
        given_up = await settled(*args)
        await desk.outbox.requeue(given_up, 5.0)
        return given_up

    monkeypatch.setattr(desk.outbox, "settle", and_again)

    await desk.courier().deliver(message(text="word " * 250))

    assert [step.id for step in desk.steps if step.settlement] == ["m", "m.2"]
    assert desk.service.room == ["m.2"]


async def test_who_waits_for_a_later_part_is_told_that_it_will_not_be_sent(desk: Desk) -> None:
    desk.service.script["m"] = [REFUSED]
    courier = await desk.accepting(message(text="word " * 500))

    async with running(courier):
        end = await courier.settled("m.3")

    assert (end.state, end.reason) == ("failed", "not sent: part m of the same text did not arrive")


async def test_a_stopped_text_that_is_queued_again_is_sent_whole(desk: Desk, elsewhere: Outbox) -> None:
    desk.service.script["m.2"] = [REFUSED]
    courier = desk.courier()
    await courier.deliver(message(text="word " * 500))

    await elsewhere.requeue(["m.2", "m.3"], 5.0)
    await courier.run_until_empty()

    assert desk.service.room == ["m", "m.2", "m.3"]


@cases(
    "stopped text words",
    ("while it stops", True, "hi", "the bot is stopping; nothing"),
    ("of nothing", False, " ", "nothing"),
)
async def test_what_cannot_be_sent_is_refused(*, desk: Desk, stopped: bool, text: str, words: str) -> None:
    courier = desk.courier()
    if stopped:
        courier.stop()

    with pytest.raises(UsageError, match=f"{words} was accepted"):
        await courier.accept(message(text=text))

    assert await desk.outbox.rows() == []
    assert desk.steps == []


@pytest.mark.parametrize(
    "text", ["other", " ", "word " * 500, "x " * 10_000], ids=["other", "no", "long", "more"]
)
async def test_where_the_first_wins_any_text_is_the_first(desk: Desk, text: str) -> None:
    courier = desk.courier()
    first = await courier.accept(message(text="first"), first_wins=True)

    again = await courier.accept(message(text=text), first_wins=True)

    assert again == first
    with pytest.raises(UsageError):
        await courier.accept(message(text=text))


@pytest.mark.of_a_file
async def test_an_answer_that_may_be_there_already_is_asked_about_before_it_is_sent(
    desk: Desk, tmp_path: Path
) -> None:
    await desk.outbox.back_up(tmp_path / "copy")
    desk.service.room.append("answered")

    async with opened(tmp_path / "copy") as desk.outbox:
        courier = desk.courier()
        for key in ("answered", "not-yet"):
            await courier.accept(message(key), first_wins=True)
        await courier.run_until_empty()

    assert desk.service.asked == ["answered", "not-yet"]
    assert desk.service.room == ["answered", "not-yet"]


async def test_where_the_first_wins_a_first_text_that_cannot_be_sent_is_refused(desk: Desk) -> None:
    with pytest.raises(UsageError, match="empty"):
        await desk.courier().accept(message(text=" "), first_wins=True)


async def test_what_waited_longer_than_its_time_to_live_is_expired_and_told(desk: Desk) -> None:
    desk.ttl = 60.0
    courier = await desk.accepting("old")
    await desk.clock.advance(60.0)
    await courier.accept(message("new"))

    await courier.run_until_empty()

    assert desk.service.attempts == ["new"]
    assert await desk.state("old") == ("expired", None, 0)
    assert desk.steps[-1].id == "new"
    assert [step.settlement.state for step in desk.steps if step.settlement] == ["expired", "delivered"]


async def test_a_service_that_is_known_to_be_down_costs_no_attempts(desk: Desk) -> None:
    desk.breaker = CircuitBreaker(SEED, failures_to_open=1)
    desk.service.script["m"] = [DOWN]
    courier = await desk.accepting("m", message("n", "elsewhere"))

    await courier.run_until_empty()

    assert courier.breaker.state == "closed"
    assert sorted(desk.service.attempts) == ["m", "m", "n"]
    assert await desk.state("n") == ("delivered", 1, 1)


async def test_what_cannot_be_asked_until_its_time_to_live_is_over_is_uncertain(desk: Desk) -> None:
    desk.policy = RetryPolicy(total=30.0)
    desk.ttl = 100.0
    desk.service.script["m"] = [(True, LOST)]
    desk.service.probes = [DOWN] * 20
    started = desk.clock.now()

    end = await desk.courier().deliver(message())

    assert (end.state, end.attempts) == ("uncertain", 1)
    assert desk.service.asked == []
    assert desk.clock.now() - started == pytest.approx(100.0)


@pytest.mark.parametrize("trouble", [DOWN, LOST, AWAY, DEAD], ids=lambda error: type(error).__name__)
async def test_an_outage_of_whatever_length_costs_nothing_but_time(desk: Desk, trouble: ServiceError) -> None:
    desk.policy = RetryPolicy(total=30.0)
    desk.service.script["m0"] = [trouble]
    desk.service.probes = [trouble] * 50
    keys = [f"m{number}" for number in range(10)]
    courier = await desk.accepting(*keys)
    started = desk.clock.now()

    await courier.run_until_empty()

    assert desk.clock.now() - started > 1_000
    assert desk.service.room == keys
    assert len(desk.service.attempts) == 11
    assert {row.state for row in await desk.outbox.rows()} == {"delivered"}


async def test_attempts_that_an_outage_cost_are_not_counted_after_it(desk: Desk) -> None:
    desk.service.script["m"] = [DOWN, DOWN, DOWN, DOWN, DOWN]
    desk.service.probes = [DOWN, DOWN, DOWN]  # after the first of them; then it answers, but to this message

    end = await desk.courier().deliver(message())

    assert (end.state, end.attempts) == ("failed", 4)
    assert end.reason == "given up after 3 attempts: 503"


async def test_a_poisoned_message_holds_up_its_receiver_for_its_total_time_and_no_other(desk: Desk) -> None:
    desk.policy = RetryPolicy(attempts=1_000, total=30.0)
    desk.service.script["poison"] = [DOWN] * 100
    courier = await desk.accepting("poison", "behind-it", message("elsewhere", "other"))
    started = desk.clock.now()

    await courier.run_until_empty()

    assert desk.clock.now() - started == pytest.approx(30.0)
    assert await desk.state("poison") == ("failed", 3, desk.service.attempts.count("poison"))
    assert desk.service.room == ["elsewhere", "behind-it"]


async def test_a_group_that_keeps_the_bot_out_ends_what_is_queued_for_it_in_its_words(desk: Desk) -> None:
    closed = GroupClosed("banned", service="chat")
    desk.service.script["m0"] = [closed]
    keys = [f"m{number}" for number in range(5)]
    courier = await desk.accepting(*keys, message("elsewhere", "other"))

    async with running(courier):
        ends = await asyncio.gather(*(courier.settled(key) for key in [*keys, "elsewhere"]))

    assert ends[:5] == [Settlement("failed", 3, tries, "banned", closed.remedy) for tries in (1, 0, 0, 0, 0)]
    assert ends[5].state == "delivered"
    assert sorted(desk.service.attempts) == ["elsewhere", "m0"]
    assert [step.id for step in desk.steps if step.settlement and step.settlement.state == "failed"] == keys


async def test_of_a_group_that_is_closed_what_may_have_arrived_before_is_asked_about(desk: Desk) -> None:
    desk.service.script["m0"] = [GroupClosed("banned", service="chat")]
    courier = await desk.accepting("m0", "m1")
    await desk.outbox.mark_sending("m1", [])
    desk.service.room = ["m1"]

    await courier.run_until_empty()

    assert await desk.state("m0") == ("failed", 3, 1)
    assert await desk.state("m1") == ("delivered", 2, 1)


async def test_what_is_held_up_says_so_in_its_history_and_is_not_in_doubt(desk: Desk) -> None:
    desk.clock.auto = False
    desk.go_down()

    async with running(await desk.accepting("m")):
        await desk.clock.next_wait()
        await desk.clock.advance(6.0)
        await soon(lambda: has_history(desk.outbox, "m", "waiting"))
        held_up = await desk.doubt()

    (_, waiting) = await desk.outbox.history("m")
    assert waiting.detail == "held up by the service, which is down: 503 (5 s)"
    assert [step.detail for step in desk.steps if step.kind == "waiting"] == [waiting.detail]
    assert held_up == await desk.doubt() == ("queued", False, 0)


async def has_history(outbox: Outbox, key: str, kind: str) -> bool:
    return kind in [step.kind for step in await outbox.history(key)]


async def test_a_long_wait_that_the_service_asked_for_is_on_disk_before_it_begins(desk: Desk) -> None:
    desk.clock.auto = False
    desk.service.script["m"] = [RateLimited("slow down", service="chat", retry_after=120.0)]

    async with running(await desk.accepting("m")):
        await desk.clock.next_wait()
        kinds = [step.kind for step in await desk.outbox.history("m")]
        waiting = await desk.doubt()

    assert kinds == ["accepted", "attempt", "answer", "waiting"]
    assert waiting[:2] == ("queued", False)
    assert await desk.doubt() == ("queued", False, 1)


async def test_what_only_waits_when_the_courier_stops_is_queued_as_it_was(desk: Desk) -> None:
    desk.clock.auto = False
    desk.service.script |= {"lost": [(True, LOST)], "away": [AWAY]}
    desk.service.probes = [DOWN] * 9

    async with running(await desk.accepting(message("lost", "a"), message("away", "b"))):
        await soon(lambda: desk.count("waiting") == 2)
        await desk.clock.advance(4.0)

    assert [await desk.doubt("lost"), await desk.doubt("away")] == [("queued", True, 1), ("queued", False, 1)]


async def test_a_delivery_that_is_awaited_learns_that_the_courier_stopped_before_its_end(desk: Desk) -> None:
    desk.clock.auto = False
    desk.go_down()
    courier = desk.courier()
    delivering = asyncio.create_task(courier.deliver(message()), name="deliver")
    await desk.clock.next_wait()

    courier.stop()

    with pytest.raises(HangbotError, match="the bot stopped before m had ended"):
        await delivering


async def test_other_requests_wait_with_the_messages_for_a_service_that_is_down(desk: Desk) -> None:
    desk.go_down()
    courier = desk.courier()

    async with courier.request():
        probed = desk.service.probed

    assert probed == 1
    assert await courier.answers(desk.clock.now())


async def test_who_waits_for_a_message_is_told_when_the_run_ends_before_it(desk: Desk) -> None:
    desk.service.held = {"first"}
    courier = await desk.accepting("first", "second")

    async with running(courier) as task:
        waiting = asyncio.create_task(courier.settled("second"), name="settled")
        also = asyncio.create_task(courier.settled("first"), name="settled")
        await desk.service.reached.wait()
        courier.stop()
        desk.service.release.set()
        await asyncio.wait_for(task, WITHIN)
        with pytest.raises(HangbotError, match="the bot stopped before second had ended"):
            await waiting

    assert (await also).state == "delivered"
    assert (await courier.settled("first")).state == "delivered"
    with pytest.raises(HangbotError, match="it waits in the outbox"):
        await courier.settled("second")


async def test_the_same_message_delivered_twice_at_the_same_time_is_in_the_room_once(desk: Desk) -> None:
    courier = desk.courier()

    ends = await asyncio.gather(*(courier.deliver(message()) for _ in range(3)))

    assert ends == [Settlement("delivered", 1, 1)] * 3
    assert desk.service.attempts == ["m"]


async def test_a_message_that_run_carries_can_be_delivered_too_and_is_in_the_room_once(desk: Desk) -> None:
    courier = desk.courier()

    async with running(courier):
        ends = await asyncio.gather(*(courier.deliver(message(f"m{n}")) for n in range(20)))

    assert {end.state for end in ends} == {"delivered"}
    assert sorted(desk.service.room) == sorted(f"m{n}" for n in range(20))


async def test_a_receiver_with_a_long_queue_does_not_keep_the_others_waiting(desk: Desk) -> None:
    desk.service.held = {"a0"}
    courier = await desk.accepting(*(message(f"a{number}", "a") for number in range(70)), message("b", "b"))

    delivering = asyncio.create_task(courier.run_until_empty(), name="deliver")
    end = await asyncio.wait_for(courier.settled("b"), WITHIN)
    desk.service.release.set()
    await delivering

    assert end.state == "delivered"
    assert desk.service.room == ["b", *(f"a{number}" for number in range(70))]


async def test_nothing_to_deliver_is_done_at_once_and_looked_for_again_and_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    looking, seen = desk.outbox.place.look, list[int]()

    async def look(*, closely: bool) -> tuple[int, str | None]:
        found = await looking(closely=closely)
        seen.append(found[0])
        return found

    monkeypatch.setattr(desk.outbox.place, "look", look)

    await desk.courier().run_until_empty()
    async with running(desk.courier()):
        await soon(lambda: len(seen) > 3)

    assert set(seen) == {seen[0]}
    assert desk.service.attempts == []


@cases(
    "script burst before kinds asked end",
    ("on its way", [(True, LOST)], 1, ("queued", True, 1), "attempt answer waiting", ["m"], 2),
    ("not sent: it waited for its turn", [], 0, ("queued", False, 0), "", [], 1),
)
async def test_what_may_have_been_on_its_way_when_the_courier_was_cancelled_is_asked_about_first(
    *, desk: Desk, script: list[Outcome], burst: int, before: object, kinds: str, asked: list[str], end: int
) -> None:
    desk.service.script["m"] = list(script)
    desk.bucket = TokenBucket(1.0, burst)
    desk.clock.auto = False
    delivering = desk.delivering()
    await desk.clock.next_wait()
    await crash(delivering)
    desk.clock.auto = True
    left, kept = await desk.doubt(), await desk.outbox.history("m")

    await desk.courier().run_until_empty()

    assert left == before
    assert [step.kind for step in kept] == ["accepted", *kinds.split()]
    assert desk.service.asked == asked
    assert await desk.state() == ("delivered", end, 1)
    assert desk.service.room == ["m"]


async def test_a_message_dropped_between_attempts_is_not_sent_again(desk: Desk, elsewhere: Outbox) -> None:
    desk.service.script["m"] = [DOWN]
    desk.clock.auto = False
    delivering = desk.delivering()
    await desk.clock.next_wait()

    await elsewhere.drop(["m"], 5.0)
    await desk.clock.advance(1.0)
    end = await delivering

    assert end.state == "dropped"
    assert desk.service.attempts == ["m"]
    assert await desk.state() == ("dropped", None, 1)
    assert [step.kind for step in await elsewhere.history("m")][-1] != "attempt"


async def test_a_message_dropped_on_its_way_that_arrives_is_delivered(desk: Desk, elsewhere: Outbox) -> None:
    desk.service.held = {"m"}
    delivering = desk.delivering()
    await desk.service.reached.wait()

    await elsewhere.drop(["m"], 5.0)
    desk.service.release.set()
    end = await delivering

    assert end.state == "delivered"
    assert (await desk.state())[0] == "delivered"


async def test_what_operators_do_is_in_the_journal_from_wherever_and_once(
    desk: Desk, elsewhere: Outbox
) -> None:
    desk.service.script |= {"failed": [REFUSED], "refused": [REFUSED]}
    courier = await desk.accepting("failed", "refused", "there")
    await courier.run_until_empty()
    await elsewhere.drop(["refused"], 5.0)

    async with running(courier):
        await elsewhere.put([message("up")], 5.0)
        await soon(lambda: "up" in desk.service.room)  # from here on it looks
        await elsewhere.requeue(["failed", "there"], 6.0)
        await soon(lambda: ("retry", "failed") in desk.changes())
        await courier.settled("failed")
        await desk.outbox.requeue(["refused"], 7.0)
        courier.look()
        await soon(lambda: ("retry", "refused") in desk.changes())
        await courier.settled("refused")

    assert desk.changes() == [("retry", "failed"), ("retry", "refused")]


async def test_a_message_dropped_in_the_queue_is_passed_over_and_told(desk: Desk, elsewhere: Outbox) -> None:
    desk.service.held = {"first"}
    courier = await desk.accepting("first", "second", "third")

    async with running(courier):
        await desk.service.reached.wait()
        waiting = asyncio.create_task(courier.settled("second"), name="settled")
        await elsewhere.drop(["second"], 5.0)
        end = await asyncio.wait_for(waiting, WITHIN)
        desk.service.release.set()
        await courier.settled("third")

    assert end.state == "dropped"
    assert desk.service.attempts == ["first", "third"]


async def test_what_another_process_accepts_is_taken_up_and_ends_no_wait(
    desk: Desk, elsewhere: Outbox
) -> None:
    desk.service.held = {"mine"}
    courier = await desk.accepting(message("mine", "a"))

    async with running(courier):
        waiting = asyncio.create_task(courier.settled("mine"), name="settled")
        await desk.service.reached.wait()
        await elsewhere.put([message("theirs", "b")], 5.0)
        await soon(lambda: ended(elsewhere, "theirs"))
        early = waiting.done()
        desk.service.release.set()
        end = await waiting

    assert not early
    assert end.state == "delivered"
    assert desk.service.room == ["theirs", "mine"]


async def ended(outbox: Outbox, key: str) -> bool:
    return (await outbox.get(key)).settled_at is not None


async def test_what_another_process_queues_again_is_asked_about_first(desk: Desk, elsewhere: Outbox) -> None:
    desk.policy = RetryPolicy(total=5.0)
    desk.service.script["m"] = [(True, LOST)]
    desk.service.answers["m"] = [REFUSED]
    courier = desk.courier()

    async with running(courier):
        await courier.accept(message())
        first = await courier.settled("m")
        await elsewhere.requeue(["m"], 5.0)
        await soon(lambda: ended(elsewhere, "m"))

    assert first.state == "uncertain"
    assert await desk.state() == ("delivered", 2, 1)
    assert desk.service.room == ["m"]


@pytest.mark.parametrize("how", [Courier.run, Courier.run_until_empty])
async def test_stopping_begins_nothing_new_and_finishes_what_is_on_its_way(desk: Desk, how: Run) -> None:
    desk.service.held = {"first"}
    courier = await desk.accepting("first", "second")
    task = asyncio.create_task(how(courier), name="courier")
    await desk.service.reached.wait()

    courier.stop()
    desk.service.release.set()
    await asyncio.wait_for(task, WITHIN)

    assert desk.service.room == ["first"]
    assert await desk.state("second") == ("queued", None, 0)


async def test_a_claim_at_the_stop_is_taken_back(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    courier = await desk.accepting("m")
    claim = desk.outbox.claim

    async def claim_and_stop(receiver: str, **more: bool) -> OutboxRow | None:
        row = await claim(receiver, **more)
        courier.stop()
        return row

    monkeypatch.setattr(desk.outbox, "claim", claim_and_stop)

    await courier.run_until_empty()

    assert await desk.doubt() == ("queued", False, 0)
    assert desk.service.attempts == []


async def test_the_end_that_is_told_is_on_disk(desk: Desk) -> None:
    courier = desk.courier()

    async with running(courier):
        for key in (f"m{number}" for number in range(20)):
            await courier.accept(message(key))
            end = await courier.settled(key)
            assert await desk.state(key) == (end.state, end.tier, end.attempts) == ("delivered", 1, 1)


@cases(
    "what left",
    ("a claim", "claim", ("queued", False)),
    ("an end: the next start asks", "settle", ("sending", True)),
)
@pytest.mark.parametrize("how", [Courier.run, Courier.run_until_empty])
async def test_a_disk_that_fails_ends_the_run_with_its_own_error(
    *, desk: Desk, monkeypatch: pytest.MonkeyPatch, what: str, left: tuple[str, bool], how: Run
) -> None:
    def full(*_: object, **__: object) -> asyncio.Future[None]:
        failed = asyncio.get_running_loop().create_future()
        failed.set_exception(OutboxUnusable("the disk is full"))
        return failed

    courier = await desk.accepting("m")
    monkeypatch.setattr(desk.outbox, what, full)

    with pytest.raises(OutboxUnusable, match="the disk is full"):
        await how(courier)

    assert (await desk.doubt())[:2] == left
    assert desk.service.attempts == (["m"] if what == "settle" else [])


async def test_what_a_failed_run_accepts_is_the_nexts(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    courier = desk.courier()
    accepted: list[asyncio.Task[list[OutboxRow]]] = []

    def full(*_: object) -> asyncio.Future[list[str]]:
        accepting = courier.accept(message("n", to="other"))
        accepted.append(asyncio.create_task(accepting, name="accept"))
        raise OutboxUnusable("the disk is full")

    await courier.accept(message())
    with monkeypatch.context() as patched:
        patched.setattr(desk.outbox, "settle", full)
        with pytest.raises(OutboxUnusable):
            await courier.run_until_empty()
    await accepted[0]
    await desk.courier().run_until_empty()

    assert desk.service.room == ["m", "n"]


async def test_what_another_process_accepts_is_noticed_without_a_look(desk: Desk, elsewhere: Outbox) -> None:
    desk.look_every = 1000.0
    courier = desk.courier()

    async with running(courier):
        await courier.accept(message("mine"))
        await courier.settled("mine")
        for number in range(3):
            await elsewhere.put([message(f"theirs-{number}")], 5.0)
            await asyncio.wait_for(courier.settled(f"theirs-{number}"), WITHIN)

    assert desk.service.room == ["mine", "theirs-0", "theirs-1", "theirs-2"]


async def test_a_dropped_message_is_told_however_busy_the_courier_is(desk: Desk, elsewhere: Outbox) -> None:
    desk.look_every = 1000.0
    desk.service.held = {"first"}
    courier = await desk.accepting("first", "second")

    async with running(courier):
        waiting = asyncio.create_task(courier.settled("second"), name="second")
        await desk.service.reached.wait()
        await elsewhere.drop(["second"], 5.0)
        await courier.accept(message("busy", to="other"))  # its lane ends, and the courier looks again
        await courier.settled("busy")
        desk.service.release.set()
        end = await asyncio.wait_for(waiting, WITHIN)

    assert end.state == "dropped"


async def test_a_fault_of_the_transport_leaves_doubt(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_: Outgoing) -> None:
        raise ValueError("a bug")

    monkeypatch.setattr(desk.service, "send", broken)

    with pytest.raises(ValueError, match="a bug"):
        await desk.courier().deliver(message())

    assert (await desk.doubt())[:2] == ("sending", True)


async def test_a_run_that_is_cancelled_before_its_lane_began_holds_up_no_later_one(desk: Desk) -> None:
    courier = desk.courier()
    task = asyncio.create_task(courier.run(), name="courier")
    for _ in range(10):  # turns of the one thread, in which the run has nothing to do any more
        await desk.outbox.count_waiting()

    task.cancel()
    await courier.accept(message())  # its lane is made in the turn in which the run ends
    await asyncio.wait([task])
    await asyncio.wait_for(courier.run_until_empty(), WITHIN)

    assert desk.service.room == ["m"]


async def test_what_somebody_stops_delivering_the_run_goes_on_with_in_order(desk: Desk) -> None:
    desk.max_workers = 1
    desk.service.held = {"busy", "m"}
    courier = desk.courier()

    async with running(courier):
        await courier.accept(message("busy", "other"))
        await desk.service.reached.wait()
        delivering = asyncio.create_task(courier.deliver(message()), name="deliver")
        await soon(lambda: len(desk.service.attempts) == 2)
        await courier.accept(message("n"))
        await crash(delivering)
        desk.service.release.set()
        ends = await asyncio.wait_for(asyncio.gather(courier.settled("m"), courier.settled("n")), WITHIN)

    assert [end.state for end in ends] == ["delivered"] * 2
    assert desk.service.asked == ["m"]
    assert desk.service.room[1:] == ["m", "n"]


async def test_what_expires_behind_others_when_the_service_goes_down_is_not_sent_later(desk: Desk) -> None:
    desk.ttl = 20.0
    desk.clock.auto = False
    desk.breaker = CircuitBreaker(SELDOM, failures_to_open=1)
    first = [f"m{number}" for number in range(4)]  # as many as may be on their way
    desk.service.held = set(first)
    desk.service.script |= {key: [DOWN] for key in first}
    desk.service.probes = [DOWN]
    courier = desk.courier()
    delivering = [asyncio.create_task(courier.deliver(message(key, key)), name=key) for key in first]
    await soon(lambda: len(desk.service.attempts) == 4)
    late = asyncio.create_task(courier.deliver(message("late", "late")), name="late")
    await soon(lambda: desk.count("attempt") == 5)

    desk.service.release.set()
    await soon(lambda: len(desk.clock.waits()) == 5)
    await desk.clock.advance(20.0)
    await soon(lambda: desk.count("answer", "late") == 1)
    await desk.clock.advance(2.0)
    end = await asyncio.wait_for(late, WITHIN)
    for task in delivering:
        await crash(task)

    assert end.state == "expired"
    assert "late" not in desk.service.attempts


async def test_a_message_dropped_while_it_awaits_its_turn_is_not_sent(desk: Desk, elsewhere: Outbox) -> None:
    desk.clock.auto = False
    desk.bucket = TokenBucket(1.0, 1)
    courier = await desk.accepting(message("m", "a"), message("n", "b"))

    async with running(courier):
        await desk.clock.next_wait()  # both were claimed when there was room for one
        await elsewhere.drop(["n"], 5.0)
        end = await asyncio.wait_for(courier.settled("n"), WITHIN)
        await desk.clock.advance(1.0)

    assert end.state == "dropped"
    assert desk.service.attempts == ["m"]


async def test_to_more_receivers_than_workers_all_arrives_once_and_no_retry_is_overtaken(desk: Desk) -> None:
    desk.max_workers = 3
    courier = desk.courier()
    keys = [f"m{number}" for number in range(60)]
    for number, key in enumerate(keys):
        desk.service.script[key] += ([DOWN], [(True, LOST)], [], [])[number % 4]

    async with running(courier):
        for number, key in enumerate(keys):
            await courier.accept(message(key, f"r{number % 5}"))
        await asyncio.gather(*(courier.settled(key) for key in keys))

    assert sorted(desk.service.room) == sorted(keys)
    for lane in range(5):
        assert [key for key in desk.service.room if int(key[1:]) % 5 == lane] == keys[lane::5]
