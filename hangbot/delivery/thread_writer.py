"""An outbox's writes on a thread: what waits is collected, run in one transaction, and committed once.

A commit costs a trip to the disk whether it holds one message or a hundred; collecting them
makes that trip for all who wait. The event loop never waits for the disk, and no future is done
before its write is committed. The threads are those of all outboxes: `hangbot.delivery.shared_threads`.
"""

import asyncio
import math
import sqlite3
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any, Final

from hangbot.clock import Clock, SystemClock
from hangbot.delivery.file_looks import LOOKS, Looks
from hangbot.delivery.shared_threads import OUTBOXES, Threads
from hangbot.delivery.writer import (
    Job,
    OnStall,
    Stall,
    Translate,
    Work,
    WorkOnMany,
    is_busy,
    is_full,
    resolve,
    run_batch,
    write_something,
)

__all__ = ["ThreadWriter"]

_BUSY_AGAIN_AFTER: Final = 0.02


class ThreadWriter:
    """Runs functions of a database connection on a thread, in their order, several in a transaction.

    Args:
        connect: Opens the connection, on a thread.
        translate: Translates errors.
        on_stall: Is given such a wait.
        patience: Seconds for which a file that another process has locked, or a full disk, is waited for.
        clock: Measures that, on the threads.
        most_at_once: Jobs in one transaction.
        shown_after: Seconds for which another process may have the file locked before that is shown.
        full_again_after: Seconds after which a full disk is tried again.
        threads: What runs them.
        looks: What notices that something was written.
    """

    def __init__(  # noqa: PLR0913  what it is wired with
        self,
        connect: Callable[[], sqlite3.Connection],
        translate: Translate = lambda error: error,
        on_stall: OnStall = lambda _: None,
        patience: float = math.inf,
        *,
        clock: Clock | None = None,
        most_at_once: int = 256,
        shown_after: float = 5.0,
        full_again_after: float = 1.0,
        threads: Threads[Any] = OUTBOXES,
        looks: Looks = LOOKS,
    ) -> None:
        self._connect = connect
        self._translate = translate
        self._patience = patience
        self._on_stall = on_stall
        self._clock = clock or SystemClock()
        self._most_at_once = most_at_once
        self._shown_after = shown_after
        self._full_again_after = full_again_after
        self._threads = threads
        self._looks = looks
        self._series: object | None = None
        self._database: sqlite3.Connection | None = None
        """From here on what only the threads use: one at a time."""
        self._begun: float | None = None
        """When the file was found locked: by what opens it, or by the batch in hand."""
        self._batch: list[Job] = []
        self._stalled: Stall | None = None
        """What was shown last."""
        self._owed: list[Job] = []
        self._owed_since = 0.0
        self._last_try = False
        self._batches: deque[list[Job]] = deque()
        self._asked: list[Job] = []
        self._loop = asyncio.get_running_loop()
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._closing = False

    async def open(self) -> None:
        """Open the connection; raises what opening raises, or `RuntimeError`: no thread is left."""
        self._series = self._threads.join(self._step)
        try:
            self._threads.run_soon(self._series)
        except RuntimeError:
            self._leave()
            self._series = None
            raise
        await asyncio.shield(self._opened)

    async def close(self) -> None:
        """Finish what was submitted and close the connection; closing twice is harmless."""
        if not self._closing:
            self._hand_over()
            self._closing = True
            if self._series and not self._ended.done():
                self._threads.run_soon(self._series)
        if self._series:
            await asyncio.shield(self._ended)

    def submit(
        self,
        work: Work | WorkOnMany,
        *,
        writes: bool,
        patient: bool = False,
        shared: bool = False,
        item: Any = None,  # noqa: ANN401  the function's own
        lasting: bool = True,
    ) -> asyncio.Future[Any]:
        """Have a function of the connection run; the future is done when it is committed.

        A shared one is called once for adjacent jobs; where it fails, once for each. What need not be
        ``lasting`` costs no trip to the disk of its own.
        The future raises what the work or the commit raised; nothing of it is on disk then.

        Raises:
            RuntimeError: The writer is closed, or was never open.
        """
        if self._closing or self._ended.done():
            raise RuntimeError("the writer is closed")
        done: asyncio.Future[Any] = self._loop.create_future()
        if not self._asked:
            self._loop.call_soon(self._loop.call_soon, self._hand_over)
        self._asked.append(Job(work, writes, done, patient, shared, item, lasting=lasting))
        return done

    def noticing(self, path: Path, notice: Callable[[], None]) -> AbstractContextManager[None]:
        """Call something on the loop soon after anything was written, by this process as well."""
        return self._looks.noticing(path, lambda: self._call(notice))

    def _hand_over(self) -> None:
        """Give the threads what was submitted since the last time.

        That is two iterations of the loop after the first of it: what a settlement wakes shares the commit
        with it (one sender alone is a third faster than with one), and the thread does not compete with the
        loop for the interpreter meanwhile.
        """
        for start in range(0, len(self._asked), self._most_at_once):
            self._batches.append(self._asked[start : start + self._most_at_once])
        if self._asked and self._series:
            self._threads.run_soon(self._series)
        self._asked = []

    def _step(self) -> float | None:
        """Open the connection, or run one batch; return after how many seconds to go on."""
        try:
            if self._database is None:
                return self._open_it()
            batch = self._batch or self._collect()
            if batch:
                return self._serve(self._database, batch)
        except BaseException:
            self._end()
            raise
        if self._closing and not self._batches:
            self._give_up(self._owed)
            self._end()
        return None

    def _open_it(self) -> float | None:
        try:
            self._database = self._connect()
        except BaseException as exc:  # noqa: BLE001  `open` raises it
            if isinstance(exc, sqlite3.Error) and is_busy(exc) and self._waits():
                return _BUSY_AGAIN_AFTER
            self._leave()
            self._call(self._fail_opening, exc)
            return None
        self._begun = None
        self._report(None)
        self._call(self._opened.set_result, None)
        return 0.0  # what was asked for meanwhile, or the end

    def _end(self) -> None:
        with suppress(sqlite3.Error):  # what is resolved is on disk; what closing tidies up can wait
            if self._database is not None:
                self._database.close()
        self._leave()
        self._call(self._ended.set_result, None)

    def _leave(self) -> None:
        if self._series:
            self._threads.leave(self._series)

    def _serve(self, database: sqlite3.Connection, batch: list[Job]) -> float | None:
        """Run a batch and resolve its futures; what is busy is tried again, what has no room is owed."""
        todo = [job for job in batch if is_busy(job.error)] if self._batch else batch
        for job in todo:
            job.error = None
        run_batch(database, todo)
        failed = [job for job in batch if job.error is not None]
        busy = [job for job in failed if is_busy(job.error)]
        if busy and self._waits():
            self._batch = batch
            return _BUSY_AGAIN_AFTER
        self._batch, self._begun = [], None
        # A full disk ends the whole transaction: what only reads need not suffer for it.
        if reads := [job for job in failed if not job.writes and is_full(job.error)]:
            for job in reads:
                job.error = None
            run_batch(database, reads)
        full = [job for job in failed if is_full(job.error)]
        owed = [job for job in full if job.patient]
        if full and not owed:
            owed = [Job(write_something, writes=True, done=None, patient=True)]  # notices when there is room
        if owed and not self._owed:
            self._owed_since = self._clock.now()
        self._owed = owed
        if full:
            self._report("full")
        elif not busy and any(job.writes for job in batch):
            self._report(None)
        self._call(self._resolve, [job for job in batch if job not in owed])
        if self._batches or self._closing:
            return 0.0
        return self._full_again_after if owed else None

    def _waits(self) -> bool:
        """Return whether to wait for another process to let go; not where that has taken too long."""
        now = self._clock.now()
        self._begun = now if self._begun is None else self._begun
        waited = now - self._begun
        if self._closing or waited >= self._patience:
            return False
        if waited >= self._shown_after:
            self._report("busy")
        return True

    def _report(self, stall: Stall | None) -> None:
        if stall != self._stalled:
            self._stalled = stall
            self._call(self._on_stall, stall)

    def _give_up(self, owed: list[Job]) -> None:
        self._owed = []
        self._call(self._resolve, owed)

    def _collect(self) -> list[Job]:
        """Return what is owed and what waits behind it; at the end, what is owed once more."""
        owed = self._owed
        if owed and self._clock.now() - self._owed_since >= self._patience:
            self._give_up(owed)
            owed = []
        if self._closing and not self._batches:
            owed = [] if self._last_try else owed  # it may have room by now
            self._last_try = True
        for job in owed:
            job.error = None
        batch = list(owed)
        while self._batches and len(batch) < len(owed) + self._most_at_once:
            batch += self._batches.popleft()
        return batch

    def _resolve(self, batch: list[Job]) -> None:
        for job in batch:
            resolve(job, self._translate)

    def _fail_opening(self, error: BaseException) -> None:
        self._opened.set_exception(self._translate(error))
        self._opened.exception()
        self._ended.set_result(None)

    def _call(self, call: Callable[..., None], *args: object) -> None:
        """Call something on the loop, unless the loop has ended before the thread."""
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(call, *args)
