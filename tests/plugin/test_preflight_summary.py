import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_hangfm.items import title_of
from pytest_hangfm.options import Options
from pytest_hangfm.preflight_summary import CheckRow, PreflightSummary
from pytest_hangfm.stage_summary import StageSummary
from pytest_hangfm.stash import CHECK
from tests.cases import cases
from tests.plugin.conftest import UNCONFIGURED

SANDBOX = UNCONFIGURED
LIVE = SANDBOX._replace(from_file=True)


def summary(options: Options, *verdicts: str, target: str = "live") -> PreflightSummary:
    """A summary that has heard of one check for each verdict, the last of preflight's order first."""
    heard = PreflightSummary(options, StageSummary())
    ids = ("config", "chat.token", "outbox", "own")[: len(verdicts)]
    for name, verdict in reversed(list(zip(ids, verdicts, strict=True))):
        row = CheckRow(name, f"Is {name}?", verdict, "a | b", "do c", 1.0, target, "room r on h")
        report: Any = SimpleNamespace(nodeid=name, **{CHECK: row.as_dict()})
        heard.pytest_runtest_logreport(report)
    return heard


def finish(heard: PreflightSummary, exitstatus: int = 0) -> int:
    session: Any = SimpleNamespace(exitstatus=exitstatus)
    heard.pytest_sessionfinish(session)
    return int(session.exitstatus)


@cases(
    "verdicts overall",
    ("ready", ("ok", "warn"), "ready"),
    ("not-ready", ("ok", "cannot_tell", "rejected"), "not_ready"),
    ("cannot-tell", ("ok", "cannot_tell"), "cannot_tell"),
    ("nothing-answered", ("skipped", "skipped"), "cannot_tell"),
    ("nothing-asked", (), "cannot_tell"),
)
def test_what_the_checks_come_to(verdicts: tuple[str, ...], overall: str) -> None:
    assert summary(LIVE, *verdicts).verdict() == overall


def test_a_run_that_was_interrupted_is_never_ready() -> None:
    heard = summary(LIVE, "ok", "ok")

    heard.pytest_keyboard_interrupt()

    assert heard.verdict() == "cannot_tell"


def test_the_sandbox_is_never_ready_and_says_so() -> None:
    heard = summary(SANDBOX, "ok", target="sandbox")

    assert heard.verdict() == "sandbox_only"
    assert heard.where() == "the sandbox, nothing live was checked (1 of 19 checks)"


@cases(
    "options target status ends_with",
    ("at-a-desk", SANDBOX, "sandbox", 0, 0),
    ("in-ci", SANDBOX._replace(in_ci=True), "sandbox", 0, 1),
    ("in-ci-on-purpose", SANDBOX._replace(in_ci=True, target="sandbox"), "sandbox", 0, 0),
    ("in-ci-live", LIVE._replace(in_ci=True), "live", 0, 0),
    ("interrupted-stays-interrupted", SANDBOX._replace(in_ci=True), "sandbox", 2, 2),
)
def test_ci_does_not_take_sandbox_only(options: Options, target: str, status: int, ends_with: int) -> None:
    assert finish(summary(options, "ok", target=target), status) == ends_with


def test_the_json_has_the_checks_in_the_order_of_preflight(tmp_path: Path) -> None:
    path = tmp_path / "out.json"

    finish(summary(LIVE._replace(json=path), "ok", "warn", "ok", "ok"))

    row = json.loads(path.read_text())
    assert row.keys() == {"schema", "target", "verdict", "checks"}
    assert [check["id"] for check in row["checks"]] == ["config", "chat.token", "outbox", "own"]


def test_a_json_that_cannot_be_written_fails_the_run(tmp_path: Path) -> None:
    assert finish(summary(LIVE._replace(json=tmp_path / "gone/out.json"), "ok")) == 1


def test_the_step_summary_is_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "summary.md"
    path.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path))

    finish(summary(LIVE, "rejected"))

    lines = path.read_text().splitlines()
    assert lines[:2] == ["before", "### NOT READY: room r on h (1 of 19 checks)"]
    assert "| rejected | Is config? | a \\| b | do c |" in lines


@cases(
    "name words",
    ("plain", "test_the_bot_speaks", "The bot speaks"),
    ("parameters", "test_it[a-b]", "It (a-b)"),
    ("nothing", "test_", ""),
)
def test_a_name_reads_as_a_sentence(name: str, words: str) -> None:
    assert title_of(name) == words
