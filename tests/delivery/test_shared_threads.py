import asyncio
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hangbot.delivery.outbox import Outbox
from hangbot.delivery.outbox_file import OutboxFile
from hangbot.delivery.shared_threads import Series, SharedThreads
from tests.bounds import WITHIN
from tests.delivery.builders import message, no_thread_is_left, opened


@dataclass
class Steps:
    """A series that does what its script says, and notes on which thread."""

    threads: SharedThreads
    script: list[Callable[[], float | None]] = field(default_factory=list)
    on: list[str] = field(default_factory=list)
    done: threading.Event = field(default_factory=threading.Event)
    series: Series = field(init=False)

    def __post_init__(self) -> None:
        self.series = self.threads.join(self.step)

    def step(self) -> float | None:
        self.on.append(str(threading.get_ident()))
        delay = self.script.pop(0)() if self.script else None
        if not self.script:
            self.done.set()
        return delay

    def run(self) -> None:
        self.threads.run_soon(self.series)

    def leave(self) -> None:
        self.threads.leave(self.series)


def alive() -> int:
    return sum(thread.name == "hangbot-outbox" for thread in threading.enumerate())


def until(so: Callable[[], bool]) -> bool:
    """Wait in real time, as the threads do."""
    bound = threading.Event()
    for _ in range(int(WITHIN / 0.005)):
        if so():
            return True
        bound.wait(0.005)
    return False


@pytest.fixture
def threads() -> Iterator[SharedThreads]:
    threads = SharedThreads(most=2, stuck_after=0.05)
    yield threads
    assert no_thread_is_left()


@pytest.fixture
def stuck(threads: SharedThreads) -> Iterator[Callable[[], Steps]]:
    """Begin series whose step does not return before the test has ended."""
    go = threading.Event()
    begun: list[Steps] = []

    def one() -> Steps:
        entered = threading.Event()

        def hang() -> None:
            entered.set()
            go.wait(WITHIN)

        steps = Steps(threads, [hang])
        begun.append(steps)
        steps.run()
        assert entered.wait(WITHIN)
        return steps

    yield one
    go.set()
    assert until(lambda: all(steps.done.is_set() for steps in begun))
    for steps in begun:
        steps.leave()


def test_one_series_takes_one_thread_and_gives_it_back(threads: SharedThreads) -> None:
    steps = Steps(threads, [lambda: 0.0] * 5)

    steps.run()

    assert steps.done.wait(WITHIN)
    assert len(set(steps.on)) == 1
    assert alive() == 1
    steps.leave()
    assert no_thread_is_left()


def test_a_series_is_never_run_twice_at_a_time(threads: SharedThreads) -> None:
    inside, most = 0, 0

    def work() -> float:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        threading.Event().wait(0.001)
        inside -= 1
        return 0.0

    steps = Steps(threads, [work] * 50)
    for _ in range(50):
        steps.run()

    assert steps.done.wait(WITHIN)
    assert most == 1
    steps.leave()


def test_a_series_with_much_to_do_lets_the_others_have_their_turn(threads: SharedThreads) -> None:
    threads.most = 1
    order: list[str] = []
    go = threading.Event()
    busy = Steps(threads, [lambda: go.wait(WITHIN) and 0.0, *([lambda: order.append("busy") or 0.0] * 5)])  # type: ignore[func-returns-value]
    other = Steps(threads, [lambda: order.append("other")])
    busy.run()
    other.run()

    go.set()

    assert busy.done.wait(WITHIN)
    assert other.done.wait(WITHIN)
    assert order[0] == "other"
    busy.leave()
    other.leave()


def test_a_wait_between_steps_takes_no_thread(threads: SharedThreads) -> None:
    threads.most = 1
    waiting = Steps(threads, [lambda: 0.05, lambda: None])
    other = Steps(threads, [lambda: None])
    waiting.run()
    assert until(lambda: len(waiting.on) == 1)

    other.run()

    assert other.done.wait(WITHIN)
    assert len(waiting.on) == 1
    assert waiting.done.wait(WITHIN)
    waiting.leave()
    other.leave()


def test_what_is_asked_for_ends_a_wait(threads: SharedThreads) -> None:
    steps = Steps(threads, [lambda: 1000.0, lambda: None])
    steps.run()
    assert until(lambda: steps.series.state == "delayed")

    steps.run()

    assert steps.done.wait(WITHIN)
    steps.leave()


