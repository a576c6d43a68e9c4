"""The tiers with the first design's own numbers, checked to the millisecond without waiting.

Base 1 s, factor 2, jitter 200 ms, three attempts, time-outs of 5 s (room socket) and 10 s
(chat), and its own way to draw a wait (``STAGE_RETRY_STRATEGY=seed``: the step, plus 0 to the
jitter). Real requests to the sandbox; only the clock and the randomness are the test's. The first tier
needs no fault, so it runs against any server, there on the machine's own clock.
"""

import asyncio
from uuid import uuid4

import pytest

from hangbot import Courier, Outgoing, Settings
from hangbot.sandbox import Fault, Sandbox
from pytest_hangfm import AckRecorder, ManualClock, OpenCourier

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.stage,
    pytest.mark.remedy("Compare STAGE_RETRY_* with the numbers above; the deliveries show every wait."),
    pytest.mark.parametrize("ack_timeout", [pytest.param(5.0, id="5s"), pytest.param(10.0, id="10s")]),
]

SEED = {
    "retry_strategy": "seed",
    "retry_attempts": 3,
    "retry_base": 1.0,
    "retry_factor": 2.0,
    "retry_jitter": 0.2,
    "retry_max": 30.0,
    "retry_total": 300.0,
}
DRAWS = (0.5, 0.25, 0.75)
WAITS = (1.1, 2.05, 4.15)
"""1 s + 0.2 s x 0.5, 2 s + 0.2 s x 0.25, 4 s + 0.2 s x 0.75."""


@pytest.fixture
def hangfm_settings(hangfm_settings: Settings, ack_timeout: float) -> Settings:
    """The first design's."""
    return hangfm_settings.with_changes(**SEED, ack_timeout=ack_timeout)


@pytest.fixture
def hangfm_clock(hangfm_clock: ManualClock) -> ManualClock:
    """A back-off moves the clock by itself; a time-out waits until the test moves it."""
    hangfm_clock.auto = True
    return hangfm_clock


@pytest.fixture
def message(hangfm_settings: Settings) -> Outgoing:
    return Outgoing(uuid4().hex, hangfm_settings.chat_receiver, "a stage test of hangbot says hello")


class Draws:
    """Randomness that draws the numbers of `DRAWS`, in their order."""

    def __init__(self) -> None:
        self._draws = iter(DRAWS)

    def random(self) -> float:
        return next(self._draws)

    def getrandbits(self, bits: int, /) -> int:
        raise AssertionError(f"nothing draws {bits} bits: the test gives the ids")


async def deliver(
    courier: Courier,
    message: Outgoing,
    clock: ManualClock,
    *,
    unanswered: tuple[Sandbox, Fault],
    ack_timeout: float,
) -> None:
    """Deliver, and let the time-out run out at each attempt that the fault leaves unanswered."""
    sandbox, fault = unanswered
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(courier.deliver(message), name="delivering")
        seen = 0
        for _ in range(fault.times):
            hit = await sandbox.journal.wait_for(lambda event: event.get("fault") == fault.id, since=seen)
            seen = sandbox.journal.last_n
            assert hit["kind"] == "http"
            await clock.advance(ack_timeout)


def attempts_at(acks: AckRecorder, key: str) -> list[float]:
    """Seconds from acceptance to the beginning of each attempt."""
    steps = acks.of(key)
    return [round(step.at - steps[0].at, 3) for step in steps if step.kind == "attempt"]


async def test_tier_1_is_acknowledged_at_once(
    hangfm_open_courier: OpenCourier,
    hangfm_clock: ManualClock,
    hangfm_acks: AckRecorder,
    hangfm_target: str,
    message: Outgoing,
    ack_timeout: float,
) -> None:
    live = hangfm_target == "live"
    courier = await hangfm_open_courier(clock=None if live else hangfm_clock)

    await courier.deliver(message)

    hangfm_acks.assert_delivered(message.id, tier=1, attempts=1)
    assert hangfm_acks.waits(message.id) == []
    (began,) = attempts_at(hangfm_acks, message.id)
    assert began == 0.0 or (live and began < ack_timeout)


@pytest.mark.parametrize("lost", [pytest.param(1, id="one-lost"), pytest.param(2, id="two-lost")])
async def test_tier_2_is_acknowledged_after_the_time_out_and_the_step_with_its_jitter(
    *,
    hangfm_sandbox: Sandbox,
    hangfm_open_courier: OpenCourier,
    hangfm_clock: ManualClock,
    hangfm_acks: AckRecorder,
    message: Outgoing,
    ack_timeout: float,
    lost: int,
) -> None:
    courier = await hangfm_open_courier(clock=hangfm_clock, rng=Draws())
    fault = hangfm_sandbox.faults.add("chat.send", "hang", times=lost)

    await deliver(courier, message, hangfm_clock, unanswered=(hangfm_sandbox, fault), ack_timeout=ack_timeout)

    hangfm_acks.assert_delivered(message.id, tier=2, attempts=lost + 1)
    second, third = ack_timeout + WAITS[0], 2 * ack_timeout + WAITS[0] + WAITS[1]
    assert attempts_at(hangfm_acks, message.id) == pytest.approx([0.0, second, third][: lost + 1])
    assert hangfm_acks.waits(message.id) == pytest.approx(WAITS[:lost])


async def test_tier_3_is_given_up_after_three_attempts(
    hangfm_sandbox: Sandbox,
    hangfm_open_courier: OpenCourier,
    hangfm_clock: ManualClock,
    hangfm_acks: AckRecorder,
    message: Outgoing,
    ack_timeout: float,
) -> None:
    courier = await hangfm_open_courier(clock=hangfm_clock, rng=Draws())
    fault = hangfm_sandbox.faults.add("chat.send", "hang", times=3)

    await deliver(courier, message, hangfm_clock, unanswered=(hangfm_sandbox, fault), ack_timeout=ack_timeout)

    hangfm_acks.assert_failed(message.id, attempts=3, reason="given up after 3 attempts")
    second, third = ack_timeout + WAITS[0], 2 * ack_timeout + WAITS[0] + WAITS[1]
    assert attempts_at(hangfm_acks, message.id) == pytest.approx([0.0, second, third])
    assert hangfm_acks.waits(message.id)[:2] == pytest.approx(WAITS[:2])
    assert hangfm_sandbox.messages == []
