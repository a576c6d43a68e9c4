"""Both services away for long: how often a bot asks, how soon it is back, and that nothing is lost."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest

from tests.simulation.minutes import in_a_world

if TYPE_CHECKING:
    from pathlib import Path

    from tests.simulation.minutes import World

OUTAGE: Final = 18 * 60.0
MOST: Final = 45
BACK_WITHIN: Final = 60.0


@dataclass(frozen=True, slots=True)
class Outage:
    """What came of one: how often each service was tried in vain, how late each was reached, what arrived."""

    tries: list[int]
    late: list[float]
    red: set[str]
    arrived: list[str]


async def outage(world: World) -> Outage:
    sandbox, bot, loop = world.sandbox, world.bot, world.loop
    await asyncio.sleep(world.rng.uniform(0.0, 60.0))
    await sandbox.restart(down_ms=1000 * OUTAGE)
    ended = loop.time() + OUTAGE
    for number in range(3):
        await bot.say(f"line {number}", key=f"m-{number}")
    await asyncio.sleep(OUTAGE - 1.0)
    red = {condition.part for condition in bot.health().red}
    for number in range(3):
        await bot.settled(f"m-{number}")
    await bot.ready()
    await asyncio.sleep(BACK_WITHIN)
    assert bot.health().ok, bot.health().red
    tries = {port: 0 for _, port, _ in loop.network.tries}
    late = dict[int, float]()
    for at, port, listened in loop.network.tries:
        if not listened:
            tries[port] += 1
        elif at > ended:
            late.setdefault(port, at - ended)
    arrived = [str(row.get("muid")) for row in sandbox.messages]
    return Outage([*tries.values()], [*late.values()], red, arrived)


@pytest.mark.parametrize("times", [1, pytest.param(12, marks=pytest.mark.slow)])
def test_eighteen_minutes_cost_few_tries_and_no_message_and_a_bot_is_back_within_one(
    times: int, tmp_path: Path
) -> None:
    seen = []

    for seed in range(times):
        came_of_it, run = in_a_world(seed, tmp_path / "run", outage)
        assert (run.uses, run.failures) == ([], [])
        seen.append(came_of_it)

    for each in seen:
        assert len(each.tries) == len(each.late) == 2
        assert max(each.tries) <= MOST
        assert max(each.late) <= BACK_WITHIN
        assert each.red == {"room", "chat"}
        assert sorted(each.arrived) == ["m-0", "m-1", "m-2"]
