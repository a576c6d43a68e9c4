"""A schedule of faults being played with a bot: faults at their times, people who ask, a restart policy."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pytest_hangfm.proof.search.judging import MOST_ENDS, Ends, blamed, patience
from pytest_hangfm.proof.search.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from pytest_hangfm.proof.play import Play
    from pytest_hangfm.simulation.plan import Fault, Plan

__all__ = ["Performance", "Suspicion"]

SUSPICIOUS: Final = 15.0
"""Seconds after the last fault from which on a bot that is not well is suspected: it may still recover."""
_STRAGGLERS: Final = 5.0
"""Seconds in which an answer that is one too many has come."""
_ASKED_AFTER: Final = 0.3
"""Seconds from a fault to the question that meets it."""
_ASKED_EVERY: Final = 10.0
"""Seconds after which a bot that is to answer again is asked again."""
_ONE_BY_ONE_WITHIN: Final = 60.0
"""Seconds for an answer before a bot that needs a pause is asked for the last time."""
_RESTARTED_AFTER: Final = 1.0
_LOOKS_EVERY: Final = 0.2
_LOOKS_SELDOM: Final = 1.0


@dataclass(frozen=True, slots=True)
class Suspicion:
    """That a bot may have done wrong, before it is sure.

    Attributes:
        rule: Which rule it breaks.
        fired: Places of the faults that had an effect.
    """

    rule: str
    fired: tuple[int, ...]


class Performance:
    """One schedule with one bot.

    Attributes:
        fired: Places of the faults that had an effect, as soon as they are over.

    Args:
        plan: The schedule.
        suspect: Called once, as soon as the bot is not well for suspiciously long.
    """

    def __init__(self, plan: Plan, suspect: Callable[[Suspicion], object]) -> None:
        self.fired: set[int] = set()
        self._plan = plan
        self._suspect = suspect
        self._codes: list[int] = []
        self._began = 0.0

    async def run(self, play: Play) -> None:
        """Start the bot, let things go wrong, wait until it is well, and blame it where it is not."""
        await play.ready()
        self._began = _now()
        supervisor = asyncio.create_task(self._supervise(play), name="supervise the bot")
        try:
            faults = [self._let_happen(play, *each) for each in enumerate(self._plan.faults)]
            await _together(*faults, self._let_people_ask(play))
            play.heal()
            healed = _now()
            last = await self._last_question(play)
            await self._let_it_recover(play, healed, last)
        finally:
            supervisor.cancel()
            await asyncio.gather(supervisor, return_exceptions=True)
        in_the_room = play.is_joined() or not play.profile.room
        for rule, what in blamed(
            play.evidence(),
            is_in_the_room=in_the_room,
            answers_now=play.has_answered_after(last),
            waited=_now() - healed,
            ends=self._ends,
        ):
            play.blame(what, rule)

    @property
    def _ends(self) -> Ends:
        allowed = any(KINDS[fault.kind].may_end for fault in self._plan.faults)
        return Ends(tuple(self._codes), allowed)

    async def _until(self, at: float) -> None:
        await asyncio.sleep(max(0.0, self._began + at - _now()))

    async def _let_happen(self, play: Play, place: int, fault: Fault) -> None:
        await self._until(fault.at)
        if await KINDS[fault.kind].happen(play, fault.args, fault.lasts):
            self.fired.add(place)

    async def _let_people_ask(self, play: Play) -> None:
        plan = self._plan
        steady = [number * plan.pace for number in range(int(plan.seconds / plan.pace) + 1)]
        for at in sorted({*steady, *(fault.at + _ASKED_AFTER for fault in plan.faults)}):
            await self._until(at)
            if play.is_all_answered() or not play.profile.pause:  # two at once would meet the pause
                await play.put_question()
        await self._until(plan.seconds)

    async def _supervise(self, play: Play) -> None:
        """Start the bot again where it ends by itself, as a container's restart policy would."""
        while len(self._codes) <= MOST_ENDS:
            await asyncio.sleep(_LOOKS_EVERY)
            if play.bot is None or not play.has_ended_itself:
                continue
            self._codes.append(play.bot.returncode or 0)
            if self._ends.is_over:
                return
            play.mark(f"the bot has ended by itself with exit code {self._codes[-1]}")
            await play.stop()
            await asyncio.sleep(_RESTARTED_AFTER)
            await play.start()

    async def _last_question(self, play: Play) -> int:
        if play.profile.pause:  # two at once would meet the pause
            await play.all_answered(within=_ONE_BY_ONE_WITHIN)
        await play.put_question()
        return play.last_question

    async def _let_it_recover(self, play: Play, healed: float, last: int) -> None:
        suspected, asked = False, _now()
        while (rule := self._problem(play, last)) is not None:
            waited = _now() - healed
            is_sure = rule in {"search.once", "search.alive"}
            if not suspected and (is_sure or waited > SUSPICIOUS):
                suspected = True
                self._suspect(Suspicion(rule, tuple(sorted(self.fired))))
            if is_sure or (waited > SUSPICIOUS and waited > patience(play.evidence())):
                return
            is_silent = not play.has_answered_after(last) and not play.profile.pause
            if is_silent and _now() - asked > _ASKED_EVERY:
                asked = _now()  # one that was down when it was asked may answer nothing but a later question
                await play.put_question()
            await asyncio.sleep(_LOOKS_EVERY if not suspected else _LOOKS_SELDOM)
        await asyncio.sleep(_STRAGGLERS)

    def _problem(self, play: Play, last: int) -> str | None:
        """Return the rule that the bot breaks as long as it stays as it is, or ``None``."""
        if self._ends.is_over:
            return "search.alive"
        missing = play.answers_missing()
        if missing < 0:
            return "search.once"
        if play.profile.room and not play.is_joined():
            return "search.recovers"
        if missing:
            return "search.lost" if play.has_answered_after(last) else "search.recovers"
        return None


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _together(*parts: Coroutine[None, None, None]) -> None:
    """Run parts at once; when one of them fails, end the others and raise what it raised."""
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
