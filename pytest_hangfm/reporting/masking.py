"""Masking what pytest holds of a test: reports and log lines."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

    from pytest_hangfm.reporting.redaction import Redaction

__all__ = ["MaskingFormatter", "redact_report"]


class MaskingFormatter(logging.Formatter):
    """Another formatter's text with the secrets masked."""

    def __init__(self, inner: logging.Formatter, redaction: Redaction) -> None:
        super().__init__()
        self._inner = inner
        self._redaction = redaction

    def format(self, record: logging.LogRecord) -> str:
        """Format a record; the record itself stays as it is."""
        return self._redaction.text(self._inner.format(record))


def redact_report(report: pytest.TestReport | pytest.CollectReport, redaction: Redaction) -> None:
    """Mask a report in place; its structure stays, so that every way to print it still works."""
    report.sections[:] = [(name, redaction.text(text)) for name, text in report.sections]
    properties = getattr(report, "user_properties", None)
    if properties:
        properties[:] = [(name, redaction.value(value)) for name, value in properties]
    report.longrepr = _masked(report.longrepr, redaction)


def _masked(told: Any, redaction: Redaction) -> Any:  # noqa: ANN401  strings, tuples and pytest's own tree
    """Mask what a failure looks like: a text, a place and a reason, or a tree of parts."""
    if isinstance(told, str):
        return redaction.text(told)
    if isinstance(told, list):
        told[:] = [_masked(part, redaction) for part in told]
    elif isinstance(told, tuple):
        return tuple(_masked(part, redaction) for part in told)
    elif type(told).__module__.startswith("_pytest."):
        for name, part in vars(told).items():
            if isinstance(part, str | list | tuple) or type(part).__module__.startswith("_pytest."):
                object.__setattr__(told, name, _masked(part, redaction))
    return told
