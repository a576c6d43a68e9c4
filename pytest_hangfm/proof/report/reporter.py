"""Gathers what came of the scenarios and prints it: while they are played, and at the end."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_hangfm.proof.profile import Profile, render
from pytest_hangfm.proof.report.folder import write_report
from pytest_hangfm.proof.report.run_result import RunResult
from pytest_hangfm.proof.report.table import row_line, summary

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_hangfm.proof.learning import Learnt
    from pytest_hangfm.proof.options import ProofOptions
    from pytest_hangfm.proof.scenario import Scenario

__all__ = ["Reporter"]

_DATA: Final = "hangfm_proof"
_INTERRUPTED: Final = 130


class Reporter:
    """Gathers what came of the scenarios and prints it.

    Attributes:
        problem: Why the bot cannot be exercised; empty where it can.
        written: Where the profile was written that this run was to learn, or ``None``.
    """

    def __init__(self, options: ProofOptions) -> None:
        self.problem = ""
        self.written: Path | None = None
        self._options = options
        self._rows: dict[str, dict[str, Any]] = {}
        self._expected: dict[str, float] = {}
        self._expected_rules: dict[str, tuple[str, ...]] = {}
        self._afterwards: set[str] = set()
        self._owed: frozenset[str] = frozenset()
        self._profile: Profile | None = None
        self._result: RunResult | None = None

    def expect(self, scenarios: Sequence[Scenario], table: Sequence[Scenario]) -> None:
        """Take down which scenarios are to be played.

        Args:
            scenarios: These.
            table: All that a run of this kind plays where none are chosen.
        """
        self._expected = {scenario.id: self._lasts(scenario) for scenario in scenarios}
        self._afterwards = {scenario.id for scenario in scenarios if scenario.pace == "search"}
        self._expected_rules = {scenario.id: scenario.rules for scenario in scenarios}
        self._owed = frozenset(name for scenario in table for name in scenario.rules)

    def _lasts(self, scenario: Scenario) -> float:
        """Return how many seconds a scenario takes in this run, about."""
        return scenario.seconds / (self._options.speed if scenario.pace == "long" else 1)

    def know(self, profile: Profile, learnt: Learnt | None) -> None:
        """Print what the bot does."""
        self._profile = profile
        if learnt is not None:
            self.tell(f"learnt in {learnt.seconds:.0f} s:")
            for line in render(profile).splitlines():
                self.tell(f"  {line}")

    def tell(self, line: str) -> None:
        """Print a line of progress, where the command in front shows it."""
        if self._options.alone:
            print(line, file=sys.stderr, flush=True)  # noqa: T201  this prints

    def take(self, row: dict[str, Any]) -> None:
        """Take what came of a scenario, once."""
        known = row.pop("profile", None)
        if known and self._profile is None:
            self._profile = Profile(**known | {"never": tuple(known["never"])})
        if row["scenario"] in self._rows:
            return
        self._rows[row["scenario"]] = row
        if not self.problem and self.written is None:
            self.tell(row_line(row, len(self._rows), len(self._expected), self._left()))

    def broken(self) -> set[str]:
        """Return the ids of the rules that the bot was seen to break so far."""
        return {
            name
            for row in self._rows.values()
            for name, kind, _ in row["verdicts"]
            if kind in {"fail", "flaky"}
        }

    def _left(self) -> float:
        """Seconds that are left, about: what sound bots need for the rest, side by side."""
        left = {name: seconds for name, seconds in self._expected.items() if name not in self._rows}
        last = sum(left.pop(name, 0.0) for name in self._afterwards)
        rest = max(sum(left.values()) / self._options.side_by_side, max(left.values(), default=0.0) / 2)
        return rest + last

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take what came of a scenario in another process."""
        row = getattr(report, _DATA, None)
        if report.when == "call" and row is not None:
            self.take(row)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Say what is reached, by the exit code too, and write the report."""
        if not self._expected and not self._rows:  # it was no run of the proof
            return
        if session.exitstatus in {pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.INTERNAL_ERROR}:
            return
        interrupted = session.exitstatus == pytest.ExitCode.INTERRUPTED
        if self.written is not None:
            session.exitstatus = 0
            self._print([f"written: {self.written}"])
            return
        if not interrupted:
            self._miss_nothing()
        places = {name: number for number, name in enumerate(self._expected)}
        rows = sorted(self._rows.values(), key=lambda row: places.get(row["scenario"], 0))
        result = RunResult.of(
            rows,
            self._options.tier,
            profile=self._profile,
            problem=self.problem,
            interrupted=interrupted,
            most="silver" if self._options.quick else "platinum",
            owed=self._owed,
            replayed=self._options.replay is not None,
        )
        session.exitstatus = _INTERRUPTED if interrupted else result.exit_code
        self._result = result
        lines = summary(result, self._options.command)
        if self._options.report is not None:
            found = write_report(self._options.report, result)
            lines = [*map(str, found), *lines, f"report: {self._options.report / 'index.html'}"]
        self._print(lines)

    def _miss_nothing(self) -> None:
        """Count a scenario of which nothing came as not exercised: what is missing proves nothing."""
        for name, rules in self._expected_rules.items():
            if name not in self._rows:
                why = self.problem or "nothing came of it: a fault of hangbot itself, please report it"
                verdicts = [[rule, "not_exercised", why] for rule in rules]
                self.take({"scenario": name, "kind": "not_exercised", "verdicts": verdicts, "seconds": 0.0})

    def _print(self, lines: Sequence[str]) -> None:
        for line in lines if self._options.alone else ():
            print(line, flush=True)  # noqa: T201  this prints

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print what is reached at the end of a run of pytest itself."""
        if self._options.alone or self._result is None:
            return
        terminalreporter.section("proof of the bot")
        for line in summary(self._result, self._options.command):
            terminalreporter.write_line(line)

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self) -> tuple[str, str, str] | None:
        """Let pytest itself say nothing where the command in front does."""
        return ("", "", "") if self._options.alone else None
