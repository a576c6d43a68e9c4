"""What the clock calls, where the disk does not take it."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest

from hangbot.app.context import Context
from hangbot.app.timers import Timers
from hangbot.delivery.store import Timer
from hangbot.errors import OutboxUnusable
from pytest_hangfm.simulation.clock import SimulatedClock
from pytest_hangfm.simulation.loop import simulated


async def ring(ctx: Context) -> None: ...


def test_a_call_that_cannot_be_written_is_tried_again_less_and_less_often(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock, tried = SimulatedClock(), list[float]()

    class Store:
        async def timers(self, space: str) -> list[Timer]:
            what = f'{{"handler": "{ring.__module__}:ring", "args": []}}'
            return [Timer(space, "after/app/1", 0.0, what)]

    async def handle(*_: object) -> None:
        tried.append(clock.now())
        raise OutboxUnusable("the disk is full")

    async def made(call: Callable[[], Awaitable[object]]) -> None:
        await call()

    async def main() -> None:
        def begin(call: Callable[[], Awaitable[object]], _: str) -> None:
            begun.append(tasks.create_task(made(call)))

        begun = list[asyncio.Task[None]]()
        async with asyncio.TaskGroup() as tasks:
            bot: Any = SimpleNamespace(clock=clock, store=Store(), chat=SimpleNamespace(group_id="room"))
            timers = Timers(bot, {"app"}, [], handle)
            running = tasks.create_task(timers.run(begin))
            await asyncio.sleep(300)
            running.cancel()

    simulated(main())

    waits = [round(after - before) for before, after in pairwise(tried)]
    assert waits[:6] == [1, 2, 4, 8, 16, 30]
    assert len(tried) < 20
    assert "timer after/app/1 is tried again in 1 s: the disk is full" in caplog.text
    caplog.clear()
