"""Courier, outbox and retrier against a model: whatever goes wrong, exactly once or said otherwise."""

import asyncio
import itertools
import json
import math
import os
import random
import tempfile
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

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
from hangbot.delivery.limits import CircuitBreaker, RetryBudget, ThrottleLimits
from hangbot.delivery.message import Outgoing
from hangbot.delivery.outbox import Outbox, OutboxLimits
from hangbot.delivery.outbox_file import OutboxFile
from hangbot.delivery.place import OutboxPlace
from hangbot.delivery.record import OutboxRow, Step
from hangbot.delivery.retrier import Retrier
from hangbot.delivery.retry import RetryPolicy
from hangbot.delivery.throttle import Throttle
from hangbot.errors import OutboxFull, ServiceError
from hangbot.hangfm.chat import ChatClient
from hangbot.hangfm.chat_token import ChatToken
from hangbot.hangfm.http import HttpResponse
from hangbot.token_bucket import TokenBucket
from pytest_hangfm.manual_clock import ManualClock
from pytest_hangfm.simulation.streams import SimulatedCluster, SimulatedServers, Weather
from tests.delivery.builders import AWAY, CUT, LOST
from tests.delivery.points import PointedClock, PointedPlace, PointedStream, PointedWriter, Points
from tests.memory import IN_MEMORY
from tests.quick_runner import QuickRunner

if TYPE_CHECKING:
    from hangbot.hangfm.http import HttpClient

T = TypeVar("T")

RECEIVERS = ["a", "b", "c"]
TEXTS = {1: "hi", 2: "word " * 250, 3: "word " * 500}  # by the number of their parts
BOUNDS = OutboxLimits(queue=14, keep_for=3600.0, keep_most=5)
TOTAL = 100.0
TTL = 1500.0
SLACK = 60.0  # other lanes may move the clock between the last look at it and the attempt
PAGE = {"content-type": "text/html"}


def bad(status: int, code: str, headers: dict[str, str] | None = None) -> HttpResponse:
    """The chat's own words."""
    return HttpResponse(
        status, headers or {}, json.dumps({"error": {"code": code, "message": "No."}}).encode()
    )


TROUBLES: dict[str, HttpResponse | ServiceError] = {
    "timeout": LOST,
    "cut": CUT,
    "unreachable": AWAY,
    "5xx": HttpResponse(503, {}, b"<html>"),
    "425": HttpResponse(425, {"retry-after": "2"}, b""),
    "429": bad(429, "ERR_TOO_MANY_REQUESTS", {"retry-after": "3"}),
    "refused": bad(400, "ERR_BAD_REQUEST"),
    "dead token": bad(401, "ERR_NO_AUTH"),
    "firewall": HttpResponse(403, PAGE, b"<html>blocked</html>"),
    "log-in page": HttpResponse(401, PAGE, b"<html>log in</html>"),
    "portal": HttpResponse(200, PAGE, b"<html>log in</html>"),
    "redirect": HttpResponse(302, {"location": "https://portal/"}, b""),
    "empty": HttpResponse(204, {}, b""),
}
CERTAIN = {"unreachable", "429", "refused", "dead token"}  # nothing was stored
OUTAGES = sorted(TROUBLES.keys() - {"refused"})
# What an attempt comes to: whether the room got it, and what the bot hears.
ATTEMPTS = [
    (True, None),
    *((stored, trouble) for stored in (True, False) for trouble in sorted(TROUBLES.keys() - CERTAIN)),
    *((False, trouble) for trouble in sorted(CERTAIN)),
]
OPEN = {"queued", "sending"}
WEATHER = Weather(slow=0.01, lost=0.05, late=0.05, unanswered=0.1, stale=0.5, unheard=0.3)


