"""A run of the proof: the bot is learnt, scenarios are played, what came of them is gathered."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest

from pytest_hangfm.proof.conductor import Conductor
from pytest_hangfm.proof.learning import learn
from pytest_hangfm.proof.outcome import Outcome, Verdict
from pytest_hangfm.proof.profile import Profile, ProfileError
from pytest_hangfm.proof.profile_file import PROFILE_FILE, profile_file, read_profile, write_profile
from pytest_hangfm.proof.program import program_of
from pytest_hangfm.proof.refusals import CannotStart, NotHere
from pytest_hangfm.proof.report.folder import write_page
from pytest_hangfm.proof.rules import rule
from pytest_hangfm.proof.scenario import FAMILIES, load
from pytest_hangfm.proof.search.kinds import read_token
from pytest_hangfm.proof.search.searching import SEARCH, Searching
from pytest_hangfm.proof.tiers import within
from pytest_hangfm.proof.wording import telling_line
from pytest_hangfm.simulation.fingerprint import made_here
from pytest_hangfm.simulation.token import TokenError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from pytest_hangfm.proof.bot_process import BotProgram
    from pytest_hangfm.proof.learning import Learnt
    from pytest_hangfm.proof.options import ProofOptions
    from pytest_hangfm.proof.report.reporter import Reporter
    from pytest_hangfm.proof.scenario import Scenario
    from pytest_hangfm.simulation.plan import Plan

__all__ = ["PROOF", "Ending", "Proof", "Setting"]

PROOF: Final[pytest.StashKey[Proof]] = pytest.StashKey()
"""Where a run's `Proof` is."""


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
        searching: The search, or the replay of a schedule; ``None`` likewise.
        problem: Why it cannot, in a sentence.
    """

    proof: Proof
    conductor: Conductor | None
    problem: str = ""
    searching: Searching | None = None

    async def play(self, scenario: Scenario, item: pytest.Item) -> Ending:
        """Play a scenario, and say how its test ends."""
        if self.conductor is None or self.searching is None:
            verdicts = tuple(Verdict(name, "not_exercised", self.problem) for name in scenario.rules)
            outcome = Outcome(scenario.id, verdicts)
            self.proof.take(scenario, outcome)
        elif scenario.pace == "search":
            outcome = await self.searching.outcome(self.proof.reporter.broken())
            self.proof.take(scenario, outcome)
        else:
            outcome = await self.conductor.outcome(scenario)
        self.proof.keep(item, outcome)
        return _ending(outcome, self.proof.options)


def _ending(outcome: Outcome, options: ProofOptions) -> Ending:
    if outcome.kind in {"not_applicable", "not_exercised"}:
        return Ending(skip=outcome.verdicts[0].what)
    wrong = [verdict for verdict in outcome.verdicts if verdict.kind in {"fail", "flaky"}]
    if not wrong:
        return Ending()
    decisive = [verdict for verdict in wrong if within(rule(verdict.rule).tier, options.tier)]
    text = "\n".join(_described(verdict, outcome) for verdict in decisive or wrong)
    return Ending(failure=text) if decisive else Ending(beyond=text)


def _described(verdict: Verdict, outcome: Outcome) -> str:
    broken = rule(verdict.rule)
    replays = "".join(
        f"\n  replay: hangbot prove --replay {each.token} -- COMMAND"
        for each in outcome.found
        if each.rule == broken.id
    )
    text = f"{broken.tier} {broken.id}: {broken.sentence}\n  seen: {verdict.what}\n  do: {broken.remedy}"
    return text + replays


class Proof:
    """A run of the proof.

    Attributes:
        options: What was asked for.
        reporter: Gathers what came of the scenarios, and prints it.
    """

    def __init__(
        self,
        options: ProofOptions,
        reporter: Reporter,
        program: BotProgram | None,
        profile: Profile | None,
        problem: str = "",
        replay: Plan | None = None,
    ) -> None:
        self.options, self.reporter = options, reporter
        self._program, self._given, self._problem = program, profile, problem
        self._profile, self._replay = profile, replay
        self._rows: dict[str, dict[str, Any]] = {}

    @classmethod
    def of(cls, options: ProofOptions, reporter: Reporter) -> Proof:
        """Begin a run, once command and profile were looked at.

        Raises:
            pytest.UsageError: One of them cannot be used.
        """
        try:
            file = None if options.learn else profile_file(options.profile)
            profile = None if file is None else read_profile(file)
            replay = None if options.replay is None else _schedule_of(options.replay, reporter)
            return cls(options, reporter, program_of(options), profile, replay=replay)
        except NotHere as exc:
            return cls(options, reporter, None, None, str(exc))
        except (CannotStart, ProfileError, TokenError) as exc:
            raise pytest.UsageError(str(exc)) from None

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
                hint = f"did you mean {near[0]}?" if near else f"the families are {', '.join(FAMILIES)}"
                raise pytest.UsageError(f"there is no scenario {name!r}; {hint}")
        kept = [item for item in items if id(item) not in places or self._is_wanted(places[id(item)])]
        if places and not kept:
            raise pytest.UsageError("these options leave nothing to play: leave out one of them")
        left_out = [item for item in items if item not in kept]
        items[:] = kept
        if self.options.learn:
            del kept[1:]
            left_out = []
            items[:] = kept
        return left_out

    def expect(self, items: Sequence[pytest.Item]) -> None:
        """Take down which scenarios are to be played, and which a whole run of this kind would play."""
        options = self.options
        table = [scenario for scenario in (*load().values(), SEARCH) if self._is_in_turn(scenario)]
        chosen = [scenario for item in items if (scenario := _scenario_of(item))]
        search = replace(SEARCH, seconds=60 * options.search)
        self.reporter.expect(
            [search if each.pace == "search" else each for each in chosen],
            table if options.replay is None else [],
        )

    def _is_wanted(self, scenario: Scenario) -> bool:
        options = self.options
        if options.replay is not None:
            return scenario.pace == "search"
        if options.only and scenario.pace != "search":
            return any(_is_named(scenario.id, name) for name in options.only)
        return self._is_in_turn(scenario)

    def _is_in_turn(self, scenario: Scenario) -> bool:
        """Whether a run of this kind plays a scenario where none are chosen by name."""
        if scenario.pace == "search":
            return self.options.search > 0
        if self.options.quick:
            return scenario.pace == "quick"
        return scenario.pace != "long" or self.options.long or self.options.speed > 1

    @asynccontextmanager
    async def open(self, items: Sequence[pytest.Item]) -> AsyncIterator[Setting]:
        """Learn the bot, and begin to play."""
        program, problem, profile = self._program, self._problem, self._given
        if program is None:
            self.reporter.problem = problem
            yield Setting(self, None, problem)
            return
        if profile is None:
            self.reporter.tell("learning what the bot does (15 s mostly, a minute for a slow one) …")
            try:
                learnt = await learn(program)
                profile, problem = learnt.profile, _why_not(learnt)
                self.reporter.know(profile, learnt)
                if self.options.learn and not problem:
                    file = self.options.profile or Path(PROFILE_FILE)
                    self.reporter.written = write_profile(file, profile)
            except (CannotStart, ProfileError) as exc:
                problem = str(exc)
        else:
            self.reporter.know(profile, None)
        if profile is None or problem or self.options.learn:
            self.reporter.problem = problem
            yield Setting(self, None, problem or "the profile was to be learnt, and nothing else")
            return
        self._profile = profile
        several = profile.side_by_side and program.side_by_side
        side_by_side = self.options.side_by_side if several else 1
        conductor = Conductor(program, profile, asyncio.Semaphore(side_by_side), self.take)
        searching = Searching(
            program,
            profile,
            minutes=self.options.search,
            side_by_side=self.options.searched_at_once if several else 1,
            replay=self._replay,
            report=self.reporter.tell,
        )
        if self.options.side_by_side > 1:
            scenarios = [scenario for item in items if (scenario := _scenario_of(item))]
            conductor.begin(each for each in scenarios if each.pace != "search")
        try:
            yield Setting(self, conductor, searching=searching)
        finally:
            await conductor.close()
            if (so_far := await searching.close()) is not None:
                self.take(SEARCH, so_far)

    def take(self, scenario: Scenario, outcome: Outcome) -> None:
        """Keep what came of a scenario: a line, its page, and no more of what was seen."""
        if self.options.report is not None:
            write_page(self.options.report, scenario, outcome)
        self.reporter.take(_row(outcome))

    def keep(self, item: pytest.Item, outcome: Outcome) -> None:
        """Keep what came of a scenario, for the report of its test."""
        self._rows[item.nodeid] = {**_row(outcome), "profile": self._profile and asdict(self._profile)}
        item.user_properties += [(verdict.rule, verdict.kind) for verdict in outcome.verdicts]

    def row_of(self, nodeid: str) -> dict[str, Any] | None:
        """Return what came of a test's scenario, as plain data."""
        return self._rows.get(nodeid)


