"""How a log record looks: as lines for people, or as a JSON object for machines."""

import json
import logging
from datetime import UTC, datetime
from typing import Final

from hangbot.text import printable, printable_lines

__all__ = ["JsonFormat", "TextFormat", "shown"]

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "action", "event"}


def shown(record: logging.LogRecord) -> str:
    """Return what a record says, with the text of others escaped; its traceback is indented below it."""
    lines = [printable(record.getMessage())]
    for more in (record.exc_text, record.stack_info):
        if more:
            lines += [f"    {line}" for line in printable_lines(more).split("\n")]
    return "\n".join(lines)


class TextFormat(logging.Formatter):
    """Formats a record as one line, and indented ones below it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines."""
        bot = f"{printable(whose)} | " if (whose := getattr(record, "bot", "")) else ""
        name = printable(record.name)
        return f"{self.formatTime(record)} | {bot}{name} | {record.levelname} | {shown(record)}"


class JsonFormat(logging.Formatter):
    """Formats a record as a JSON object on one line, with its ``extra`` beside the message.

    Args:
        room: The room that a record belongs to unless it names another; empty: to none.
    """

    def __init__(self, room: str = "") -> None:
        super().__init__()
        self._room = {"room": room} if room else {}

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        own = vars(record)
        row = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "logger": record.name,
            "level": record.levelname,
            "event": own.get("event", own.get("action")),
            "message": record.getMessage(),
            **self._room,
        }
        row |= {key: value for key, value in own.items() if key not in _STANDARD}
        if record.exc_text:
            row["traceback"] = record.exc_text
        return json.dumps(row, default=str)
