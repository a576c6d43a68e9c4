"""PreflightSummary lines: what the preflight checks of a run came to, for people, scripts and CI.

One `PreflightSummary` a run, in the process that prints (with xdist: the controller). It hears of each
check by the test report, so that it does not matter where the test ran.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest

from pytest_hangfm.stash import CHECK, report_data

if TYPE_CHECKING:
    from hangbot.preflight import CheckResult, Overall
    from pytest_hangfm.options import Options
    from pytest_hangfm.stage_summary import StageSummary

__all__ = ["CheckRow", "PreflightSummary"]


_COLOURS: Final = {
    "ok": "green",
    "warn": "yellow",
    "rejected": "red",
    "cannot_tell": "red",
    "skipped": "yellow",
}


class CheckRow(NamedTuple):
    """How a check ended, as a report carries it: all text and numbers, so that it crosses processes."""

    id: str
    title: str
    verdict: str
    message: str
    remedy: str
    duration_ms: float
    target: str
    where: str

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return self._asdict()


class PreflightSummary:
    """Collects the checks and reports what they come to.

    Args:
        options: The run's options.
        stages: What the stages of the run came to, for the JSON.
    """

    def __init__(self, options: Options, stages: StageSummary) -> None:
        self._options = options
        self._stages = stages
        self._rows: dict[str, CheckRow] = {}
        self._complete = True
        self._trouble = ""
        """Why the JSON is missing: a script that reads it must not take an old one for this run's."""
        self._note = ""
        """Why the table on the run's page is missing: the verdict stands all the same."""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the check that a report carries; a later phase of the same test wins."""
        row = report_data(report, CHECK)
        if row is not None:
            self._rows[report.nodeid] = CheckRow(**row)

    def pytest_keyboard_interrupt(self) -> None:
        """Remember that not every check was made."""
        self._complete = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the JSON and the step summary; keep CI from taking a sandbox for the real thing."""
        self._write_json()
        self._write_step_summary()
        passed = session.exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}
        if passed and (self._trouble or (self._rows and self._not_in_ci())):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _not_in_ci(self) -> bool:
        """Whether this run must fail: in CI, a verdict on the sandbox alone would go unread."""
        return self._options.in_ci and self._options.target == "auto" and self.verdict() == "sandbox_only"

    # -- what it comes to

    @property
    def target(self) -> str:
        """``live`` where any check was."""
        if not self._rows:
            return "live" if self._options.checks_are_live else "sandbox"
        return "live" if any(row.target == "live" for row in self._rows.values()) else "sandbox"

    def results(self) -> list[CheckResult]:
        """Return the checks as `hangbot.preflight` has them, in its order, then the others."""
        from hangbot.preflight import CHECKS, CheckResult  # noqa: PLC0415  only a run with checks pays for it

        order = {check.id: place for place, check in enumerate(CHECKS)}
        rows = sorted(self._rows.values(), key=lambda row: order.get(row.id, len(order)))
        return [
            CheckResult(row.id, row.title, row.verdict, row.message, row.remedy, row.duration_ms)  # type: ignore[arg-type]  # as sent by ourselves
            for row in rows
        ]

    def verdict(self) -> Overall:
        """Sum up as `hangbot preflight` does; without any answer nothing is known."""
        from hangbot.preflight import overall  # noqa: PLC0415  only a run with checks pays for it

        results = self.results()
        known = overall(results, sandbox=self.target == "sandbox")
        answered = any(result.verdict != "skipped" for result in results)
        return known if known == "not_ready" or (answered and self._complete) else "cannot_tell"

    def where(self) -> str:
        """Return in words what was checked, and how much of it if not all checks were run."""
        from hangbot.preflight import CHECKS  # noqa: PLC0415  only a run with checks pays for it

        known = {check.id for check in CHECKS}
        made = len(known & {row.id for row in self._rows.values()})
        part = f" ({made} of {len(known)} checks)" if made < len(known) else ""
        return self._target_in_words() + part

    def _target_in_words(self) -> str:
        if self.target == "sandbox":
            return "the sandbox, nothing live was checked"
        found = [row.where for row in self._rows.values() if row.target == "live"]
        named = [where for where in found if where.startswith('room "')]  # known once a check has learnt it
        return next(iter([*named, *found]), "nothing was checked")

    def headline(self) -> str:
        """Return the verdict and what was checked on one line; empty if no check was run."""
        from hangbot.preflight import verdict_line  # noqa: PLC0415  only a run with checks pays for it

        return verdict_line(self.verdict(), self.where()) if self._rows else ""

    # -- for people

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print a line a check, and what to do under each bad one."""
        if self._rows:
            self._print(terminalreporter)
        if self._trouble:
            terminalreporter.write_line(f"hangfm: {self._trouble}", red=True)
        if self._note:
            terminalreporter.write_line(f"hangfm: {self._note}", yellow=True)

    def pytest_unconfigure(self, config: pytest.Config) -> None:
        """Print the verdict last, after pytest's own words: a run that fails must not end with "passed"."""
        out = config.pluginmanager.get_plugin("terminalreporter")
        if self._rows and out is not None:
            self._print_verdict(out)

    def _print(self, out: pytest.TerminalReporter) -> None:
        from hangbot.preflight import result_lines  # noqa: PLC0415  only a run with checks pays for it
        from hangbot.text import encodable, printable  # noqa: PLC0415  likewise

        out.write_sep("=", "preflight")
        for result in self.results():
            mark, *rest = (encodable(printable(line), sys.stdout) for line in result_lines(result))
            out.write(mark[:6], **{_COLOURS[result.verdict]: True})
            out.write_line(mark[6:])
            for line in rest:
                out.write_line(line)

    def _print_verdict(self, out: pytest.TerminalReporter) -> None:
        from hangbot.text import encodable  # noqa: PLC0415  only a run with checks pays for it

        verdict = self.verdict()
        good = verdict == "ready" or (verdict == "sandbox_only" and not self._not_in_ci())
        if verdict == "sandbox_only" and self._not_in_ci():
            out.write_line(
                "       -> CI is set and nothing is configured: give the job BOT_USER_TOKEN and ROOM_UUID as "
                "secrets in its environment, or say --hangfm-target=sandbox where that is meant."
            )
        out.write_line(encodable(self.headline(), sys.stdout), bold=True, green=good, red=not good)

    # -- for scripts and CI

    def _write_json(self) -> None:
        if self._options.json is None:
            return
        from hangbot.preflight import preflight_row  # noqa: PLC0415  only a run with checks pays for it

        row = preflight_row(self.results(), self.verdict(), target=self.target)
        if self._stages.stages:
            row["stages"] = self._stages.rows()
        try:
            self._options.json.write_text(json.dumps(row, indent=2) + "\n", encoding="utf-8")
        except OSError as exc:
            self._trouble = f"{self._options.json} cannot be written: {exc.strerror}"

    def _write_step_summary(self) -> None:
        if not self._rows:
            return
        from hangbot.preflight import append_step_summary, unwritable_summary  # noqa: PLC0415  only a run with checks pays for it

        try:
            append_step_summary(self.results(), self.verdict(), self.where())
        except OSError as exc:
            self._note = unwritable_summary(exc)
