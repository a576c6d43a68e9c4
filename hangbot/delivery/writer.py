"""The outbox's own thread: it collects what waits, does it in one transaction, commits once.

A commit costs a trip to the disk whether it holds one message or a hundred; collecting them
makes that trip for all who wait. The event loop never waits for the disk, and nobody is told
that a write is done before it is committed.
"""

import asyncio
import math
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final, Literal

__all__ = ["Job", "Stall", "Tell", "Work", "WorkOnMany", "Writer", "is_busy", "is_full", "serve"]

Work = Callable[[sqlite3.Connection], Any]
WorkOnMany = Callable[[sqlite3.Connection, Sequence[Any]], Sequence[Any]]
"""Does the same to several things, and returns what came of each."""

Stall = Literal["busy", "full"]
Tell = Callable[[Stall | None], None]
"""Told what keeps the file from being written, and ``None`` when it is written again."""

_MOST_AT_ONCE: Final = 256
_TOLD_AFTER: Final = 5.0
"""Seconds for which another process may have the file locked before that is told."""
_BUSY_AGAIN_AFTER: Final = 0.02
_FULL_AGAIN_AFTER: Final = 1.0
_LOCKED: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_NO_ROOM: Final = frozenset(
    {sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_SHMSIZE}
)
"""What SQLite says besides ``SQLITE_FULL`` where there is no room, or no more of a quota."""


@dataclass(slots=True)
class Job:
    """A function of the connection, and what came of it.

    Attributes:
        work: The function; of several things where it is shared.
        writes: Whether it changes anything.
        done: Told what came of it when that is committed.
        patient: Whether it is done as soon as there is room again, where the disk is full.
        shared: Whether neighbours with the same function are done in one call.
        item: With a shared one: what it is to be done to.
        result: What it returned.
        error: What it raised.
    """

    work: Callable[..., Any]
    writes: bool
    done: asyncio.Future[Any] | None
    patient: bool = False
    shared: bool = False
    item: Any = None
    result: Any = None
    error: BaseException | None = None


class Writer:
    """Runs functions of a database connection on one thread, several in a transaction.

    Args:
        connect: Opens the connection, on the thread.
        told_as: What is raised instead of an error.
        patience: Seconds for which a file that another process has locked, or a full disk, is waited for.
        tell: Told of such a wait.
    """

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        *,
        told_as: Callable[[BaseException], BaseException] = lambda error: error,
        patience: float = math.inf,
        tell: Tell = lambda _: None,
    ) -> None:
        self._connect = connect
        self._told_as = told_as
        self._patience = patience
        self._stalls = tell
        self._stalled: Stall | None = None
        """What was told last. The thread's own, as is the next."""
        self._owed: list[Job] = []
        self._owed_since = 0.0
        self._last_try = False
        self._batches: queue.SimpleQueue[list[Job] | None] = queue.SimpleQueue()
        self._asked: list[Job] = []
        self._loop = asyncio.get_running_loop()
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._closing = False
        # A daemon: a disk that hangs must not keep the process from ending when it is told to.
        self._thread = threading.Thread(target=self._run, name="hangbot-outbox", daemon=True)

    async def open(self) -> None:
        """Start the thread and open the connection; raises what opening raises."""
        self._thread.start()
        await asyncio.shield(self._opened)

    async def close(self) -> None:
        """Finish what was asked for and close the connection; closing twice is harmless."""
        if not self._closing:
            self._closing = True
            self._hand_over()
            self._batches.put(None)
        if self._thread.ident is not None:
            await asyncio.shield(self._ended)

    def do(
        self,
        work: Work | WorkOnMany,
        *,
        writes: bool,
        patient: bool = False,
        shared: bool = False,
        item: Any = None,  # noqa: ANN401  the function's own
    ) -> asyncio.Future[Any]:
        """Have a function of the connection run; the future is done when it is committed.

        Works run in the order in which they were asked for, whether anybody waits for them or not.
        A shared one is called once for neighbours in this order; where it fails, once for each.
        The future raises what the work or the commit raised; nothing of it is on disk then.

        Raises:
            RuntimeError: The writer is closed, or its thread has ended.
        """
        if self._closing or self._ended.done():
            raise RuntimeError("the writer is closed")
        done: asyncio.Future[Any] = self._loop.create_future()
        if not self._asked:
            self._loop.call_soon(self._loop.call_soon, self._hand_over)
        self._asked.append(Job(work, writes, done, patient, shared, item))
        return done

    def _hand_over(self) -> None:
        """Give the thread what was asked for since the last time.

        Two turns of the loop after the first of it: one commit for all who are ready now and for
        whom these wake up, and the thread does not fight with them for the interpreter.
        """
        for start in range(0, len(self._asked), _MOST_AT_ONCE):
            self._batches.put(self._asked[start : start + _MOST_AT_ONCE])
        self._asked = []

    def _run(self) -> None:
        try:
            database = self._connected()
        except BaseException as exc:  # noqa: BLE001  told to who opens
            self._tell(self._fail_opening, exc)
            return
        self._tell(self._opened.set_result, None)
        try:
            while batch := self._collect():
                self._serve(database, batch)
            self._give_up(self._owed)
        finally:
            with suppress(sqlite3.Error):  # what was told is on disk; what closing tidies up can wait
                database.close()
            self._tell(self._ended.set_result, None)

    def _connected(self) -> sqlite3.Connection:
        begun = time.monotonic()
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
        """Do a batch and tell who waits; what is busy is tried again, what has no room is owed."""
        serve(database, batch)
        begun = time.monotonic()
        while busy := [job for job in batch if job.error and is_busy(job.error)]:
            if not self._waits(begun):
                break
            for job in busy:
                job.error = None
            serve(database, busy)
        # A full disk ends the whole transaction: what only reads need not suffer for it.
        if reads := [job for job in batch if not job.writes and job.error and is_full(job.error)]:
            for job in reads:
                job.error = None
            serve(database, reads)
        full = [job for job in batch if job.error and is_full(job.error)]
        owed = [job for job in full if job.patient]
        if full and not owed:
            owed = [Job(_write_something, writes=True, done=None, patient=True)]  # tells when there is room
        if owed and not self._owed:
            self._owed_since = time.monotonic()
        self._owed = owed
        if full:
            self._report("full")
        elif not busy and any(job.writes for job in batch):
            self._report(None)
        self._tell(self._resolve, [job for job in batch if job not in owed])

    def _waits(self, begun: float) -> bool:
        """Wait a moment for another process to let go; ``False`` where that has taken too long."""
        waited = time.monotonic() - begun
        if self._closing or waited >= self._patience:
            return False
        if waited >= _TOLD_AFTER:
            self._report("busy")
        time.sleep(_BUSY_AGAIN_AFTER)
        return True

    def _report(self, stall: Stall | None) -> None:
        if stall != self._stalled:
            self._stalled = stall
            self._tell(self._stalls, stall)

    def _give_up(self, owed: list[Job]) -> None:
        self._owed = []
        self._tell(self._resolve, owed)

    def _collect(self) -> list[Job]:
        """Wait for jobs, and take all that wait behind them; nothing when the end is asked for.

        What is owed comes first, and after a moment also when nothing else is asked for.
        """
        owed = self._owed
        if owed and time.monotonic() - self._owed_since >= self._patience:
            self._give_up(owed)
            owed = []
        for job in owed:
            job.error = None
        try:
            more = self._batches.get(timeout=_FULL_AGAIN_AFTER if owed else None)
        except queue.Empty:
            return list(owed)
        if more is None:
            self._batches.put(None)  # the end; but what is owed may have room by now
            if not owed or self._last_try:
                return []
            self._last_try = True
            return list(owed)
        batch = owed + more
        while len(batch) < _MOST_AT_ONCE:
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
            if job.done is None or job.done.done():
                continue  # cancelled: whoever asked has stopped waiting
            if job.error is not None:
                job.done.set_exception(self._told_as(job.error))
                job.done.exception()  # seen: it may be that nobody waits
            else:
                job.done.set_result(job.result)

    def _fail_opening(self, error: BaseException) -> None:
        self._opened.set_exception(self._told_as(error))
        self._opened.exception()
        self._ended.set_result(None)

    def _tell(self, tell: Callable[..., None], *args: object) -> None:
        """Call something on the loop, unless the loop has ended before the thread."""
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(tell, *args)


