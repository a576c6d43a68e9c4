"""What the stages of a run came to: a line a stage, of what was sent and what became of it.

A test's numbers travel on its report, so that it does not matter in which process it ran.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from pytest_hangfm.reporting.labels import labels_of
from pytest_hangfm.stash import ACKS, EXCHANGES, STAGE, report_data

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_hangfm.recorder import AckRecorder

__all__ = ["StageSummary", "stage_row"]


@dataclass(slots=True)
class _Tally:
    """One stage: its tests, and how what they sent ended."""

    tests: int = 0
    failed_tests: int = 0
    at_once: int = 0
    after_retry: int = 0
    refused: int = 0
    uncertain: int = 0

    @property
    def sent(self) -> int:
        return self.at_once + self.after_retry + self.refused + self.uncertain

    @property
    def delivered(self) -> int:
        return self.at_once + self.after_retry

    def add(self, row: Mapping[str, Any]) -> None:
        self.tests += 1
        self.failed_tests += row["failed"]
        self.at_once += row["at_once"]
        self.after_retry += row["after_retry"]
        self.refused += row["refused"]
        self.uncertain += row["uncertain"]


def stage_row(item: pytest.Item, report: pytest.TestReport) -> dict[str, Any]:
    """Return the numbers of one stage test, ready to cross processes."""
    acks = item.stash.get(ACKS, None)
    plain = item.stash.get(EXCHANGES, None)
    ends = list(_ends(acks)) if acks is not None else []
    return {
        "stage": labels_of(item.nodeid, {"stage"}).feature,
        "failed": int(report.failed),
        "at_once": (plain.acknowledged if plain else 0) + sum(end == ("delivered", 1) for end in ends),
        "after_retry": sum(end == ("delivered", 2) for end in ends),
        "refused": (plain.refused if plain else 0)
        + sum(state in {"failed", "expired", "dropped"} for state, _ in ends),
        "uncertain": sum(state == "uncertain" for state, _ in ends),
    }


def _ends(acks: AckRecorder) -> Iterator[tuple[str, int | None]]:
    for key in acks.ids:
        end = acks.settlement(key)
        if end is not None:
            yield end.state, end.tier


@dataclass(slots=True, eq=False)
class StageSummary:
    """Hears of each stage test by its report, and sums up."""

    stages: dict[str, _Tally] = field(default_factory=dict)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take what a report carries."""
        row = report_data(report, STAGE)
        if row is not None:
            self.stages.setdefault(row["stage"], _Tally()).add(row)

    @pytest.hookimpl(tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print a line a stage."""
        if not self.stages:
            return
        terminalreporter.write_sep("=", "stages")
        for stage, tally in self.stages.items():
            good = not tally.failed_tests
            terminalreporter.write_line(_line(stage, tally), green=good, red=not good)

    def rows(self) -> list[dict[str, Any]]:
        """Return the stages as JSON."""
        return [
            {
                "stage": stage,
                "tests": tally.tests,
                "failed_tests": tally.failed_tests,
                "sent": tally.sent,
                "delivered": tally.delivered,
                "at_once": tally.at_once,
                "after_retry": tally.after_retry,
                "refused": tally.refused,
                "uncertain": tally.uncertain,
                "success_rate": round(tally.delivered / tally.sent, 3) if tally.sent else None,
            }
            for stage, tally in self.stages.items()
        ]


def _line(stage: str, tally: _Tally) -> str:
    failed = f"{tally.failed_tests} of {tally.tests} tests FAILED; " if tally.failed_tests else ""
    if not tally.sent:
        return f"{stage}: {failed}{tally.tests} tests, nothing sent"
    rate = f"{tally.delivered} of {tally.sent}, {100 * tally.delivered / tally.sent:.0f} %"
    ways = [f"{tally.at_once} at once", f"{tally.after_retry} after a retry"]
    meant = "" if tally.failed_tests else ", as the tests expect"
    ended = [(tally.refused, "refused or given up"), (tally.uncertain, "uncertain")]
    others = [f"{number} {how}{meant}" for number, how in ended if number]
    return f"{stage}: {failed}{rate}; {', '.join(ways + others)}"
