"""The last lines of the log, in memory."""

import threading
from collections import deque
from typing import Final, NamedTuple

__all__ = ["LogLine", "Recent"]

MOST_LINES: Final = 500
MOST_TEXT: Final = 256 * 1024
LONGEST: Final = 8 * 1024


class LogLine(NamedTuple):
    """A line of the log, as it was shown: secrets masked, and safe to show.

    Attributes:
        number: Counts up from 1; none is used twice.
        at: Seconds since the epoch.
        level: Such as ``WARNING``.
        logger: Such as ``hangbot.bot.services``.
        text: What it says; a traceback stands on indented lines below.
    """

    number: int
    at: float
    level: str
    logger: str
    text: str


class Recent:
    """The last 500 lines, which have 262,144 characters at most; any thread may ask.

    A line of more than 8,192 characters is cut.
    """

    def __init__(self) -> None:
        self._lines: deque[LogLine] = deque()
        self._size = 0
        self._number = 0
        self._changing = threading.Lock()

    def add(self, at: float, level: str, logger: str, text: str) -> None:
        """Take a line."""
        if len(text) > LONGEST:
            text = text[: LONGEST - 1] + "…"
        with self._changing:
            self._number += 1
            self._lines.append(LogLine(self._number, at, level, logger, text))
            self._size += len(text)
            while len(self._lines) > MOST_LINES or self._size > MOST_TEXT:
                self._size -= len(self._lines.popleft().text)

    def lines(self, after: int = 0) -> list[LogLine]:
        """Return what there is, the oldest first.

        Args:
            after: The number of a line; only those behind it are returned.
        """
        with self._changing:
            return [line for line in self._lines if line.number > after]
