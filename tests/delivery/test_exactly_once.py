"""Courier, outbox and carrier against a model: whatever goes wrong, exactly once or said otherwise."""

import asyncio
import random
import tempfile
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from hangbot.delivery.courier import Courier
from hangbot.delivery.outbox import Outbox
from hangbot.delivery.policy import RetryPolicy, TokenBucket
from hangbot.delivery.record import Step, Stored
from hangbot.errors import (
    AckTimeout,
    ConnectionLost,
    RateLimited,
    Refused,
    ServiceError,
    Unavailable,
    Unreachable,
)
from hangbot.wire.chat import Outgoing
from pytest_hangfm.clock import ManualClock

P = ParamSpec("P")
T = TypeVar("T")

RECEIVERS = ["a", "b"]
TROUBLES: dict[str, ServiceError] = {
    "timeout": AckTimeout("no answer", service="chat"),
    "cut": ConnectionLost("cut", service="chat"),
    "5xx": Unavailable("503", service="chat", status=503),
    "429": RateLimited("wait", service="chat", status=429, retry_after=3.0),
    "refused": Refused("no", service="chat", status=400),
    "unreachable": Unreachable("no connection", service="chat"),
}
# What an attempt comes to: whether the room got it, and what the bot hears.
ATTEMPTS = [
    (True, None),
    *((stored, trouble) for stored in (True, False) for trouble in ("timeout", "cut", "5xx")),
    (False, "429"),
    (False, "refused"),
    (False, "unreachable"),
]
OPEN = {"queued", "sending"}


class Points:
    """Where a run can be killed: before and after everything that it waits for."""

    def __init__(self) -> None:
        self.left: int | None = None
        self.dead = False

    async def __call__(self) -> None:
        if self.dead:
            raise asyncio.CancelledError  # a dead process does nothing more, not even tidy up
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                self.dead = True
                raise _Killed
        await asyncio.sleep(0)


class _Killed(BaseException):
    """Ends a run where it stands."""


class PointedOutbox(Outbox):
    """The real outbox without its thread, so that a run can be repeated exactly."""

    def __init__(self, path: Path, point: Points) -> None:
        super().__init__(path)
        self.point = point

    async def _on_thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        await self.point()
        result = work(*args, **kwargs)
        await self.point()
        return result


class PointedClock(ManualClock):
    """A clock on which sleeping is a place to die."""

    def __init__(self, point: Points) -> None:
        super().__init__(auto=True)
        self.point = point

    async def sleep(self, seconds: float) -> None:
        await self.point()
        await super().sleep(seconds)
        await self.point()


class Room:
    """The model: what the service holds, and what it will say next to whom."""

    def __init__(self, point: Points) -> None:
        self.point = point
        self.stored: list[Outgoing] = []
        self.attempts: dict[str, deque[tuple[bool, str | None]]] = defaultdict(deque)
        self.questions: dict[str, deque[str | None]] = defaultdict(deque)
        self.unanswered: set[str] = set()

    async def send(self, message: Outgoing) -> None:
        await self.point()
        plan = self.attempts[message.to]
        stored, trouble = plan.popleft() if plan else (True, None)
        if stored:
            self.stored.append(message)
        await self.point()
        if trouble:
            raise TROUBLES[trouble]

    async def arrived(self, message: Outgoing) -> bool:
        await self.point()
        plan = self.questions[message.to]
        trouble = plan.popleft() if plan else None
        if trouble:
            self.unanswered.add(message.id)
            raise TROUBLES[trouble]
        there = message in self.stored
        await self.point()
        return there


