"""The outbox on disk: an SQLite file, the only memory that survives the process.

Accepted means committed (WAL, ``synchronous=FULL``). All statements run on one thread of the
outbox's own, so that the event loop never waits for a disk. Several processes may read and
change one outbox at a time; only the one that holds `exclusive` may deliver from it.
"""

import asyncio
import fcntl
import functools
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Concatenate, Final, ParamSpec, TypeVar

from hangbot.delivery import schema
from hangbot.delivery.record import Settlement, State, Step, Stored
from hangbot.errors import OutboxBusy, OutboxUnusable
from hangbot.wire.chat import Outgoing

__all__ = ["Outbox", "exclusive"]

P = ParamSpec("P")
T = TypeVar("T")

_BUSY_TIMEOUT: Final = 5.0
"""Seconds to wait for another process's write before the file counts as unusable."""


class Outbox:
    """A borrowed connection to an outbox; `hangbot.factory.open_outbox` opens and closes one.

    Every method raises `OutboxUnusable` when the disk or the file fails.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="hangbot-outbox")
        self._database: sqlite3.Connection | None = None
        self._closed = False

    async def open(self) -> None:
        """Open the file, and make or migrate its tables."""
        await self._on_thread(self._connect)

    async def close(self) -> None:
        """Finish what was asked for and close the file; closing twice is harmless."""
        if self._closed:
            return
        self._closed = True
        try:
            await self._on_thread(self._disconnect)
        finally:
            self._thread.shutdown(wait=False)  # what was asked for is still done

    def _connect(self) -> None:
        # On the outbox's thread, and kept there: an opening that is given up is closed like any other.
        self._database = _connect(self.path)

    def _disconnect(self) -> None:
        database, self._database = self._database, None
        if database is not None:
            database.close()

    async def put(self, parts: Sequence[Outgoing], now: float) -> list[Stored]:
        """Accept all parts of a message, or none.

        The same id with the same content is the same message: it is returned as it stands.

        Raises:
            UsageError: The id was used for something else.
        """
        return await self._ask(schema.put, parts, now)

    async def waiting(self, *, without: frozenset[str] = frozenset(), most: int = 64) -> list[Stored]:
        """Return what is to be delivered, oldest first, leaving out the receivers named."""
        return await self._ask(schema.waiting, without, most)

    async def sending(self, key: str, steps: Sequence[Step]) -> bool:
        """Write that a message is about to leave: from here on it is in doubt until settled.

        Returns:
            ``False`` where it has ended meanwhile (dropped by hand): then it must not be sent.
        """
        return await self._ask(schema.mark_sending, key, steps)

    async def settle(self, key: str, settlement: Settlement, steps: Sequence[Step], now: float) -> None:
        """Write how a message ended, with the steps that led there."""
        await self._ask(schema.settle, key, settlement, steps, now)

    async def note(self, key: str, steps: Sequence[Step]) -> None:
        """Keep the steps of a message that is not settled yet."""
        await self._ask(schema.note, key, steps)

    async def rows(self, states: Sequence[State] = ()) -> list[Stored]:
        """Return messages in these states (all, when none is named), oldest first."""
        return await self._ask(schema.rows, states)

    async def get(self, key: str) -> Stored:
        """Return one message; raises `UnknownMessage`."""
        return await self._ask(schema.get, key)

    async def history(self, key: str) -> list[Step]:
        """Return what happened to a message, oldest first; raises `UnknownMessage`."""
        return await self._ask(schema.history, key)

    async def requeue(self, keys: Sequence[str], now: float) -> list[Stored]:
        """Queue failed, uncertain, expired or dropped messages again; they are asked about first.

        Raises:
            UnknownMessage: One of the ids is not there; none is queued then.
        """
        return await self._ask(schema.requeue, keys, now)

    async def drop(self, keys: Sequence[str], now: float) -> list[Stored]:
        """Give up messages that are not delivered yet; raises as `requeue` does."""
        return await self._ask(schema.drop, keys, now)

    async def version(self) -> int:
        """Return a number that changes when another process has written."""
        return await self._ask(schema.version)

    async def _ask(
        self, work: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        if self._closed or self._database is None:
            raise OutboxUnusable(f"the outbox {self.path} is closed")
        return await self._on_thread(functools.partial(work, self._database, *args, **kwargs))

    async def _on_thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        try:
            # Shielded: a write that began is finished and known, whoever stops waiting for it.
            return await asyncio.shield(
                loop.run_in_executor(self._thread, functools.partial(work, *args, **kwargs))
            )
        except (sqlite3.Error, OSError) as exc:
            raise OutboxUnusable(f"the outbox {self.path} cannot be used: {exc}") from exc


def _connect(path: Path) -> sqlite3.Connection:
    if not path.parent.is_dir():
        raise OutboxUnusable(f"the outbox {path} cannot be made: its folder does not exist")
    # Absolute: SQLite would take `:memory:` for a wish, and accepted means on disk.
    database = sqlite3.connect(
        path.absolute(), timeout=_BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
    )
    try:
        schema.prepare(database)
    except OutboxUnusable as exc:
        database.close()
        raise OutboxUnusable(f"the outbox {path} cannot be used: {exc}", remedy=exc.remedy) from None
    except BaseException:
        database.close()
        raise
    return database


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the right to deliver from an outbox; the system gives it back when the process dies.

    Raises:
        OutboxBusy: Another process holds it.
        OutboxUnusable: The lock file beside the outbox cannot be written.
    """
    path = Path(os.path.realpath(path))  # one outbox has one lock, whatever link leads to it
    lock = path.parent / f"{path.name}.lock"
    try:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as exc:
        raise OutboxUnusable(f"the lock file {lock} cannot be written: {exc.strerror}") from exc
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OutboxBusy(f"another bot delivers from the outbox {path}") from None
        except OSError as exc:
            raise OutboxUnusable(f"the lock file {lock} cannot be locked: {exc.strerror}") from exc
        yield
    finally:
        os.close(handle)
