"""The search itself: schedules are played until the time is up; what fails is made small and confirmed.

It knows no bot and no sandbox: what plays a schedule is given to it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, Protocol

from pytest_hangfm.proof.search.drawing import draw
from pytest_hangfm.proof.search.findings import CONFIRMED, Finding, Hunted, Trial
from pytest_hangfm.proof.search.judging import RULES
from pytest_hangfm.proof.search.narrowing import fewer, rounds
from pytest_hangfm.proof.search.performing import Suspicion
from pytest_hangfm.proof.search.slots import Slots

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_hangfm.proof.search.kind import FaultKind
    from pytest_hangfm.simulation.plan import Plan

__all__ = ["Hunt", "PlaySchedule"]

_CONFIRMING, _NARROWING, _EXPLORING = range(3)
_SHARE: Final = 0.3
"""Of the time, what it may take to make one schedule small; more only where enough is left to confirm it."""
_TO_CONFIRM: Final = 80.0
"""Seconds that it takes to confirm a failure."""
_AROUND: Final = 12.0
"""Seconds that a schedule takes about besides its own: the bot's start, and until all is answered."""
_TRIES: Final = 2
"""How often a schedule is begun that could not be played, such as where the bot did not start."""
_HOPELESS: Final = 3
"""After as many schedules that could not be played, and none that could, no more are begun."""


class PlaySchedule(Protocol):
    """Plays a schedule once."""

    async def __call__(self, plan: Plan, suspect: Callable[[Suspicion], object], /) -> Trial:
        """Play it, and report once when the bot is not well for suspiciously long; it may yet recover."""


