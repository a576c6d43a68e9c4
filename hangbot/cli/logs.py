"""Logs to standard error, without a secret, for people or for machines."""

import json
import logging
import sys
import threading
import time
from datetime import UTC, datetime

from hangbot.redact import RedactingFilter, Redactor
from hangbot.system_errors import explained
from hangbot.text import printable, printable_lines

__all__ = ["set_up"]

logger = logging.getLogger("hangbot")

_NOT_ACCEPTED = "socket.accept() out of system resource"
_SAID_EVERY = 10.0
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


class _Text(logging.Formatter):
    """A line a record, and nothing of another's text raw: only a record begins at the margin.

    What belongs to a record, its traceback, stands below it and is indented.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Write one line, and those that belong to it."""
        when = self.formatTime(record)
        lines = [printable(f"{when} | {record.name} | {record.levelname} | {record.getMessage()}")]
        for more in (record.exc_text, record.stack_info):
            if more:
                lines += [f"    {line}" for line in printable_lines(more).split("\n")]
        return "\n".join(lines)


class _Json(logging.Formatter):
    """A JSON object a line; what a record carries as ``extra`` stands beside the message."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one line."""
        row = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "logger": record.name,
            "level": record.levelname,
            "message": record.getMessage(),
        }
        row |= {key: value for key, value in vars(record).items() if key not in _STANDARD}
        if record.exc_text:
            row["traceback"] = record.exc_text
        return json.dumps(row, default=str)


class _OutOfFiles(logging.Filter):
    """Says now and then, in a line, what asyncio says a hundred times a second with a traceback each."""

    _quiet_until = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        """Let one through, in our words, and none of the next ten seconds."""
        if record.name != "asyncio" or not str(record.msg).startswith(_NOT_ACCEPTED):
            return True
        now = time.monotonic()
        if now < self._quiet_until:
            return False
        self._quiet_until = now + _SAID_EVERY
        cause = record.exc_info[1] if record.exc_info else None
        told = explained(cause) if cause else None
        record.msg = "a connection cannot be taken: " + (f"{told}. {told.remedy}" if told else "no resources")
        record.args, record.exc_info, record.exc_text = (), None, None
        return True


def set_up(log_format: str, level: str, redactor: Redactor) -> None:
    """Send every log line to standard error, through the redactor; calling it again replaces it.

    So goes what Python would print there itself: warnings, and what ends a thread or a finaliser.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if log_format == "json" else _Text())
    handler.addFilter(_OutOfFiles())
    handler.addFilter(RedactingFilter(redactor))
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    logging.captureWarnings(capture=True)
    threading.excepthook, sys.unraisablehook = _log_end_of_thread, _log_unraisable
    for noisy in ("httpx", "httpcore", "websockets", "hangbot.websocket", "asyncio"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLevelName(level.upper())))
    if level == "debug":
        logging.getLogger("hangbot.websocket").setLevel(logging.DEBUG)


def _log_end_of_thread(failed: threading.ExceptHookArgs) -> None:
    if failed.exc_type is SystemExit or failed.exc_value is None:
        return
    name = failed.thread.name if failed.thread else "?"
    more = {"action": "thread_failed"}
    logger.error("[ERROR] thread %s ended with an exception", name, exc_info=failed.exc_value, extra=more)


def _log_unraisable(failed: "sys.UnraisableHookArgs") -> None:
    told, more = failed.err_msg or "an exception was ignored in", {"action": "exception_ignored"}
    logger.error("[ERROR] %s %r", told, failed.object, exc_info=failed.exc_value, extra=more)
