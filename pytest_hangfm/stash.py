"""Where the parts of the plugin leave data for one another: on the test or its report, never in a global."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hangbot.sandbox import Sandbox
    from pytest_hangfm.failed_actions import ActionResults
    from pytest_hangfm.recorder import AckRecorder
    from pytest_hangfm.socket_guard import SocketGuard
    from pytest_hangfm.stage_counting import Exchanges

    _Report = pytest.TestReport | pytest.CollectReport

__all__ = [
    "ACKS",
    "ACTION_RESULTS",
    "CHECK",
    "CRASH",
    "EXCHANGES",
    "MEASURES",
    "PASSED",
    "SANDBOX",
    "SIMULATION",
    "SOCKET_GUARD",
    "STAGE",
    "put_on_report",
    "report_data",
]

ACKS: Final[pytest.StashKey[AckRecorder]] = pytest.StashKey()
"""The test's ACK recorder, for the report."""
ACTION_RESULTS: Final[pytest.StashKey[ActionResults]] = pytest.StashKey()
"""How the room actions of the test's bots ended."""
EXCHANGES: Final[pytest.StashKey[Exchanges]] = pytest.StashKey()
"""What the test's plain clients did, for the summary of its stage."""
SANDBOX: Final[pytest.StashKey[Sandbox]] = pytest.StashKey()
"""The test's sandbox, for the report."""
SIMULATION: Final[pytest.StashKey[str]] = pytest.StashKey()
"""What a search of simulated worlds has reached, as lines, for the report."""
SOCKET_GUARD: Final[pytest.StashKey[SocketGuard]] = pytest.StashKey()
"""What the socket guard saw of the test."""
PASSED: Final = pytest.StashKey[bool]()
"""Whether the test itself passed: the leaks of one that failed are not reported."""

CHECK: Final = "hangfm_check"
"""The attribute of a report that carries how a preflight check ended."""
CRASH: Final = "hangfm_crash"
"""The attribute of a report that carries where a masked failure is."""
MEASURES: Final = "hangfm_measures"
"""The attribute of a report that carries what a test's deliveries cost."""
STAGE: Final = "hangfm_stage"
"""The attribute of a report that carries a stage test's numbers."""


def put_on_report(report: _Report, name: str, data: Mapping[str, Any]) -> None:
    """Let a report carry data (text, numbers, lists): it crosses processes with xdist."""
    setattr(report, name, data)


def report_data(report: _Report, name: str) -> Mapping[str, Any] | None:
    """Return what a report carries, or ``None``: reports of other tests carry nothing."""
    return getattr(report, name, None)
