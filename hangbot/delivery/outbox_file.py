"""The outbox's file while it is in use: opened, written and read in order, watched, closed."""

import functools
import math
import os
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from hangbot.clock import Clock, SystemClock
from hangbot.delivery import read_sql
from hangbot.delivery.database import broken, connect, is_damage, look_through
from hangbot.delivery.descriptor import Descriptor
from hangbot.delivery.place import OutboxPlace
from hangbot.delivery.thread_writer import ThreadWriter
from hangbot.delivery.watch import FileWatch
from hangbot.delivery.writer import FileWriter, MakeWriter, Stall, is_busy, is_full
from hangbot.errors import OutboxDiskFull, OutboxLocked, OutboxTaken, OutboxUnusable
from hangbot.health import AT_ONCE, Conditions

__all__ = ["OutboxFile"]

_OWN: Final = ("", "-wal", "-shm", "-journal", ".lock")


class OutboxFile(OutboxPlace):
    """One SQLite file behind a `hangbot.delivery.writer.Writer`.

    Args:
        path: The file.
        patience: Seconds for which a file that another process has locked is waited for, and a full disk
            with what is patient.
        clock: Names what is quarantined, and measures how long opening takes.
        make_writer: Makes the writer.

    Attributes:
        path: As above.
        name: The same, as text.
        conditions: Show such waits.
    """

    def __init__(
        self,
        path: Path,
        *,
        patience: float = math.inf,
        clock: Clock | None = None,
        make_writer: MakeWriter = ThreadWriter,
    ) -> None:
        self.path, self.name = path, str(path)
        self._patience = patience
        self._clock = clock or SystemClock()
        self.conditions = Conditions(self._clock.now, AT_ONCE)
        self._make_writer = make_writer
        self._writer: FileWriter | None = None
        self._watch: FileWatch | None = None
        self._closed = False

    @property
    def files(self) -> list[Path]:
        """It, and what is kept beside it."""
        real = os.path.realpath(self.path)
        return [Path(real + ending) for ending in _OWN]

    @property
    def writer(self) -> FileWriter:
        """What runs functions of the connection, from the moment of the call on, awaited or not."""
        if self._closed or self._writer is None:
            raise OutboxUnusable(f"the outbox {self.path} is closed")
        return self._writer

    async def open(self, *, check: bool = False) -> None:
        """Open the file, and make or migrate its tables; with ``check`` look for damage first."""
        connecting = functools.partial(connect, self.path, check=check, clock=self._clock)
        self._writer = self._make_writer(connecting, self._translate, self._on_stall, self._patience)
        await self._writer.open()
        self._watch = await self.read(lambda database: FileWatch(self.path, _file_of(database), self._clock))

    async def close(self) -> None:
        """Finish what was submitted and close the file; closing twice is harmless."""
        self._closed = True
        if self._writer is not None:
            await self._writer.close()

    async def check(self) -> None:
        """Look through the whole file for damage; the caller holds the right to deliver.

        Raises:
            OutboxUnusable: It is damaged: it was closed, and quarantined.
        """
        try:
            await self.read(look_through)
        except Exception as exc:
            cause = exc.__cause__ or exc
            if not is_damage(cause):
                raise
            file = await self.read(lambda database: _file_of(database).shared())
            await self.close()
            try:
                raise broken(self.path, file, cause, alone=True, clock=self._clock) from None
            finally:
                file.give_back()

    async def look(self, *, closely: bool = True) -> tuple[int, str | None]:
        """Return a number that changes when another process has written, and what became of the file.

        The latter is ``None`` while the file is where it was, or is not looked at ``closely``. It has to be
        found twice: look closely about once a second.
        """
        version, cause = await self.read(
            lambda database: (
                read_sql.version(database),
                self._watch.look() if self._watch and closely else None,
            )
        )
        return version, cause and self._lost_words(cause)

    def noticing(self, notice: Callable[[], None]) -> AbstractContextManager[None]:
        """Call something soon after another process has written, and after what is written here."""
        return self.writer.noticing(self.path, notice)

    async def leave_lost(self) -> None:
        """Write all into a file that was taken away, so that nothing of it is in the way of another."""
        if self._watch:
            await self.read(self._watch.leave)

    def _lost_words(self, cause: str) -> str:
        return f"the outbox {self.path} {cause} while it was in use"

    def _translate(self, error: BaseException) -> BaseException:
        """Return an error of the disk or the database as one that an operator understands."""
        if not isinstance(error, sqlite3.Error | OSError):
            return error
        unusable = OutboxUnusable(f"the outbox {self.path} cannot be used: {error}")
        if is_busy(error):
            unusable = OutboxLocked(
                f"the outbox {self.path} is locked by another program; nothing was written"
            )
        elif is_full(error):
            unusable = OutboxDiskFull(
                f"the disk of the outbox {self.path} is full ({error}); nothing was written"
            )
        elif self._watch and (cause := self._watch.look_once()):
            unusable = OutboxTaken(self._lost_words(cause))
        unusable.__cause__ = error
        return unusable

    def _on_stall(self, stall: Stall | None) -> None:
        """Show what keeps the file from being written."""
        if stall == "busy":
            sentence = (
                f"another program has the outbox {self.path} locked: nothing is written until it lets go"
            )
            self.conditions.red("outbox", sentence, OutboxLocked.remedy)  # it has lasted for a while
        elif stall == "full":
            sentence = f"the disk of the outbox {self.path} is full: nothing is accepted, and nothing sent"
            self.conditions.bad("outbox", sentence, OutboxDiskFull.remedy)
        else:
            self.conditions.good("outbox")


def _file_of(database: sqlite3.Connection) -> Descriptor:
    file: Descriptor = database.file  # type: ignore[attr-defined]  # `database.Connection`, or a test's own around it
    return file
