"""Masking what pytest reports of a test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pytest_hangfm.fenced import MaskedFailure, crash_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

__all__ = ["mask_report"]

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
    failure = report.longrepr
    if isinstance(failure, str):
        report.longrepr = shown(failure, False)  # noqa: FBT003  no colours of pytest's
    elif isinstance(failure, tuple):  # where a test was skipped, and why
        path, line, reason = failure
        report.longrepr = (shown(path, False), line, shown(reason, False))  # noqa: FBT003  see above
    elif failure is not None:
        _mask_failure(report, shown)


def _mask_failure(
    report: pytest.TestReport | pytest.CollectReport, shown: Callable[[str, bool], str]
) -> None:
    crash = crash_of(report)
    compares = str(getattr(crash, "message", "")).startswith(_COMPARES)
    text = report.longreprtext
    if (masked := shown(text, compares)) != text:
        report.longrepr = MaskedFailure(masked, crash, lambda part: shown(part, compares))  # type: ignore[assignment]  # pytest takes any object that it can show