class Service:
    """The model of a chat: what it holds, and what it will say next to whom; below the real client."""

    base = "the model"

    def __init__(self, point: Points, clock: PointedClock) -> None:
        self.point = point
        self.clock = clock
        self.expires_at: dict[str, float] = {}
        self.to: dict[str, str] = {}
        self.stored: list[Outgoing] = []
        self.attempts: dict[str, deque[tuple[bool, str | None]]] = defaultdict(deque)
        self.questions: dict[str, deque[str | None]] = defaultdict(deque)
        self.poisoned: set[str] = set()
        self.out: set[str] = set()
        self.banned: set[str] = set()
        self.kicked_after_storing: set[str] = set()
        self.down_until = 0.0
        self.outage = ""

    def server_time(self) -> float:
        return self.clock.wall()

    def be_well(self) -> None:
        self.attempts.clear()
        self.questions.clear()
        self.banned.clear()
        self.kicked_after_storing.clear()
        self.down_until = 0.0

    async def request(self, method: str, path: str, *, body: Any = None, **how: Any) -> HttpResponse:  # noqa: ANN401  JSON
        await self.point()
        if self.clock.now() < self.down_until:
            answer = TROUBLES[self.outage]
        else:
            _, _, *route = path.split("/")
            answer = self.answer((method, *route), body, how.get("params") or {})
        await self.point()
        if isinstance(answer, ServiceError):
            raise answer
        return answer

    def answer(self, call: tuple[str, ...], body: Any, params: dict[str, int]) -> HttpResponse | ServiceError:  # noqa: ANN401  JSON
        match call:
            case ("GET", "me"):
                return good({"uid": "bot"})
            case ("POST", "messages"):
                return self.send(Outgoing(body["muid"], body["receiver"], body["data"]["text"]))
            case ("GET", "user", "messages", key):
                return self.look_up(key)
            case ("POST", "groups", guid, "members"):
                if guid in self.banned:
                    return bad(400, "ERR_FORBIDDEN")
                self.out.discard(guid)
                return good({"guid": guid})
            case ("GET", "groups", guid, "messages"):
                if guid in self.banned | self.out:
                    return bad(400, "ERR_NOT_A_MEMBER")
                rows = [row for row in map(self.row, range(len(self.stored))) if row["receiver"] == guid]
                rows = [row for row in rows if row["id"] < params.get("id", math.inf)]
                return good(rows[-params["per_page"] :])
        raise AssertionError(call)

    def send(self, message: Outgoing) -> HttpResponse | ServiceError:
        assert self.clock.now() < self.expires_at.get(message.id, math.inf) + SLACK
        if message.to in self.banned | self.out:
            return bad(401 if len(self.stored) % 2 else 400, "ERR_GROUP_NOT_JOINED")
        if message.id in self.poisoned:
            return HttpResponse(500, {}, b"")
        plan = self.attempts[message.to]
        stored, trouble = plan.popleft() if plan else (True, None)
        if stored:
            self.stored.append(message)
            if message.to in self.kicked_after_storing:
                self.kicked_after_storing.discard(message.to)
                self.out.add(message.to)
        return TROUBLES[trouble] if trouble else good(self.row(-1))

    def look_up(self, key: str) -> HttpResponse | ServiceError:
        to = self.to[key]
        plan = self.questions[to]
        if trouble := plan.popleft() if plan else None:
            return TROUBLES[trouble]
        if to in self.banned | self.out:
            return bad(403, "ERR_FORBIDDEN")
        keys = [each.id for each in self.stored]
        return good(self.row(keys.index(key))) if key in keys else bad(404, "ERR_MESSAGE_NOT_FOUND")

    def row(self, number: int) -> dict[str, Any]:
        message = self.stored[number]
        number %= len(self.stored)
        return {"id": number + 1, "muid": message.id, "receiver": message.to, "receiverType": "group"}


def good(data: object) -> HttpResponse:
    return HttpResponse(200, {}, json.dumps({"data": data}).encode())


async def new_token() -> str:
    return "another token"


