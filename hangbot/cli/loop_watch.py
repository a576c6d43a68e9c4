"""Names the line of an app that holds up the event loop, while it does: then nothing else of the bot runs."""

import asyncio
import linecache
import logging
import sys
import sysconfig
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

import hangbot
from hangbot.loop_watch import LoopWatch

__all__ = ["watched_for_blocking"]

logger = logging.getLogger("hangbot")

_LOOKS_EVERY: Final = 0.5
_REPORTED_AFTER: Final = 3
"""Looks at which the loop has given no sign of life."""
_LONGEST_LINE: Final = 80
_PATHS: Final = sysconfig.get_paths()
_INSTALLED: Final = (_PATHS["purelib"], _PATHS["platlib"])
_NEVER_ITS_OWN: Final = (str(Path(hangbot.__file__).parent), "<frozen ")


@contextmanager
def watched_for_blocking(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Log which line of an author's code holds up a loop for more than a second, once for each time.

    Args:
        loop: It runs in the thread that calls this.
    """
    author = threading.get_ident()

    def report(looks: int) -> bool:
        if looks == _REPORTED_AFTER and (frame := _of_the_author(author)):
            _report(frame)
        return False

    with LoopWatch(loop, _LOOKS_EVERY, report).running("hangbot-loop-watch"):
        yield


def _of_the_author(thread: int) -> FrameType | None:
    """Return where a thread is in an author's code, or in a library's if it is in no author's."""
    found, frame = None, sys._current_frames().get(thread)  # noqa: SLF001  documented, for want of a public name
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith(_INSTALLED):
            found = found or frame
        elif not file.startswith((_PATHS["stdlib"], _PATHS["platstdlib"], *_NEVER_ITS_OWN)):
            return frame
        frame = frame.f_back
    return found


def _report(frame: FrameType) -> None:
    code = frame.f_code
    path, number = code.co_filename, frame.f_lineno or code.co_firstlineno  # some instructions have no line
    line = linecache.getline(path, number).strip()[:_LONGEST_LINE]
    logger.warning(
        "%s line %d holds up the whole bot%s. Have it await, or run what blocks by `asyncio.to_thread`",
        Path(path).name,
        number,
        f": {line}" if line else "",
        extra={"action": "loop_blocked", "file": path, "line": number},
    )
