"""The outbox: the only memory that survives the process, in an SQLite file or wherever its place keeps it.

Accepted means committed (in a file: WAL, ``synchronous=FULL``). Several processes may read and change one
outbox at a time; only the one that holds `exclusive` may deliver from it.
"""

import sqlite3
from collections.abc import Awaitable, Collection, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from hangbot.clock import Boot
from hangbot.delivery import put_sql, read_sql, tables, write_sql
from hangbot.delivery.backup import back_up
from hangbot.delivery.lock import Turn, exclusive, exclusive_soon, is_held_here, is_wanted
from hangbot.delivery.message import Outgoing
from hangbot.delivery.outbox_limits import OutboxLimits
from hangbot.delivery.owner import ANY_ROOM, Owner
from hangbot.delivery.place import OutboxPlace
from hangbot.delivery.record import ManualChange, MessageTiming, OutboxRow, Queue, Settlement, State, Step
from hangbot.delivery.slots import Slots
from hangbot.delivery.writes import Writes, write
from hangbot.errors import OutboxOfAnother
from hangbot.new_file import refuse_place

__all__ = ["Outbox", "OutboxLimits", "Turn", "exclusive", "exclusive_soon", "is_held_here", "is_wanted"]


class _Commit(NamedTuple):
    """What one handler leaves: messages, what is written with them, and when."""

    texts: Sequence[put_sql.NewMessage]
    writes: Writes
    now: float


