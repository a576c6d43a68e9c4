"""A room's records in their order: read up to the newest, written behind it, never past another's.

Each record names the one before it, and the stream stores it only there: two that write at once are put in
order by the stream, and the second one reads the first before it tries again.
"""

from collections.abc import Callable, Sequence
from typing import Final

from hangbot.errors import OutboxTaken
from hangbot.fleet.records import Record, Rows, decode, encode
from hangbot.fleet.replica import Replica
from hangbot.fleet.streams import ClusterAway, Outdated, Stream

__all__ = ["LOST_REMEDY", "NothingNewer", "RoomRecords"]

LOST_REMEDY: Final = "Nothing is to be done: what was accepted is delivered from there."

_LONG: int = 2000
"""Records after which all rows are written anew, at the earliest."""


class NothingNewer(ClusterAway):
    """A store was refused for a newer record, and there is none to be read.

    Either the newer one is a while in coming, and may be the very one that was to be stored; or a server has
    refused that does not lead any more and does not know it; or the cluster has lost records.
    """


class RoomRecords:
    """The records of one room, and the rows that they make.

    Args:
        stream: Has them.
        room: Under which subject.
        writer: What writes here, in words: it stands in each record.
        fence: Of the lease that is held; ``None``: none is, and rows may be changed all the same.
        keys: Makes the name of a record, one that is used nowhere else.

    Attributes:
        room: As above.
        replica: The rows, as of the newest record that is known.
        last: The sequence of the newest record that is known; 0: none is.
        others: How many records of others were read.
        lost: Who has the room since, in words; ``None`` while it is not known to be lost.
    """

    def __init__(
        self, stream: Stream, room: str, *, writer: str, fence: int | None, keys: Callable[[], str]
    ) -> None:
        self.room = room
        self.replica = Replica()
        self.others = 0
        self.lost: str | None = None
        self._stream = stream
        self._writer = writer
        self._own_fence = fence
        self._keys = keys
        self.last = 0
        self._fence = 0
        self._length = 0
        self._shortest = 0
        """Of how many records all rows were written anew last."""
        self._written = ""
        """The key of what was written last, whether it is known to be stored or not."""
        self._is_stored = True
        self._renewal = (0, "")
        """The fence that is to be set, and the key of its record."""

    @property
    def largest(self) -> int:
        """Bytes of the largest record that can be stored."""
        return self._stream.largest

    @property
    def is_long(self) -> bool:
        """Whether there are so many records that they should be written anew."""
        return self._length >= max(_LONG, 2 * self._shortest)

    async def see_newer(self) -> None:
        """Read what a store was refused for.

        Raises:
            NothingNewer: It is not to be read.
            ClusterAway: The cluster cannot be reached.
        """
        known = self.last
        await self.catch_up()
        if self.last == known:
            raise NothingNewer(f"the cluster has refused a record of the room {self.room} for a newer one")

    async def catch_up(self) -> None:
        """Read on to the newest record.

        Raises:
            ClusterAway: It cannot be reached.
            OutboxUnusable: A record cannot be read.
        """
        while entries := await self._stream.read(self.room, after=self.last):
            for entry in entries:
                if entry.data is not None and not self._take(entry.sequence, entry.data):
                    break

    async def take_over(self) -> None:
        """Read all, and set the fence: who owned the room before can write nothing from here on.

        Raises:
            OutboxTaken: Another one has a higher fence already.
            ClusterAway: It cannot be reached.
        """
        assert self._own_fence is not None, "there is a lease"  # noqa: S101  the caller's
        await self.renew(self._own_fence)

    async def renew(self, fence: int) -> None:
        """Set the fence of a later lease, and go on with it: no other one has had the room in between.

        Raises:
            OutboxTaken: Another one has.
            ClusterAway: It cannot be reached, or may not be of one mind: to be called again.
        """
        if self._renewal[0] != fence:
            self._renewal = fence, self._keys()
        key = self._renewal[1]
        await self.catch_up()
        self.refuse_if_lost()
        while not self.is_stored(key):
            try:
                await self.append((), (), key=key, fence=fence)
                await self._stream.notify(self.room, self.last)
            except Outdated:
                await self.see_newer()
                self.refuse_if_lost()
        self._own_fence = fence

    def refuse_if_lost(self) -> None:
        """Raise `OutboxTaken` where another one has the room."""
        if self.lost:
            raise OutboxTaken(f"the room {self.room} is lost: {self.lost}", remedy=LOST_REMEDY)

    def new_key(self) -> str:
        """Return the name of a record that is to be written."""
        return self._keys()

    def encode(self, rows: Sequence[Rows], gone: Sequence[Rows], *, key: str) -> bytes:
        """Return a transaction as it would be stored behind the newest record that is known."""
        return encode(Record(key, self.last, self._writer, self._fence, rows=rows, gone=gone))

    async def store(self, data: bytes, *, key: str) -> None:
        """Store what `encode` made; the rows of it are the caller's to keep.

        Raises:
            Outdated: There is said to be a newer record, which may be this very one: see `see_newer`.
            AnswerMissing: Whether it is stored is not known: store it again, under the same key.
            ClusterAway: It is not stored.
        """
        self._written, self._is_stored = key, False
        self.last = await self._stream.store(self.room, data, last=self.last, key=key)
        self._is_stored = True
        self._length += 1
        if self._own_fence is None:
            await self._stream.notify(self.room, self.last)

    def is_stored(self, key: str) -> bool:
        """Tell whether what was written last under this key was found among the records."""
        return self._written == key and self._is_stored

    async def append(
        self, rows: Sequence[Rows], gone: Sequence[Rows], *, key: str, fence: int = 0, begins: bool = False
    ) -> int:
        """Store rows that are in the replica already, and return the record's sequence; raises as `store`."""
        fence = max(fence, self._fence)
        record = Record(key, self.last, self._writer, fence, begins, rows, gone)
        await self.store(encode(record), key=key)
        self._fence = fence
        return self.last

    async def write_anew(self) -> None:
        """Write all rows once more, and forget the records before: the same rows from fewer records.

        A record of another one in between ends it; it is tried again when there are more.
        """
        self._length = self._shortest = 0
        first = 0
        try:
            for rows in self.replica.all_rows():
                stored = await self.append([rows], (), key=self._keys(), begins=not first)
                first = first or stored
                self._shortest += 1
        except Outdated:
            return
        if first:
            await self._stream.forget(self.room, before=first)

    def _take(self, sequence: int, data: bytes) -> bool:
        """Take a record into the rows; ``False`` where there is a gap before it: all is read anew then."""
        record = decode(data, self.room)
        if record.previous != self.last and not (self.last == 0 and record.begins):
            self.replica.close()
            self.replica = Replica()
            self.last, self._length = 0, 0
            if not record.begins:
                return False
        self.replica.apply(record)
        self.last = sequence
        self._length += 1
        if record.fence > self._fence:
            self._fence = record.fence
            is_own = record.key == self._written
            if self._own_fence is not None and record.fence > self._own_fence and not is_own:
                self.lost = f"{record.writer} has it since"
        if record.key == self._written:
            self._is_stored = True
        else:
            self.others += 1
        return True

    def close(self) -> None:
        """Forget all; closing twice is harmless."""
        self.replica.close()
