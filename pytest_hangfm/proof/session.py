"""A run of the proof: the bot is learnt, scenarios are played, what came of them is gathered."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest

from pytest_hangfm.proof.bot_process import BotProgram, CannotStart
from pytest_hangfm.proof.conductor import Conductor
from pytest_hangfm.proof.learning import learn
from pytest_hangfm.proof.outcome import Outcome, Verdict
from pytest_hangfm.proof.profile import Profile, ProfileError, parse, render
from pytest_hangfm.proof.report.reporter import Reporter
from pytest_hangfm.proof.rules import rule
from pytest_hangfm.proof.tiers import TIERS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from pytest_hangfm.proof.learning import Learnt
    from pytest_hangfm.proof.options import ProofOptions
    from pytest_hangfm.proof.scenario import Scenario

__all__ = ["PROOF", "Ending", "Proof", "Setting"]

PROOF: Final[pytest.StashKey[Proof]] = pytest.StashKey()
"""Where a run's `Proof` is."""

PROFILE_FILE: Final = "hangbot-proof.toml"


class Ending(NamedTuple):
    """How the test of a scenario ends: at most one of these is a text."""

    failure: str = ""
    beyond: str = ""
    """What it failed of a tier above the one that was asked for."""
    skip: str = ""


@dataclass(frozen=True, slots=True)
class Setting:
    """What scenarios are played with.

    Attributes:
        proof: The run.
        conductor: Plays them; ``None`` where the bot cannot be exercised.
        problem: Why it cannot, in a sentence.
    """

    proof: Proof
    conductor: Conductor | None
    problem: str = ""

    async def play(self, scenario: Scenario, item: pytest.Item) -> Ending:
        """Play a scenario, and say how its test ends."""
        if self.conductor is None:
            verdicts = tuple(Verdict(name, "not_exercised", self.problem) for name in scenario.rules)
            outcome = Outcome(scenario.id, verdicts)
        else:
            outcome = await self.conductor.outcome(scenario)
        self.proof.take(item, scenario, outcome)
        return _ending(outcome, self.proof.options)


def _ending(outcome: Outcome, options: ProofOptions) -> Ending:
    if outcome.kind in {"not_applicable", "not_exercised"}:
        return Ending(skip=outcome.verdicts[0].what)
    wrong = [verdict for verdict in outcome.verdicts if verdict.kind in {"fail", "flaky"}]
    if not wrong:
        return Ending()
    asked = TIERS.index(options.tier)
    decisive = [verdict for verdict in wrong if TIERS.index(rule(verdict.rule).tier) <= asked]
    text = "\n".join(_described(verdict) for verdict in decisive or wrong)
    return Ending(failure=text) if decisive else Ending(beyond=text)


def _described(verdict: Verdict) -> str:
    broken = rule(verdict.rule)
    return f"{broken.tier} {broken.id}: {broken.sentence}\n  seen: {verdict.what}\n  do: {broken.remedy}"