class Outbox:
    """An outbox; `hangbot.factory.open_outbox` opens and closes one.

    Every method raises `OutboxUnusable` when the disk or the file fails; nothing of what it
    was to write is on disk then.

    Args:
        place: Where it is kept.
        limits: How much it holds.
        owner: Who opens it: `claim` and its like see the messages of that bot's rooms only. Without
            one all messages are seen, and whose they are is not asked.

    Attributes:
        place: As above.
    """

    def __init__(
        self,
        place: OutboxPlace,
        limits: OutboxLimits | None = None,
        owner: Owner | None = None,
    ) -> None:
        self.place = place
        self._limits = limits or OutboxLimits()
        self._owner = owner
        self._rooms = owner.rooms if owner else None
        self._slots = Slots(self._limits, place.name)
        self._settled = 0

    async def open(self, *, check: bool = False) -> None:
        """Open the file, and make or migrate its tables; with ``check`` look for damage first.

        Raises:
            OutboxOfAnother: The file is another bot's.
        """
        await self.place.open(check=check)
        if self._owner and self._owner.uid:
            await self.bind(self._owner.uid)

    async def bind(self, uid: str) -> None:
        """Make the file a bot's where it has no owner yet; a process that only looks leaves it so.

        Raises:
            OutboxOfAnother: It is another's.
        """
        found = await self.place.read(read_sql.owner)
        if found is None and self._owner and self._owner.binds:
            found = await self.place.write(write_sql.bind, uid)
        if found not in {None, uid}:
            raise OutboxOfAnother(
                f"the outbox {self.place.name} is the bot {found}'s; this configuration is for the bot {uid}"
            )

    async def prove(self) -> None:
        """Write something that changes nothing; raises `OutboxUnusable` where nothing can be written."""
        await self.place.write(tables.rewrite)

    async def close(self) -> None:
        """Finish what was submitted and close the file; closing twice is harmless."""
        await self.place.close()

    def put(
        self,
        parts: Sequence[Outgoing],
        now: float,
        *,
        expires_at: float | None = None,
        boot: Boot | None = None,
        first_wins: bool = False,
    ) -> Awaitable[list[OutboxRow]]:
        """Accept all parts of a message, or none; ``now`` and ``boot`` say when, ``expires_at`` until when.

        The same id with the same content is the same message: it is returned as it stands; where the
        ``first_wins``, also with other content, and in as many parts as it was accepted in.

        Raises:
            UsageError: The id was used for something else.
            OutboxFull: As many messages wait as may.
        """
        new = put_sql.NewMessage(parts, now, expires_at, self._room_of(parts[0]), boot, first_wins)
        return self.place.writer.submit(self._slots.put, writes=True, shared=True, item=new)

    def commit(
        self,
        texts: Sequence[Sequence[Outgoing]],
        writes: Writes,
        now: float,
        *,
        expires_at: float | None = None,
        boot: Boot | None = None,
        first_wins: bool = False,
    ) -> Awaitable[list[list[OutboxRow]]]:
        """Accept messages as `put` does each, and write what belongs to them: all of it, or nothing.

        On a full disk it waits until there is room: what was done for it cannot be done again.

        Raises:
            StoreConflict: A value is not what it must be.
            UsageError: An id was used for something else.
            OutboxFull: As many messages wait as may.
        """
        new = [
            put_sql.NewMessage(parts, now, expires_at, self._room_of(parts[0]), boot, first_wins)
            for parts in texts
        ]
        return self.place.writer.submit(
            self._commit, writes=True, patient=True, shared=True, item=_Commit(new, writes, now)
        )

    def _commit(
        self, database: sqlite3.Connection, commits: Sequence["_Commit"]
    ) -> list[list[list[OutboxRow]]]:
        write(database, [each.writes for each in commits], max(each.now for each in commits))
        texts = [text for each in commits for text in each.texts]
        stored = iter(self._slots.put(database, texts) if texts else ())
        return [list(islice(stored, len(each.texts))) for each in commits]

    def _room_of(self, message: Outgoing) -> str:
        return self._owner.room_of(message) if self._owner else ANY_ROOM

    async def recover(self, now: float) -> None:
        """Queue again, in doubt, what was on its way when the process that carried it ended."""
        await self.place.write_patiently(write_sql.recover, now)

    async def expire(self, now: float, boot: Boot | None) -> list[tuple[str, float]]:
        """End what is too old to be sent; return the id of each and when it was accepted, oldest first."""
        return await self.place.write_patiently(write_sql.expire, now, boot, self._rooms)

    async def receivers(self, *, without: Collection[str] = ()) -> list[str]:
        """Return the receivers of queued messages, but the ones named; the longest wait first."""
        return await self.place.read(read_sql.receivers, frozenset(without), self._rooms)

    async def claim(self, receiver: str, *, only_look: bool = False) -> OutboxRow | None:
        """Take the oldest message that is queued for a receiver: from here on it is in doubt.

        Args:
            receiver: Its messages are meant.
            only_look: Leave it queued; `mark_sending` is to be called before it is sent.

        Returns:
            It as it was, but for the state (``sending``, or ``queued`` after only a look).
        """
        if only_look:
            return await self.place.read(read_sql.first, receiver, self._rooms)
        return await self.place.write_if_wanted(write_sql.claim, receiver, self._rooms)

    async def release(self, row: OutboxRow) -> None:
        """Queue again what was claimed and not sent, as it was."""
        await self.place.write_if_wanted(write_sql.release, row.message.id, row.in_doubt)

    async def count_waiting(self) -> int:
        """Return how many messages wait that are delivered from here."""
        return await self.place.read(read_sql.count_waiting, self._rooms)

    async def count_others(self) -> int:
        """Return how many messages of other rooms wait."""
        return await self.place.read(read_sql.count_others, self._rooms)

    async def mark_sending(self, key: str, steps: Sequence[Step]) -> bool:
        """Write that a message is about to leave: from here on it is in doubt until settled.

        Returns:
            ``False`` where it has ended meanwhile (dropped by hand): then it must not be sent.
        """
        return await self.place.write_if_wanted(write_sql.mark_sending, key, steps)

    def settle(
        self, key: str, settlement: Settlement, steps: Sequence[Step], now: float
    ) -> Awaitable[list[str]]:
        """Write how a message ended, with the steps that led there.

        Returns:
            The ids of the parts behind it that were given up with it: all parts or a clear stop.
        """
        return self.place.writer.submit(
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
        if self._settled % self._limits.prune_every == 0:
            self._prune(database, now)
        return given_up

    async def fail_queued(self, receiver: str, settlement: Settlement, now: float) -> list[str]:
        """End what is queued for a group as another message to it ended; what may be there stays queued.

        Returns:
            The ids of what ended.
        """
        return await self.place.write(write_sql.fail_queued, receiver, settlement, now, self._rooms)

    async def prune(self, now: float) -> int:
        """Forget delivered messages that are older, or more, than are kept; return how many."""
        return await self.place.write_patiently(self._prune, now)

    def _prune(self, database: sqlite3.Connection, now: float) -> int:
        limits = self._limits
        return write_sql.prune(database, now - limits.keep_for, limits.keep_most, now - limits.keep_at_least)

    async def append_steps(self, key: str, steps: Sequence[Step]) -> None:
        """Keep the steps of a message that is not settled yet."""
        await self.place.write_patiently(write_sql.append_steps, key, steps)

    async def rows(self, states: Sequence[State] = (), *, since: float = 0.0) -> list[OutboxRow]:
        """Return messages in these states (all, when none is named), oldest first.

        ``since`` (seconds since the epoch) leaves out what had ended before.
        """
        return await self.place.read(read_sql.rows, states, since)

    async def newest(self, most: int, states: Sequence[State] = ()) -> list[OutboxRow]:
        """Return so many of the newest messages in these states (all, when none is named), newest first."""
        return await self.place.read(read_sql.newest, most, states)

    async def queue(self) -> Queue:
        """Return how many messages wait that are delivered from here, and since when."""
        return await self.place.read(read_sql.queue, self._rooms)

    async def timings(self, *, since: float = 0.0) -> list[MessageTiming]:
        """Return the few figures of each message that a summary needs, oldest first."""
        return await self.place.read(read_sql.timings, since)

    async def get(self, key: str) -> OutboxRow:
        """Return one message; raises `UnknownMessage`."""
        return await self.place.read(read_sql.get, key)

    async def group_ids(self) -> dict[str, str]:
        """Return every id with that of the text that it is a part of, oldest first."""
        return await self.place.read(read_sql.group_ids)

    async def group(self, key: str) -> list[OutboxRow]:
        """Return a message and the other parts of its text, or nothing where it is not known."""
        return await self.place.read(read_sql.group, key)

    async def history(self, key: str) -> list[Step]:
        """Return what happened to a message, oldest first; raises `UnknownMessage`."""
        return await self.place.read(read_sql.history, key)

    async def requeue(self, keys: Sequence[str], now: float) -> list[OutboxRow]:
        """Queue failed, uncertain, expired or dropped messages again; they are asked about first.

        Raises:
            UnknownMessage: One of the ids is not there; none is queued then.
        """
        return await self.place.write(self._requeue, keys, now)

    def _requeue(self, database: sqlite3.Connection, keys: Sequence[str], now: float) -> list[OutboxRow]:
        self._slots.count_again()  # they wait again
        return write_sql.requeue(database, keys, now)

    async def drop(self, keys: Sequence[str], now: float) -> list[OutboxRow]:
        """Give up messages that are not delivered yet; raises as `requeue` does."""
        return await self.place.write(write_sql.drop, keys, now)

    async def done_by_hand(self, after: int | None) -> tuple[int, list[tuple[ManualChange, str]]]:
        """Return the number of the last step, and each `requeue` and `drop` of any process after another."""
        return await self.place.read(read_sql.done_by_hand, after, self._rooms)

    async def back_up(self, place: Path) -> int:
        """Copy all of it into a new file while it is in use, and return the number of its messages.

        Raises:
            UsageError: There is something at that place, or it is the outbox's own.
            HangbotError: The place cannot be written; nothing stays there.
        """
        refuse_place(place, self.place.files)
        return await self.place.read(back_up, place)
