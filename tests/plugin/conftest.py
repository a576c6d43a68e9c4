"""Inner runs of pytest, without what the outer run's environment says."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

REPOSITORY = Path(__file__).parents[2]
QUICK = "-p no:hypothesispytest -p no:randomly -p no:anyio -p no:cacheprovider"
UNWANTED = ("BOT_USER_TOKEN", "ROOM_UUID", "CI", "GITHUB_STEP_SUMMARY")


@pytest.fixture
def pytester(pytester: pytest.Pytester) -> pytest.Pytester:
    """Pytest's own, which forgets no module that the outer run has imported meanwhile.

    Forgotten and imported once more, httpcore would raise exceptions that httpx does not know.
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
