"""The outbox's own thread: it collects what waits, does it in one transaction, commits once.

A commit costs a trip to the disk whether it holds one message or a hundred; collecting them
makes that trip for all who wait. The event loop never waits for the disk, and nobody is told
that a write is done before it is committed.
"""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

__all__ = ["Job", "Work", "WorkOnMany", "Writer", "serve"]

Work = Callable[[sqlite3.Connection], Any]
WorkOnMany = Callable[[sqlite3.Connection, Sequence[Any]], Sequence[Any]]
"""Does the same to several things, and returns what came of each."""

_MOST_AT_ONCE: Final = 256


@dataclass(slots=True)
class Job:
    """A function of the connection, and what came of it.

    Attributes:
        work: The function; of several things where it is shared.
        writes: Whether it changes anything.
        done: Told what came of it when that is committed.
        shared: Whether neighbours with the same function are done in one call.
        item: With a shared one: what it is to be done to.
        result: What it returned.
        error: What it raised.
    """

    work: Callable[..., Any]
    writes: bool
    done: asyncio.Future[Any]
    shared: bool = False
    item: Any = None
    result: Any = None
    error: BaseException | None = None


class Writer:
    """Runs functions of a database connection on one thread, several in a transaction.

    Args:
        connect: Opens the connection, on the thread.
        told_as: What is raised instead of an error.
    """

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        *,
        told_as: Callable[[BaseException], BaseException] = lambda error: error,
    ) -> None:
        self._connect = connect
        self._told_as = told_as
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
        job = Job(work, writes, self._loop.create_future(), shared, item)
        if not self._asked:
            self._loop.call_soon(self._loop.call_soon, self._hand_over)
        self._asked.append(job)
        return job.done

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
            database = self._connect()
        except BaseException as exc:  # noqa: BLE001  told to who opens
            self._tell(self._fail_opening, exc)
            return
        self._tell(self._opened.set_result, None)
        try:
            while batch := self._collect():
                serve(database, batch)
                self._tell(self._resolve, batch)
        finally:
            with suppress(sqlite3.Error):  # what was told is on disk; what closing tidies up can wait
                database.close()
            self._tell(self._ended.set_result, None)

    def _collect(self) -> list[Job]:
        """Wait for jobs, and take all that wait behind them; nothing when the end is asked for."""
        batch = list(self._batches.get() or ())
        while 0 < len(batch) < _MOST_AT_ONCE:
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
            if job.done.done():
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
