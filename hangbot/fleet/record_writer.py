"""An outbox's writes in a room's records: what waits is run in one transaction, and stored as one record.

A job is done when its record is on a majority of the servers. Where another one has written meanwhile, the
transaction is undone, the other's is read, and the jobs are run again.
"""

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from hangbot.clock import Clock
from hangbot.delivery.writer import Job, Translate, Work, WorkOnMany, resolve, run_batch
from hangbot.errors import OutboxUnusable
from hangbot.fleet.patience import Patience
from hangbot.fleet.records import decode
from hangbot.fleet.room_records import RoomRecords
from hangbot.fleet.streams import AnswerMissing, ClusterAway, ClusterFull, Outdated

__all__ = ["RecordWriter"]

_MOST_AT_ONCE: Final = 256
_CLOSE_WITHIN: Final = 5.0


class RecordWriter:
    """Runs functions of a room's rows in their order, several in a transaction.

    Args:
        records: The room's.
        clock: Measures and waits.
        begin: Reads them for the first time.
        on_away: See `Patience`.
        look_every: Seconds after which the cluster is asked for what others wrote, whatever was heard.
        on_others: Is called when something was read that another one wrote.
        patience: Seconds for which the cluster is waited for.
        translate: Translates errors of the database.
    """

    def __init__(
        self,
        records: RoomRecords,
        clock: Clock,
        *,
        begin: Callable[[], Awaitable[None]],
        look_every: float,
        on_away: Callable[[ClusterAway | None], None] = lambda _: None,
        on_others: Callable[[], None] = lambda: None,
        patience: float = math.inf,
        translate: Translate = lambda error: error,
    ) -> None:
        self._records = records
        self._clock = clock
        self._begin = begin
        self._look_every = look_every
        self._on_away = on_away
        self._on_others = on_others
        self._translate = translate
        self._jobs: deque[Job] = deque()
        self._work = asyncio.Event()
        self._heard: int | None = None
        """The newest record that was heard of, 0 for any, `None` for none."""
        self._renewal: tuple[int, asyncio.Future[None]] | None = None
        """A fence that is to be set, and what waits for it."""
        self._busy = False
        self._closing = False
        self._patience = Patience(clock, self._note_away, lost=self._lost_records, lasts=patience)
        self._task: asyncio.Task[None] | None = None
        self._looks: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Have the records read, and begin to run what is submitted; raises what ``begin`` raises."""
        await self._patience.until_answered(self._begin)
        self._task = asyncio.create_task(self._run(), name="hangbot-room-records")
        self._looks = asyncio.create_task(self._look_now_and_then(), name="hangbot-room-looks")

    async def close(self) -> None:
        """Finish what was submitted, within a bound; closing twice is harmless."""
        self._closing = True
        self._patience.end()
        self._work.set()
        if self._looks:
            self._looks.cancel()
            await asyncio.gather(self._looks, return_exceptions=True)
        if self._task is None or self._task.done():
            return
        try:
            await self._clock.wait_for(asyncio.shield(self._task), _CLOSE_WITHIN)
        except TimeoutError:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._renewal and not self._renewal[1].done():
            self._renewal[1].set_exception(self._closed())
        self._fail(list(self._jobs), AnswerMissing(f"{self._name} was closed before the cluster answered"))

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
        """Have a function of the connection run; as `hangbot.delivery.writer.Writer.submit` does.

        Raises:
            RuntimeError: The writer is closed.
        """
        if self._closing or self._task is None:
            raise RuntimeError("the writer is closed")
        done = asyncio.get_running_loop().create_future()
        job = Job(work, writes, done, patient, shared, item, lasting=lasting)
        if writes and not patient and self._patience.away:
            self._fail([job], self._away_error())
        elif not writes and not self._busy and not self._jobs and self._heard is None:
            run_batch(self._records.replica.database, [job])
            resolve(job, self._translate)
        else:
            self._jobs.append(job)
            self._work.set()
        return done

    def look(self, sequence: int = 0) -> None:
        """Read what others have written, soon, up to a record at least; 0: whatever there is."""
        if 0 < sequence <= self._records.last:
            return  # most are our own
        self._heard = max(self._heard or 0, sequence) if sequence and self._heard != 0 else 0
        self._work.set()

    async def renew(self, fence: int) -> None:
        """Go on under a later lease; raises as `RoomRecords.renew`, `OutboxUnusable` where it is closed."""
        if self._closing or self._task is None:
            raise self._closed()
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._renewal = fence, done
        self._work.set()
        await done

    @property
    def _name(self) -> str:
        return f"the outbox of the room {self._records.room}"

    def _closed(self) -> OutboxUnusable:
        return OutboxUnusable(f"{self._name} is closed")

    def _away_error(self) -> ClusterAway:
        if isinstance(self._patience.away, ClusterFull):
            return ClusterFull(f"the cluster has no room left: nothing was written to {self._name}")
        return ClusterAway(f"the cluster does not answer: nothing was written to {self._name}")

    async def _run(self) -> None:
        while True:
            if not self._jobs and self._heard is None and self._renewal is None:
                if self._closing:
                    return
                await self._work.wait()
                self._work.clear()
                continue
            batch = [self._jobs.popleft() for _ in range(min(len(self._jobs), _MOST_AT_ONCE))]
            self._busy = True
            try:
                await self._write_or_read(batch)
            except asyncio.CancelledError:
                self._fail(batch, AnswerMissing(f"whether it stands in {self._name} is not known"))
                raise
            except Exception as exc:  # noqa: BLE001  each job reports it
                self._fail(batch, exc)
            finally:
                self._busy = False

    async def _look_now_and_then(self) -> None:
        while True:
            known = self._records.last
            await self._clock.sleep(self._look_every)
            if self._records.last == known:  # what is stored meanwhile is behind all that others stored
                self.look()

    async def _write_or_read(self, batch: Sequence[Job]) -> None:
        heard, self._heard = self._heard, None
        if self._renewal:
            (fence, done), self._renewal = self._renewal, None
            await self._renew(fence, done)
        if heard is not None and (not heard or heard > self._records.last):
            await self._patience.until_answered(self._records.catch_up)
            self._on_others()
        if batch:
            await self._write(batch)
        if self._records.is_long:
            await self._records.write_anew()

    async def _renew(self, fence: int, done: asyncio.Future[None]) -> None:
        try:
            await self._patience.until_answered(lambda: self._records.renew(fence))
        except asyncio.CancelledError:
            if not done.done():
                done.set_exception(self._closed())
            raise
        except Exception as exc:  # noqa: BLE001  what waits for it raises it
            if not done.done():
                done.set_exception(exc)
        else:
            if not done.done():
                done.set_result(None)

    async def _write(self, batch: Sequence[Job]) -> None:
        """Run a batch and store what it changed; again where another one was first."""
        while not await self._run_and_store(batch):
            pass

    async def _run_and_store(self, batch: Sequence[Job]) -> bool:
        """Do that once; ``False`` where another one was first, and nothing is done."""
        records = self._records
        if any(job.writes for job in batch):
            records.refuse_if_lost()
        for job in batch:
            job.error = None
        run_batch(records.replica.database, batch, commit=False)
        is_changed = any(job.writes and job.error is None for job in batch)
        rows, gone = records.replica.changes() if is_changed else ([], [])
        if rows or gone:
            key = records.new_key()
            data = records.encode(rows, gone, key=key)
            if len(data) > records.largest:
                records.replica.roll_back()
                await self._write_less(batch, len(data))
                return True
            if not await self._store(data, key):
                return False
        records.replica.keep()
        for job in batch:
            resolve(job, self._translate)
        return True

    async def _store(self, data: bytes, key: str) -> bool:
        """Store what the open transaction changed; ``False`` where another one was first: it is undone.

        A refusal alone decides nothing: the same is stored again, under the same key, until it is, or what is
        newer was read. That may be this very record, whose answer was lost: nothing is left to commit then.
        """
        records = self._records
        known, undone = records.last, False

        async def attempt() -> bool:
            nonlocal undone
            if records.last == known:
                try:
                    await records.store(data, key=key)
                except Outdated:
                    records.replica.roll_back()
                    undone = True
                    await records.see_newer()
                else:
                    if undone:
                        records.replica.apply(decode(data, records.room))
                    return True
            self._on_others()
            return records.is_stored(key)

        try:
            return await self._patience.until_answered(attempt)
        except BaseException:
            records.replica.roll_back()
            raise

    async def _write_less(self, batch: Sequence[Job], size: int) -> None:
        if len(batch) == 1:
            largest = self._records.largest
            words = f"{size} bytes at once are too many for {self._name}: a record has {largest} at most"
            self._fail(
                batch, OutboxUnusable(words, remedy="Raise max_payload in the servers' configuration.")
            )
            return
        half = len(batch) // 2
        await self._write(batch[:half])
        await self._write(batch[half:])

    def _lost_records(self) -> OutboxUnusable:
        return OutboxUnusable(
            f"the cluster has lost records of the room {self._records.room} that it had acknowledged",
            remedy="Start the bot again: it goes on from what is left. `hangbot fleet check` says"
            " why the servers may lose anything: sync_interval has to be always.",
        )

    def _note_away(self, problem: ClusterAway | None) -> None:
        self._on_away(problem)
        if problem:
            hasty = [job for job in self._jobs if job.writes and not job.patient]
            self._jobs = deque(job for job in self._jobs if not job.writes or job.patient)
            self._fail(hasty, self._away_error())

    def _fail(self, jobs: Sequence[Job], error: BaseException) -> None:
        for job in jobs:
            job.error = error
            resolve(job, self._translate)