class Delivery(RuleBasedStateMachine):
    """Accepts, breaks, kills, restarts, retries and drops, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory(prefix="hangbot-proof-")
        self.point = Points()
        self.clock = PointedClock(self.point)
        self.room = Room(self.point)
        self.accepted: list[Outgoing] = []
        self.touched: set[str] = set()
        self.told: list[Step] = []
        self.open()

    def open(self) -> None:
        """Start the program."""
        self.point.dead, self.point.left = False, None
        self.outbox = PointedOutbox(Path(self.folder.name) / "outbox.sqlite3", self.point)
        self.runner.run(self.outbox.open())
        assert self.outbox._database
        self.outbox._database.execute("PRAGMA synchronous = OFF")  # no power is cut here
        self.courier = Courier(
            self.outbox,
            self.room,
            policy=RetryPolicy(total=40.0),
            bucket=TokenBucket(5.0, 2),
            clock=self.clock,
            dice=random.Random(7).random,  # noqa: S311  dice, no secret
            notify=self.told.append,
        )

    def close(self) -> None:
        self.point.dead, self.point.left = False, None
        self.runner.run(self.outbox.close())

    def teardown(self) -> None:
        """With the service well again, everything comes to an end."""
        try:
            self.room.attempts.clear()
            self.room.questions.clear()
            self.runner.run(self.courier.run_until_empty())
            self.every_message_is_where_it_is_said_to_be()
            assert not [row for row in self.rows() if row.state in OPEN]
        finally:
            self.close()
            self.runner.close()
            self.folder.cleanup()

    def rows(self) -> list[Stored]:
        return self.runner.run(self.outbox.rows())

    def say(self, to: str, many: int) -> None:
        for _ in range(many):
            message = Outgoing(f"m{len(self.accepted)}", to, "hi")
            self.accepted.append(message)
            self.runner.run(self.courier.accept(message))

    @rule(
        to=st.sampled_from(RECEIVERS),
        many=st.integers(1, 3),
        plan=st.lists(st.sampled_from(ATTEMPTS), max_size=6),
    )
    def accept(self, to: str, many: int, plan: list[tuple[bool, str | None]]) -> None:
        self.room.attempts[to].extend(plan)
        self.say(to, many)

    @precondition(lambda self: self.accepted)
    @rule(data=st.data())
    def accept_again(self, data: st.DataObject) -> None:
        self.runner.run(self.courier.accept(data.draw(st.sampled_from(self.accepted))))

    @rule(
        to=st.sampled_from(RECEIVERS),
        plan=st.lists(st.sampled_from([None, *TROUBLES]), min_size=1, max_size=8),
    )
    def break_questions(self, to: str, plan: list[str | None]) -> None:
        self.room.questions[to].extend(plan)

    @rule()
    def deliver(self) -> None:
        self.runner.run(self.courier.run_until_empty())

        assert not [row for row in self.rows() if row.state in OPEN]

    @rule(to=st.sampled_from(RECEIVERS), turns=st.integers(1, 60))
    def deliver_and_cancel(self, to: str, turns: int) -> None:
        """Stop in an orderly way (a second signal, the drain's limit): what is known is still noted."""

        async def cancelled() -> None:
            task = asyncio.create_task(self.courier.run_until_empty(), name="courier")
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])

        self.say(to, 1)
        self.runner.run(cancelled())
        self.close()
        self.open()

    @rule(to=st.sampled_from(RECEIVERS), left=st.integers(0, 20))
    def deliver_and_die(self, to: str, left: int) -> None:
        """Die at any place where the program waits, and start again: nothing is tidied up."""
        self.say(to, 1)
        self.point.left = left

        async def killed() -> None:
            task = asyncio.create_task(self.courier.run_until_empty(), name="courier")
            await asyncio.wait([task])
            assert task.cancelled() or task.exception() is None or self.point.dead

        self.runner.run(killed())
        self.close()
        self.open()

    @precondition(lambda self: self.accepted)
    @rule(data=st.data())
    def retry_by_hand(self, data: st.DataObject) -> None:
        message = data.draw(st.sampled_from(self.accepted))
        self.touched.add(message.id)
        self.room.unanswered.discard(message.id)
        self.runner.run(self.outbox.requeue([message.id], self.clock.wall()))

    @precondition(lambda self: self.accepted)
    @rule(data=st.data())
    def drop_by_hand(self, data: st.DataObject) -> None:
        message = data.draw(st.sampled_from(self.accepted))
        self.touched.add(message.id)
        self.runner.run(self.outbox.drop([message.id], self.clock.wall()))

    @invariant()
    def every_message_is_where_it_is_said_to_be(self) -> None:
        times = Counter(message.id for message in self.room.stored)
        rows = self.rows()

        assert [row.message.id for row in rows] == [message.id for message in self.accepted]
        assert max(times.values(), default=0) <= 1
        for row in rows:
            key = row.message.id
            if row.state == "delivered":
                assert times[key] == 1
                assert row.tier == (2 if row.attempts > 1 or self.was_asked_about(key) else 1)
            if row.state == "failed":
                assert times[key] == 0
                assert row.tier == 3
            if row.state == "uncertain":
                assert key in self.room.unanswered
            if row.state == "queued" and row.attempts == 0:
                assert times[key] == 0

    def was_asked_about(self, key: str) -> bool:
        return any(step.kind == "asked" for step in self.runner.run(self.outbox.history(key)))

    @invariant()
    def receivers_see_their_messages_in_order(self) -> None:
        for to in RECEIVERS:
            seen = [
                message for message in self.room.stored if message.to == to and message.id not in self.touched
            ]
            assert seen == [message for message in self.accepted if message in seen]


QUICK = settings(
    max_examples=12,
    stateful_step_count=12,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a failure is shrunk by the longer form
)


def test_every_message_is_in_the_room_exactly_once_or_said_not_to_be() -> None:
    run_state_machine_as_test(Delivery, settings=QUICK)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_message_is_in_the_room_exactly_once_or_said_not_to_be_over_many_runs() -> None:
    many = settings(QUICK, max_examples=500, stateful_step_count=40, phases=list(Phase))

    run_state_machine_as_test(Delivery, settings=many)
