from __future__ import annotations

import asyncio
import functools
import logging
import signal
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangbot.bot.answering import current
from hangbot.bot.app_forms import Hooks
from hangbot.bot.app_runner import AppRunner
from hangbot.bot.events import ChatMessage, DirectMessage, Event, RoomEvent
from hangbot.bot.held_up import HeldUp
from hangbot.bot.uptime import uptime
from hangbot.errors import OutboxFull, OutboxUnusable, UnknownMessage, UsageError
from pytest_hangfm.simulation.clock import SimulatedClock
from pytest_hangfm.simulation.loop import simulated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence

    from hangbot.delivery.record import OutboxRow

FOREVER = 1e6
HELLO = ChatMessage(7, "ann", "room", "hello", 0.0)
JOINED = RoomEvent("userJoined")


class OurBug(Exception):
    pass


class Speaker:
    """A bot that notes what it is to say, and to what message that is an answer."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str | None, bool]] = []
        self.ids: list[str] = []

    async def say(
        self, text: str, *, to: str | None = None, direct: bool = False, key: str | None = None
    ) -> Sequence[OutboxRow]:
        assert key is None
        context = current(self)
        assert context is not None
        with context.next_id("bot", to or "room", direct=direct) as made:
            self.ids.append(made)
        self.said.append((text, to, direct))
        return []


class Marks:
    """Marks, and what was begun, in the order of both."""

    epoch = 3

    def __init__(self, *, broken: bool = False) -> None:
        self.ids: list[int] = []
        self._broken = broken

    async def handled(self, line: ChatMessage) -> None:
        if self._broken:
            raise OutboxUnusable("the disk is gone")
        self.ids.append(line.id)


@asynccontextmanager
async def running(
    hooks: Hooks | None = None, marks: Marks | None = None, *, limit: float = 30.0, drain: float = 12.0
) -> AsyncIterator[AppRunner]:
    """Run an app; at the end of the block the bot stops."""
    clock = SimulatedClock()
    runner = AppRunner(clock, hooks or Hooks(Speaker()), name="Hal", limit=limit, marks=marks or Marks())
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(runner.run(), name="app")
        await asyncio.sleep(0)
        yield runner
        await runner.drain(drain)


async def idle(runner: AppRunner) -> None:
    while len(runner):  # noqa: ASYNC110  no event says so
        await asyncio.sleep(0.001)


def now() -> float:
    return round(asyncio.get_running_loop().time(), 3)


def lines(*senders: str) -> list[ChatMessage]:
    return [ChatMessage(number, sender, "room", "hello", 0.0) for number, sender in enumerate(senders)]


def actions(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.__dict__["action"] for record in caplog.records if "action" in record.__dict__]


# -- what an app raises


async def cancelled_itself() -> None:
    task = asyncio.create_task(asyncio.sleep(3600), name="the app's own")
    task.cancel()
    await task


async def cancelled_its_own_task() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(0)


async def raises(error: BaseException) -> None:
    raise error


def fails_before_it_awaits() -> Awaitable[None]:
    raise OurBug("a decorator's")


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        pytest.param(lambda: raises(OurBug("the app's own")), "OurBug", id="a bug"),
        pytest.param(fails_before_it_awaits, "OurBug", id="a bug of a decorator"),
        pytest.param(cancelled_itself, "CancelledError", id="a task of its own that was cancelled"),
        pytest.param(cancelled_its_own_task, "CancelledError", id="a cancellation of itself"),
        pytest.param(lambda: raises(UnknownMessage("none")), "UnknownMessage", id="an error of ours"),
        pytest.param(lambda: raises(UsageError("empty")), "UsageError", id="a text that cannot be sent"),
        pytest.param(lambda: raises(TimeoutError("its own")), "TimeoutError", id="a wait of its own"),
        pytest.param(lambda: raises(SystemExit(3)), "SystemExit", id="an exit"),
        pytest.param(lambda: raises(GeneratorExit()), "GeneratorExit", id="a generator's end"),
        pytest.param(lambda: raises(StopIteration()), "RuntimeError", id="an iterator's end"),
        pytest.param(lambda: None, "TypeError", id="nothing that can be awaited"),
    ],
)
@pytest.mark.parametrize("event", [False, True], ids=["message", "event"])
def test_what_an_app_raises_is_logged_with_its_traceback_and_goes_no_further(
    event: bool,  # noqa: FBT001  a row
    call: Callable[[], Awaitable[None]],
    kind: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> Marks:
        marks = Marks()
        hooks = Hooks(Speaker(), lambda _: call(), lambda _: call())
        async with running(hooks, marks) as runner:
            if event:
                runner.offer_event(JOINED)
            else:
                runner.offer(HELLO)
            await idle(runner)
            assert (runner.counts.raised, runner.counts.returned) == (1, 0)
        return marks

    marks = simulated(main())

    (record,) = caplog.records
    assert (record.levelno, record.__dict__["action"]) == (logging.ERROR, "app_failed")
    assert record.exc_info
    assert record.exc_info[0]
    assert record.exc_info[0].__name__ == kind
    assert marks.ids == ([] if event else [7])


def test_an_answer_that_is_not_accepted_is_told_with_its_remedy(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        full = OutboxFull("100 messages wait")
        async with running(Hooks(Speaker(), lambda _: raises(full))) as runner:
            runner.offer(HELLO)
            await idle(runner)

    simulated(main())

    (record,) = caplog.records
    assert record.getMessage().startswith("[ERROR] the answer to message 7 is lost: 100 messages wait. Wait")
    assert record.exc_info is None


def test_a_mark_that_cannot_be_written_is_told_and_the_next_line_is_handled(
    caplog: pytest.LogCaptureFixture,
) -> None:
    heard = list[int]()

    async def hear(line: ChatMessage) -> None:
        heard.append(line.id)

    async def main() -> None:
        async with running(Hooks(Speaker(), hear), Marks(broken=True)) as runner:
            for line in lines("ann", "ann"):
                runner.offer(line)
            await idle(runner)

    simulated(main())

    assert heard == [0, 1]
    assert actions(caplog) == ["not_marked", "not_marked"]
    assert "it could not be written that message 0 is handled: the disk is gone. " in caplog.messages[0]


# -- order


class Handler:
    """A handler that takes its time, by the sender; notes when it began and ended."""

    def __init__(self, **seconds: float) -> None:
        self._seconds = seconds
        self.begun: list[tuple[int, float]] = []
        self.ended: list[tuple[int, float]] = []

    async def __call__(self, line: ChatMessage) -> None:
        self.begun.append((line.id, now()))
        await asyncio.sleep(self._seconds.get(line.sender or "", 0.0))
        self.ended.append((line.id, now()))


def test_a_user_whose_handler_hangs_delays_no_other_user_and_uptime_is_answered_meanwhile() -> None:
    handler, speaker, marks = Handler(ann=FOREVER), Speaker(), Marks()

    async def main() -> None:
        async with running(Hooks(speaker, handler), marks, drain=0.0) as runner:
            for line in lines("ann", "ann", "bob", "bob"):
                assert runner.offer(line)
            await asyncio.sleep(1)
            runner.offer(ChatMessage(8, "ann", "room", " /uptime\n", 0.0))
            await asyncio.sleep(1)
            assert handler.begun == [(0, 0.0), (2, 0.0), (3, 0.0)]
            assert speaker.said == [("Hal has been up for 1 s.", None, False)]
            assert marks.ids == [2, 3, 8]

    simulated(main())


def test_as_many_users_are_served_at_once_as_may_be_and_the_others_in_turn() -> None:
    users = [f"user-{number}" for number in range(20)]
    handler = Handler(**dict.fromkeys(users, 1.0))

    async def main() -> None:
        async with running(Hooks(Speaker(), handler)) as runner:
            for line in lines(*users, "user-0", "user-0"):
                runner.offer(line)
            await idle(runner)

    simulated(main())

    assert [at for _, at in handler.begun] == [0.0] * 16 + [1.0] * 5 + [2.0]


def test_ten_thousand_lines_at_once_are_bounded_and_a_user_who_floods_leaves_room_for_others() -> None:
    handler = Handler(flooder=0.001)

    async def main() -> tuple[int, bool, int]:
        async with running(Hooks(Speaker(), handler)) as runner:
            taken = sum(runner.offer(line) for line in lines(*["flooder"] * 10_000))
            other = runner.offer(ChatMessage(10_000, "ann", "room", "hello", 0.0))
            held = len(runner)
            await runner.room()
            assert 0 < len(runner) < taken
            await idle(runner)
            return taken, other, held

    assert simulated(main()) == (500, True, 501)
    assert [number for number, _ in handler.begun if number < 10_000] == list(range(500))
    assert (10_000, 0.0) in handler.begun


def test_where_no_line_was_refused_there_is_room_at_once() -> None:
    async def main() -> float:
        async with running() as runner:
            runner.offer(HELLO)
            await runner.room()
            return now()

    assert simulated(main()) == 0.0


def test_events_come_one_at_a_time_in_order_and_the_oldest_are_dropped_with_a_count(
    caplog: pytest.LogCaptureFixture,
) -> None:
    heard = list[str]()

    async def hear(event: Event) -> None:
        assert isinstance(event, RoomEvent)
        heard.append(event.name)
        await asyncio.sleep(0.01)

    async def main() -> None:
        async with running(Hooks(Speaker(), on_event=hear)) as runner:
            await asyncio.sleep(0.1)
            for number in range(1_010):
                runner.offer_event(RoomEvent(str(number)))
            assert len(runner) == 1_001
            await idle(runner)

    simulated(main())

    assert heard == [str(number) for number in range(10, 1_010)]
    assert actions(caplog) == ["events_dropped", "events_heard"]
    assert caplog.messages[1].endswith("10 were dropped")


def test_without_an_app_lines_are_marked_and_nothing_else_happens() -> None:
    marks = Marks()

    async def main() -> None:
        async with running(marks=marks) as runner:
            runner.offer(HELLO)
            runner.offer_event(JOINED)
            await idle(runner)
            assert not runner.hears_events

    simulated(main())

    assert marks.ids == [7]


# -- ids


def test_an_answer_belongs_to_the_count_in_which_its_line_was_heard() -> None:
    async def story(first: int, second: int) -> list[str]:
        speaker, marks = Speaker(), Marks()

        async def handler(line: ChatMessage) -> None:
            await line.given_to(speaker).reply("hello")

        marks.epoch = first
        async with running(Hooks(speaker, handler), marks) as runner:
            assert runner.offer(lines("ann")[0])
            marks.epoch = second  # before it is handled
            assert runner.offer(lines("bob")[0])
            await idle(runner)
        return speaker.ids

    old, new = simulated(story(3, 4))

    assert old != new
    assert [old, old] == simulated(story(3, 3))
    assert [new, new] == simulated(story(4, 4))


def test_what_is_said_by_a_handler_has_the_same_ids_when_it_is_run_again() -> None:
    def run() -> list[str]:
        speaker = Speaker()

        async def answer(line: ChatMessage) -> None:
            await speaker.say("one")
            await asyncio.create_task(line.given_to(speaker).reply("two"))

        async def main() -> None:
            async with running(Hooks(speaker, answer), Marks()) as runner:
                for line in (HELLO, DirectMessage(8, "ann", "bot", "/uptime", 0.0)):
                    runner.offer(line)
                await idle(runner)

        simulated(main())
        assert ("Hal has been up for 0 s.", "ann", True) in speaker.said
        return speaker.ids

    first = run()

    assert len(set(first)) == 3
    assert sorted(run()) == sorted(first)


# -- the time limit


async def hangs(_: object = None) -> None:
    await asyncio.sleep(FOREVER)


async def swallows_its_cancellation(_: object = None) -> None:
    try:
        await asyncio.sleep(FOREVER)
    except asyncio.CancelledError:
        return


async def raises_at_its_cancellation(_: object = None) -> None:
    try:
        await asyncio.sleep(FOREVER)
    finally:
        raise OurBug("while it ended")


async def ignores_its_cancellation(_: object = None) -> None:
    for _time in range(3):
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(FOREVER)


@pytest.mark.parametrize(
    ("handler", "logged", "free_at"),
    [
        pytest.param(hangs, ["app_timed_out"], 2.0, id="hangs"),
        pytest.param(swallows_its_cancellation, ["app_timed_out"], 2.0, id="returns when it is cancelled"),
        pytest.param(
            raises_at_its_cancellation, ["app_timed_out", "app_failed"], 2.0, id="raises when it is cancelled"
        ),
        pytest.param(
            ignores_its_cancellation, ["app_timed_out", "app_abandoned"], 7.0, id="ignores its cancellation"
        ),
    ],
)
def test_a_handler_over_its_limit_is_cancelled_told_counted_and_marked_and_its_slot_is_free_again(
    handler: Callable[[object], Coroutine[None, None, None]],
    logged: list[str],
    free_at: float,
    caplog: pytest.LogCaptureFixture,
) -> None:
    marks, begun = Marks(), list[float]()

    async def handle(line: ChatMessage) -> None:
        if line.id:
            begun.append(now())
        else:
            await handler(line)

    async def main() -> None:
        async with running(Hooks(Speaker(), handle), marks, limit=2.0) as runner:
            for line in lines("ann", "ann"):
                runner.offer(line)
            await idle(runner)
            counts = runner.counts
            assert (counts.timed_out, counts.abandoned, counts.returned) == (1, "app_abandoned" in logged, 1)

    simulated(main())

    assert begun == [free_at]
    assert actions(caplog) == logged
    assert "handler of message 0 was cancelled: it took longer than 2 s." in caplog.messages[0]
    assert marks.ids == [0, 1]


def test_a_handler_that_blocks_the_loop_is_told(caplog: pytest.LogCaptureFixture) -> None:
    class Jumping(SimulatedClock):
        late = 0.0

        def now(self) -> float:
            return super().now() + self.late

    clock = Jumping()

    async def blocks(_: ChatMessage) -> None:
        await asyncio.sleep(0)
        clock.late += 1.5

    async def main() -> None:
        runner = AppRunner(clock, Hooks(Speaker(), blocks))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(runner.run(), name="app")
            runner.offer(HELLO)
            await asyncio.sleep(1)
            await runner.drain(1.0)

    simulated(main())

    assert actions(caplog) == ["app_blocks"]
    assert "handler of message 7 held up the whole bot for 1.5 s" in caplog.text


@pytest.mark.parametrize(("late", "again"), [(1.5, 3), (5.0, 2)])
def test_a_line_that_held_up_a_worker_until_its_room_was_lost_is_not_handled_there_again(
    late: float, again: int, caplog: pytest.LogCaptureFixture
) -> None:
    class Jumping(SimulatedClock):
        late = 0.0

        def now(self) -> float:
            return super().now() + self.late

    clock, held_up, calls = Jumping(), HeldUp(), 0
    broken, sound = Marks(broken=True), Marks()

    async def blocks(_: ChatMessage) -> None:
        nonlocal calls
        calls += 1
        clock.late += late

    async def main() -> None:
        for marks in (broken, broken, sound):  # of its bots, one after the other
            runner = AppRunner(clock, Hooks(Speaker(), blocks), marks=marks, held_up=held_up)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(runner.run(), name="app")
                runner.offer(HELLO)
                await asyncio.sleep(1)
                await runner.drain(1.0)

    simulated(main())

    assert calls == again
    assert sound.ids == [HELLO.id]
    assert ("message 7 is passed over" in caplog.text) == (again == 2)


@pytest.mark.parametrize(
    ("handler", "logged"),
    [
        pytest.param(signal.default_int_handler, [], id="Ctrl-C comes as this error"),
        pytest.param(lambda *_: None, ["app_failed"], id="signals are handled, so it is the app's own"),
    ],
)
def test_an_interrupt_in_a_handler_ends_the_program_only_where_it_may_be_ctrl_c(
    handler: Callable[..., object], logged: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    speaker, ended = Speaker(), False

    async def main() -> None:
        async with running(Hooks(speaker, lambda _: raises(KeyboardInterrupt()))) as runner:
            signal.signal(signal.SIGINT, handler)
            runner.offer(HELLO)
            await idle(runner)

    before = signal.getsignal(signal.SIGINT)
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        ended = True
    finally:
        signal.signal(signal.SIGINT, before)

    assert ended == (not logged)
    assert actions(caplog) == logged


# -- the beginning and the end


@pytest.mark.parametrize(
    ("start", "logged", "at"),
    [
        pytest.param(lambda: asyncio.sleep(2), [], 2.0, id="takes its time"),
        pytest.param(lambda: raises(OurBug("at the start")), ["app_failed"], 0.0, id="fails"),
        pytest.param(hangs, ["app_timed_out"], 30.0, id="hangs"),
    ],
)
def test_on_start_comes_before_the_first_line_and_keeps_the_bot_from_nothing(
    start: Callable[[], Awaitable[None]], logged: list[str], at: float, caplog: pytest.LogCaptureFixture
) -> None:
    handler, speaker = Handler(), Speaker()
    events = list[float]()

    async def hear(_: Event) -> None:
        events.append(now())

    async def main() -> None:
        async with running(Hooks(speaker, handler, hear, start)) as runner:
            for line in (HELLO, ChatMessage(8, "bob", "room", "/uptime", 0.0)):
                runner.offer(line)
            runner.offer_event(JOINED)
            await asyncio.sleep(0)
            await asyncio.sleep(0.001)
            assert speaker.said
            await idle(runner)

    simulated(main())

    assert handler.begun == [(7, at)]
    assert events == [at]
    assert actions(caplog) == logged


@pytest.mark.parametrize(
    ("seconds", "marked", "stopped_at"),
    [
        pytest.param(5.0, [0], 5.0, id="ends within two thirds of the drain"),
        pytest.param(9.0, [], 8.0, id="does not"),
    ],
)
def test_at_the_stop_what_runs_may_end_and_neither_what_is_cancelled_nor_what_waits_is_marked(
    seconds: float, marked: list[int], stopped_at: float, caplog: pytest.LogCaptureFixture
) -> None:
    marks, stopped = Marks(), list[float]()

    async def on_stop() -> None:
        stopped.append(now())

    async def main() -> None:
        hooks = Hooks(Speaker(), Handler(ann=seconds), on_stop=on_stop)
        async with running(hooks, marks, drain=12.0) as runner:
            for line in lines("ann", "ann"):
                runner.offer(line)
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    simulated(main())

    assert marks.ids == marked
    assert stopped == [stopped_at]
    assert actions(caplog) == ([] if marked else ["app_stopped"])


@pytest.mark.parametrize(
    "handler",
    [hangs, swallows_its_cancellation, raises_at_its_cancellation, ignores_its_cancellation],
    ids=lambda handler: handler.__name__,
)
def test_no_handler_makes_a_stop_longer_than_its_time_and_none_that_it_cancels_is_marked(
    handler: Callable[[object], Coroutine[None, None, None]],
) -> None:
    marks = Marks()

    async def main() -> float:
        hooks = Hooks(Speaker(), handler, handler, on_stop=functools.partial(handler, None))
        async with running(hooks, marks, drain=12.0) as runner:
            runner.offer(HELLO)
            runner.offer_event(JOINED)
            await asyncio.sleep(0)
        return now()

    assert simulated(main()) <= 12.0 + 5.0 + 1.0
    assert marks.ids == []


def test_an_event_is_still_heard_within_the_drain_though_the_one_before_it_hangs() -> None:
    heard = list[tuple[str, float]]()

    async def hear(event: Event) -> None:
        assert isinstance(event, RoomEvent)
        heard.append((event.name, now()))
        if event is JOINED:
            await hangs()

    async def main() -> None:
        async with running(Hooks(Speaker(), on_event=hear), drain=12.0) as runner:
            runner.offer_event(JOINED)
            await asyncio.sleep(1)
            runner.offer_event(RoomEvent("kicked"))

    simulated(main())

    assert heard == [("userJoined", 0.0), ("kicked", 9.0)]


def test_a_bot_that_is_cancelled_takes_its_handlers_with_it() -> None:
    ended = list[str]()

    async def handle(_: ChatMessage) -> None:
        try:
            await hangs()
        finally:
            ended.append("handler")

    async def main() -> None:
        runner = AppRunner(SimulatedClock(), Hooks(Speaker(), handle))
        task = asyncio.create_task(runner.run(), name="app")
        runner.offer(HELLO)
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert ended == ["handler"]

    simulated(main())


@pytest.mark.parametrize(
    ("name", "seconds", "said"),
    [
        ("Hal", 0, "Hal has been up for 0 s."),
        ("Hal", -5, "Hal has been up for 0 s."),
        ("Hal", 59.9, "Hal has been up for 59 s."),
        ("Hal", 60, "Hal has been up for 1 min."),
        ("Hal", 3_661, "Hal has been up for 1 h 1 min 1 s."),
        ("Hal", 86_400, "Hal has been up for 1 d."),
        (None, 200_000, "This bot has been up for 2 d 7 h 33 min 20 s."),
    ],
)
def test_the_time_is_told_in_the_units_that_matter(name: str | None, seconds: float, said: str) -> None:
    assert uptime(name, seconds) == said


# -- whatever happens


_Ends: TypeAlias = Literal["returns", "raises", "hangs", "swallows", "ignores"]
_HANDLERS: Final[dict[_Ends, Callable[[object], Awaitable[None]]]] = {
    "returns": lambda _: asyncio.sleep(0),
    "raises": lambda _: raises(OurBug("the app's own")),
    "hangs": hangs,
    "swallows": swallows_its_cancellation,
    "ignores": ignores_its_cancellation,
}


class Story(NamedTuple):
    """A line of a user: when it comes, how long its handler takes, and how that ends."""

    user: str
    after: float
    takes: float
    ends: _Ends


stories = st.lists(
    st.builds(
        Story,
        st.sampled_from("abcd"),
        st.sampled_from([0.0, 0.1, 1.0, 4.0]),
        st.sampled_from([0.0, 0.1, 1.9, 5.0]),
        st.sampled_from(list(_HANDLERS)),
    ),
    max_size=25,
)


def marked_at(story: Story, begun: float) -> float:
    """When a line that was begun then is handled; a handler that ignores its limit of 2 s has 5 s more."""
    if story.ends in {"returns", "raises"}:
        return begun + min(story.takes, 2.0)
    return begun + (7.0 if story.ends == "ignores" and story.takes < 2.0 else 2.0)


@given(stories, st.sampled_from([0.0, 0.53, 3.07, 100.0]))
def test_each_users_lines_are_begun_in_order_and_each_line_that_was_not_cut_off_is_marked_once(
    told: list[Story], stop_after: float
) -> None:
    begun, marks = dict[int, float](), Marks()

    async def handle(line: ChatMessage) -> None:
        story = told[line.id]
        assert line.id not in begun
        begun[line.id] = now()
        await asyncio.sleep(story.takes)
        await _HANDLERS[story.ends](line)

    async def main() -> tuple[float, float]:
        async with running(Hooks(Speaker(), handle), marks, limit=2.0, drain=1.53) as runner:
            for number, story in enumerate(told):
                await asyncio.sleep(story.after)
                assert runner.offer(ChatMessage(number, story.user, "room", "hello", 0.0))
            await asyncio.sleep(stop_after)
            stopped_at = now()
        return stopped_at, now()

    stopped_at, ended_at = simulated(main())

    cut_at = stopped_at + 1.53 * 2 / 3
    over = {number for number, at in begun.items() if marked_at(told[number], at) < cut_at}
    late = {number for number, at in begun.items() if told[number].ends == "ignores" and at + 2.0 < cut_at}
    assert len(set(marks.ids)) == len(marks.ids)
    assert over <= set(marks.ids) <= over | late  # one that ends at last has timed out before the stop
    assert ended_at - stopped_at <= 1.53 + 1.0
    for user in "abcd":
        theirs = [number for number, story in enumerate(told) if story.user == user]
        first = [number for number in begun if told[number].user == user]
        assert first == theirs[: len(first)]
    if stop_after == 100.0:
        assert len(begun) == len(told)
