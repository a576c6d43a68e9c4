import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from hangbot.clock import steady
from hangbot.delivery.record import Settlement, Step
from hangbot.delivery.retrier import Retrier
from hangbot.delivery.retry import Progress, RetryPolicy, Until
from hangbot.errors import RateLimited, Unavailable
from pytest_hangfm.manual_clock import ManualClock
from tests.cases import cases
from tests.delivery.builders import AWAY, BUSY, CUT, DEAD, DOWN, GONE, LOST, OUT, REFUSED
from tests.rng import FixedRng

Outcome = Exception | bool | None
DOWN_FOR_7_S = Unavailable("503", service="chat", retry_after=7.0)
GIVEN_UP = Settlement("failed", 3, 8, "given up after 3 attempts: 503", DOWN.remedy)
SEED = RetryPolicy(strategy="seed")


def asked(seconds: float) -> RateLimited:
    return RateLimited("slow down", service="chat", retry_after=seconds)


def steps_of(seconds: float) -> RetryPolicy:
    return RetryPolicy(strategy="seed", jitter=0.0, total=seconds)


@dataclass
class Script:
    """Something sendable with a script; what the script does not hold is a failure of the test."""

    sends: list[Outcome] = field(default_factory=list)
    finds: list[Outcome] = field(default_factory=list)
    admits: list[float | None] = field(default_factory=list)
    """Seconds until each attempt is admitted; ``None``: not in five minutes. The others are at once."""
    clock: ManualClock = field(default_factory=lambda: ManualClock(auto=True))
    send_takes: float = 0.0
    on_admit: Callable[[], None] = lambda: None
    key: str = "m"
    unknown_remedy: str = "Ask again by hand."

    def __post_init__(self) -> None:
        self.steps: list[Step] = []
        self.retries: list[bool] = []

    def record(self, step: Step) -> None:
        self.steps.append(step)

    async def admit(self, *, retry: bool, until: Until) -> bool:  # noqa: ARG002  the protocol's
        self.retries.append(retry)
        self.on_admit()
        wait = self.admits.pop(0) if self.admits else 0.0
        if wait != 0.0:
            await self.clock.sleep(300.0 if wait is None else wait)
        return wait is not None

    async def send(self, *, until: Until) -> bool:  # noqa: ARG002  the protocol's
        if self.send_takes:
            await self.clock.sleep(self.send_takes)
        return self._play(self.sends) is not False

    async def find(self, *, until: Until) -> bool:  # noqa: ARG002  the protocol's
        return bool(self._play(self.finds))

    async def pause(self, seconds: float) -> None:
        await self.clock.sleep(seconds)

    def _play(self, script: list[Outcome]) -> Outcome:
        outcome = script.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def run(self, policy: RetryPolicy = SEED, progress: Progress | None = None) -> Settlement:
        end = await Retrier(policy, self.clock, FixedRng()).run(self, progress)
        assert (self.sends, self.finds) == ([], []), "the script was not played to its end"
        return end

    @property
    def story(self) -> list[str]:
        return [f"{step.kind} {step.attempt}" for step in self.steps]

    def expiring(self, seconds: float) -> Progress:
        return Progress(expires_at=steady(self.clock) + seconds)


@cases(
    "sends finds state tier attempts",
    ("acknowledged", [None], [], "delivered", 1, 1),
    ("lost and found", [LOST], [True], "delivered", 2, 1),
    ("lost and not found", [LOST, LOST, None], [False, False], "delivered", 2, 3),
    ("cut and not found", [CUT, CUT, None], [False, False], "delivered", 2, 3),
    ("503 and not found", [DOWN, DOWN, None], [False, False], "delivered", 2, 3),
    ("never reached: not asked about", [AWAY, None], [], "delivered", 2, 2),
    ("told to wait: not asked about", [BUSY, None], [], "delivered", 2, 2),
    ("away for long: no attempt counts", [AWAY] * 6 + [None], [], "delivered", 2, 7),
    ("a refused token costs nothing", [DEAD] * 20 + [None], [], "delivered", 2, 21),
    ("the last one arrived", [DOWN, DOWN, LOST], [False, False, True], "delivered", 2, 3),
    ("asked again and again", [LOST, None], [DOWN, AWAY, LOST, BUSY, False], "delivered", 2, 2),
    ("refused", [REFUSED], [], "failed", 3, 1),
    ("refused after a retry", [DOWN, REFUSED], [False], "failed", 3, 2),
    ("attempts used up", [DOWN] * 3, [False] * 3, "failed", 3, 3),
    ("a refused question", [LOST], [REFUSED], "uncertain", None, 1),
    ("a question of who is no member", [LOST], [OUT], "uncertain", None, 1),
    ("a room action whose connection went", [GONE], [], "uncertain", None, 1),
)
async def test_a_message_ends_as_the_service_answers(
    *, sends: list[Outcome], finds: list[Outcome], state: str, tier: int | None, attempts: int
) -> None:
    script = Script(list(sends), list(finds))

    end = await script.run()

    assert (end.state, end.tier, end.attempts) == (state, tier, attempts)
    assert script.steps[-1].settlement == end


