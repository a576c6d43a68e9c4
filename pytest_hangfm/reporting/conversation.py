"""What went over the sandbox's wires, as lines to read."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hangbot.sandbox import Journal

__all__ = ["journal_lines"]

_LONGEST_LINE: Final = 160


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
