"""What only this repository's own suite needs; what users need too is in the plugin."""

from collections.abc import Generator
from pathlib import Path
from typing import Final

import pytest

from pytest_hangfm.items import checks_alone

_CHECKS: Final = "checks"
_PROPERTIES: Final = "hypothesispytest"
_LIMIT: Final = pytest.StashKey[object]()


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers that keep the long proofs and the npm clients out of `make test`."""
    config.addinivalue_line("markers", "slow: a proof with a limit of its own, run by `make prove`")
    config.addinivalue_line(
        "markers", "of_a_file: what only an outbox in a file has; the others hold for a room's records, too"
    )
    config.addinivalue_line(
        "markers", "interop: the official npm clients on the sandbox, run by `make interop`"
    )
    if checks_alone(config) and config.pluginmanager.has_plugin(_PROPERTIES):
        config.pluginmanager.unregister(name=_PROPERTIES)  # importing hypothesis takes 0.2 s


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Let ``pytest -m preflight`` without a path look into `checks/` alone, and begin at once.

    Otherwise it would import some thousand tests, to deselect every one of them. A test makes sure that
    no check stands elsewhere.
    """
    if checks_alone(config) and config.args == config.getini("testpaths"):
        return True if config.rootpath / _CHECKS not in (collection_path, *collection_path.parents) else None
    return None


@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_xdist_auto_num_workers() -> Generator[None, int, int]:
    """Take one process more than there are cores: much of the suite waits for time and other processes."""
    return (yield) + 1


# -- the limit of a test
#
# pytest-timeout sets one alarm for a whole test. When that rings while pytest reports the end of a phase, it
# rings in pytest itself: an INTERNALERROR, which ends the run. So each of the three phases has an alarm of
# its own, and only while it runs what the test brought: fixtures, body, fixtures. What rings there is a
# failure of that test.


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_timeout_set_timer(item: pytest.Item, settings: object) -> bool | None:
    """Note the limit when a test begins, and set no alarm; within a phase, leave that to pytest-timeout."""
    if _LIMIT in item.stash:
        return None
    item.stash[_LIMIT] = settings
    return True


def _limited(item: pytest.Item) -> Generator[None]:
    if _LIMIT not in item.stash:
        return (yield)
    hooks = item.config.hook
    hooks.pytest_timeout_set_timer(item=item, settings=item.stash[_LIMIT])
    try:
        return (yield)
    finally:
        hooks.pytest_timeout_cancel_timer(item=item)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    """Limit the fixtures, before the test."""
    return (yield from _limited(item))


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Limit the test."""
    return (yield from _limited(item))


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    """Limit the fixtures, after the test."""
    return (yield from _limited(item))
