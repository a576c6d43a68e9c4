"""A few threads for all outboxes of the process: each has its steps run in order, one at a time.

Steps take turns, so that an outbox with much to write holds up no other. A step that waits for a disk
longer than a moment has its thread replaced: there are at most so many threads, and one more for each outbox
whose disk does not answer. Waits between steps take no thread.
"""

import heapq
import logging
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Final, Literal, Protocol, TypeVar

from hangbot.clock import Clock, SystemClock

__all__ = ["OUTBOXES", "Series", "SharedThreads", "Threads"]

logger = logging.getLogger(__name__)

S = TypeVar("S")
Step = Callable[[], float | None]
"""Does one step; returns after how many seconds the next is due, or ``None``: when it is asked for."""


class Threads(Protocol[S]):
    """Runs steps: on threads here, and in a simulation without any."""

    def join(self, step: Step) -> S:
        """Begin a series; nothing runs yet."""

    def leave(self, series: S) -> None:
        """End a series: it is not run again."""

    def run_soon(self, series: S) -> None:
        """Have the step run once more, from any thread; where it runs just now, behind that.

        Raises:
            RuntimeError: The system has no thread left, and there is none here.
        """


@dataclass(eq=False, slots=True)
class Series:
    """Steps of one outbox. The threads' own, but for `SharedThreads.run_soon`."""

    step: Step
    state: Literal["idle", "waiting", "running", "delayed"] = "idle"
    again: bool = False
    due: int = 0
    """Which of its delays is the one that counts."""
    over: bool = False


@dataclass(eq=False, slots=True)
class SharedThreads:
    """Threads that are started when there is something to do, and end with the last series.

    Attributes:
        most: Threads at most, not counting those that are stuck and the one that watches.
        stuck_after: Seconds after which a step counts as stuck.
        clock: Measures, on the threads.
    """

    most: int = 4
    stuck_after: float = 1.0
    clock: Clock = field(default_factory=SystemClock)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _ready: "queue.SimpleQueue[Series | None]" = field(default_factory=queue.SimpleQueue)
    _waiting: int = 0
    _running: dict[Series, float] = field(default_factory=dict)
    _later: list[tuple[float, int, Series]] = field(default_factory=list)
    _numbers: "count[int]" = field(default_factory=lambda: count(1))
    _members: int = 0
    _threads: int = 0
    _watched: bool = False

    def join(self, step: Step) -> Series:
        """Begin a series; nothing runs yet."""
        with self._changed:
            self._members += 1
        return Series(step)

    def leave(self, series: Series) -> None:
        """End a series: it is not run again. With the last one the threads end."""
        with self._changed:
            series.over = True
            self._members -= 1
            if not self._members:
                for _ in range(self._threads):
                    self._ready.put(None)
                self._threads = 0
                self._changed.notify()

    def run_soon(self, series: Series) -> None:
        """Have the step run once more, from any thread; where it runs just now, behind that.

        Raises:
            RuntimeError: The system has no thread left, and there is none here.
        """
        with self._changed:
            if series.state == "running":
                series.again = True
            elif series.state != "waiting" and not series.over:
                self._put(series)

    def _put(self, series: Series) -> None:
        series.state = "waiting"
        self._waiting += 1
        self._ready.put(series)
        if self._held_up():
            if self._threads < self.most:
                self._start_one()
            else:
                self._watch()

    def _held_up(self) -> bool:
        """Return whether a series waits for a thread that is not free."""
        return self._waiting > self._threads - len(self._running)

    def _start_one(self) -> None:
        thread = threading.Thread(target=self._serve, name="hangbot-outbox", daemon=True)
        # A daemon: a disk that hangs must not keep the process from ending.
        try:
            thread.start()
        except RuntimeError:
            if not self._threads:
                raise
        else:
            self._threads += 1

    def _serve(self) -> None:
        while (series := self._ready.get()) is not None:
            with self._changed:
                self._waiting -= 1
                series.state, series.again = "running", False
                self._running[series] = self.clock.now()
            delay = None
            try:
                delay = None if series.over else series.step()
            except Exception:
                logger.exception(
                    "[ERROR] an outbox's thread failed", extra={"action": "outbox_thread_failed"}
                )
            with self._changed:
                del self._running[series]
                self._go_on(series, delay)
                if self._threads > self.most + self._stuck():  # one that was stuck works again
                    self._threads -= 1
                    return

    def _go_on(self, series: Series, delay: float | None) -> None:
        series.state = "idle"
        if series.over:
            return
        if series.again or delay == 0.0:
            self._put(series)
        elif delay is not None:
            series.state, series.due = "delayed", next(self._numbers)
            heapq.heappush(self._later, (self.clock.now() + delay, series.due, series))
            self._watch()

    def _stuck(self) -> int:
        now = self.clock.now()
        return sum(now - since > self.stuck_after for since in self._running.values())

    def _watch(self) -> None:
        """Have the delayed ones put when they are due, and threads started in place of the stuck ones."""
        if self._watched:
            self._changed.notify()
            return
        with suppress(RuntimeError):  # the system has no thread left: asked again with the next one
            threading.Thread(target=self._watching, name="hangbot-outbox-watch", daemon=True).start()
            self._watched = True

    def _watching(self) -> None:
        with self._changed:
            while self._members:
                now = self.clock.now()
                while self._later and self._later[0][0] <= now:
                    _, number, series = heapq.heappop(self._later)
                    if series.state == "delayed" and series.due == number and not series.over:
                        self._put(series)
                for _ in range(self.most + self._stuck() - self._threads):
                    if self._held_up():
                        with suppress(RuntimeError):  # the same
                            self._start_one()
                held_up = self._held_up()
                waits = [self._later[0][0] - now] if self._later else []
                self._changed.wait(min([*waits, self.stuck_after]) if waits or held_up else None)
            self._later.clear()
            self._watched = False


OUTBOXES: Final = SharedThreads()
"""Those of all outboxes in this process."""
