"""The folder of a report: what is written into it, and when."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from pytest_hangfm.proof.report.front import badge, front
from pytest_hangfm.proof.report.history import changes, entry_of, read_history, write_history
from pytest_hangfm.proof.report.page import page

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_hangfm.proof.outcome import Outcome
    from pytest_hangfm.proof.report.history import Change
    from pytest_hangfm.proof.report.run_result import RunResult
    from pytest_hangfm.proof.scenario import Scenario

__all__ = ["write_page", "write_report"]

_HISTORY: Final = "history.jsonl"


def write_page(folder: Path, scenario: Scenario, outcome: Outcome) -> None:
    """Write the page of a scenario."""
    pages = folder / "scenarios"
    pages.mkdir(parents=True, exist_ok=True)
    (pages / f"{scenario.id}.html").write_text(page(scenario, outcome), "utf-8", errors="replace")


def write_report(folder: Path, result: RunResult) -> Sequence[Change]:
    """Write the front page, the JSON, the badge and the history; return what changed since earlier runs."""
    when = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    history = folder / _HISTORY
    earlier = read_history(history.read_text("utf-8", errors="replace")) if history.exists() else []
    now = entry_of(result, when)
    found = changes(earlier, now)
    if not result.interrupted:
        history.write_text(write_history([*earlier, now]), "utf-8")
    row = {**result.as_json(), "when": when, "changes": [str(change) for change in found]}
    text = json.dumps(row, indent=1, ensure_ascii=False)
    (folder / "report.json").write_text(text + "\n", "utf-8", errors="replace")
    (folder / "badge.svg").write_text(badge(result), "utf-8")
    (folder / "index.html").write_text(front(result, found, when), "utf-8", errors="replace")
    return found
