"""Fails a test that blocks the event loop, at the line that blocks, long before its time-out.

The sandbox runs on the test's own loop: a test that waits for it with ``urllib`` or
``subprocess.run`` waits for ever. A thread checks that the loop still runs. If it does not, and the
main thread does not compute either, a signal makes the main thread raise where it stands.
"""

from __future__ import annotations

import signal
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator
    from types import FrameType

__all__ = ["fail_if_blocked"]

_BLOCKED_AFTER: Final = 2.0
_LOOK_EVERY: Final = 0.25
_SIGNAL: Final = getattr(signal, "SIGVTALRM", None)
"""Not ``SIGALRM``, which pytest-timeout uses."""
_IDLE_SHARE: Final = 0.2
"""Of the time that passed: a main thread that computes for longer is busy and does not wait."""


@contextmanager
def fail_if_blocked(loop: asyncio.AbstractEventLoop, test: Path) -> Iterator[None]:
    """Fail a test that waits without the loop for two seconds; without effect off the main thread.

    Args:
        loop: The running loop.
        test: The test's file: the failure names its line.
    """
    if _SIGNAL is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    watch = _LoopWatch(loop)

    def on_signal(_: int, frame: FrameType | None) -> None:
        if watch.is_blocked:  # it may have gone on since the signal was sent
            pytest.fail(_message(frame, test), pytrace=False)

    before = signal.signal(_SIGNAL, on_signal)
    thread = threading.Thread(target=watch.run, name="hangfm-loop-watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        watch.stop.set()
        thread.join()
        signal.signal(_SIGNAL, before)


class _LoopWatch:
    """Asks the loop for a sign of life, and counts checks: a machine that stalls is no blocked loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.stop = threading.Event()
        self.is_blocked = False
        self._loop = loop
        self._main = threading.main_thread().ident
        self._alive = threading.Event()

    def run(self) -> None:
        unanswered, busy = 0, self._busy()
        self._ask()
        while not self.stop.wait(_LOOK_EVERY):
            if self._alive.is_set():
                unanswered, busy = 0, self._busy()
                self._ask()
                continue
            unanswered += 1
            waited = unanswered * _LOOK_EVERY
            if waited < _BLOCKED_AFTER:
                continue
            if self._busy() - busy > waited * _IDLE_SHARE:
                unanswered, busy = 0, self._busy()
                continue
            self.is_blocked = True
            signal.pthread_kill(self._main or 0, _SIGNAL or 0)
            return

    def _ask(self) -> None:
        self._alive.clear()
        try:
            self._loop.call_soon_threadsafe(self._sign_of_life)
        except RuntimeError:  # the loop is closed
            self.stop.set()

    def _sign_of_life(self) -> None:
        self.is_blocked = False
        self._alive.set()

    def _busy(self) -> float:
        """Seconds for which the main thread has computed."""
        return time.clock_gettime(time.pthread_getcpuclockid(self._main or 0))


def _message(frame: FrameType | None, test: Path) -> str:
    called = None
    while frame is not None and Path(frame.f_code.co_filename) != test:
        called, frame = frame, frame.f_back
    where = f" in line {frame.f_lineno} of {test.name}" if frame is not None else ""
    what = f" ({called.f_code.co_name})" if called is not None else ""
    return (
        f"the test has blocked the event loop for {_BLOCKED_AFTER:g} s{where}{what}: the sandbox runs on the "
        "same loop and cannot answer meanwhile; use `await asyncio.to_thread(…)`, an async library, or "
        "hangfm_open_process"
    )
