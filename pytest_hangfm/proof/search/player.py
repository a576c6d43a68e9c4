"""What plays a schedule with the bot that is proven."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from pytest_hangfm.proof.conductor import play_once
from pytest_hangfm.proof.scenario import Scenario
from pytest_hangfm.proof.search.findings import Trial
from pytest_hangfm.proof.search.judging import RULES, under_its_rule
from pytest_hangfm.proof.search.performing import Performance

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_hangfm.proof.bot_process import BotProgram
    from pytest_hangfm.proof.profile import Profile
    from pytest_hangfm.proof.search.hunt import PlaySchedule
    from pytest_hangfm.proof.search.performing import Suspicion
    from pytest_hangfm.simulation.plan import Plan

__all__ = ["player"]

_AROUND: Final = 10.0
"""Seconds that a schedule takes besides its own, with a sound bot."""


def player(program: BotProgram, profile: Profile) -> PlaySchedule:
    """Return what plays schedules with a bot, each on a sandbox of its own."""

    async def play(plan: Plan, suspect: Callable[[Suspicion], object]) -> Trial:
        performance = Performance(plan, suspect)
        scenario = Scenario("search", performance.run, (), RULES, plan.seconds + _AROUND, "normal", {})
        played = await play_once(scenario, program, profile)
        return Trial(replace(played, blames=under_its_rule(played.blames)), tuple(sorted(performance.fired)))

    return play
