"""The workflows, ours and the one that a new bot gets: read as GitHub reads them.

`make lint` installs the two tools beside the environment: what they bring along slows every start of httpx.
"""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.bounds import WITHIN

REPOSITORY: Final = Path(__file__).parents[1]
OURS: Final = sorted((REPOSITORY / ".github/workflows").glob("*.yml"))
BESIDE: Final = Path(sys.prefix) / "workflows" / "bin"
WRONG: Final = """on: push
jobs:
  test:
    runs-on: ubuntu-latest
    needs: nothing-of-that-name
    steps:
      - run: echo ${{ matrix.python }}
"""


def tool(name: str) -> str:
    found = shutil.which(name, path=BESIDE) or shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not here: make lint installs it where the package index has it")
    return found


def check(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=WITHIN, check=False)  # noqa: S603  ours


@pytest.fixture
def workflows(tmp_path: Path) -> list[str]:
    """Our workflow files, and that of a new bot."""
    made = check(sys.executable, "-m", "hangbot", "new", str(tmp_path / "bot"))
    assert made.returncode == 0, made.stderr
    new = sorted((tmp_path / "bot/.github/workflows").glob("*.yml"))
    assert OURS
    assert new
    return [str(path) for path in (*OURS, *new)]


def test_actionlint_finds_nothing_wrong_in_them(workflows: list[str], tmp_path: Path) -> None:
    (tmp_path / "wrong.yml").write_text(WRONG)

    done = check(tool("actionlint"), "-no-color", *workflows)
    wrong = check(tool("actionlint"), "-no-color", str(tmp_path / "wrong.yml"))

    assert (done.returncode, done.stdout) == (0, "")
    assert wrong.returncode == 1
    assert "does not exist" in wrong.stdout


def test_they_are_as_the_schema_of_workflows_wants_them(workflows: list[str], tmp_path: Path) -> None:
    (tmp_path / "wrong.yml").write_text(WRONG.replace("steps:", "step:"))
    command = (tool("check-jsonschema"), "--builtin-schema", "vendor.github-workflows")

    done = check(*command, *workflows)
    wrong = check(*command, str(tmp_path / "wrong.yml"))

    assert done.returncode == 0, done.stdout
    assert wrong.returncode == 1


def test_the_wheel_is_proven_in_an_empty_project() -> None:
    jobs = (REPOSITORY / ".github/workflows/ci.yml").read_text()
    recipe = (REPOSITORY / "Makefile").read_text().partition("\npackage:")[2].partition("\n\n")[0]

    assert "- run: make package" in jobs
    assert 'cd "$$empty"' in recipe
    assert 'hangbot" new mybot && cd mybot && "$$venv/python" -m pytest' in recipe
