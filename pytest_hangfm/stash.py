"""Where the parts of the plugin leave things for one another: on the test, never in a global."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from hangbot.sandbox import Sandbox
    from pytest_hangfm.failed_actions import ActionResults
    from pytest_hangfm.recorder import AckRecorder
    from pytest_hangfm.socket_guard import SocketGuard
    from pytest_hangfm.stage_summary import Exchanges

__all__ = ["ACKS", "ACTION_RESULTS", "EXCHANGES", "PASSED", "SANDBOX", "SOCKET_GUARD"]

ACKS: Final[pytest.StashKey[AckRecorder]] = pytest.StashKey()
"""The test's ACK recorder, for the report."""
ACTION_RESULTS: Final[pytest.StashKey[ActionResults]] = pytest.StashKey()
"""What the test's bots did in the room."""
EXCHANGES: Final[pytest.StashKey[Exchanges]] = pytest.StashKey()
"""What the test's plain clients did, for the summary of its stage."""
SANDBOX: Final[pytest.StashKey[Sandbox]] = pytest.StashKey()
"""The test's sandbox, for the report."""
SOCKET_GUARD: Final[pytest.StashKey[SocketGuard]] = pytest.StashKey()
"""What the socket guard saw of the test."""
PASSED: Final = pytest.StashKey[bool]()
"""Whether the test itself passed: only then are its leaks worth a word."""
