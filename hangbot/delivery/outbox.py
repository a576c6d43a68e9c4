"""The outbox on disk: an SQLite file, the only memory that survives the process.

Accepted means committed (WAL, ``synchronous=FULL``). Several processes may read and change one
outbox at a time; only the one that holds `exclusive` may deliver from it.
"""

import asyncio
import functools
import math
import sqlite3
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from hangbot.clock import Boot
from hangbot.delivery import tables, write_sql
from hangbot.delivery.backup import back_up, refuse_place
from hangbot.delivery.database import broken, connect, is_damage, look_through
from hangbot.delivery.descriptor import Descriptor
from hangbot.delivery.lock import Turn, exclusive, exclusive_soon, is_held_here, is_wanted
from hangbot.delivery.message import Outgoing
from hangbot.delivery.owner import ANY_ROOM, Owner
from hangbot.delivery.record import MessageTiming, OutboxRow, Settlement, State, Step
from hangbot.delivery.watch import FileWatch
from hangbot.delivery.writer import Stall, Writer, is_busy, is_full
from hangbot.errors import (
    OutboxDiskFull,
    OutboxFull,
    OutboxLocked,
    OutboxOfAnother,
    OutboxTaken,
    OutboxUnusable,
)
from hangbot.health import Conditions

__all__ = ["Outbox", "OutboxLimits", "Turn", "exclusive", "exclusive_soon", "is_held_here", "is_wanted"]

P = ParamSpec("P")
T = TypeVar("T")

_COUNT_EVERY: Final = 1000
"""Accepted messages between two counts of what waits: another process may have added some."""
_PRUNE_EVERY: Final = 1000
"""Settled messages between two looks at what is too old to keep."""


@dataclass(frozen=True, slots=True)
class OutboxLimits:
    """How much an outbox holds.

    Attributes:
        queue: Messages that may wait; more are refused.
        keep_for: Seconds for which delivered messages are kept.
        keep_most: Delivered messages that are kept at most.
    """

    queue: int = 100_000
    keep_for: float = 7 * 86_400.0
    keep_most: int = 100_000


