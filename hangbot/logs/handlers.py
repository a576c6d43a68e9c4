"""Every line of the process to standard error: without secrets, repeated ones folded, the last kept."""

import asyncio
import logging
import math
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, TextIO

from hangbot.clock import Clock, SystemClock
from hangbot.logs.folding import Folding
from hangbot.logs.formats import JsonFormat, TextFormat, shown
from hangbot.logs.outlet import Outlet
from hangbot.logs.recent import Recent
from hangbot.logs.whose import mark
from hangbot.redact import RedactingFilter, Redactor
from hangbot.system_errors import explained

__all__ = ["Log", "set_up"]

logger = logging.getLogger("hangbot")

_clock = SystemClock()
_NOT_ACCEPTED: Final = "socket.accept() out of system resource"
_LOG_EVERY: Final = 10.0
_SETTLE_EVERY: Final = 1.0


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


class _Handler(logging.StreamHandler[TextIO]):
    """Writes records and keeps them, once they are masked; what repeats itself is folded."""

    def __init__(self, stream: TextIO, recent: Recent) -> None:
        super().__init__(stream)
        self._recent = recent
        self._folding = Folding()
        self._outlet = Outlet(stream)
        self._lost = 0
        """Lines that the stream did not take since it took one."""

    def emit(self, record: logging.LogRecord) -> None:
        """Show a record, and what was held back before it."""
        for each in self._folding.take(record):
            self._show(each)

    def settle(self, now: float) -> None:
        """Show what was held back for long enough."""
        self.acquire()
        try:
            for each in self._folding.due(now):
                self._show(each)
            if self._outlet.finish():
                self._tell_lost()
        finally:
            self.release()

    def close(self) -> None:
        """Show all that was held back."""
        self.acquire()
        try:
            if not self.stream.closed:
                for each in self._folding.rest():
                    self._show(each)
        finally:
            self.release()
        super().close()

    def _show(self, record: logging.LogRecord) -> None:
        self._recent.add(record.created, record.levelname, record.name, shown(record))
        try:
            if not (self._tell_lost() and self._outlet.write(f"{self.format(record)}{self.terminator}")):
                self._lost += 1
        except Exception:  # noqa: BLE001  as every handler does: no line ends the bot
            self.handleError(record)

    def _tell_lost(self) -> bool:
        """Say how many lines were lost, where some were; ``False``: that is not taken either."""
        if not self._lost:
            return True
        line = f"[ERROR] {self._lost} line(s) of the log are lost here: standard error took none"
        more = {"name": logger.name, "levelno": logging.ERROR, "levelname": "ERROR", "msg": line}
        record = logging.makeLogRecord({**more, "action": "log_lost", "lost": self._lost})
        if not self._outlet.write(f"{self.format(record)}{self.terminator}"):
            return False
        self._lost = 0
        return True


class Log:
    """The log of this process.

    Attributes:
        recent: Its last lines.
        redactor: Masks secrets in it; what is added to it is masked from then on.
    """

    def __init__(self, handler: _Handler, recent: Recent, redactor: Redactor) -> None:
        self.recent = recent
        self.redactor = redactor
        self._handler = handler

    @asynccontextmanager
    async def settling(self, clock: Clock) -> AsyncIterator[None]:
        """Show in time how often lines were repeated, while the block runs, and all of it at its end."""
        settling = asyncio.create_task(self._settle(clock), name="hangbot-log")
        try:
            yield
        finally:
            settling.cancel()
            await asyncio.gather(settling, return_exceptions=True)
            self._handler.settle(math.inf)

    async def _settle(self, clock: Clock) -> None:
        while True:
            await clock.sleep(_SETTLE_EVERY)
            self._handler.settle(clock.wall())


def set_up(log_format: str, level: str, redactor: Redactor, *, room: str = "") -> Log:
    """Send every log line to standard error, through the redactor; calling it again replaces it.

    That includes what Python prints there itself: warnings, and errors that end a thread or a finaliser.

    Args:
        log_format: ``text`` or ``json``.
        level: The least that is shown, in small letters.
        redactor: Masks secrets.
        room: The room that the lines are about, for JSON.
    """
    recent = Recent()
    handler = _Handler(sys.stderr, recent)
    handler.setFormatter(JsonFormat(room) if log_format == "json" else TextFormat())
    handler.addFilter(_OutOfFiles())
    handler.addFilter(mark)
    handler.addFilter(RedactingFilter(redactor))
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    logging.captureWarnings(capture=True)
    threading.excepthook, sys.unraisablehook = _log_end_of_thread, _log_unraisable
    for noisy in ("httpx", "httpcore", "websockets", "hangbot.websocket", "asyncio"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLevelName(level.upper())))
    logging.getLogger("nats").setLevel(logging.CRITICAL)  # what is wrong reaches `hangbot.fleet` as an error
    if level == "debug":
        logging.getLogger("hangbot.websocket").setLevel(logging.DEBUG)
    return Log(handler, recent, redactor)


def _log_end_of_thread(failed: threading.ExceptHookArgs) -> None:
    if failed.exc_type is SystemExit or failed.exc_value is None:
        return
    name = failed.thread.name if failed.thread else "?"
    more = {"action": "thread_failed"}
    logger.error("[ERROR] thread %s ended with an exception", name, exc_info=failed.exc_value, extra=more)


def _log_unraisable(failed: "sys.UnraisableHookArgs") -> None:
    message, more = failed.err_msg or "an exception was ignored in", {"action": "exception_ignored"}
    logger.error("[ERROR] %s %r", message, failed.object, exc_info=failed.exc_value, extra=more)