def serve(database: sqlite3.Connection, batch: Sequence[Job]) -> None:
    """Do a batch in one transaction, and leave in each job its result or its error.

    Savepoints cost more than most jobs, so they are only set when one job has failed and the
    batch is done anew: the one that fails undoes itself then, not the others.
    """
    try:
        try:
            _transact(database, batch, _do)
        except _JobFailed:
            _transact(database, batch, _do_apart)
    except BaseException as exc:  # noqa: BLE001  told to all who wait
        for job in batch:
            job.error = job.error or exc


def is_busy(error: BaseException) -> bool:
    """Tell whether an error says that another process has the file locked."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _LOCKED


def is_full(error: BaseException) -> bool:
    """Tell whether an error says that there is no room on the disk."""
    code = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF == sqlite3.SQLITE_FULL or code in _NO_ROOM


def _write_something(database: sqlite3.Connection) -> None:
    """Write a page that says the same as before: it needs room as everything does."""
    (version,) = database.execute("PRAGMA user_version").fetchone()
    database.execute(f"PRAGMA user_version = {version}")


class _JobFailed(Exception):
    """One job of a batch failed; nothing of the batch is done."""


def _transact(
    database: sqlite3.Connection,
    batch: Sequence[Job],
    do: Callable[[sqlite3.Connection, list[Job]], None],
) -> None:
    writes = any(job.writes for job in batch)
    try:
        if writes:
            database.execute("BEGIN IMMEDIATE")
        for _, alike in groupby(batch, key=lambda job: job.work if job.shared else job.done):
            do(database, list(alike))
        if writes:
            database.execute("COMMIT")
    except BaseException:
        # SQLite ends it by itself on a full disk. Where undoing fails too, the next BEGIN says so.
        with suppress(sqlite3.Error):
            if database.in_transaction:
                database.execute("ROLLBACK")
        raise


def _do(database: sqlite3.Connection, alike: list[Job]) -> None:
    try:
        results = _results(database, alike)
    except Exception as exc:
        raise _JobFailed from exc
    for job, result in zip(alike, results, strict=True):
        job.result = result


def _do_apart(database: sqlite3.Connection, alike: list[Job]) -> None:
    for job in alike:
        inside = database.in_transaction
        if job.writes:
            database.execute("SAVEPOINT job")
        try:
            (job.result,) = _results(database, [job])
        except Exception as exc:
            if inside and not database.in_transaction:
                raise  # all of it (a full disk): what comes next would be written, and told to have failed
            if job.writes:
                database.execute("ROLLBACK TO job")
            job.error = exc
        if job.writes:
            database.execute("RELEASE job")


def _results(database: sqlite3.Connection, alike: list[Job]) -> Sequence[Any]:
    first = alike[0]
    if first.shared:
        results: Sequence[Any] = first.work(database, [job.item for job in alike])
        return results
    return [first.work(database)]
