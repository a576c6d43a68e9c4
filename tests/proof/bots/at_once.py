"""Many bots at once, each in its scenarios: nearly all of their time they wait."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from pytest_hangfm.proof.bot_process import BotProgram
from pytest_hangfm.proof.conductor import Conductor
from pytest_hangfm.proof.run import of_each_rule
from pytest_hangfm.proof.scenario import load

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.proof.bots.planted import Planted

__all__ = ["all_at_once"]

_AT_FIRST: Final = 8
_AT_MOST: Final = 40
_ONE_MORE_AFTER: Final = 0.4
"""Seconds: where all are started together, none is in the room in time."""


async def all_at_once(days: Mapping[Planted, Sequence[str]], folder: Path) -> dict[str, list[str]]:
    """Play each bot once in its scenarios, the longest first; return what is not as the table has it.

    Args:
        days: The bots, each with the ids of its scenarios.
        folder: An empty folder, from which they are started.
    """
    slots = asyncio.Semaphore(_AT_FIRST)
    table = load()
    conductors = {
        bot: Conductor(
            BotProgram.of(bot.argv, folder, bot.env), bot.profile, slots, lambda *_: None, most_times=1
        )
        for bot in days
    }
    plays = [(bot, table[name]) for bot, names in days.items() for name in names]
    more = asyncio.create_task(_open_up(slots), name="more of them at once")
    try:
        for bot, scenario in sorted(plays, key=lambda play: -play[1].seconds):
            conductors[bot].begin([scenario])
        return {
            bot.fault or f"sound {bot.language}": _amiss(
                bot, of_each_rule([await conductors[bot].outcome(table[name]) for name in names])
            )
            for bot, names in days.items()
        }
    finally:
        more.cancel()
        await asyncio.gather(more, *(each.close() for each in conductors.values()), return_exceptions=True)


async def _open_up(slots: asyncio.Semaphore) -> None:
    for _ in range(_AT_MOST - _AT_FIRST):
        await asyncio.sleep(_ONE_MORE_AFTER)
        slots.release()


def _amiss(bot: Planted, rules: Mapping[str, tuple[str, str]]) -> list[str]:
    """Return what was found and is not planted, and what is planted and was not found."""
    wrong = {name: f"{kind}: {what}" for name, (kind, what) in rules.items() if kind not in _WELL}
    return [
        *(f"{name} {what}" for name, what in wrong.items() if name not in bot.breaks + bot.perhaps),
        *(f"{name} was not found" for name in bot.breaks if name not in wrong),
    ]


_WELL: Final = {"pass", "not_applicable"}
