"""Log to standard error, without secrets, for people or for machines."""

import json
import logging
import sys
import threading
from datetime import UTC, datetime
from typing import Final

from hangbot.clock import SystemClock
from hangbot.delivery.record import EXPIRED_AT_START, Step
from hangbot.redact import RedactingFilter, Redactor
from hangbot.system_errors import explained
from hangbot.text import printable, printable_lines

__all__ = ["log_step", "set_up"]

logger = logging.getLogger("hangbot")

_clock = SystemClock()
_NOT_ACCEPTED = "socket.accept() out of system resource"
_LOG_EVERY = 10.0
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


class _Text(logging.Formatter):
    """Formats a record as one line with the text of others escaped; its traceback is indented below it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and the indented ones."""
        when = self.formatTime(record)
        lines = [printable(f"{when} | {record.name} | {record.levelname} | {record.getMessage()}")]
        for more in (record.exc_text, record.stack_info):
            if more:
                lines += [f"    {line}" for line in printable_lines(more).split("\n")]
        return "\n".join(lines)


class _Json(logging.Formatter):
    """Formats a record as a JSON object on one line, with its ``extra`` beside the message."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
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
    """Passes one line every ten seconds, where asyncio logs a hundred tracebacks a second."""

    _quiet_until = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the first such record, and drop those of the next ten seconds."""
        if record.name != "asyncio" or not str(record.msg).startswith(_NOT_ACCEPTED):
            return True
        now = _clock.now()
        if now < self._quiet_until:
            return False
        self._quiet_until = now + _LOG_EVERY
        cause = record.exc_info[1] if record.exc_info else None
        known = explained(cause) if cause else None
        record.msg = "a connection cannot be taken: " + (
            f"{known}. {known.remedy}" if known else "no resources"
        )
        record.args, record.exc_info, record.exc_text = (), None, None
        return True


def set_up(log_format: str, level: str, redactor: Redactor) -> None:
    """Send every log line to standard error, through the redactor; calling it again replaces it.

    That includes what Python prints there itself: warnings, and errors that end a thread or a finaliser.
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
    message, more = failed.err_msg or "an exception was ignored in", {"action": "exception_ignored"}
    logger.error("[ERROR] %s %r", message, failed.object, exc_info=failed.exc_value, extra=more)


_TAGS: Final = {"accepted": "[SEND]", "attempt": "[SEND]", "asked": "[ACK]", "waiting": "[RETRY]"}


def log_step(step: Step) -> None:
    """Log a step of delivery, with the tag that operators search for."""
    if step.settlement is EXPIRED_AT_START:
        return  # logged once for all of them
    tag = _TAGS.get(step.kind)
    level = logging.DEBUG if step.kind in {"accepted", "attempt"} else logging.INFO
    if step.kind == "answer":
        timed_out = step.detail.startswith("AckTimeout")
        tag = "[ACK]" if step.detail == "acknowledged" else "[TIMEOUT]" if timed_out else "[ERROR]"
    elif step.settlement:
        arrived = step.settlement.state == "delivered"
        tag, level = ("[OK]", logging.INFO) if arrived else ("[ERROR]", logging.ERROR)
    more = {"action": f"delivery_{step.kind}", "message_id": step.id, "attempt": step.attempt}
    logger.log(
        level, "%s %s %s (attempt %d) %s", tag, step.id, step.kind, step.attempt, step.detail, extra=more
    )
