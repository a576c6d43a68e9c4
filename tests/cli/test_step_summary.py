from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hangbot.cli import main
from hangbot.preflight import CHECKS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Bench


@pytest.fixture
def page(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The page of a GitHub run, on which an earlier step has written."""
    path = folder / "summary.md"
    path.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path))
    return path


@pytest.mark.usefixtures("bench")
@pytest.mark.parametrize("options", [[], ["--json"]], ids=["lines", "json"])
def test_the_command_adds_its_checks_to_the_page(page: Path, options: list[str]) -> None:
    code = main(["preflight", *options])

    before, title, *rows = page.read_text().splitlines()
    assert code == 0
    assert before == "before"
    assert title.startswith("### READY: room ")
    assert [row.split("|")[2].strip() for row in rows if row.startswith("| ok |")] == [
        question.title for question in CHECKS
    ]


def test_a_faulty_configuration_is_on_the_page_without_its_values(bare: Bench, page: Path) -> None:
    bare.configure(BOT_USER_TOKEN="hunter2 hunter2")

    code = main(["preflight"])

    told = page.read_text()
    assert code == 2
    assert "### NOT READY: the configuration in hang-fm-config.env\n" in told
    assert "| rejected | Configuration is complete | BOT_USER_TOKEN " in told
    assert "hunter2" not in told


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param({}, 0, id="all well"),
        pytest.param({"SOCKET_SERVER_URL": "http://127.0.0.1:9"}, 3, id="cannot tell"),
        pytest.param({"ROOM_UUID": ""}, 2, id="configuration"),
    ],
)
def test_a_page_that_cannot_be_written_is_told_and_the_verdict_stands(
    changes: dict[str, str], code: int, bare: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare.configure(**changes)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(bare.folder))

    said = bare.call("preflight")

    assert said.code == code
    assert "Configuration is complete" in said.out
    assert f"{bare.folder} cannot be written: Is a directory. Let GITHUB_STEP_SUMMARY name" in said.err
