"""Masking what pytest reports of a test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_hangfm.fenced import Crash, MaskedFailure, crash_of, failure_text
from pytest_hangfm.stash import CRASH, put_on_report, report_data

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["mask_report", "restore_crash"]

_CAPTURED: Final = "Captured"
_COMPARES: Final = ("AssertionError", "assert ")
"""How a failure begins whose differences pytest has coloured."""


def mask_report(
    report: pytest.TestReport | pytest.CollectReport,
    shown: Callable[[str, bool], str],
    value: Callable[[Any], Any],
) -> None:
    """Mask a report in place; what holds nothing to mask or escape stays as pytest made it.

    Args:
        report: A report of a test or of a collection.
        shown: Masks and escapes a text; told whether pytest has put its own colours into it.
        value: Masks a nested value.
    """
    report.sections[:] = [(name, shown(text, name.startswith(_CAPTURED))) for name, text in report.sections]
    if properties := getattr(report, "user_properties", None):
        properties[:] = [(name, value(each)) for name, each in properties]
    if isinstance(report, pytest.TestReport) and hasattr(report, "wasxfail"):  # why it was expected to fail
        report.wasxfail = shown(report.wasxfail, False)  # noqa: FBT003  no colours of pytest's
    failure = report.longrepr
    if isinstance(failure, str):
        report.longrepr = shown(failure, False)  # noqa: FBT003  no colours of pytest's
    elif isinstance(failure, tuple):  # where a test was skipped, and why
        path, line, reason = failure
        report.longrepr = (shown(path, False), line, shown(reason, False))  # noqa: FBT003  see above
    elif failure is not None:
        _mask_failure(report, shown)


def restore_crash(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Give a masked failure that came from another process its crash: as text it has crossed without."""
    if (crash := report_data(report, CRASH)) is not None:
        report.longrepr = MaskedFailure(str(report.longrepr), Crash(**crash))  # type: ignore[assignment]  # see below


def _mask_failure(
    report: pytest.TestReport | pytest.CollectReport, shown: Callable[[str, bool], str]
) -> None:
    crash, text = crash_of(report), failure_text(report)
    compares = crash is not None and crash.message.startswith(_COMPARES)
    if (masked := shown(text, compares)) == text:
        return
    if crash is not None:
        crash = Crash(shown(crash.path, False), crash.lineno, shown(crash.message, compares))  # noqa: FBT003  see above
        put_on_report(report, CRASH, crash._asdict())
    report.longrepr = MaskedFailure(masked, crash)  # type: ignore[assignment]  # pytest takes any object that it can show
