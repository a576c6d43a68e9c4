"""What a test leaves in the Allure report: timeline, events, raw steps, journal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import allure  # type: ignore[import-untyped,unused-ignore]  # it has no types

from pytest_hangfm.reporting.table import event_table
from pytest_hangfm.reporting.timeline import timeline
from pytest_hangfm.stash import ACKS, SANDBOX, SIMULATION
from pytest_hangfm.transcript import transcript

if TYPE_CHECKING:
    import pytest

    from pytest_hangfm.reporting.redaction import Redaction

__all__ = ["attach_all"]

_TYPE: Final[Any] = allure.attachment_type
_MOST_EVENTS: Final = 2000
"""Of a journal the newest: a test that talks for minutes is not to make the report unreadable."""


def attach_all(item: pytest.Item, redaction: Redaction) -> None:
    """Attach what there is, masked."""
    acks = item.stash.get(ACKS, None)
    if acks is not None and acks.steps:
        _attach(redaction, timeline(acks.steps), "Timeline", _TYPE.SVG)
        _attach(redaction, event_table(acks.steps), "Events", _TYPE.HTML)
        _attach(redaction, json.dumps(acks.rows(), indent=1), "Deliveries, raw", _TYPE.JSON)
    sandbox = item.stash.get(SANDBOX, None)
    if sandbox is not None and (lines := transcript(sandbox)):
        _attach(redaction, "\n".join(lines), "On the sandbox's wires", _TYPE.TEXT)
        events = sandbox.journal.since(0)[0][-_MOST_EVENTS:]
        _attach(redaction, json.dumps(events, indent=1, default=str), "Journal, raw", _TYPE.JSON)
    if reached := item.stash.get(SIMULATION, ""):
        _attach(redaction, reached, "Where faults met the bot", _TYPE.TEXT)


def _attach(redaction: Redaction, body: str, name: str, kind: Any) -> None:  # noqa: ANN401  Allure's enumeration
    allure.attach(redaction.text(body), name, kind)
