"""The proof without pytest: some scenarios with a bot, or the search, and what came of each rule."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from pytest_hangfm.proof.bot_process import BotProgram
from pytest_hangfm.proof.conductor import Conductor
from pytest_hangfm.proof.learning import learn
from pytest_hangfm.proof.outcome import judged
from pytest_hangfm.proof.scenario import load
from pytest_hangfm.proof.search.searching import Searching
from pytest_hangfm.proof.tiers import worst

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from pytest_hangfm.proof.outcome import Outcome, Verdict
    from pytest_hangfm.proof.profile import Profile
    from pytest_hangfm.proof.scenario import Scenario
    from pytest_hangfm.proof.tiers import VerdictKind

__all__ = ["of_each_rule", "prove", "search"]


async def prove(
    argv: Sequence[str],
    folder: Path,
    scenarios: Collection[str],
    *,
    profile: Profile | None = None,
    side_by_side: int = 0,
    env: Mapping[str, str] | None = None,
) -> dict[str, tuple[VerdictKind, str]]:
    """Play some scenarios with a bot, and return what came of each rule: verdict, and what was seen.

    Args:
        argv: How the bot is called.
        folder: Where; it is copied for each run where it is small.
        scenarios: Their ids.
        profile: What the bot does; ``None``: it is learnt.
        side_by_side: How many are played at once; 0: five a core.
        env: What the bot is given besides the sandbox's addresses.

    Raises:
        CannotStart: There is no such program.
        KeyError: There is no such scenario.
    """
    program = BotProgram.of(argv, folder, env or {})
    if profile is None:
        profile = (await learn(program)).profile
    table = load()
    wanted = [table[name] for name in scenarios]
    at_once = side_by_side or 5 * (os.cpu_count() or 1)
    slots = asyncio.Semaphore(at_once if profile.side_by_side else 1)
    conductor = Conductor(program, profile, slots, _nothing)
    try:
        conductor.begin(wanted)
        outcomes = [await conductor.outcome(scenario) for scenario in wanted]
    finally:
        await conductor.close()
    return of_each_rule(outcomes)


def of_each_rule(outcomes: Iterable[Outcome]) -> dict[str, tuple[VerdictKind, str]]:
    """Return what came of each rule in some scenarios: verdict, and what was seen."""
    return {name: _settled([each for _, each in found]) for name, found in judged(outcomes).items()}


async def search(
    argv: Sequence[str],
    folder: Path,
    minutes: float,
    *,
    profile: Profile,
    env: Mapping[str, str] | None = None,
) -> Outcome:
    """Search for schedules of faults in which a bot fails, and return what came of it.

    Args:
        argv: How the bot is called.
        folder: Where; it is copied for each run where it is small.
        minutes: How long.
        profile: What the bot does.
        env: What the bot is given besides the sandbox's addresses.

    Raises:
        CannotStart: There is no such program.
    """
    program = BotProgram.of(argv, folder, env or {})
    at_once = 5 * (os.cpu_count() or 1) if profile.side_by_side and program.side_by_side else 1
    searching = Searching(program, profile, minutes=minutes, side_by_side=at_once)
    try:
        return await searching.outcome()
    finally:
        await searching.close()


def _nothing(_scenario: Scenario, _outcome: object) -> None:
    """Do nothing with what came of a scenario: all of it is returned."""


def _settled(verdicts: Sequence[Verdict]) -> tuple[VerdictKind, str]:
    kind = worst(verdict.kind for verdict in verdicts)
    return kind, next(verdict.what for verdict in verdicts if verdict.kind == kind)
