"""The `conftest.py` of the repository: ``pytest -m preflight`` begins at once, and a limit ends no run."""

import ast
import subprocess
import sys
import textwrap
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
@pytest.mark.parametrize(
    ("named", "others"),
    [
        pytest.param([], False, id="no path"),
        pytest.param(["checks"], False, id="their path"),
        pytest.param(["tests/test_claims.py"], True, id="a path without checks"),
    ],
)
def test_checks_are_collected_from_any_path_and_others_only_where_they_are_named(
    named: list[str],
    others: bool,  # noqa: FBT001  a column of the table
) -> None:
    command = [sys.executable, "-m", "pytest", "-m", "preflight", "--collect-only", "-q", *named]

    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603  our own interpreter

    tests = [line for line in run.stdout.splitlines() if "::" in line]
    assert tests, run.stdout + run.stderr
    assert all(line.startswith("checks/") for line in tests)
    assert ("deselected" in run.stdout) == others


LATE = """
    import time
    import pytest

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(item, call):
        if item.name == "test_that_is_reported_late" and call.when == "call":
            time.sleep(1.5)
        return (yield)
"""
LIMITED = """
    import time
    import pytest

    pytestmark = pytest.mark.timeout(1)

    @pytest.fixture
    def before():
        time.sleep(600)

    @pytest.fixture
    def after():
        yield
        time.sleep(600)

    def test_that_is_reported_late():
        raise AssertionError

    def test_that_hangs():
        time.sleep(600)

    def test_whose_set_up_hangs(before): ...

    def test_whose_tear_down_hangs(after): ...

    def test_that_fails_and_whose_tear_down_hangs(after):
        raise AssertionError
"""


@pytest.mark.slow
def test_the_limit_ends_whatever_a_test_brings_and_never_the_run(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    pytester.makeconftest((ROOT / "conftest.py").read_text(encoding="utf-8") + textwrap.dedent(LATE))
    pytester.makepyfile(LIMITED)

    result = pytester.runpytest_subprocess("-p", "no:randomly", "-p", "no:anyio")

    result.assert_outcomes(passed=1, failed=3, errors=3)
    assert result.stdout.str().count("Timeout (>1.0s) from pytest-timeout") >= 4
    result.stdout.no_fnmatch_line("*INTERNALERROR*")