class Delivery(RuleBasedStateMachine):
    """Accepts, breaks, kills, restarts, retries and drops, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.said: dict[str, Outgoing] = {}
        self.runner = QuickRunner()
        self.folder = tempfile.TemporaryDirectory(prefix="hangbot-proof-", dir=IN_MEMORY)
        self.point = Points()
        self.clock = PointedClock(self.point)
        self.room = Service(self.point, self.clock)
        self.accepted: list[Outgoing] = []
        self.group_id: dict[str, str] = {}
        self.touched: set[str] = set()
        self.told: list[Step] = []
        self.open()

    def open(self) -> None:
        """Start the program."""
        self.point.revive()
        self.outbox = Outbox(self.place(), BOUNDS)
        self.runner.run(self.outbox.open())
        rng = random.Random(7)  # noqa: S311  no secret
        token = ChatToken(new_token, "a token")
        chat = ChatClient(cast("HttpClient", self.room), token=token, group=RECEIVERS[0], uid="bot")
        limits = ThrottleLimits(
            TokenBucket(5.0, 2), RetryBudget(floor=4), CircuitBreaker(RetryPolicy(longest=8.0), 3)
        )
        throttle = Throttle(limits, self.clock, rng, chat)
        self.courier = Courier(
            self.outbox,
            chat,
            retrier=Retrier(RetryPolicy(total=TOTAL), self.clock, rng, throttle),
            throttle=throttle,
            notify=self.told.append,
            ttl=TTL,
        )

    def place(self) -> OutboxPlace:
        """Make what the outbox is kept in."""
        return OutboxFile(
            Path(self.folder.name) / "outbox.sqlite3",
            make_writer=lambda connect, *_: PointedWriter(connect, self.point),
        )

    def close(self) -> None:
        self.point.revive()
        self.runner.run(self.outbox.close())

    def restart(self) -> None:
        self.close()
        self.open()

    def teardown(self) -> None:
        """With the service well again, everything comes to an end."""
        try:
            self.room.be_well()
            self.runner.run(self.courier.run_until_empty())
            self.every_message_is_where_it_is_said_to_be()
            assert not [row for row in self.rows() if row.state in OPEN]
        finally:
            self.close()
            self.runner.close()
            self.folder.cleanup()

    def rows(self) -> list[OutboxRow]:
        return self.runner.run(self.outbox.rows())

    def sending(self) -> set[str]:
        return {row.message.id for row in self.rows() if row.state == "sending"}

    def new(self, to: str, parts: int = 1) -> Outgoing:
        message = Outgoing(f"m{len(self.said)}", to, TEXTS[parts])
        self.said[message.id] = message
        self.room.to |= {message.id: to, f"{message.id}.2": to, f"{message.id}.3": to}
        return message

    def accepts(self, message: Outgoing) -> list[OutboxRow]:
        waiting = sum(row.state in OPEN for row in self.rows())
        try:
            stored = self.runner.run(self.courier.accept(message))
        except OutboxFull:
            assert waiting + 3 > BOUNDS.queue
            return []
        new = self.remember(stored)
        assert not new or waiting + len(new) <= BOUNDS.queue
        return stored

    def remember(self, stored: list[OutboxRow]) -> list[Outgoing]:
        """Take what is new into the model."""
        new = [row.message for row in stored if row.message.id not in self.group_id]
        self.accepted += new
        self.room.expires_at |= {
            row.message.id: row.boot.at + row.expires_at - row.accepted_at
            for row in stored
            if row.expires_at and row.boot
        }
        self.group_id |= {row.message.id: stored[0].message.id for row in stored}
        return new

    @rule(
        to=st.sampled_from(RECEIVERS),
        many=st.integers(1, 3),
        plan=st.lists(st.sampled_from(ATTEMPTS), max_size=6),
    )
    def accept(self, to: str, many: int, plan: list[tuple[bool, str | None]]) -> None:
        self.room.attempts[to].extend(plan)
        for _ in range(many):
            self.accepts(self.new(to))

    @rule(to=st.sampled_from(RECEIVERS), parts=st.integers(2, 3))
    def accept_a_long_text(self, to: str, parts: int) -> None:
        stored = self.accepts(self.new(to, parts))

        assert len(stored) in {0, parts}

    @rule(data=st.data())
    def accept_again(self, data: st.DataObject) -> None:
        """What is still in the outbox is the same message."""
        kept = {row.message.id for row in self.rows()}
        gone = {whole for part, whole in self.group_id.items() if part not in kept}
        known = [message for key, message in self.said.items() if key in self.group_id and key not in gone]
        if known:
            before = len(self.accepted)
            self.accepts(data.draw(st.sampled_from(known)))
            assert len(self.accepted) == before

    @rule(to=st.sampled_from(RECEIVERS), parts=st.integers(1, 3), left=st.integers(0, 3))
    def accept_and_die(self, to: str, parts: int, left: int) -> None:
        """Whoever was not told may find it accepted or not, but never a part of it."""
        message = self.new(to, parts)
        self.die_in(self.courier.accept(message), left)
        stored = [row for row in self.rows() if row.message.id.split(".")[0] == message.id]

        assert len(stored) in {0, parts}
        self.remember(stored)

    @rule(by=st.sampled_from([-7200.0, -30.0, 30.0, 101.0, 7200.0]))
    def set_the_clock(self, by: float) -> None:
        self.clock.set_date(by)

    @rule()
    def prune(self) -> None:
        before = self.rows()
        gone = self.runner.run(self.outbox.prune(self.clock.wall()))

        left = {row.message.id for row in self.rows()}
        assert {row.state for row in before if row.message.id not in left} <= {"delivered"}
        assert len(before) == len(left) + gone

    @rule(
        to=st.sampled_from(RECEIVERS),
        plan=st.lists(st.sampled_from([None, *sorted(TROUBLES)]), min_size=1, max_size=8),
    )
    def break_questions(self, to: str, plan: list[str | None]) -> None:
        self.room.questions[to].extend(plan)

    @rule(seconds=st.sampled_from([3.0, 60.0, 2 * TOTAL]), how=st.sampled_from(OUTAGES))
    def go_down(self, seconds: float, how: str) -> None:
        self.room.down_until = self.clock.now() + seconds
        self.room.outage = how

    @rule(
        to=st.sampled_from(RECEIVERS),
        many=st.integers(1, 10),
        seconds=st.sampled_from([2.0, 2 * TOTAL, 5 * TOTAL]),
        how=st.sampled_from(OUTAGES),
    )
    def deliver_through_an_outage(self, to: str, many: int, seconds: float, how: str) -> None:
        """It costs nothing but time, however long it is, and whatever stands where the service was."""
        self.room.be_well()
        new = [row for _ in range(many) for row in self.accepts(self.new(to))]
        self.go_down(seconds, how)

        self.runner.run(self.courier.run_until_empty())

        states = {row.message.id: row.state for row in self.rows()}
        assert {states.get(row.message.id, "delivered") for row in new} <= {"delivered"}  # or pruned

    @rule(to=st.sampled_from(RECEIVERS))
    def deliver_a_poisoned_text(self, to: str) -> None:
        """It ends itself and nothing else."""
        self.runner.run(self.courier.run_until_empty())
        self.room.be_well()
        poisoned = self.new(to)
        self.room.poisoned.add(poisoned.id)
        (row,) = self.accepts(poisoned)
        behind = self.accepts(self.new(to))
        begun = self.clock.now()

        self.runner.run(self.courier.run_until_empty())

        states = {row.message.id: row.state for row in self.rows()}
        assert states[row.message.id] == "failed"
        assert {states.get(row.message.id, "delivered") for row in behind} == {"delivered"}
        assert self.clock.now() - begun <= TOTAL + 60.0  # which the next may wait for the retry budget

    @rule(to=st.sampled_from(RECEIVERS))
    def kick(self, to: str) -> None:
        self.room.out.add(to)

    @rule(to=st.sampled_from(RECEIVERS), banned=st.booleans())
    def ban_or_let_in(self, to: str, banned: bool) -> None:  # noqa: FBT001  a choice
        (self.room.banned.add if banned else self.room.banned.discard)(to)

    @rule(to=st.sampled_from(RECEIVERS), trouble=st.sampled_from(["timeout", "5xx", "firewall"]))
    def kick_between_a_lost_answer_and_the_look_up(self, to: str, trouble: str) -> None:
        """It joins, and then asks."""
        self.runner.run(self.courier.run_until_empty())
        self.room.be_well()
        self.room.attempts[to].append((True, trouble))
        self.room.kicked_after_storing.add(to)
        (row,) = self.accepts(self.new(to))

        self.runner.run(self.courier.run_until_empty())

        kept = self.runner.run(self.outbox.get(row.message.id))
        assert (kept.state, kept.tier, kept.attempts) == ("delivered", 2, 1)

    @rule()
    def deliver(self) -> None:
        self.runner.run(self.courier.run_until_empty())

        assert not [row for row in self.rows() if row.state in OPEN]

    @rule(to=st.sampled_from(RECEIVERS), parts=st.integers(1, 3))
    def deliver_at_once(self, to: str, parts: int) -> None:
        """While the queue is worked off: it passes what is queued, but not what is on its way."""
        message = self.new(to, parts)

        async def both() -> None:
            queue = asyncio.create_task(self.courier.run_until_empty(), name="courier")
            with suppress(OutboxFull):
                await self.courier.deliver(message)
            await queue

        self.runner.run(both())
        self.touched.add(message.id)
        self.remember([row for row in self.rows() if row.message.id.split(".")[0] == message.id])

    @rule(to=st.sampled_from(RECEIVERS), turns=st.integers(1, 60))
    def deliver_and_cancel(self, to: str, turns: int) -> None:
        """Stop in an orderly way (a second signal, the drain's limit): what is known is still noted."""
        self.accepts(self.new(to))
        self.runner.run(self.delivered_until(turns, asyncio.Task.cancel))
        self.restart()

    @rule(to=st.sampled_from(RECEIVERS), turns=st.integers(1, 60))
    def deliver_and_stop(self, to: str, turns: int) -> None:
        """Drain: what is on its way ends, the rest stays where it was."""
        self.accepts(self.new(to))
        before = self.sending()
        self.runner.run(self.delivered_until(turns, lambda _: self.courier.stop()))
        assert self.sending() <= before
        self.restart()

    async def delivered_until(self, turns: int, end: Callable[[asyncio.Task[None]], object]) -> None:
        task = asyncio.create_task(self.courier.run_until_empty(), name="courier")
        for _ in range(turns):
            await asyncio.sleep(0)
        end(task)
        with suppress(asyncio.CancelledError):
            await task

    @rule(to=st.sampled_from(RECEIVERS), left=st.integers(0, 30))
    def deliver_and_die(self, to: str, left: int) -> None:
        """Die at any place where the program waits, and start again: nothing is tidied up."""
        self.accepts(self.new(to))
        self.die_in(self.courier.run_until_empty(), left)

    def die_in(self, work: Coroutine[Any, Any, object], left: int) -> None:
        self.point.left = left

        async def killed() -> None:
            task = asyncio.create_task(work, name="courier")
            await asyncio.wait([task])
            if not task.cancelled() and not self.point.dead:
                await asyncio.gather(task, return_exceptions=False)
            elif not task.cancelled():
                task.exception()  # seen

        try:
            self.runner.run(killed())
        except OutboxFull:
            pass
        finally:
            self.restart()

    @precondition(lambda self: self.rows())
    @rule(data=st.data())
    def retry_by_hand(self, data: st.DataObject) -> None:
        message = data.draw(st.sampled_from(self.rows())).message
        self.touched.add(self.group_id[message.id])
        self.room.expires_at.pop(message.id, None)
        self.runner.run(self.outbox.requeue([message.id], self.clock.wall()))

    @precondition(lambda self: self.rows())
    @rule(data=st.data())
    def drop_by_hand(self, data: st.DataObject) -> None:
        message = data.draw(st.sampled_from(self.rows())).message
        self.touched.add(self.group_id[message.id])
        self.runner.run(self.outbox.drop([message.id], self.clock.wall()))

    @invariant()
    def every_message_is_where_it_is_said_to_be(self) -> None:
        times = Counter(message.id for message in self.room.stored)
        rows = self.rows()

        assert max(times.values(), default=0) <= 1
        kept = {row.message.id for row in rows}
        assert [row.message.id for row in rows] == [each.id for each in self.accepted if each.id in kept]
        assert all(times[each.id] == 1 for each in self.accepted if each.id not in kept)  # pruned
        asked = self.asked([row.message.id for row in rows if row.state in {"delivered", "uncertain"}])
        for row in rows:
            key = row.message.id
            if row.state == "delivered":
                assert times[key] == 1
                assert row.tier == (2 if row.attempts > 1 or asked[key] else 1)
            if row.state == "failed":
                assert times[key] == 0
                assert row.tier == 3
            if row.state == "uncertain":
                assert asked[key][-1].detail.startswith("no answer")
            if row.state == "expired":
                assert times[key] == 0
                assert self.clock.now() >= self.room.expires_at[key]  # whatever the wall clock was set to
            if row.state == "queued" and row.attempts == 0:
                assert times[key] == 0

    def asked(self, keys: list[str]) -> dict[str, list[Step]]:
        """The steps in which the room was asked about each message."""

        async def read() -> dict[str, list[Step]]:
            return {
                key: [step for step in await self.outbox.history(key) if step.kind == "asked"] for key in keys
            }

        return self.runner.run(read())

    @invariant()
    def receivers_see_their_messages_in_order(self) -> None:
        for to in RECEIVERS:
            theirs = [each.id for each in self.room.stored if each.to == to]
            seen = [key for key in theirs if self.group_id[key] not in self.touched]
            assert seen == [message.id for message in self.accepted if message.id in seen]

    @invariant()
    def a_text_is_there_from_its_start_on(self) -> None:
        there = {message.id for message in self.room.stored}
        for whole, parts in groupby(self.accepted, lambda message: self.group_id[message.id]):
            if whole not in self.touched:
                seen = [part.id in there for part in parts]
                assert seen == sorted(seen, reverse=True)


class DeliveryInRecords(Delivery):
    """The same with the outbox in a room's records, in a cluster that loses requests and answers.

    Each start is another owner with a higher fence; what an earlier one has sent may arrive after it.
    """

    def __init__(self) -> None:
        self.cluster_clock = ManualClock(auto=True)
        self.rng = random.Random(11)  # noqa: S311  no secret
        self.servers = SimulatedServers(self.cluster_clock, self.rng)
        self.fences = itertools.count(1)
        super().__init__()

    def place(self) -> OutboxPlace:
        cluster = SimulatedCluster(self.servers, self.cluster_clock, self.rng, WEATHER)
        cluster.records = PointedStream(cluster.records, self.point)
        return PointedPlace(
            self.point,
            cluster,
            "room",
            writer="the machine",
            fence=next(self.fences),
            clock=self.cluster_clock,
            rng=self.rng,
        )

    def close(self) -> None:
        """Close it; where it is dead, without letting anything out of it."""
        self.runner.run(self.closed())
        super().close()

    async def closed(self) -> None:
        closing = asyncio.create_task(self.outbox.close(), name="close")
        if self.point.dead:
            await self.cluster_clock.advance(60.0)  # what it waits for is given up
        await closing


QUICK = settings(
    max_examples=12,
    stateful_step_count=12,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a failure is shrunk by the longer form
)


@pytest.fixture
def rewritten_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have records written anew often, and nothing refused while the cluster is away, which has its tests."""
    monkeypatch.setattr("hangbot.fleet.room_records._LONG", 30)
    monkeypatch.setattr("hangbot.fleet.patience._SHOWN_AFTER", math.inf)


def test_every_message_is_in_the_room_exactly_once_or_said_not_to_be() -> None:
    run_state_machine_as_test(Delivery, settings=QUICK)


@pytest.mark.usefixtures("rewritten_often")
def test_so_it_is_where_the_outbox_is_in_records() -> None:
    run_state_machine_as_test(DeliveryInRecords, settings=QUICK)


RUNS = 500 if os.environ.get("HANGBOT_PROVE_ALL") == "1" else 200
MANY = settings(QUICK, max_examples=RUNS, stateful_step_count=40, phases=list(Phase))


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_every_message_is_in_the_room_exactly_once_or_said_not_to_be_over_many_runs() -> None:
    run_state_machine_as_test(Delivery, settings=MANY)


@pytest.mark.slow
@pytest.mark.timeout(2400)
@pytest.mark.usefixtures("rewritten_often")
def test_so_it_is_where_the_outbox_is_in_records_over_many_runs() -> None:
    run_state_machine_as_test(DeliveryInRecords, settings=MANY)
