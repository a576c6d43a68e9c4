"""Gathers what came of the scenarios and prints it: while they are played, and at the end."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_hangfm.proof.profile import render
from pytest_hangfm.proof.report.run_result import RunResult
from pytest_hangfm.proof.report.table import row_line, summary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_hangfm.proof.learning import Learnt
    from pytest_hangfm.proof.options import ProofOptions
    from pytest_hangfm.proof.profile import Profile
    from pytest_hangfm.proof.scenario import Scenario

__all__ = ["Reporter"]

_DATA: Final = "hangfm_proof"
_INTERRUPTED: Final = 130


class Reporter:
    """Gathers what came of the scenarios and prints it.

    Attributes:
        problem: Why the bot cannot be exercised; empty where it can.
    """

    def __init__(self, options: ProofOptions, config: pytest.Config) -> None:
        self.problem = ""
        self._options, self._config = options, config
        self._rows: list[dict[str, Any]] = []
        self._expected: dict[str, float] = {}
        self._profile: Profile | None = None

    def expect(self, scenarios: Sequence[Scenario]) -> None:
        """Take down which scenarios are to be played."""
        self._expected = {scenario.id: scenario.seconds for scenario in scenarios}

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

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take what came of a scenario."""
        row = getattr(report, _DATA, None)
        if report.when != "call" or row is None:
            return
        self._rows.append(row)
        if not self.problem:
            left = self._left()
            self.tell(row_line(row, len(self._rows), len(self._expected), left))

    def _left(self) -> float:
        """Seconds that are left, about: what sound bots need for the rest, side by side."""
        done = {row["scenario"] for row in self._rows}
        left = [seconds for name, seconds in self._expected.items() if name not in done]
        return max(sum(left) / self._options.side_by_side, max(left, default=0.0) / 2)

    def _result(self, *, interrupted: bool = False) -> RunResult:
        return RunResult.of(
            self._rows,
            self._options.tier,
            profile=self._profile,
            problem=self.problem,
            interrupted=interrupted,
        )

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Say what is reached, by the exit code too, and write the report."""
        if session.exitstatus in {pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.INTERNAL_ERROR}:
            return
        interrupted = session.exitstatus == pytest.ExitCode.INTERRUPTED
        result = RunResult.of(
            self._rows,
            self._options.tier,
            profile=self._profile,
            problem=self.problem,
            interrupted=interrupted,
        )
        session.exitstatus = _INTERRUPTED if interrupted else result.exit_code
        if self._options.report is not None:
            text = json.dumps(result.as_json(), indent=1, ensure_ascii=False)
            (self._options.report / "report.json").write_text(text + "\n", "utf-8")
        if self._options.alone:
            for line in summary(result):
                print(line, flush=True)  # noqa: T201  this prints

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print what is reached at the end of a run of pytest itself."""
        result = self._result()
        if self._options.alone:
            return
        terminalreporter.section("proof of the bot")
        for line in summary(result):
            terminalreporter.write_line(line)

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self) -> tuple[str, str, str] | None:
        """Let pytest itself say nothing where the command in front does."""
        return ("", "", "") if self._options.alone else None
