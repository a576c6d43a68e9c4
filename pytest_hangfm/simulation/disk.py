"""A disk that fails as SQLite meets it, below the writer of an outbox, of which only the threads differ."""

import asyncio
import contextvars
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from hangbot import Clock, ThreadWriter
from pytest_hangfm.simulation.process import OWNER, Process

__all__ = ["DiskFault", "SimulatedDisk"]

Step = Callable[[], float | None]
Kind = Literal["full", "busy", "read_only", "slow"]

_TAKES: Final = 0.001
"""Seconds from the moment when a step is asked for until it is done."""
_NOTICED_AFTER: Final = 0.05
_ERRORS: Final = {
    "full": ("database or disk is full", sqlite3.SQLITE_FULL, "SQLITE_FULL"),
    "busy": ("database is locked", sqlite3.SQLITE_BUSY, "SQLITE_BUSY"),
    "read_only": ("attempt to write a readonly database", sqlite3.SQLITE_READONLY, "SQLITE_READONLY"),
}


@dataclass(eq=False)
class DiskFault:
    """Something that is wrong with a disk.

    Attributes:
        kind: What.
        seconds: By which each step takes longer.
        hits: How often it had an effect.
    """

    kind: Kind
    _all: "list[DiskFault]"
    seconds: float = 0.0
    hits: int = 0

    def remove(self) -> None:
        """End it; ending it twice is harmless."""
        if self in self._all:
            self._all.remove(self)


class SimulatedDisk:
    """The disk of one machine: all outboxes of its processes are on it.

    The files are real ones, best in memory; a power cut is not simulated, so nothing waits for the disk.

    Args:
        clock: By which writers measure how long they wait.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._faults: list[DiskFault] = []
        self._notices: list[_Notice] = []

    def writer_for(self, process: Process | None) -> Callable[..., ThreadWriter]:
        """Return what `hangbot.open_outbox` makes its writer with; ``None``: for the world itself."""
        context = contextvars.copy_context() if process is None else process.context()

        def make(connect: Callable[[], sqlite3.Connection], *wired: Any) -> ThreadWriter:  # noqa: ANN401  as given
            return ThreadWriter(
                lambda: self._open(connect, process),
                *wired,
                clock=self._clock,
                threads=_Steps(self, context),
                looks=self,
            )

        return make

    # -- what goes wrong

    def full(self) -> DiskFault:
        """Have no room left: what is written fails, what is read does not."""
        return self._begin("full")

    def busy(self) -> DiskFault:
        """Have another program keep its lock on the file, as in the middle of a write."""
        return self._begin("busy")

    def read_only(self) -> DiskFault:
        """Allow no write any more, as a file system that was mounted anew after an error."""
        return self._begin("read_only")

    def slow(self, seconds: float) -> DiskFault:
        """Have each step take so much longer."""
        return self._begin("slow", seconds)

    def _begin(self, kind: Kind, seconds: float = 0.0) -> DiskFault:
        fault = DiskFault(kind, self._faults, seconds)
        self._faults.append(fault)
        return fault

    # -- for writers and their connections

    def takes(self) -> float:
        """Return the seconds that the next step takes."""
        seconds = _TAKES
        for fault in self._faults:
            if fault.kind == "slow":
                fault.hits += 1
                seconds += fault.seconds
        return seconds

    def check(self, *kinds: Kind) -> None:
        """Fail where one of these faults is there; raises what SQLite raises."""
        for fault in self._faults:
            if fault.kind in kinds:
                fault.hits += 1
                words, code, name = _ERRORS[fault.kind]
                error = sqlite3.OperationalError(words)
                error.sqlite_errorcode, error.sqlite_errorname = code, name
                raise error

    @contextmanager
    def noticing(self, path: Path, notice: Callable[[], None]) -> Iterator[None]:
        """Call something soon after each commit, as looks at the files from outside would."""
        added = _Notice(path, notice, contextvars.copy_context())
        self._notices.append(added)
        try:
            yield
        finally:
            self._notices.remove(added)

    def written(self) -> None:
        """Let all know that look at files."""
        for notice in self._notices:
            notice.soon()

    def _open(self, connect: Callable[[], sqlite3.Connection], process: Process | None) -> Any:  # noqa: ANN401  as good as a connection
        self.check("read_only")
        return _Connection(self, connect(), process)


@dataclass(eq=False)
class _Notice:
    path: Path
    call: Callable[[], None]
    context: contextvars.Context
    _pending: bool = False

    def soon(self) -> None:
        owner = self.context.get(OWNER)
        if not self._pending and (owner is None or owner.alive):
            self._pending = True
            asyncio.get_running_loop().call_later(_NOTICED_AFTER, self._run, context=self.context)

    def _run(self) -> None:
        self._pending = False
        self.call()


class _Connection:
    """SQLite's connection, where a disk's faults and a process's crash come between it and the file."""

    def __init__(self, disk: SimulatedDisk, real: sqlite3.Connection, process: Process | None) -> None:
        self._disk = disk
        self._real = real
        self._process = process
        real.execute("PRAGMA synchronous = OFF")
        if process is not None:
            process.at_crash(real.close)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  of any kind
        return getattr(self._real, name)

    def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:  # noqa: ANN401  the connection's own
        if sql == "COMMIT":
            return self._commit()
        if sql == "BEGIN IMMEDIATE":
            self._disk.check("busy", "read_only")
        return self._real.execute(sql, *args)

    def executescript(self, script: str) -> None:
        """Leave the waiting for the disk as it is: there is none."""
        if not script.startswith("PRAGMA synchronous"):
            self._real.executescript(script)

    def close(self) -> None:
        if self._process is not None:
            self._process.forget(self._real.close)
        self._real.close()

    def _commit(self) -> sqlite3.Cursor:
        try:
            self._disk.check("full")
        except sqlite3.OperationalError:
            self._real.execute("ROLLBACK")  # as SQLite does by itself
            raise
        if self._process is not None:
            self._process.reach_commit("before")  # where it crashes, this connection is closed
        done = self._real.execute("COMMIT")
        self._disk.written()
        if self._process is not None:
            self._process.reach_commit("after")
        return done


@dataclass(eq=False)
class _Series:
    step: Step
    state: Literal["idle", "waiting", "running"] = "idle"
    over: bool = False
    again: bool = False
    timer: asyncio.TimerHandle | None = None


@dataclass(eq=False)
class _Steps:
    """Runs the steps of writers in the loop, one at a time, as `hangbot`'s threads would."""

    disk: SimulatedDisk
    context: contextvars.Context

    def join(self, step: Step) -> _Series:
        return _Series(step)

    def leave(self, series: _Series) -> None:
        series.over = True
        if series.timer is not None:
            series.timer.cancel()

    def run_soon(self, series: _Series) -> None:
        if series.state == "running":
            series.again = True
        elif series.state == "idle" and not series.over:
            series.state = "waiting"
            self._run_in(series, self.disk.takes())

    def _run_in(self, series: _Series, seconds: float) -> None:
        if series.timer is not None:
            series.timer.cancel()
        series.timer = asyncio.get_running_loop().call_later(seconds, self._run, series, context=self.context)

    def _run(self, series: _Series) -> None:
        series.state, series.again = "running", False
        delay = series.step()
        if series.over:
            return
        series.state = "idle"
        if series.again or delay == 0.0:
            self.run_soon(series)
        elif delay is not None:
            self._run_in(series, delay)
