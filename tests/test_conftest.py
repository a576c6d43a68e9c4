"""``pytest -m preflight`` in this repository begins at once, and leaves nothing out."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ELSEWHERE = ("tests", "stages", "examples")


def marked(path: Path) -> Iterator[int]:
    """The lines of a file that name the marker, read and not run; what is in strings is none."""
    text = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(text)) if "mark.preflight" in text else ():
        match node:
            case ast.Attribute(attr="preflight", value=ast.Attribute(attr="mark")):
                yield node.lineno


def test_no_check_stands_where_it_would_not_be_looked_for() -> None:
    files = [path for folder in ELSEWHERE for path in sorted((ROOT / folder).rglob("*.py"))]

    found = [f"{path.relative_to(ROOT)}:{line}" for path in files for line in marked(path)]

    assert files
    assert found == []
    assert list(marked(ROOT / "checks" / "test_room.py"))


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("named", "found"),
    [
        pytest.param([], True, id="no path"),
        pytest.param(["checks"], True, id="their path"),
        pytest.param(["tests/test_claims.py"], False, id="another path"),
    ],
)
def test_checks_are_looked_for_where_they_are_unless_a_path_is_named(named: list[str], found: bool) -> None:  # noqa: FBT001  a column of the table
    command = [sys.executable, "-m", "pytest", "-m", "preflight", "--collect-only", "-q", *named]

    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603  our own interpreter

    tests = [line for line in run.stdout.splitlines() if "::" in line]
    assert bool(tests) == found, run.stdout + run.stderr
    assert all(line.startswith("checks/") for line in tests)
    assert "deselected" not in run.stdout or not found
