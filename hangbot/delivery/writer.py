"""The outbox's own thread: it collects what waits, does it in one transaction, commits once.

A commit costs a trip to the disk whether it holds one message or a hundred; collecting them
makes that trip for all who wait. The event loop never waits for the disk, and nobody is told
that a write is done before it is committed.
"""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["Work", "Writer"]

Work = Callable[[sqlite3.Connection], Any]

_MOST_AT_ONCE: Final = 256


@dataclass(slots=True)
class _Job:
    work: Work
    writes: bool
    done: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None


class Writer:
    """Runs functions of a database connection on one thread, several in a transaction.

    Args:
        connect: Opens the connection, on the thread.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
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
            self._jobs.put(None)
        if self._thread.ident is not None:
            await asyncio.shield(self._ended)

    async def do(self, work: Work, *, writes: bool) -> Any:  # noqa: ANN401  whatever the work returns
        """Run a function of the connection; return its result when it is committed.

        Whoever stops waiting does not stop the work: what was begun is finished.

        Raises:
            sqlite3.Error: The work or the commit failed; nothing of it is on disk.
            RuntimeError: The writer is closed, or its thread has ended.
        """
        if self._closing or self._ended.done():
            raise RuntimeError("the writer is closed")
        job = _Job(work, writes, self._loop.create_future())
        self._jobs.put(job)
        return await asyncio.shield(job.done)

    def _run(self) -> None:
        try:
            database = self._connect()
        except BaseException as exc:  # noqa: BLE001  told to who opens
            self._tell(self._fail_opening, exc)
            return
        self._tell(self._opened.set_result, None)
        try:
            while batch := self._collect():
                self._serve(database, batch)
                self._tell(self._resolve, batch)
        finally:
            with suppress(sqlite3.Error):  # what was told is on disk; what closing tidies up can wait
                database.close()
            self._tell(self._ended.set_result, None)

    def _collect(self) -> list[_Job]:
        """Wait for a job, and take all that wait behind it; nothing when the end is asked for."""
        first = self._jobs.get()
        if first is None:
            return []
        batch = [first]
        while len(batch) < _MOST_AT_ONCE:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is None:
                self._jobs.put(None)  # after this batch
                break
            batch.append(job)
        return batch

    @staticmethod
    def _serve(database: sqlite3.Connection, batch: list[_Job]) -> None:
        """Do a batch in one transaction. A job that fails undoes itself (its savepoint), not the others."""
        writes = [job for job in batch if job.writes]
        try:
            if writes:
                database.execute("BEGIN IMMEDIATE")
            for job in batch:
                _do(database, job)
            if writes:
                database.execute("COMMIT")
        except BaseException as exc:  # noqa: BLE001  told to all who wait
            for job in batch:
                job.error = job.error or exc
            # SQLite ends it by itself on a full disk. Where undoing fails too, the next BEGIN says so.
            with suppress(sqlite3.Error):
                if database.in_transaction:
                    database.execute("ROLLBACK")

    def _resolve(self, batch: list[_Job]) -> None:
        for job in batch:
            if job.error is not None:
                job.done.set_exception(job.error)
                job.done.exception()  # seen: whoever asked may have stopped waiting
            else:
                job.done.set_result(job.result)

    def _fail_opening(self, error: BaseException) -> None:
        self._opened.set_exception(error)
        self._opened.exception()
        self._ended.set_result(None)

    def _tell(self, tell: Callable[..., None], *args: object) -> None:
        """Call something on the loop, unless the loop has ended before the thread."""
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(tell, *args)


def _do(database: sqlite3.Connection, job: _Job) -> None:
    if not job.writes:
        try:
            job.result = job.work(database)
        except Exception as exc:  # noqa: BLE001  told to who asked
            job.error = exc
        return
    database.execute("SAVEPOINT job")
    try:
        job.result = job.work(database)
    except Exception as exc:
        if not database.in_transaction:
            raise  # the whole transaction is gone: a full disk
        database.execute("ROLLBACK TO job")
        job.error = exc
    database.execute("RELEASE job")