def _row(outcome: Outcome) -> dict[str, Any]:
    return {
        "scenario": outcome.scenario,
        "kind": outcome.kind,
        "verdicts": [[verdict.rule, verdict.kind, verdict.what] for verdict in outcome.verdicts],
        "seconds": round(sum(played.seconds for played in outcome.played), 1),
        "found": [each.as_json() for each in outcome.found],
        "notes": list(outcome.notes),
    }


def _schedule_of(token: str, reporter: Reporter) -> Plan:
    """Read the schedule that is to be replayed.

    Raises:
        TokenError: It cannot be.
    """
    plan, made_with = read_token(token)
    if difference := made_with.difference(made_here()):
        reporter.tell(f"the token was made with {difference}; its own schedule is played")
    return plan


def _scenario_of(item: pytest.Item) -> Scenario | None:
    call = getattr(item, "callspec", None)
    scenario: Scenario | None = None if call is None else call.params.get("scenario")
    return scenario


def _is_named(scenario: str, name: str) -> bool:
    return name in {scenario, scenario.partition(".")[0]}


def _why_not(learnt: Learnt) -> str:
    """Return why a bot cannot be exercised, in a sentence; empty where it can."""
    last = (
        f"; its last line was: {telling_line(learnt.lines)[:200]}" if learnt.lines else "; it printed nothing"
    )
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
