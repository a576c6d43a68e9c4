"""What only this repository's own suite needs; what users need too is in the plugin."""

import pytest
from hypothesis import settings

# Enough to notice a fault on every change; the long proofs name their own numbers.
settings.register_profile("everyday", settings.default, max_examples=25)
settings.load_profile("everyday")

pytest_plugins = ["pytester"]


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers that keep the long proofs and the npm clients out of `make test`."""
    config.addinivalue_line("markers", "slow: a proof with a limit of its own, run by `make prove`")
    config.addinivalue_line(
        "markers", "interop: the official npm clients on the sandbox, run by `make interop`"
    )