class Hunt:
    """A search.

    Attributes:
        hunted: What it has come to so far.

    Args:
        play: Plays a schedule.
        kinds: The classes of faults to draw from.
        seconds: How long it may take.
        side_by_side: How many bots live at once.
        report: Given a line whenever there is something to say.
    """

    def __init__(
        self,
        play: PlaySchedule,
        kinds: Mapping[str, FaultKind],
        seconds: float,
        side_by_side: int,
        report: Callable[[str], object] = lambda _: None,
    ) -> None:
        self.hunted = Hunted()
        self._play, self._kinds, self._seconds, self._report = play, kinds, seconds, report
        self._drawn = kinds
        self._side_by_side = side_by_side
        self._slots = Slots(side_by_side)
        self._seed = 0
        self._ends = 0.0
        self._unplayed = 0
        self._is_patient = False
        self._again: list[int] = []
        self._exploring: dict[asyncio.Task[None], int] = {}
        self._pursued: set[str] = set()
        self._pursuing = asyncio.Lock()
        self._pursuits: set[asyncio.Task[None]] = set()

    async def run(self) -> Hunted:
        """Search until the time is up."""
        self._ends = _now() + self._seconds
        explorers = [asyncio.create_task(self._explore(), name="explore") for _ in range(self._side_by_side)]
        try:
            async with asyncio.timeout_at(self._ends):
                await asyncio.gather(*explorers)
                while self._pursuits:
                    await asyncio.gather(*self._pursuits)
        except TimeoutError:
            pass
        finally:
            await _cancelled(*explorers, *self._pursuits)
            self.hunted.seconds = self._seconds - (self._ends - _now())
        self.hunted.is_over = True
        return self.hunted

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return max(0.0, self._ends - _now())

    # -- playing what was drawn

    async def _explore(self) -> None:
        while len(self._pursued) < len(RULES) and not self.hunted.problem:
            async with self._slots.take(_EXPLORING):
                seed = self._next_seed()
                plan = draw(seed, self._drawn)
                if self.left < plan.seconds + _AROUND:
                    return
                look = asyncio.create_task(self._look_at(plan), name=f"look at schedule {seed}")
                self._exploring[look] = seed
                try:
                    await asyncio.wait([look])
                finally:
                    self._exploring.pop(look, None)
                    await _cancelled(look)
                if not look.cancelled():
                    look.result()

    def _next_seed(self) -> int:
        if self._again:
            return self._again.pop(0)
        self._seed += 1
        return self._seed - 1

    def _make_room(self) -> None:
        """Break off the schedules that are being explored: they are played later."""
        for look in list(self._exploring):
            self._again.append(self._exploring.pop(look))
            look.cancel()

    async def _look_at(self, plan: Plan) -> None:
        """Play a schedule; where the bot is suspected, go after that, and let the play end beside it."""
        ended = await self._until_suspected(plan)
        if isinstance(ended, Trial):
            self._take(plan, ended)
            return
        suspicion, playing = ended
        self._count(plan, suspicion.fired)
        if suspicion.rule in self._pursued:
            await _cancelled(playing)
        else:
            self._begin_pursuit(plan, suspicion, playing)

    def _take(self, plan: Plan, trial: Trial) -> None:
        if trial.played.not_exercised:
            self._unplayed += 1
            if self._unplayed >= _HOPELESS and not self.hunted.schedules:
                self.hunted.problem = trial.played.not_exercised
            return
        self._count(plan, trial.fired)
        for rule in dict.fromkeys(name for name, _ in trial.played.blames):
            if rule not in self._pursued:
                ended: asyncio.Future[Trial] = asyncio.get_running_loop().create_future()
                ended.set_result(trial)
                self._begin_pursuit(plan, Suspicion(rule, trial.fired), ended)

    def _count(self, plan: Plan, fired: tuple[int, ...]) -> None:
        self.hunted.schedules += 1
        self.hunted.fired.update(plan.faults[place].kind for place in fired)
        if self.hunted.schedules % self._side_by_side == 0:
            self._report(f"search: {self.hunted.schedules} schedules were played, {self.left:.0f} s left")

    # -- going after what failed

    def _begin_pursuit(self, plan: Plan, suspicion: Suspicion, first: asyncio.Future[Trial]) -> None:
        self._pursued.add(suspicion.rule)
        task = asyncio.create_task(self._pursue(plan, suspicion, first), name=f"pursue {suspicion.rule}")
        self._pursuits.add(task)
        task.add_done_callback(self._pursuits.discard)

    async def _pursue(self, plan: Plan, suspicion: Suspicion, first: asyncio.Future[Trial]) -> None:
        """Make a schedule small, and play it as often as it takes to confirm it."""
        rule, findings = suspicion.rule, self.hunted.findings
        witness = asyncio.create_task(self._witness(plan, rule, first), name="witness")
        try:
            async with self._pursuing:
                self._report(
                    f"search: schedule {plan.seed} may break {rule}: the smallest that does is looked for …"
                )
                self._make_room()
                finding = Finding(rule, await self._narrowed(plan, suspicion))
                self._make_room()
                await asyncio.gather(*(self._confirm(finding) for _ in range(CONFIRMED)))
            if not finding.failed:
                await witness
            if rule in findings:
                self._leave_out(findings[rule])
                self._report(f"search: {rule} failed {findings[rule].failed} of {findings[rule].times} times")
            else:
                self._report(
                    f"search: {rule} was kept: the bot only took its time, and is given it from now on"
                )
                self._is_patient = True
            if (
                rule not in findings or findings[rule].is_flaky
            ):  # there may be a schedule that shows it each time
                self._pursued.discard(rule)
        finally:
            await _cancelled(witness)

    def _leave_out(self, finding: Finding) -> None:
        """Draw no more of a class that is enough alone: it would hide what only several show."""
        kinds = {fault.kind for fault in finding.plan.faults}
        if len(kinds) == 1 and not finding.is_flaky and len(self._drawn) > 1:
            self._drawn = {name: kind for name, kind in self._drawn.items() if name not in kinds}

    async def _witness(self, plan: Plan, rule: str, first: asyncio.Future[Trial]) -> None:
        """Keep what the first play came to, for when there is no time for more."""
        try:
            trial = await first
        finally:
            await _cancelled(first)
        if trial.breaks(rule):
            self.hunted.findings.setdefault(rule, Finding(rule, plan, [trial]))

    async def _confirm(self, finding: Finding) -> None:
        for _ in range(_TRIES):
            async with self._slots.take(_CONFIRMING):
                trial = await self._play(finding.plan, _nothing)
            finding.add(trial)
            if not trial.played.not_exercised:
                break
        if finding.is_worse_than(self.hunted.findings.get(finding.rule)):
            self.hunted.findings[finding.rule] = finding

    async def _narrowed(self, plan: Plan, suspicion: Suspicion) -> Plan:
        """Return the smallest schedule that was found to fail as this one does."""
        until = min(max(_now() + _SHARE * self._seconds, self._ends - _TO_CONFIRM), self._ends)
        rule = suspicion.rule
        for candidates in rounds(plan, suspicion.fired, self._kinds):
            if few := await self._smallest(candidates, rule, until):
                return few
        while len(plan.faults) > 1 and (smaller := await self._smallest(fewer(plan), rule, until)):
            plan = smaller
        return plan

    async def _smallest(self, candidates: Sequence[Plan], rule: str, until: float) -> Plan | None:
        """Play candidates side by side, and return the smallest that fails; ``None`` where none does."""
        tasks = [asyncio.create_task(self._fails(each, rule), name="narrow") for each in candidates]
        order = sorted(range(len(tasks)), key=lambda place: len(candidates[place].faults))
        try:
            for place in order:  # the smallest first, of equals the likeliest
                done, _ = await asyncio.wait([tasks[place]], timeout=max(0.0, until - _now()))
                if done and tasks[place].result():
                    return candidates[place]
        finally:
            await _cancelled(*tasks)
        return None

    async def _fails(self, plan: Plan, rule: str) -> bool:
        async with self._slots.take(_NARROWING):
            ended = await self._until_suspected(plan)
            if isinstance(ended, Trial):
                return ended.breaks(rule)
            suspicion, playing = ended
            await _cancelled(playing)
            return suspicion.rule == rule

    async def _until_suspected(self, plan: Plan) -> Trial | tuple[Suspicion, asyncio.Task[Trial]]:
        """Play a schedule to its end, or until the bot is suspected; the play goes on then.

        Once a bot was suspected that only took its time, plays go to their end.
        """
        if self._is_patient:
            return await self._play(plan, _nothing)
        suspected: asyncio.Future[Suspicion] = asyncio.get_running_loop().create_future()
        playing = asyncio.create_task(self._play(plan, suspected.set_result), name=f"schedule {plan.seed}")
        both: list[asyncio.Future[Any]] = [playing, suspected]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            await _cancelled(playing)
            raise
        return playing.result() if playing.done() else (suspected.result(), playing)


def _nothing(_: Suspicion) -> None:
    """Do nothing with a suspicion: the play is waited for."""


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _cancelled(*futures: asyncio.Future[Any]) -> None:
    """Cancel what has not ended, and wait for its end."""
    for future in futures:
        future.cancel()
    await asyncio.gather(*futures, return_exceptions=True)
