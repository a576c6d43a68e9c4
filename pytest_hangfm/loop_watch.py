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

from hangbot.loop_watch import LoopWatch

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator
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
    clock = time.pthread_getcpuclockid(threading.get_ident())
    busy = _Busy(lambda: time.clock_gettime(clock))
    watch = LoopWatch(loop, _LOOK_EVERY, busy.on_silence, busy.begin)

    def on_signal(_: int, frame: FrameType | None) -> None:
        if watch.is_silent:  # it may have gone on since the signal was sent
            pytest.fail(_message(frame, test), pytrace=False)

    before = signal.signal(_SIGNAL, on_signal)
    try:
        with watch.running("hangfm-loop-watch"):
            yield
    finally:
        signal.signal(_SIGNAL, before)


class _Busy:
    """Signals the main thread once for each time that it neither turns its loop nor computes.

    Args:
        computed: Returns the seconds for which the main thread has computed.
    """

    def __init__(self, computed: Callable[[], float]) -> None:
        self._computed = computed
        self._main = threading.get_ident()
        self._before = 0.0
        self._signalled = False

    def begin(self) -> None:
        """Note that the loop has just turned."""
        self._before, self._signalled = self._computed(), False

    def on_silence(self, looks: int) -> bool:
        """Signal where it is time; return whether the thread was busy, and is to be given as long again."""
        waited = looks * _LOOK_EVERY
        if waited < _BLOCKED_AFTER or self._signalled:
            return False
        if self._computed() - self._before > waited * _IDLE_SHARE:
            self.begin()
            return True
        self._signalled = True
        signal.pthread_kill(self._main, _SIGNAL or 0)
        return False


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
