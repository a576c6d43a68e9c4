"""The outbox's own thread: it collects what waits, runs it in one transaction, commits once.

A commit costs a trip to the disk whether it holds one message or a hundred; collecting them
makes that trip for all who wait. The event loop never waits for the disk, and no future is done
before its write is committed.
"""

import asyncio
import math
import queue
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from hangbot.clock import Clock, SystemClock
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
    """Runs functions of a database connection on one thread, several in a transaction.

    Args:
        connect: Opens the connection, on the thread.
        translate: Translates errors.
        on_stall: Is given such a wait.
        patience: Seconds for which a file that another process has locked, or a full disk, is waited for.
        clock: Measures that, on the thread.
        most_at_once: Jobs in one transaction.
        shown_after: Seconds for which another process may have the file locked before that is shown.
        full_again_after: Seconds after which a full disk is tried again.
    """

    def __init__(
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
    ) -> None:
        self._connect = connect
        self._translate = translate
        self._patience = patience
        self._on_stall = on_stall
        self._clock = clock or SystemClock()
        self._most_at_once = most_at_once
        self._shown_after = shown_after
        self._full_again_after = full_again_after
        self._stalled: Stall | None = None
        """What was shown last. The thread's own, as is the next."""
        self._owed: list[Job] = []
        self._owed_since = 0.0
        self._last_try = False
        self._batches: queue.SimpleQueue[list[Job] | None] = queue.SimpleQueue()
        self._asked: list[Job] = []
        self._loop = asyncio.get_running_loop()
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._closing = False
        self._pause = threading.Event()
        """Never set: waiting for it is the thread's sleep."""
        # A daemon: a disk that hangs must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="hangbot-outbox", daemon=True)

    async def open(self) -> None:
        """Start the thread and open the connection; raises what opening raises."""
        self._thread.start()
        await asyncio.shield(self._opened)

    async def close(self) -> None:
        """Finish what was submitted and close the connection; closing twice is harmless."""
        if not self._closing:
            self._closing = True
            self._hand_over()
            self._batches.put(None)
        if self._thread.ident is not None:
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
            RuntimeError: The writer is closed, or its thread has ended.
        """
        if self._closing or self._ended.done():
            raise RuntimeError("the writer is closed")
        done: asyncio.Future[Any] = self._loop.create_future()
        if not self._asked:
            self._loop.call_soon(self._loop.call_soon, self._hand_over)
        self._asked.append(Job(work, writes, done, patient, shared, item, lasting=lasting))
        return done

    def _hand_over(self) -> None:
        """Give the thread what was submitted since the last time.

        That is two iterations of the loop after the first of it: what a settlement wakes shares the commit
        with it (one sender alone is a third faster than with one), and the thread does not compete with the
        loop for the interpreter meanwhile.
        """
        for start in range(0, len(self._asked), self._most_at_once):
            self._batches.put(self._asked[start : start + self._most_at_once])
        self._asked = []

    def _run(self) -> None:
        try:
            database = self._connected()
        except BaseException as exc:  # noqa: BLE001  `open` raises it
            self._call(self._fail_opening, exc)
            return
        self._call(self._opened.set_result, None)
        try:
            while batch := self._collect():
                self._serve(database, batch)
            self._give_up(self._owed)
        finally:
            with suppress(sqlite3.Error):  # what is resolved is on disk; what closing tidies up can wait
                database.close()
            self._call(self._ended.set_result, None)

    def _connected(self) -> sqlite3.Connection:
        begun = self._clock.now()
        while True:
            try:
                database = self._connect()
            except sqlite3.Error as exc:
                if not is_busy(exc) or not self._waits(begun):
                    raise
            else:
                self._report(None)
                return database

    def _serve(self, database: sqlite3.Connection, batch: list[Job]) -> None:
        """Run a batch and resolve its futures; what is busy is tried again, what has no room is owed."""
        run_batch(database, batch)
        begun = self._clock.now()
        while busy := [job for job in batch if job.error and is_busy(job.error)]:
            if not self._waits(begun):
                break
            for job in busy:
                job.error = None
            run_batch(database, busy)
        # A full disk ends the whole transaction: what only reads need not suffer for it.
        if reads := [job for job in batch if not job.writes and job.error and is_full(job.error)]:
            for job in reads:
                job.error = None
            run_batch(database, reads)
        full = [job for job in batch if job.error and is_full(job.error)]
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

    def _waits(self, begun: float) -> bool:
        """Wait a moment for another process to let go; ``False`` where that has taken too long."""
        waited = self._clock.now() - begun
        if self._closing or waited >= self._patience:
            return False
        if waited >= self._shown_after:
            self._report("busy")
        self._pause.wait(_BUSY_AGAIN_AFTER)
        return True

    def _report(self, stall: Stall | None) -> None:
        if stall != self._stalled:
            self._stalled = stall
            self._call(self._on_stall, stall)

    def _give_up(self, owed: list[Job]) -> None:
        self._owed = []
        self._call(self._resolve, owed)

    def _collect(self) -> list[Job]:
        """Wait for jobs, and take all that wait behind them; nothing when the end is asked for.

        What is owed comes first, and after a moment also when nothing else is asked for.
        """
        owed = self._owed
        if owed and self._clock.now() - self._owed_since >= self._patience:
            self._give_up(owed)
            owed = []
        for job in owed:
            job.error = None
        try:
            more = self._batches.get(timeout=self._full_again_after if owed else None)
        except queue.Empty:
            return list(owed)
        if more is None:
            self._batches.put(None)  # the end; but what is owed may have room by now
            if not owed or self._last_try:
                return []
            self._last_try = True
            return list(owed)
        batch = owed + more
        while len(batch) < self._most_at_once:
            try:
                more = self._batches.get_nowait()
            except queue.Empty:
                break
            if more is None:
                self._batches.put(None)  # after this batch
                break
            batch += more
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
