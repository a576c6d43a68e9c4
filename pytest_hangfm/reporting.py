"""What a test leaves in a report: Allure's, where that plugin is at work, and readable lines for any.

Attached in the call phase: what a fixture attaches while it is torn down is buried in the
report under "Tear down".
"""

from __future__ import annotations

import json
from collections import deque
from typing import TYPE_CHECKING, Any

from pytest_hangfm.names import remedy_of, sentence
from pytest_hangfm.state import ACKS, SANDBOX

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest

    from hangbot.sandbox import Journal

__all__ = ["attach", "journal_lines"]

_LONGEST_LINE = 160


def attach(item: pytest.Item) -> None:
    """Give Allure the test's title, its remedy, its deliveries and the sandbox's journal."""
    config = item.config
    if not (config.pluginmanager.hasplugin("allure_pytest") and config.getoption("allure_report_dir", None)):
        return
    import allure  # type: ignore[import-untyped,unused-ignore]  # noqa: PLC0415  # only where it is at work

    if not _is_ours(item):
        return
    dynamic: Any = allure.dynamic  # untyped
    dynamic.title(sentence(item.name))
    if remedy := remedy_of(item):
        dynamic.description(f"**If it fails:** {remedy}")
    acks = item.stash.get(ACKS, None)
    if acks is not None and acks.steps:
        allure.attach(acks.timeline(), "deliveries", allure.attachment_type.TEXT)
        allure.attach(json.dumps(acks.rows(), indent=1), "deliveries (raw)", allure.attachment_type.JSON)
    sandbox = item.stash.get(SANDBOX, None)
    if sandbox is not None:
        events, _ = sandbox.journal.since(0)
        allure.attach(json.dumps(events, indent=1, default=str), "journal", allure.attachment_type.JSON)


def _is_ours(item: pytest.Item) -> bool:
    return any(item.get_closest_marker(name) for name in ("preflight", "stage")) or SANDBOX in item.stash


def journal_lines(journal: Journal) -> list[str]:
    """Return what went over the sandbox's wires as a conversation; a poll that repeats is shown once."""
    lines: list[str] = []
    recent: deque[str] = deque(maxlen=2)
    for event in journal.since(0)[0]:
        line = _line(event)
        if line not in recent:
            lines.append(f"{event['n']:4} {line}")
        recent.append(line)
    return lines


def _line(event: Mapping[str, Any]) -> str:
    arrow = "->" if event["dir"] == "in" else "<-"
    what = " ".join(
        str(event[name]) for name in ("method", "path", "status", "frame", "body", "code") if name in event
    )
    fault = f" [fault {event['fault']}]" if "fault" in event else ""
    line = f"{event['service']:7} {arrow} {event['kind']} {what}{fault}".rstrip()
    return line if len(line) <= _LONGEST_LINE else line[: _LONGEST_LINE - 3] + "..."
