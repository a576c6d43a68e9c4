"""Plays scenarios side by side, each on a sandbox of its own, and again what failed."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from hangbot.sandbox import RoomVariants, SandboxClock
from pytest_hangfm.proof.bot_process import CannotStart, Home
from pytest_hangfm.proof.judge import ALWAYS
from pytest_hangfm.proof.outcome import Outcome, Played, Verdict, settle
from pytest_hangfm.proof.play import Play
from pytest_hangfm.proof.scenario import NotApplicable, NotExercised

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pytest_hangfm.proof.bot_process import BotProgram
    from pytest_hangfm.proof.profile import Profile
    from pytest_hangfm.proof.scenario import Scenario
    from pytest_hangfm.proof.tiers import VerdictKind

__all__ = ["Conductor", "play_once"]

_MOST_TIMES: Final = 3
_LONGEST_S: Final = 1_500.0
_TIMES_ITS_LENGTH: Final = 10


class Conductor:
    """Plays scenarios side by side.

    Args:
        program: The bot.
        profile: What it does.
        slots: One is taken while a scenario is played; several conductors may share them.
        on_outcome: Given what came of each scenario, as soon as it is known.
        most_times: How often a scenario that fails is played: what does not fail each time is flaky.
    """

    def __init__(
        self,
        program: BotProgram,
        profile: Profile,
        slots: asyncio.Semaphore,
        on_outcome: Callable[[Scenario, Outcome], object],
        *,
        most_times: int = _MOST_TIMES,
    ) -> None:
        self._most_times = most_times
        self._on_outcome = on_outcome
        self.profile = profile
        self._program = program
        self._slots = slots
        self._tasks: dict[str, asyncio.Task[Outcome]] = {}

    def begin(self, scenarios: Iterable[Scenario]) -> None:
        """Begin to play scenarios, the longest first."""
        for scenario in sorted(scenarios, key=lambda each: -each.seconds):
            self._begin(scenario)

    async def outcome(self, scenario: Scenario) -> Outcome:
        """Return what came of a scenario; play it where that has not begun."""
        return await self._begin(scenario)

    async def close(self) -> None:
        """Break off what is being played; its bots are ended."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, scenario: Scenario) -> asyncio.Task[Outcome]:
        if scenario.id not in self._tasks:
            self._tasks[scenario.id] = asyncio.create_task(self._play(scenario), name=f"prove {scenario.id}")
        return self._tasks[scenario.id]

    async def _play(self, scenario: Scenario) -> Outcome:
        outcome = await self._judged(scenario)
        self._on_outcome(scenario, outcome)
        return outcome

    async def _judged(self, scenario: Scenario) -> Outcome:
        if missing := scenario.missing(self.profile):
            return _of_nothing(scenario, "not_applicable", missing)
        if scenario.pace == "long" and self._program.haste and (why := self._program.haste.why_not):
            return _of_nothing(scenario, "not_exercised", why)
        played: list[Played] = []
        while len(played) < self._most_times:
            async with self._slots:
                played.append(await play_once(scenario, self._program, self.profile))
            if _is_settled(played):
                break
        return settle(scenario.id, scenario.rules, tuple(ALWAYS), played)


def _of_nothing(scenario: Scenario, kind: VerdictKind, why: str) -> Outcome:
    return Outcome(scenario.id, tuple(Verdict(name, kind, why) for name in scenario.rules))


def _is_settled(played: list[Played]) -> bool:
    """Whether it is plain what came: well at once, twice the same, or not to be played twice."""
    first, last = played[0], played[-1]
    if first.not_exercised:
        return len(played) > 1 or not last.not_exercised
    if not first.blames or last.not_applicable:
        return True
    return len(played) > 1 and {name for name, _ in first.blames} == {name for name, _ in last.blames}


async def play_once(scenario: Scenario, program: BotProgram, profile: Profile) -> Played:
    """Play a scenario once, on a fresh sandbox; whatever happens, nothing of the bot is left running."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    speed = 1
    if scenario.pace == "long" and (haste := program.haste) is not None:
        program, speed = replace(program, env={**program.env, **haste.env}), haste.times
    room, clock = replace(RoomVariants(), **scenario.room), SandboxClock(speed=speed)
    async with program.open_sandbox(variants=room, dialect=scenario.dialect, clock=clock) as sandbox:
        home = await asyncio.to_thread(Home, program, uuid.uuid4().hex)
        play = Play(scenario, sandbox, home, profile, speed)
        reason = missing = ""
        try:
            try:
                async with asyncio.timeout(min(_LONGEST_S, 60 + _TIMES_ITS_LENGTH * scenario.seconds)):
                    await scenario.play(play)
            except (NotExercised, CannotStart) as exc:
                reason = str(exc)
            except NotApplicable as exc:
                missing = str(exc)
            except TimeoutError:
                reason = "it took far longer than it may"
            except Exception as exc:  # noqa: BLE001  the others go on, and this one is named
                reason = f"a fault of hangbot itself ({type(exc).__name__}: {exc}): please report it"
        finally:
            try:
                await play.stop()
            finally:
                await home.close()
        evidence = play.evidence()
    for name, judge in ALWAYS.items():
        if (what := judge(evidence)) and name not in scenario.rules:
            play.blame(what, name)
    return Played(tuple(play.blames), evidence, reason, missing, loop.time() - began)
