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
    watch = _Watch(loop)
    thread = threading.Thread(target=watch.run, name="hangbot-loop-watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        watch.stop.set()
        thread.join()


class _Watch:
    """Counts looks, not time: a machine that stood still has held up nothing."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.stop = threading.Event()
        self._alive = threading.Event()
        self._loop = loop
        self._thread = threading.get_ident()

    def run(self) -> None:
        unanswered = 0
        self._ask()
        while not self.stop.wait(_LOOKS_EVERY):
            if self._alive.is_set():
                unanswered = 0
                self._ask()
                continue
            unanswered += 1
            if unanswered == _REPORTED_AFTER and (frame := _of_the_author(self._thread)):
                _report(frame)

    def _ask(self) -> None:
        self._alive.clear()
        try:
            self._loop.call_soon_threadsafe(self._alive.set)
        except RuntimeError:  # the loop is closed
            self.stop.set()


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
    path, number = frame.f_code.co_filename, frame.f_lineno
    line = linecache.getline(path, number).strip()[:_LONGEST_LINE]
    logger.warning(
        "%s line %d holds up the whole bot%s. Have it await, or run what blocks by `asyncio.to_thread`",
        Path(path).name,
        number,
        f": {line}" if line else "",
        extra={"action": "loop_blocked", "file": path, "line": number},
    )