class Outbox:
    """An outbox; `hangbot.factory.open_outbox` opens and closes one.

    Every method raises `OutboxUnusable` when the disk or the file fails; nothing of what it
    was to write is on disk then.

    Args:
        path: The file.
        bounds: How much it holds.
        owner: Who opens it: `claim` and its like see the messages of that bot's rooms only. Without
            one all messages are seen, and whose they are is not asked.
        patience: Seconds for which a file that another process has locked is waited for, and a
            full disk with what delivery writes (what is to be accepted is refused at once).

    Attributes:
        path: See above.
        conditions: Told of such waits.
    """

    def __init__(
        self,
        path: Path,
        bounds: OutboxLimits | None = None,
        owner: Owner | None = None,
        *,
        patience: float = math.inf,
    ) -> None:
        self.path = path
        self.conditions = Conditions()
        self._patience = patience
        self._watch: FileWatch | None = None
        self._bounds = bounds or OutboxLimits()
        self._owner = owner
        self._rooms = owner.rooms if owner else None
        self._writer: Writer | None = None
        self._closed = False
        self._room = 0
        """So many more may be put before they are counted again. The thread's own."""
        self._settled = 0

    async def open(self, *, check: bool = False) -> None:
        """Open the file, and make or migrate its tables.

        Args:
            check: Whether to look through the whole file for damage first.

        Raises:
            OutboxOfAnother: The file is another bot's.
        """
        connecting = functools.partial(connect, self.path, check=check)
        self._writer = Writer(
            connecting,
            told_as=self._in_our_words,
            patience=self._patience,
            tell=self._stalled,
        )
        await self._writer.open()
        self._watch = await self._read(lambda database: FileWatch(self.path, _file_of(database)))
        if self._owner and self._owner.uid:
            await self.bind(self._owner.uid)

    async def check(self) -> None:
        """Look through the whole file for damage; who does so holds the right to deliver.

        Raises:
            OutboxUnusable: It is damaged: it was closed, and put aside.
        """
        try:
            await self._read(look_through)
        except Exception as exc:
            cause = exc.__cause__ or exc
            if not is_damage(cause):
                raise
            file: Descriptor = await self._read(lambda database: _file_of(database).shared())
            await self.close()
            try:
                raise broken(self.path, file, cause, alone=True) from None
            finally:
                file.give_back()

    async def lost(self) -> str | None:
        """Return what became of the file while it was open, or ``None`` while it is where it was.

        What is found has to be found twice: ask about once a second.
        """
        cause = await self._read(lambda _: self._watch.look() if self._watch else None)
        return cause and self._lost_words(cause)

    async def leave_lost(self) -> None:
        """Write all into a file that was taken away, so that nothing of it is in the way of another."""
        if self._watch:
            await self._read(self._watch.leave)

    def _lost_words(self, cause: str) -> str:
        return f"the outbox {self.path} {cause} while it was in use"

    def _in_our_words(self, error: BaseException) -> BaseException:
        told = _in_our_words(self.path, error)
        if type(told) is OutboxUnusable and told is not error and self._watch:
            cause = self._watch.look_once()
            if cause:
                told = OutboxTaken(self._lost_words(cause))
                told.__cause__ = error
        return told

    def _stalled(self, stall: Stall | None) -> None:
        """Tell what keeps the file from being written."""
        if stall == "busy":
            sentence = (
                f"another program has the outbox {self.path} locked: nothing is written until it lets go"
            )
            self.conditions.red("outbox", sentence, OutboxLocked.remedy)
        elif stall == "full":
            sentence = f"the disk of the outbox {self.path} is full: nothing is accepted, and nothing sent"
            self.conditions.red("outbox", sentence, OutboxDiskFull.remedy)
        else:
            self.conditions.clear("outbox")

    async def bind(self, uid: str) -> None:
        """Make the file a bot's where it is nobody's yet; who only looks leaves it so.

        Raises:
            OutboxOfAnother: It is another's.
        """
        found = await self._read(write_sql.owner)
        if found is None and self._owner and self._owner.binds:
            found = await self._write(write_sql.bind, uid)
        if found not in {None, uid}:
            raise OutboxOfAnother(
                f"the outbox {self.path} is the bot {found}'s; this configuration is for the bot {uid}"
            )

    async def prove(self) -> None:
        """Write something that changes nothing; raises `OutboxUnusable` where nothing can be written."""
        await self._write(tables.rewrite)

    async def close(self) -> None:
        """Finish what was asked for and close the file; closing twice is harmless."""
        self._closed = True
        if self._writer is not None:
            await self._writer.close()

    def put(
        self,
        parts: Sequence[Outgoing],
        now: float,
        *,
        expires_at: float | None = None,
        boot: Boot | None = None,
    ) -> Awaitable[list[OutboxRow]]:
        """Accept all parts of a message, or none; ``now`` and ``boot`` tell when, ``expires_at`` until when.

        The same id with the same content is the same message: it is returned as it stands.

        Raises:
            UsageError: The id was used for something else.
            OutboxFull: As many messages wait as may.
        """
        room = self._owner.room_of(parts[0]) if self._owner else ANY_ROOM
        text = write_sql.NewMessage(parts, now, expires_at, room, boot)
        return self._ask(self._put, writes=True, shared=True, item=text)

    def _put(
        self, database: sqlite3.Connection, texts: Sequence[write_sql.NewMessage]
    ) -> list[list[OutboxRow]]:
        before = database.total_changes
        stored = write_sql.put(database, texts)
        new = database.total_changes - before  # not what was known already: it is in the queue, or was
        if new > self._room:
            waiting = write_sql.count_waiting(database)
            self._room = min(self._bounds.queue - waiting + new, _COUNT_EVERY)
            if new > self._room:
                raise OutboxFull(f"{waiting - new} messages wait in the outbox {self.path} already")
        self._room -= new
        return stored

    async def recover(self, now: float) -> None:
        """Queue again, in doubt, what was on its way when the process that carried it ended."""
        await self._deliver(write_sql.recover, now)

    async def expire(self, now: float, boot: Boot | None) -> list[tuple[str, float]]:
        """End what is too old to be sent; return the id of each and when it was accepted, oldest first."""
        return await self._deliver(write_sql.expire, now, boot, self._rooms)

    async def receivers(self, *, without: Collection[str] = ()) -> list[str]:
        """Return for whom messages are queued, but the ones named; whoever has waited longest first."""
        return await self._read(write_sql.receivers, frozenset(without), self._rooms)

    async def claim(self, receiver: str, *, only_look: bool = False) -> OutboxRow | None:
        """Take the oldest message that is queued for a receiver: from here on it is in doubt.

        Args:
            receiver: For whom.
            only_look: Leave it queued; `mark_sending` is to be called before it is sent.

        Returns:
            It as it was, but for the state (``sending``, or ``queued`` after only a look).
        """
        if only_look:
            return await self._read(write_sql.first, receiver, self._rooms)
        return await self._write_if_wanted(write_sql.claim, receiver, self._rooms)

    async def release(self, row: OutboxRow) -> None:
        """Queue again what was claimed and not sent, as it was."""
        await self._write_if_wanted(write_sql.release, row.message.id, row.in_doubt)

    async def count_waiting(self) -> int:
        """Return how many messages wait that are delivered from here."""
        return await self._read(write_sql.count_waiting, self._rooms)

    async def count_others(self) -> int:
        """Return how many messages of other rooms wait."""
        return await self._read(write_sql.count_others, self._rooms)

    async def mark_sending(self, key: str, steps: Sequence[Step]) -> bool:
        """Write that a message is about to leave: from here on it is in doubt until settled.

        Returns:
            ``False`` where it has ended meanwhile (dropped by hand): then it must not be sent.
        """
        return await self._write_if_wanted(write_sql.mark_sending, key, steps)

    def settle(
        self, key: str, settlement: Settlement, steps: Sequence[Step], now: float
    ) -> Awaitable[list[str]]:
        """Write how a message ended, with the steps that led there.

        Returns:
            The ids of the parts behind it that were given up with it: all parts or a clear stop.
        """
        return self._ask(
            lambda database: self._settle(database, key, settlement, steps, now), writes=True, patient=True
        )

    def _settle(
        self,
        database: sqlite3.Connection,
        key: str,
        settlement: Settlement,
        steps: Sequence[Step],
        now: float,
    ) -> list[str]:
        given_up = write_sql.settle(database, key, settlement, steps, now)
        self._settled += 1
        if self._settled % _PRUNE_EVERY == 0:
            self._prune(database, now)
        return given_up

    async def fail_queued(self, receiver: str, settlement: Settlement, now: float) -> list[str]:
        """End what is queued for a group as another message to it ended; what may be there stays queued.

        Returns:
            The ids of what ended.
        """
        return await self._write(write_sql.fail_queued, receiver, settlement, now, self._rooms)

    async def prune(self, now: float) -> int:
        """Forget delivered messages that are older, or more, than are kept; return how many."""
        return await self._deliver(self._prune, now)

    def _prune(self, database: sqlite3.Connection, now: float) -> int:
        return write_sql.prune(database, now - self._bounds.keep_for, self._bounds.keep_most)

    async def append_steps(self, key: str, steps: Sequence[Step]) -> None:
        """Keep the steps of a message that is not settled yet."""
        await self._deliver(write_sql.append_steps, key, steps)

    async def rows(self, states: Sequence[State] = (), *, since: float = 0.0) -> list[OutboxRow]:
        """Return messages in these states (all, when none is named), oldest first.

        ``since`` (seconds since the epoch) leaves out what had ended before.
        """
        return await self._read(write_sql.rows, states, since)

    async def timings(self, *, since: float = 0.0) -> list[MessageTiming]:
        """Return the few figures of each message that a summary needs, oldest first."""
        return await self._read(write_sql.timings, since)

    async def get(self, key: str) -> OutboxRow:
        """Return one message; raises `UnknownMessage`."""
        return await self._read(write_sql.get, key)

    async def group_ids(self) -> dict[str, str]:
        """Return every id with that of the text that it is a part of, oldest first."""
        return await self._read(write_sql.group_ids)

    async def history(self, key: str) -> list[Step]:
        """Return what happened to a message, oldest first; raises `UnknownMessage`."""
        return await self._read(write_sql.history, key)

    async def requeue(self, keys: Sequence[str], now: float) -> list[OutboxRow]:
        """Queue failed, uncertain, expired or dropped messages again; they are asked about first.

        Raises:
            UnknownMessage: One of the ids is not there; none is queued then.
        """
        return await self._write(self._requeue, keys, now)

    def _requeue(self, database: sqlite3.Connection, keys: Sequence[str], now: float) -> list[OutboxRow]:
        self._room = 0  # they wait again: the next one that is put has everything counted
        return write_sql.requeue(database, keys, now)

    async def drop(self, keys: Sequence[str], now: float) -> list[OutboxRow]:
        """Give up messages that are not delivered yet; raises as `requeue` does."""
        return await self._write(write_sql.drop, keys, now)

    async def back_up(self, place: Path) -> int:
        """Copy all of it into a new file while it is in use, and return the number of its messages.

        Raises:
            UsageError: There is something at that place, or it is the outbox's own.
            HangbotError: The place cannot be written; nothing stays there.
        """
        refuse_place(self.path, place)
        return await self._read(back_up, place)

    async def version(self) -> int:
        """Return a number that changes when another process has written."""
        return await self._read(write_sql.version)

    async def _write(
        self, work: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        return await self._do(lambda database: work(database, *args, **kwargs), writes=True)

    async def _deliver(
        self, work: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Write what delivery has to write: as soon as there is room, where the disk is full."""
        return await self._do(lambda database: work(database, *args, **kwargs), writes=True, patient=True)

    async def _write_if_wanted(
        self, work: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Write, unless who asked is cancelled first: then another process may deliver from the outbox.

        What has begun is in a transaction, and that process has to wait for its end.
        """
        wanted = True

        def unless_cancelled(database: sqlite3.Connection) -> Any:  # noqa: ANN401  nobody reads the `None`
            return work(database, *args, **kwargs) if wanted else None

        try:
            return await self._do(unless_cancelled, writes=True, patient=True)
        except asyncio.CancelledError:
            wanted = False
            raise

    async def _read(
        self, work: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        return await self._do(lambda database: work(database, *args, **kwargs), writes=False)

    def _do(
        self, work: Callable[[sqlite3.Connection], T], *, writes: bool, patient: bool = False
    ) -> Awaitable[T]:
        return self._ask(work, writes=writes, patient=patient)

    def _ask(self, work: Callable[..., Any], **how: Any) -> Awaitable[Any]:  # noqa: ANN401  as `Writer.do` has it
        """Have work done on the file: begun now, in the order of the calls, awaited or not."""
        if self._closed or self._writer is None:
            raise OutboxUnusable(f"the outbox {self.path} is closed")
        return self._writer.do(work, **how)


def _in_our_words(path: Path, error: BaseException) -> BaseException:
    if not isinstance(error, sqlite3.Error | OSError):
        return error
    unusable = OutboxUnusable(f"the outbox {path} cannot be used: {error}")
    if is_busy(error):
        unusable = OutboxLocked(f"the outbox {path} is locked by another program; nothing was written")
    elif is_full(error):
        unusable = OutboxDiskFull(f"the disk of the outbox {path} is full ({error}); nothing was written")
    unusable.__cause__ = error
    return unusable


def _file_of(database: sqlite3.Connection) -> Descriptor:
    file: Descriptor = database.file  # type: ignore[attr-defined]  # `opening.Connection`, or a test's own around it
    return file
