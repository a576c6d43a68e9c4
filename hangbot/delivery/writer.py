"""What writes to the outbox's file: the port, its jobs, and a writer that runs them in the caller.

`hangbot.delivery.thread_writer` has the one that runs them on a thread.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Final, Literal, Protocol

__all__ = [
    "FileWriter",
    "InlineWriter",
    "Job",
    "MakeWriter",
    "OnStall",
    "Stall",
    "Translate",
    "Work",
    "WorkOnMany",
    "Writer",
    "is_busy",
    "is_full",
    "resolve",
    "run_batch",
    "write_something",
]

Work = Callable[[sqlite3.Connection], Any]
WorkOnMany = Callable[[sqlite3.Connection, Sequence[Any]], Sequence[Any]]
"""Does the same to several things, and returns what came of each."""

Stall = Literal["busy", "full"]
OnStall = Callable[[Stall | None], None]
"""Is given what keeps the file from being written, and ``None`` when it is written again."""
Translate = Callable[[BaseException], BaseException]
"""Returns what is raised in place of an error of the database."""

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
        done: Is given what came of it when that is committed.
        patient: Whether it is run as soon as there is room again, where the disk is full.
        lasting: Whether what it writes outlives a power cut from its commit on; without, it is only
            certain that nothing is there that was written later, and that the process may be killed.
        shared: Whether it runs once for all adjacent jobs with the same function: a fifth cheaper to accept.
        item: With a shared one: what the function is given of this job.
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
    lasting: bool = True


class Writer(Protocol):
    """Runs functions of one database connection, in the order in which they are submitted."""

    async def open(self) -> None:
        """Open the connection; raises what opening raises."""

    async def close(self) -> None:
        """Finish what was submitted and close the connection; closing twice is harmless."""

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
            RuntimeError: The writer is closed.
        """


class FileWriter(Writer, Protocol):
    """The same over a file that other processes write, too."""

    def noticing(self, path: Path, notice: Callable[[], None]) -> AbstractContextManager[None]:
        """Call something on the loop soon after another process has written, and now and then without that.

        It is a hint: a write may be missed.
        """


MakeWriter = Callable[[Callable[[], sqlite3.Connection], Translate, OnStall, float], FileWriter]
"""Makes a writer of what opens its connection, translates errors, is given stalls, and of the patience."""


class InlineWriter:
    """Runs each function in its caller, a transaction each: no thread, for simulations.

    What another process has locked, or a full disk, is an error at once.

    Args:
        connect: Opens the connection.
        translate: Translates errors.
        on_stall: Is never given anything.
        patience: Is not used.
    """

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        translate: Translate = lambda error: error,
        on_stall: OnStall = lambda _: None,  # noqa: ARG002  as of every writer
        patience: float = 0.0,  # noqa: ARG002  as of every writer
    ) -> None:
        self._connect = connect
        self._translate = translate
        self._database: sqlite3.Connection | None = None

    async def open(self) -> None:
        """Open the connection; raises what opening raises."""
        try:
            self._database = self._connect()
        except (sqlite3.Error, OSError) as exc:
            raise self._translate(exc) from exc

    async def close(self) -> None:
        """Close the connection; closing twice is harmless."""
        if self._database is not None:
            self._database.close()
            self._database = None

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
        """Run a function of the connection and commit; the future that is returned is done.

        Raises:
            RuntimeError: The writer is closed.
        """
        if self._database is None:
            raise RuntimeError("the writer is closed")
        job = Job(
            work, writes, asyncio.get_running_loop().create_future(), patient, shared, item, lasting=lasting
        )
        run_batch(self._database, [job])
        resolve(job, self._translate)
        return job.done  # type: ignore[return-value]  # made above

    def noticing(self, path: Path, notice: Callable[[], None]) -> AbstractContextManager[None]:  # noqa: ARG002  as of every writer
        """Notice nothing: without a thread there is no look from outside."""
        return nullcontext()


def resolve(job: Job, translate: Translate) -> None:
    """Give a job's future what came of it."""
    if job.done is None or job.done.done():
        return  # cancelled: its submitter has stopped waiting
    if job.error is not None:
        job.done.set_exception(translate(job.error))
        job.done.exception()  # seen: it may be that nothing awaits it
    else:
        job.done.set_result(job.result)


def run_batch(database: sqlite3.Connection, batch: Sequence[Job], *, commit: bool = True) -> None:
    """Run a batch in one transaction, and leave in each job its result or its error.

    Savepoints cost more than most jobs, so they are only set when one job has failed and the
    batch is run again: then the failing job undoes its own changes and no others.
    Without ``commit`` the transaction of a batch that writes stays open, unless all of it has failed.
    """
    try:
        try:
            _transact(database, batch, _run, commit=commit)
        except _JobFailed:
            _transact(database, batch, _run_with_savepoints, commit=commit)
    except BaseException as exc:  # noqa: BLE001  each job reports it
        for job in batch:
            job.error = job.error or exc


def is_busy(error: BaseException | None) -> bool:
    """Tell whether an error says that another process has the file locked."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _LOCKED


def is_full(error: BaseException | None) -> bool:
    """Tell whether an error says that there is no room on the disk."""
    code = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF == sqlite3.SQLITE_FULL or code in _NO_ROOM


def write_something(database: sqlite3.Connection) -> None:
    """Write a page that says the same as before: it needs room as everything does."""
    (version,) = database.execute("PRAGMA user_version").fetchone()
    database.execute(f"PRAGMA user_version = {version}")


class _JobFailed(Exception):
    """One job of a batch failed; nothing of the batch is done."""


def _transact(
    database: sqlite3.Connection,
    batch: Sequence[Job],
    run: Callable[[sqlite3.Connection, list[Job]], None],
    *,
    commit: bool,
) -> None:
    writes = [job.lasting for job in batch if job.writes]
    try:
        if writes:
            if commit:
                _wait_for_the_disk(database, lasting=any(writes))
            database.execute("BEGIN IMMEDIATE")
        for _, alike in groupby(batch, key=lambda job: job.work if job.shared else job.done):
            run(database, list(alike))
        if writes and commit:
            database.execute("COMMIT")
    except BaseException:
        # SQLite ends it by itself on a full disk. Where undoing fails too, the next batch begins with it.
        with suppress(sqlite3.Error):
            if database.in_transaction:
                database.execute("ROLLBACK")
        raise


def _wait_for_the_disk(database: sqlite3.Connection, *, lasting: bool) -> None:
    """Have the next commit last, or not: its log is written in order all the same, and synced by what lasts.

    SQLite sets this when it compiles the statement, which `execute` may not do again; for a script it does.
    """
    if database.in_transaction:  # undoing the last one had failed, and a script begins with a commit
        database.execute("ROLLBACK")
    database.executescript(f"PRAGMA synchronous = {'FULL' if lasting else 'NORMAL'}")


def _run(database: sqlite3.Connection, alike: list[Job]) -> None:
    try:
        results = _results(database, alike)
    except Exception as exc:
        raise _JobFailed from exc
    for job, result in zip(alike, results, strict=True):
        job.result = result


def _run_with_savepoints(database: sqlite3.Connection, alike: list[Job]) -> None:
    for job in alike:
        inside = database.in_transaction
        if job.writes:
            database.execute("SAVEPOINT job")
        try:
            (job.result,) = _results(database, [job])
        except Exception as exc:
            if inside and not database.in_transaction:
                raise  # all of it (a full disk): what comes next would be written, and reported as failed
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
