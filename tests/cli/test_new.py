"""`hangbot new`: what a bot author types first."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bounds import WITHIN
from tests.source_tree import ROOT

APPS = ROOT / "examples/apps"
IN_AN_INNER_RUN = {"CI", "PYTEST_ADDOPTS", "BOT_USER_TOKEN", "ROOM_UUID"}


def hangbot(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  our own command
        [sys.executable, "-m", "hangbot", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=WITHIN,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "example",
    [(), *(("--example", each.name) for each in sorted(APPS.iterdir()))],
    ids="-".join,
)
def test_the_new_bots_test_is_green_at_once(tmp_path: Path, example: tuple[str, ...]) -> None:
    made = hangbot("new", "My Bot", *example, cwd=tmp_path)

    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path / "My Bot",
        env={name: value for name, value in os.environ.items() if name not in IN_AN_INNER_RUN},
        capture_output=True,
        text=True,
        timeout=WITHIN,
        check=False,
    )

    assert (made.returncode, made.stderr) == (0, "")
    assert made.stdout.splitlines()[-1] == f"next: cd 'My Bot' && {sys.executable} -m pytest"
    assert tested.returncode == 0, tested.stdout
    assert " passed" in tested.stdout
    assert 'name = "my-bot"' in (tmp_path / "My Bot/pyproject.toml").read_text()
    assert "*.env" in (tmp_path / "My Bot/.gitignore").read_text().splitlines()
    assert "${{ secrets.BOT_USER_TOKEN }}" in (tmp_path / "My Bot/.github/workflows/test.yml").read_text()


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()

    made = hangbot("new", "here", cwd=tmp_path)

    assert made.returncode == 0
    assert (tmp_path / "here/bot.py").exists()


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        pytest.param("full", 2, "full is not empty; nothing was written", id="a folder with something in it"),
        pytest.param("full/file", 2, "full/file is not empty", id="a file"),
        pytest.param("full/file/below", 1, "full/file/below cannot be made: File exists", id="below one"),
        pytest.param("x" * 300, 1, "cannot be made: File name too long", id="a name too long"),
    ],
)
def test_what_cannot_be_made_is_a_line_and_leaves_nothing(
    tmp_path: Path, name: str, code: int, said: str
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").write_text("mine")

    made = hangbot("new", name, cwd=tmp_path)

    assert (made.returncode, made.stdout) == (code, "")
    (line,) = made.stderr.splitlines()
    assert said in line
    assert [path.name for path in sorted(tmp_path.rglob("*"))] == ["full", "file"]
