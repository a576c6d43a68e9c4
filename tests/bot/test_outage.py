"""Both services away for long: how often a bot asks, how soon it is back, and that nothing is lost."""

from __future__ import annotations

import asyncio
import functools
import random
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, Final, TypeVar

import pytest

from hangbot.bot.pace import reconnect_policy
from hangbot.clock import SystemClock
from hangbot.errors import ServiceError, Unreachable
from hangbot.factory import open_bot, open_outbox
from hangbot.hangfm import http
from hangbot.hangfm.socket import connect_room
from pytest_hangfm.manual_clock import ManualClock
from tests.bounds import WITHIN

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hangbot.bot.bot import Bot
    from hangbot.clock import Clock
    from hangbot.config import Settings
    from hangbot.sandbox import Sandbox

T = TypeVar("T")

OUTAGE: Final = 18 * 60.0
MOST: Final = 45
BACK_WITHIN: Final = 60.0
SCALE: Final = 60.0
WITHIN_A_TURN: Final = 10.0
"""Seconds that a slow machine may take to do what it has woken up for."""
AS_SHIPPED: Final = {
    "ack_timeout": 10.0,
    "retry_base": 1.0,
    "retry_factor": 2.0,
    "retry_max": 30.0,
    "retry_jitter": 0.2,
    "retry_total": 300.0,
    "poll_interval": 1.0,
    "heartbeat_timeout": 3600.0,
}


class Line:
    """What connects a bot with both services: notes each try, and lets none through while it is cut."""

    def __init__(self, patch: pytest.MonkeyPatch, clock: Clock) -> None:
        self.cut = False
        self.tries: dict[str, list[float]] = {"room": [], "chat": []}
        """When each service was tried that did not answer."""
        self.back: dict[str, float] = {}
        """When each was reached the first time since this was cleared."""
        self._clock = clock
        request = http.HttpClient.request

        async def connect_over_it(*args: Any, **more: Any) -> Any:  # noqa: ANN401  as `connect_room` has it
            return await self._over("room", lambda: connect_room(*args, **more))

        async def request_over_it(*args: Any, **more: Any) -> Any:  # noqa: ANN401  likewise
            return await self._over("chat", lambda: request(*args, **more))

        patch.setattr("hangbot.factory.connect_room", connect_over_it)
        patch.setattr(http.HttpClient, "request", request_over_it)

    async def _over(self, service: str, ask: Callable[[], Awaitable[T]]) -> T:
        begun = self._clock.now()
        try:
            if self.cut:
                raise Unreachable("the line is cut", service=service)
            answer = await ask()
        except ServiceError:
            self.tries[service].append(begun)
            raise
        self.back.setdefault(service, begun)
        return answer


@dataclass(frozen=True, slots=True)
class Outage:
    """What came of one: how often each service was tried, and how late a bot was back (seconds)."""

    tries: dict[str, int]
    late: dict[str, float]
    sent: list[str]


async def ready(bot: Bot) -> None:
    async with asyncio.timeout(WITHIN):
        await bot.ready()


async def outage(
    seed: int,
    sandbox: Sandbox,
    settings: Settings,
    lasts: Callable[[Bot, Line], Awaitable[float]],
    clock: Clock,
) -> Outage:
    """Play one.

    Args:
        seed: Of the bot's randomness.
        sandbox: Both services.
        settings: The bot's.
        lasts: Lets it begin and end, and returns when it ended.
        clock: The bot's.
    """
    rng = random.Random(seed)  # noqa: S311  no secret
    with pytest.MonkeyPatch.context() as patch:
        line = Line(patch, clock)
        async with (
            open_outbox(settings) as outbox,
            open_bot(settings, outbox, clock=clock, rng=rng) as bot,
        ):
            running = asyncio.create_task(bot.run(), name="bot")
            await ready(bot)
            ended = await lasts(bot, line)
            for number in range(3):
                async with asyncio.timeout(WITHIN):
                    await bot.settled(f"{seed}-{number}")
            await ready(bot)
            well = bot.health()
            bot.stop()
            await running
    assert well.ok, well.red
    tries = {service: len(times) for service, times in line.tries.items()}
    late = {service: at - ended for service, at in line.back.items()}
    return Outage(tries, late, sent(sandbox, seed))


def sent(sandbox: Sandbox, seed: int) -> list[str]:
    return [row["muid"] for row in sandbox.messages if str(row.get("muid")).startswith(f"{seed}-")]


async def say_three(bot: Bot, seed: int) -> None:
    for number in range(3):
        await bot.say(f"line {number}", key=f"{seed}-{number}")


@pytest.mark.parametrize("times", [3, pytest.param(25, marks=pytest.mark.slow)])
async def test_eighteen_minutes_cost_few_tries_and_no_message_and_a_bot_is_back_within_one(
    times: int, hangfm_sandbox: Sandbox, hangfm_settings: Settings
) -> None:
    settings = hangfm_settings.with_changes(**AS_SHIPPED)
    seen = []

    for seed in range(times):
        clock = ManualClock()

        async def lasts(bot: Bot, line: Line, seed: int = seed, clock: ManualClock = clock) -> float:
            line.cut = True
            await hangfm_sandbox.restart(services=["room"])
            await say_three(bot, seed)
            for _ in range(int(OUTAGE) + seed):
                await clock.advance(1)
            red = {condition.part for condition in bot.health().red}
            assert red >= {"room", "delivery"}
            line.cut, ended = False, clock.now()
            line.back.clear()
            for _ in range(60):
                await clock.advance(1)
            while len(sent(hangfm_sandbox, seed)) < 3 or not bot.health().ok:
                await asyncio.sleep(0.01)  # the sockets are real
                await clock.advance(0.1)
            return ended

        seen.append(await outage(seed, hangfm_sandbox, settings, lasts, clock))

    for each in seen:
        assert max(each.tries.values()) <= MOST
        assert 0 <= min(each.late.values()) <= max(each.late.values()) <= BACK_WITHIN
        assert len(set(each.sent)) == len(each.sent) == 3
    if times > 10:  # of a few, chance makes the middle
        assert median(late for each in seen for late in each.late.values()) < BACK_WITHIN / 2


@pytest.mark.slow
async def test_the_same_in_real_time_a_second_for_a_minute(
    hangfm_sandbox: Sandbox, hangfm_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    soon = functools.partial(reconnect_policy, longest=BACK_WITHIN / SCALE)
    monkeypatch.setattr("hangbot.factory.reconnect_policy", soon)
    settings = hangfm_settings.with_changes(
        **(AS_SHIPPED | {"retry_base": 1 / SCALE, "retry_jitter": 0.2 / SCALE})
    )
    clock = SystemClock()

    async def lasts(bot: Bot, line: Line) -> float:
        await hangfm_sandbox.restart(down_ms=1000 * OUTAGE / SCALE)
        await say_three(bot, 0)
        line.back.clear()
        await asyncio.sleep(OUTAGE / SCALE)
        return clock.now()

    seen = await outage(0, hangfm_sandbox, settings, lasts, clock)

    assert max(seen.tries.values()) <= MOST
    assert seen.late.keys() == {"room", "chat"}
    assert max(seen.late.values()) <= BACK_WITHIN / SCALE + WITHIN_A_TURN
    assert sorted(seen.sent) == ["0-0", "0-1", "0-2"]
