"""The same line again and again is shown once, and then how often it came. PURE.

The first is shown at once. What repeats it within the next seconds is counted, and shown as one line when
another one comes, or when the time is over. Lines are the same that say the same, whatever durations they
name ("next try in 4 s"). Warnings and errors may take turns, as those of two services that are away do;
news between them ends that, so that what comes after it is shown at once. A line that is about one message
stands for itself, so that each has its whole story in the log, and so does one for debugging. Each of
several bots has lines of its own.
"""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

__all__ = ["MOST", "WINDOW", "Folding"]

WINDOW: Final = 10.0
"""Seconds after a line in which those that repeat it are counted."""
MOST: Final = 64
"""Lines that are remembered."""

_DURATION: Final = re.compile(r"\d[\d.]*(?= s\b)")

_Key: TypeAlias = tuple[str, int, str, str, str]
"""Whose the line is, its level, its logger, what it says, its traceback."""


@dataclass(slots=True)
class _Line:
    """A line that was shown.

    Attributes:
        since: From when on those that repeat it are counted for the next line about them.
        until: When its time is over.
        last: The newest that repeats it.
        times: How many do.
    """

    since: float
    until: float
    last: logging.LogRecord
    times: int = 0


class Folding:
    """What was shown a moment ago, and how often it was repeated since."""

    def __init__(self) -> None:
        self._lines: dict[_Key, _Line] = {}

    def take(self, record: logging.LogRecord) -> Iterator[logging.LogRecord]:
        """Yield what is to be shown now that this record came: at most what was held back, and the record."""
        if record.levelno < logging.INFO or getattr(record, "message_id", None) is not None:
            yield record
            return
        yield from self.due(record.created)
        bot, warns = str(getattr(record, "bot", "")), record.levelno >= logging.WARNING
        text = _DURATION.sub("", record.getMessage())
        key = (bot, record.levelno, record.name, text, record.exc_text or "")
        if key in self._lines and (warns or key == self._newest(bot)):
            known = self._lines.pop(key)
            known.last, known.times = record, known.times + 1
            self._lines[key] = known  # at the end: what is held back is shown in the order in which it came
            return
        for each in self._of(bot):
            yield from _summary(self._lines[each])
            if not warns:
                del self._lines[each]
        while len(self._lines) >= MOST:
            del self._lines[min(self._lines, key=lambda each: self._lines[each].until)]
        self._lines[key] = _Line(record.created, record.created + WINDOW, record)
        yield record

    def _of(self, bot: str) -> list[_Key]:
        """Return what is remembered of a bot, the newest last."""
        return [key for key in self._lines if key[0] == bot]

    def _newest(self, bot: str) -> _Key | None:
        return next((key for key in reversed(self._lines) if key[0] == bot), None)

    def due(self, now: float) -> Iterator[logging.LogRecord]:
        """Yield what is to be shown because its time is over.

        Args:
            now: Seconds since the epoch. Where the clock was set back, nothing is held longer for that.
        """
        over = [key for key, line in self._lines.items() if not line.until - WINDOW <= now < line.until]
        for key in over:
            yield from _summary(self._lines.pop(key))

    def rest(self) -> Iterator[logging.LogRecord]:
        """Yield all that is held back."""
        for line in self._lines.values():
            yield from _summary(line)


def _summary(line: _Line) -> Iterator[logging.LogRecord]:
    """Yield a record in place of those that were counted, and begin to count anew."""
    last, times, seconds = line.last, line.times, max(0.0, line.last.created - line.since)
    line.times, line.since = 0, last.created
    if times == 1:
        yield last
    elif times:
        text = f"… {times} more times in {seconds:.1f} s: {last.getMessage()}"
        plain = {"msg": text, "args": (), "exc_info": None, "exc_text": None, "stack_info": None}
        yield logging.makeLogRecord({**vars(last), **plain, "times": times, "over_s": round(seconds, 3)})
