"""The health of a whole bot in virtual time: red within its bound in trouble, and never while all is well."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.cases import cases
from tests.simulation.minutes import in_a_world

if TYPE_CHECKING:
    from pathlib import Path

    from hangbot import Bot, ChatMessage
    from tests.simulation.minutes import World

HOUR = 3600.0
CANARY = {"HANGBOT_CANARY": "on"}


async def reds_until(world: World, end: float, *, every: float = 1.0) -> dict[str, float]:
    """When each part was red first, of all looks until then."""
    seen: dict[str, float] = {}
    while world.loop.time() < end:
        for red in world.bot.health().red:
            seen.setdefault(red.part, world.loop.time())
        await asyncio.sleep(every)
    return seen


async def answer(bot: Bot, message: ChatMessage) -> None:
    if message.text == "question":
        await bot.say("answer")


@pytest.mark.parametrize("busy", [False, True], ids=["quiet", "busy"])
@pytest.mark.parametrize(
    "hours", [0.5, pytest.param(24.0, marks=[pytest.mark.slow, pytest.mark.timeout(900)])]
)
def test_a_bot_for_which_all_is_well_is_never_red(tmp_path: Path, hours: float, *, busy: bool) -> None:
    async def story(world: World) -> dict[str, float]:
        end = world.loop.time() + hours * HOUR
        talking = asyncio.create_task(talk(world), name="talk")
        try:
            return await reds_until(world, end, every=5.0)
        finally:
            talking.cancel()

    async def talk(world: World) -> None:
        alice = world.sandbox.users.add("alice")
        await alice.join()
        while busy:
            await asyncio.sleep(world.rng.uniform(1.0, 20.0))
            await alice.say(world.rng.choice(["question", "hello"]))

    seen, run = in_a_world(1, tmp_path / "run", story, app=answer, env=CANARY)

    assert (run.uses, run.failures) == ([], [])
    assert seen == {}


@cases(
    "faults part bound",
    ("history and socket refused", [("chat.history", "status"), ("chat.ws", "refuse")], "chat", 30.0),
    ("room away", [("room.connect", "refuse")], "room", 60.0),
)
def test_a_part_is_red_within_its_bound_and_green_soon_after_it_is_well(
    tmp_path: Path, faults: list[tuple[str, str]], part: str, bound: float
) -> None:
    async def story(world: World) -> tuple[dict[str, float], list[str]]:
        await asyncio.sleep(60.0)
        began = world.loop.time()
        for on, do in faults:
            world.sandbox.faults.add(on, do, times=0, status=503 if do == "status" else None)
        await world.sandbox.restart(down_ms=100)
        seen = await reds_until(world, began + 200.0)
        world.sandbox.faults.clear()
        while not next(each.ok for each in world.bot.health().parts if each.name == part):
            assert world.loop.time() < began + 400.0
            await asyncio.sleep(0.5)
        await asyncio.sleep(10.0)
        after = [red.part for red in world.bot.health().red]
        return {name: at - began for name, at in seen.items()}, after

    (seen, after), _ = in_a_world(2, tmp_path / "run", story)

    assert set(seen) == {part}, "one cause is one alarm"
    assert seen[part] == pytest.approx(bound, abs=15.0)
    assert after == []


def test_a_message_to_itself_is_heard_back_and_missed_where_none_is_forwarded(tmp_path: Path) -> None:
    heard: list[Any] = []

    async def app(_bot: Bot, message: ChatMessage) -> None:
        heard.append(message.text)

    async def story(world: World) -> tuple[bool, set[str], bool]:
        def canary_is_well() -> bool:
            return any(part.name == "canary" and part.ok for part in world.bot.health().parts)

        await asyncio.sleep(30.0)
        well = canary_is_well()
        world.sandbox.faults.add("chat.ws", "deaf", times=0)
        seen = await reds_until(world, world.loop.time() + 600.0)
        world.sandbox.faults.clear()
        await world.sandbox.restart(down_ms=100, services=["chat"])  # the connection was opened deaf
        await asyncio.sleep(60.0)
        return well, set(seen), canary_is_well() and world.bot.health().ok

    (well, seen, after), _ = in_a_world(3, tmp_path / "run", story, app=app, env=CANARY)

    assert (well, after) == (True, True)
    assert "canary" in seen
    assert heard == []