@cases(
    "sends finds policy state slept",
    ("nothing when acknowledged", [None], [], SEED, "delivered", []),
    ("nothing when refused", [REFUSED], [], SEED, "failed", []),
    ("steps and jitter", [DOWN] * 3, [False] * 3, SEED, "failed", [1.1, 2.1, 4.1]),
    ("as long as the service wants", [BUSY, None], [], SEED, "delivered", [15.0]),
    ("never shorter than the step", [asked(0.0), None], [], SEED, "delivered", [1.1]),
    ("for ever: the longest step", [asked(math.inf), None], [], SEED, "delivered", [30.0]),
    ("not beyond the total time", [BUSY], [], RetryPolicy(total=10.0), "failed", [10.0]),
    ("before a question, too", [DOWN_FOR_7_S], [True], SEED, "delivered", [7.0]),
    ("away to the end", [AWAY] * 6, [], steps_of(60), "failed", [1, 2, 4, 8, 16, 29]),
    ("asking to the end", [LOST], [DOWN] * 5, steps_of(20), "uncertain", [1, 2, 4, 8, 5]),
    ("one at the end", [LOST], [DOWN] * 4 + [True], steps_of(20), "delivered", [1, 2, 4, 8, 5]),
)
async def test_it_waits_as_the_policy_and_the_service_say(
    sends: list[Outcome], finds: list[Outcome], policy: RetryPolicy, state: str, slept: list[float]
) -> None:
    script = Script(list(sends), list(finds))

    end = await script.run(policy)

    assert end.state == state
    assert script.clock.slept == pytest.approx(slept)


@cases(
    "attempts in_doubt sends finds end",
    ("asked about first, and found", 2, True, [], [True], Settlement("delivered", 2, 2)),
    ("not found: tier 2", 1, True, [None], [False], Settlement("delivered", 2, 2)),
    ("its attempts are not held against this run", 5, False, [DOWN] * 3, [False] * 3, GIVEN_UP),
)
async def test_an_earlier_run_goes_on(
    *, attempts: int, in_doubt: bool, sends: list[Outcome], finds: list[Outcome], end: Settlement
) -> None:
    assert await Script(list(sends), list(finds)).run(progress=Progress(attempts, in_doubt)) == end


async def test_each_attempt_is_admitted_before_it_begins_and_only_this_runs_own_are_retries() -> None:
    script = Script([DOWN, None], [False, False], admits=[5.0, 5.0])

    await script.run(progress=Progress(attempts=1, in_doubt=True))

    assert script.retries == [False, True]
    assert [step.seconds for step in script.steps if step.kind == "answer"] == [0.0, 0.0]


@cases(
    "admits expires_in state",
    ("too old when it is admitted", [5.0], 5.0, "expired"),
    ("too old before it is admitted", [None], 5.0, "expired"),
    ("not admitted in its total time", [None], None, "failed"),
)
async def test_what_waited_too_long_to_be_admitted_is_not_sent(
    admits: list[float | None], expires_in: float | None, state: str
) -> None:
    script = Script(admits=list(admits))

    end = await script.run(progress=None if expires_in is None else script.expiring(expires_in))

    assert (end.state, end.attempts) == (state, 0)
    assert script.story == ["settled 0"]


@pytest.mark.parametrize("days", [-3_000, 3_000])
async def test_a_wall_clock_that_is_set_makes_nothing_older_or_younger(days: int) -> None:
    script = Script([BUSY, None], admits=[2.0, 2.0])
    script.on_admit = lambda: script.clock.set_wall(script.clock.wall() + days * 86_400)

    end = await script.run(progress=script.expiring(60.0))
    late = await script.run(progress=script.expiring(-0.001))

    assert (end.state, end.attempts) == ("delivered", 2)
    assert late.state == "expired"


async def test_every_step_says_when_and_how_long() -> None:
    script = Script([DOWN, None], [False], send_takes=0.25)

    await script.run()

    assert [(step.kind, step.attempt, step.detail, step.seconds) for step in script.steps] == [
        ("attempt", 1, "", 0.0),
        ("answer", 1, "Unavailable: 503", 0.25),
        ("waiting", 1, "1.100 s", pytest.approx(1.1)),
        ("asked", 1, "it did not arrive", 0.0),
        ("attempt", 2, "", 0.0),
        ("answer", 2, "acknowledged", 0.25),
        ("settled", 2, "tier 2", 0.0),
    ]
    assert script.steps[3].at - script.steps[2].at == pytest.approx(1.1)


async def test_what_is_withdrawn_ends_without_a_step_of_its_own() -> None:
    script = Script([False])

    end = await script.run()

    assert end.state == "dropped"
    assert script.story == ["attempt 1"]


async def test_cancelling_goes_through_at_once() -> None:
    script = Script([DOWN], clock=ManualClock())
    task = asyncio.create_task(script.run(), name="run")
    await script.clock.next_wait()

    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()
    assert script.clock.waits() == []


async def test_a_fault_that_is_no_service_error_is_not_swallowed() -> None:
    with pytest.raises(ValueError, match="a bug"):
        await Script([ValueError("a bug")]).run()
