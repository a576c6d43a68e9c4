"""The search, or a replay, as a part of a run of the proof."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from pytest_hangfm.proof.outcome import Outcome, Verdict
from pytest_hangfm.proof.scenario import Scenario
from pytest_hangfm.proof.search.hunt import Hunt
from pytest_hangfm.proof.search.judged import SCENARIO, judged, judged_once
from pytest_hangfm.proof.search.judging import RULES
from pytest_hangfm.proof.search.kinds import fitting
from pytest_hangfm.proof.search.player import player
from pytest_hangfm.simulation.fingerprint import made_here

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_hangfm.proof.bot_process import BotProgram
    from pytest_hangfm.proof.profile import Profile
    from pytest_hangfm.simulation.plan import Plan

__all__ = ["SEARCH", "Searching"]


async def _faults_together(_: object) -> None:
    """Faults come together, at moments that no scenario has: schedules of them are drawn and played."""


SEARCH: Final = Scenario(SCENARIO, _faults_together, ("answers",), RULES, 180.0, "search", {})


class Searching:
    """The search of a run.

    Args:
        program: The bot.
        profile: What it does.
        minutes: How long the search may take.
        side_by_side: How many bots live at once.
        replay: The one schedule to play in its place, or ``None``.
        report: Given a line whenever there is something to say.
    """

    def __init__(
        self,
        program: BotProgram,
        profile: Profile,
        *,
        minutes: float,
        side_by_side: int,
        replay: Plan | None = None,
        report: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._play, self._profile, self._replay = player(program, profile), profile, replay
        self._kinds = fitting(profile)
        self._hunt = Hunt(self._play, self._kinds, 60 * minutes, side_by_side, report)
        self._task: asyncio.Task[Outcome] | None = None

    async def outcome(self) -> Outcome:
        """Search, once, and return what came of it."""
        if missing := SEARCH.missing(self._profile):
            verdicts = tuple(Verdict(rule, "not_applicable", missing) for rule in RULES)
            return Outcome(SCENARIO, verdicts)
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="search")
        return await asyncio.shield(self._task)

    async def close(self) -> Outcome | None:
        """Break it off; its bots are ended. Return what it came to so far, where it was broken off."""
        if self._task is None or self._task.done():
            return None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        return None if self._replay else judged(self._hunt.hunted, self._kinds, made_here())

    async def _run(self) -> Outcome:
        if self._replay is None:
            return judged(await self._hunt.run(), self._kinds, made_here())
        trial = await self._play(self._replay, lambda _: None)
        return judged_once(self._replay, trial, made_here())
