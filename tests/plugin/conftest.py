"""Inner runs of pytest, without what the outer run's environment says."""

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Final

import pytest

from pytest_hangfm.options import Options

REPOSITORY: Final = Path(__file__).parents[2]
QUICK: Final = "-p no:hypothesispytest -p no:randomly -p no:anyio -p no:cacheprovider"
WITHOUT_ALLURE: Final = ("-p", "no:allure_pytest")
EVERYDAY: Final = {
    "test_in_strict_mode_five_lines_pass_and_what_is_wrong_is_shown",
    "test_plugin_and_command_say_ready",
    "test_an_inner_run_leaves_a_report_that_people_can_read",
}
"""The inner runs of `make test`; the others start a pytest each, and are among the long proofs."""
UNWANTED: Final = ("BOT_USER_TOKEN", "ROOM_UUID", "CI", "GITHUB_STEP_SUMMARY")
UNCONFIGURED: Final = Options(
    target="auto",
    env_file=Path("hang-fm-config.env"),
    env_file_named=False,
    json=None,
    live_writes=False,
    only=(),
    ignore=(),
    strict=False,
    guard="auto",
    from_file=False,
    from_environment=False,
    in_ci=False,
)
"""The options of a run that was asked for nothing."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put inner runs of pytest among the long proofs, with a limit for those that start several processes."""
    for item in items:
        if "pytester" not in getattr(item, "fixturenames", ()):
            continue
        if getattr(item, "originalname", item.name) not in EVERYDAY:
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.timeout(600))


@pytest.fixture
def pytester(pytester: pytest.Pytester) -> pytest.Pytester:
    """Pytest's own, which forgets no module that the outer run has imported meanwhile.

    If they were forgotten and imported once more, httpx would raise exceptions of classes that no test knows.
    """
    pytester._sys_modules_snapshot = SimpleNamespace(restore=lambda: None)  # type: ignore[assignment]  # in its place
    return pytester


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder for an inner run: no configuration, no CI, strict asyncio mode, no plugins that take time."""
    for name in UNWANTED:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTEST_ADDOPTS", QUICK)
    scope = "asyncio_default_fixture_loop_scope = function"
    pytester.makeini(f"[pytest]\nasyncio_mode = strict\n{scope}\nfilterwarnings = error\n")
    return pytester


def copied(folder: str, inner: pytest.Pytester) -> pytest.Pytester:
    shutil.copytree(REPOSITORY / folder, inner.path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return inner


@pytest.fixture
def with_checks(inner: pytest.Pytester) -> pytest.Pytester:
    """The same with a copy of `checks/`."""
    return copied("checks", inner)


@pytest.fixture
def with_stages(inner: pytest.Pytester) -> pytest.Pytester:
    """The same with a copy of `stages/`."""
    return copied("stages", inner)
