"""What only this repository's own suite needs; what users need too is in the plugin."""

from typing import Final

import pytest

pytest_plugins = ["pytester"]

_CHECKS: Final = "checks"
_PROPERTIES: Final = "hypothesispytest"


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers that keep the long proofs and the npm clients out of `make test`."""
    config.addinivalue_line("markers", "slow: a proof with a limit of its own, run by `make prove`")
    config.addinivalue_line(
        "markers", "interop: the official npm clients on the sandbox, run by `make interop`"
    )
    if config.getoption("markexpr").strip() == "preflight":
        _leave_out_all_but_checks(config)


def _leave_out_all_but_checks(config: pytest.Config) -> None:
    """Let ``pytest -m preflight`` begin at once; a test sees to it that nothing is left out by this.

    Without a path it would import some thousand tests, to deselect every one of them. And the
    plugin of hypothesis would import that, which takes 0.2 s, to say nothing at the end.
    """
    if config.args_source is pytest.Config.ArgsSource.TESTPATHS:
        config.args[:] = [_CHECKS]
        config.args_source = pytest.Config.ArgsSource.ARGS  # else the header names all the others
    if config.pluginmanager.has_plugin(_PROPERTIES):
        config.pluginmanager.unregister(name=_PROPERTIES)
