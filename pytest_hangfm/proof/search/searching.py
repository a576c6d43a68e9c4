"""The search, or a replay, as a part of a run of the proof."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from pytest_hangfm.proof.outcome import Outcome, Verdict
from pytest_hangfm.proof.scenario import Scenario
from pytest_hangfm.proof.search.findings import Hunted
from pytest_hangfm.proof.search.hunt import Hunt
from pytest_hangfm.proof.search.judged import SCENARIO, judged, judged_once
from pytest_hangfm.proof.search.judging import RULES
from pytest_hangfm.proof.search.kinds import fitting
from pytest_hangfm.proof.search.known import without_known
from pytest_hangfm.proof.search.player import player
from pytest_hangfm.simulation.fingerprint import made_here

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from pytest_hangfm.proof.bot_process import BotProgram
    from pytest_hangfm.proof.profile import Profile
    from pytest_hangfm.proof.search.kind import FaultKind
    from pytest_hangfm.simulation.plan import Plan

__all__ = ["SEARCH", "Searching"]

_NOTHING_LEFT: Final = "the bot fails in each class of faults alone: mend these first"


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
        self._kinds: Mapping[str, FaultKind] = fitting(profile)
        self._left_out: list[str] = []
        self._seconds, self._side_by_side, self._report = 60 * minutes, side_by_side, report
        self._hunt: Hunt | None = None
        self._task: asyncio.Task[Outcome] | None = None

    async def outcome(self, broken: Collection[str] = ()) -> Outcome:
        """Search, once, and return what came of it.

        Args:
            broken: Ids of the rules that the bot is known to break: where one fault alone breaks them, that
                class is left out.
        """
        if missing := SEARCH.missing(self._profile):
            verdicts = tuple(Verdict(rule, "not_applicable", missing) for rule in RULES)
            return Outcome(SCENARIO, verdicts)
        if self._task is None:
            self._task = asyncio.create_task(self._run(broken), name="search")
        return await asyncio.shield(self._task)

    async def close(self) -> Outcome | None:
        """Break it off; its bots are ended. Return what it came to so far, where it was broken off."""
        if self._task is None or self._task.done():
            return None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        return None if self._hunt is None else self._judged(self._hunt.hunted)

    async def _run(self, broken: Collection[str]) -> Outcome:
        if self._replay is None:
            kinds = without_known(self._kinds, broken)
            self._left_out, self._kinds = sorted(self._kinds.keys() - kinds.keys()), kinds
            if not kinds:
                return judged(Hunted(problem=_NOTHING_LEFT), kinds, made_here())
            self._hunt = Hunt(self._play, kinds, self._seconds, self._side_by_side, self._report)
            return self._judged(await self._hunt.run())
        trial = await self._play(self._replay, lambda _: None)
        return judged_once(self._replay, trial, made_here())

    def _judged(self, hunted: Hunted) -> Outcome:
        return judged(hunted, self._kinds, made_here(), self._left_out)
