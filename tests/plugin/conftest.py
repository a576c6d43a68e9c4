"""Inner runs of pytest, without what the outer run's environment says."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

REPOSITORY = Path(__file__).parents[2]
QUICK = "-p no:hypothesispytest -p no:randomly -p no:anyio -p no:cacheprovider"
EVERYDAY = {
    "test_in_strict_mode_five_lines_pass_and_what_is_wrong_fails_with_what_was_expected",
    "test_a_configured_target_is_ready_and_the_command_says_the_same",
}
"""The inner runs of `make test`; the others start a pytest each, and are among the long proofs."""
UNWANTED = ("BOT_USER_TOKEN", "ROOM_UUID", "CI", "GITHUB_STEP_SUMMARY")


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

    Forgotten and imported once more, httpx would raise exceptions that nobody else knows.
    """
    pytester._sys_modules_snapshot = SimpleNamespace(restore=lambda: None)  # type: ignore[assignment]  # in its place
    return pytester


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder for an inner run: no configuration, no CI, strict asyncio mode, no plugins that take time."""
    for name in UNWANTED:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(
        "PYTEST_ADDOPTS", "-p no:hypothesispytest -p no:randomly -p no:anyio -p no:cacheprovider"
    )
    pytester.makeini(
        """
        [pytest]
        asyncio_mode = strict
        asyncio_default_fixture_loop_scope = function
        filterwarnings = error
        """
    )
    return pytester


@pytest.fixture
def with_checks(inner: pytest.Pytester) -> pytest.Pytester:
    """The same with a copy of `checks/`."""
    shutil.copytree(
        REPOSITORY / "checks", inner.path / "checks", ignore=shutil.ignore_patterns("__pycache__")
    )
    return inner


@pytest.fixture
def with_stages(inner: pytest.Pytester) -> pytest.Pytester:
    """The same with a copy of `stages/`."""
    shutil.copytree(
        REPOSITORY / "stages", inner.path / "stages", ignore=shutil.ignore_patterns("__pycache__")
    )
    return inner