class Proof:
    """A run of the proof.

    Attributes:
        options: What was asked for.
        reporter: Gathers what came of the scenarios, and prints it.
    """

    def __init__(self, options: ProofOptions, config: pytest.Config) -> None:
        self.options = options
        self.reporter = Reporter(options, config)
        self._rows: dict[str, dict[str, Any]] = {}

    def choose(self, items: list[pytest.Item]) -> list[pytest.Item]:
        """Keep what this run is to play, in the order of the table; return what is left out.

        Raises:
            pytest.UsageError: A scenario was asked for that there is not.
        """
        places = {id(item): scenario for item in items if (scenario := _scenario_of(item))}
        known = [scenario.id for scenario in places.values()]
        for name in self.options.only:
            if not any(_is_named(each, name) for each in known):
                from difflib import get_close_matches  # noqa: PLC0415  only a wrong call pays for it

                near = get_close_matches(name, known, 1)
                hint = f"did you mean {near[0]}?" if near else "`hangbot prove --list` names all"
                raise pytest.UsageError(f"there is no scenario {name!r}; {hint}")
        kept = [item for item in items if id(item) not in places or self._is_wanted(places[id(item)])]
        left_out = [item for item in items if item not in kept]
        items[:] = kept
        self.reporter.expect([places[id(item)] for item in kept if id(item) in places])
        return left_out

    def _is_wanted(self, scenario: Scenario) -> bool:
        options = self.options
        if options.only:
            return any(_is_named(scenario.id, name) for name in options.only)
        if options.quick:
            return scenario.pace == "quick"
        return scenario.pace != "long" or options.long

    @asynccontextmanager
    async def open(self, items: Sequence[pytest.Item]) -> AsyncIterator[Setting]:
        """Learn the bot, and begin to play."""
        try:
            program = BotProgram.of(self.options.argv, Path.cwd(), {})
            profile, learnt = await self._profile(program)
        except (CannotStart, ProfileError) as exc:
            yield self._hopeless(str(exc))
            return
        if learnt is not None and (problem := _why_not(learnt)):
            yield self._hopeless(problem)
            return
        self.reporter.know(profile, learnt)
        one_at_a_time = not profile.side_by_side or not program.copied
        conductor = Conductor(program, profile, 1 if one_at_a_time else self.options.side_by_side)
        if self.options.side_by_side > 1:
            conductor.begin(scenario for item in items if (scenario := _scenario_of(item)))
        try:
            yield Setting(self, conductor)
        finally:
            await conductor.close()

    async def _profile(self, program: BotProgram) -> tuple[Profile, Learnt | None]:
        if self.options.profile is not None:
            try:
                text = self.options.profile.read_text("utf-8")
            except (OSError, UnicodeError) as exc:
                raise ProfileError(f"{self.options.profile.name} cannot be read: {exc}") from None
            return parse(text, self.options.profile.name), None
        self.reporter.tell("learning what the bot does (at most 25 s) …")
        learnt = await learn(program)
        return learnt.profile, learnt

    def _hopeless(self, problem: str) -> Setting:
        self.reporter.problem = problem
        return Setting(self, None, problem)

    def take(self, item: pytest.Item, scenario: Scenario, outcome: Outcome) -> None:
        """Keep what came of a scenario, for the report of its test."""
        self._rows[item.nodeid] = {
            "scenario": scenario.id,
            "kind": outcome.kind,
            "verdicts": [list(verdict_row) for verdict_row in _rows(outcome)],
            "seconds": round(sum(played.seconds for played in outcome.played), 1),
        }
        item.user_properties += [(verdict.rule, verdict.kind) for verdict in outcome.verdicts]

    def row_of(self, nodeid: str) -> dict[str, Any] | None:
        """Return what came of a test's scenario, as plain data."""
        return self._rows.get(nodeid)


def _rows(outcome: Outcome) -> list[tuple[str, str, str]]:
    return [(verdict.rule, verdict.kind, verdict.what) for verdict in outcome.verdicts]


def _scenario_of(item: pytest.Item) -> Scenario | None:
    call = getattr(item, "callspec", None)
    scenario: Scenario | None = None if call is None else call.params.get("scenario")
    return scenario


def _is_named(scenario: str, name: str) -> bool:
    return name in {scenario, scenario.partition(".")[0]}


def _why_not(learnt: Learnt) -> str:
    """Return why a bot cannot be exercised, in a sentence; empty where it can."""
    last = f"; its last line was: {learnt.lines[-1][:200]}" if learnt.lines else "; it printed nothing"
    if learnt.ended is not None and not learnt.joined and not learnt.profile.says:
        return f"the bot ended with exit code {learnt.ended} before it was in the room{last}"
    if not learnt.arrived:
        return (
            "the bot opened no connection to the sandbox: it has to take its addresses from "
            f"SOCKET_SERVER_URL, OPENCHAT_BASE_URL and TTFM_GATEWAY_BASE_URL{last}"
        )
    if not learnt.joined and not learnt.profile.says:
        return f"the bot connected, but was neither in the room nor answered a line{last}"
    return ""


def profile_text(profile: Profile) -> str:
    """Return a learnt profile as a file, with a line for its reader."""
    return f"# What the bot does, as `hangbot prove` learnt it. Correct what is wrong.\n{render(profile)}"