def test_stuck_steps_hold_up_no_other_and_take_a_thread_each(
    threads: SharedThreads, stuck: Callable[[], Steps]
) -> None:
    for _ in range(5):
        stuck()
    others = [Steps(threads, [lambda: None]) for _ in range(20)]

    for steps in others:
        steps.run()

    assert all(steps.done.wait(WITHIN) for steps in others)
    assert alive() <= 5 + threads.most
    for steps in others:
        steps.leave()


def test_a_thread_that_is_stuck_no_longer_is_one_too_many(threads: SharedThreads) -> None:
    go = threading.Event()
    steps = [Steps(threads, [lambda: go.wait(WITHIN) and None]) for _ in range(6)]
    for each in steps:
        each.run()
    assert until(lambda: alive() == 6)

    go.set()

    assert all(each.done.wait(WITHIN) for each in steps)
    assert until(lambda: alive() <= threads.most)
    for each in steps:
        each.leave()


def test_a_step_that_fails_is_logged_and_ends_no_other_series(
    threads: SharedThreads, caplog: pytest.LogCaptureFixture
) -> None:
    threads.most = 1

    def fail() -> None:
        raise ValueError("a bug")

    bad, good = Steps(threads, [fail]), Steps(threads, [lambda: None])
    bad.run()
    good.run()

    assert good.done.wait(WITHIN)
    assert "ValueError: a bug" in caplog.text
    bad.leave()
    good.leave()


def test_where_the_last_series_ends_and_another_begins_it_has_a_thread(threads: SharedThreads) -> None:
    for _ in range(200):
        last = Steps(threads)
        last.script.append(last.leave)
        last.run()
        next_one = Steps(threads, [lambda: None])
        next_one.run()
        assert next_one.done.wait(WITHIN)
        assert last.done.wait(WITHIN)
        next_one.leave()


def test_a_system_without_threads_says_so_and_one_thread_is_enough(
    threads: SharedThreads, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(_: object) -> None:
        raise RuntimeError("can't start new thread")

    go = threading.Event()
    first, second = Steps(threads, [lambda: go.wait(WITHIN) and None]), Steps(threads, [lambda: None])
    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", none_left)
        with pytest.raises(RuntimeError, match="new thread"):
            Steps(threads).run()
        full.undo()
        first.run()
        assert until(lambda: bool(first.on))
        full.setattr(threading.Thread, "start", none_left)
        second.run()
        go.set()

        assert second.done.wait(WITHIN)
    first.leave()
    second.leave()
    threads.leave(Series(lambda: None))  # the one that had no thread


def test_a_series_that_is_over_runs_no_more(threads: SharedThreads) -> None:
    steps = Steps(threads, [lambda: None])
    steps.run()
    assert steps.done.wait(WITHIN)

    steps.leave()
    steps.run()

    assert no_thread_is_left()
    assert len(steps.on) == 1


async def test_many_outboxes_share_few_threads(tmp_path: Path) -> None:
    assert no_thread_is_left()  # of an earlier test
    boxes = [Outbox(OutboxFile(tmp_path / f"{number}.sqlite3")) for number in range(30)]
    try:
        await asyncio.gather(*(box.open() for box in boxes))
        await asyncio.gather(
            *(box.put([message(f"m{n}")], 1.0) for box in boxes for n in range(20)),
        )

        rows = await asyncio.gather(*(box.rows() for box in boxes))

        assert all([row.message.id for row in found] == [f"m{n}" for n in range(20)] for found in rows)
        assert alive() <= 4
    finally:
        await asyncio.gather(*(box.close() for box in boxes))
    assert no_thread_is_left()


async def test_an_outbox_that_hangs_keeps_the_others_no_longer_than_a_moment(tmp_path: Path) -> None:
    go = threading.Event()
    async with opened(tmp_path / "good") as good:
        hanging = [Outbox(OutboxFile(tmp_path / f"{number}")) for number in range(6)]
        await asyncio.gather(*(box.open() for box in hanging))
        waits = [asyncio.ensure_future(box.place.read(lambda _: go.wait(WITHIN))) for box in hanging]
        await asyncio.sleep(0.01)  # they hang by now

        put = await asyncio.wait_for(good.put([message()], 1.0), WITHIN)

        assert [row.state for row in put] == ["queued"]
        assert not any(wait.done() for wait in waits)
        go.set()
        await asyncio.gather(*waits, *(box.close() for box in hanging))
