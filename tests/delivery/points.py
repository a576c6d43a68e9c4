"""Where a run of the outbox can be killed: a file's or a room's records, and a clock, with places to die."""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, nullcontext, suppress
from typing import Any

from hangbot.delivery.writer import Job, run_batch
from hangbot.fleet.room_outbox import RoomPlace
from hangbot.fleet.streams import Entry, Stream
from pytest_hangfm.manual_clock import ManualClock

__all__ = ["Killed", "PointedClock", "PointedPlace", "PointedStream", "PointedWriter", "Points"]


class Points:
    """Where a run can be killed: before and after everything that it waits for."""

    def __init__(self) -> None:
        self.revive()

    @property
    def dead(self) -> bool:
        return self.end.is_set()

    def revive(self) -> None:
        self.left: int | None = None
        self.end = asyncio.Event()

    async def __call__(self) -> None:
        if self.dead:
            raise asyncio.CancelledError  # a dead process does nothing more, not even tidy up
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                self.end.set()
                raise Killed
        await asyncio.sleep(0)


class Killed(BaseException):
    """Ends a run where it stands."""


class PointedWriter:
    """Runs an outbox's statements without a thread, so that a run can be repeated exactly."""

    def __init__(self, connect: Callable[[], sqlite3.Connection], point: Points) -> None:
        self.connect = connect
        self.point = point
        self.submitted: deque[Job] = deque()

    async def open(self) -> None:
        self.database = self.connect()
        self.database.execute("PRAGMA synchronous = OFF")  # no power is cut here

    async def close(self) -> None:
        self.database.close()

    def submit(self, work: Callable[..., Any], **how: Any) -> Any:  # noqa: ANN401  as awaitable as the future it stands for
        job = Job(work, done=asyncio.get_running_loop().create_future(), **how)
        self.submitted.append(job)
        return Pointed(self, job)

    def noticing(self, *_: object) -> AbstractContextManager[None]:
        return nullcontext()

    def run(self, until: Job) -> None:
        """Run what was submitted, each a transaction, up to one of them."""
        while until in self.submitted:
            run_batch(self.database, [self.submitted.popleft()])


class Pointed:
    """What is returned in place of a future: done when awaited, behind all that was submitted before."""

    def __init__(self, writer: PointedWriter, job: Job) -> None:
        self.writer = writer
        self.job = job

    def __await__(self) -> Generator[Any, None, Any]:
        yield from self.writer.point().__await__()
        self.writer.run(self.job)
        yield from self.writer.point().__await__()
        if self.job.error:
            raise self.job.error
        return self.job.result


class PointedClock(ManualClock):
    """A clock on which sleeping is a place to die, and whose date can be set."""

    def __init__(self, point: Points) -> None:
        super().__init__(auto=True)
        self.point = point

    async def sleep(self, seconds: float) -> None:
        await self.point()
        await super().sleep(seconds)
        await self.point()

    def set_date(self, by: float) -> None:
        self._epoch += by


class PointedPlace(RoomPlace):
    """A room's records, where whoever waits for a write may die."""

    def __init__(self, point: Points, *args: Any, **how: Any) -> None:  # noqa: ANN401  as of a place
        super().__init__(*args, **how)
        self.point = point

    @property
    def writer(self) -> Any:  # noqa: ANN401  as much of a writer as an outbox needs
        return PointedRecords(super().writer.submit, self.point)


class PointedRecords:
    """What takes writes: they are stored by a task of their own, awaited or not."""

    def __init__(self, submit: Callable[..., asyncio.Future[Any]], point: Points) -> None:
        self.submit_to = submit
        self.point = point

    def submit(self, work: Callable[..., Any], **how: Any) -> Any:  # noqa: ANN401  as awaitable as the future it stands for
        return PointedFuture(self.submit_to(work, **how), self.point)


class PointedFuture:
    """What is returned in place of a future: the end of the process ends the waiting, too."""

    def __init__(self, future: asyncio.Future[Any], point: Points) -> None:
        self.future = future
        self.point = point

    def __await__(self) -> Generator[Any, None, Any]:
        yield from self.point().__await__()
        yield from self.done_or_dead().__await__()
        yield from self.point().__await__()
        return self.future.result()

    async def done_or_dead(self) -> None:
        end = asyncio.create_task(self.point.end.wait(), name="end of the process")
        try:
            await asyncio.wait({self.future, end}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            end.cancel()
        if self.point.dead:
            raise Killed


class PointedStream:
    """A stream before and behind which a process may die: nothing was asked, or the answer is not heard."""

    def __init__(self, stream: Stream, point: Points) -> None:
        self.stream = stream
        self.point = point
        self.largest = stream.largest

    async def store(
        self, subject: str, data: bytes, *, last: int, key: str = "", seconds: int | None = None
    ) -> int:
        await self.live()
        sequence = await self.stream.store(subject, data, last=last, key=key, seconds=seconds)
        await self.live()
        return sequence

    async def live(self) -> None:
        """Go on; what is dead stays where it is until it is taken away."""
        if not self.point.dead:
            with suppress(Killed):
                await self.point()
        if self.point.dead:
            await asyncio.get_running_loop().create_future()

    async def newest(self, subjects: Sequence[str]) -> list[Entry]:
        return await self.stream.newest(subjects)

    async def read(self, subject: str, *, after: int, most: int = 256) -> list[Entry]:
        return await self.stream.read(subject, after=after, most=most)

    async def forget(self, subject: str, *, before: int) -> None:
        await self.live()
        await self.stream.forget(subject, before=before)
        await self.live()

    def hearing(self, subject: str, notice: Callable[[int], None]) -> AbstractAsyncContextManager[None]:
        return self.stream.hearing(subject, notice)

    async def notify(self, subject: str, sequence: int) -> None:
        await self.live()
        await self.stream.notify(subject, sequence)
