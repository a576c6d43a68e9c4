"""A model of the cluster that a fleet stores in: `hangbot.fleet.streams` without servers, in anyone's time.

What the port allows to go wrong goes wrong, as often as is asked for: answers are slow or do not come, a
request is carried out later or never, reads are behind, hints are not given, the cluster is away.
"""

import asyncio
import contextvars
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from hangbot.clock import Clock
from hangbot.errors import HangbotError
from hangbot.fleet.streams import AnswerMissing, AnswerOwner, ClusterAway, Entry, Outdated, Stream
from hangbot.ids import Rng
from pytest_hangfm.simulation.stream_servers import ServedStream

__all__ = ["CALM", "SimulatedCluster", "SimulatedServers", "SimulatedStream", "Weather"]

T = TypeVar("T")
_WITHIN: Final = 2.0
"""Seconds until a call gives up."""
_LATE: Final = 10.0
"""Seconds within which a late request still arrives."""


@dataclass(frozen=True, slots=True)
class Weather:
    """How the cluster is reached. Shares are of 1, times are seconds.

    Attributes:
        slow: Each way takes up to this long.
        lost: Share of the requests that never arrive.
        late: Share of the requests that arrive after their caller gave up.
        unanswered: Share of the answers that never arrive.
        stale: Reads are up to this long behind.
        unheard: Share of the hints that are not given.
    """

    slow: float = 0.0
    lost: float = 0.0
    late: float = 0.0
    unanswered: float = 0.0
    stale: float = 0.0
    unheard: float = 0.0


CALM: Final = Weather()


class SimulatedServers:
    """The servers of a fleet; each worker reaches them by a `SimulatedCluster` of its own.

    Args:
        clock: Gives the time to the servers.
        rng: Draws what happens.
        skew: Seconds by which records may expire too early, or too late.
        marks: Seconds for which the mark of an expiry stands.
        keys: Seconds for which a key is known again.

    Attributes:
        register: The newest record of each subject, as it is.
        records: All records, as they are.
    """

    def __init__(
        self, clock: Clock, rng: Rng, *, skew: float = 0.0, marks: float = 60.0, keys: float = 600.0
    ) -> None:
        self.register = ServedStream(clock, rng, history=1, keys=keys, marks=marks, skew=skew)
        self.records = ServedStream(clock, rng, keys=keys, marks=marks)
        self.answering: dict[str, AnswerOwner] = {}
        """What answers for each room."""
        self.heard: dict[tuple[ServedStream, str], list[Callable[[int], None]]] = {}
        """Those who hear what others notify of under a subject."""


class SimulatedCluster:
    """The cluster as one worker reaches it: a `hangbot.fleet.streams.Cluster`.

    Args:
        servers: What it reaches.
        clock: The worker's own.
        rng: Draws what happens on the way.
        weather: How it is reached at first.

    Attributes:
        weather: How it is reached.
        away: Whether it is not: what is on its way then is done, and the answers are lost.
    """

    name = "the simulated cluster"

    def __init__(self, servers: SimulatedServers, clock: Clock, rng: Rng, weather: Weather = CALM) -> None:
        self.servers, self.clock, self.rng = servers, clock, rng
        self.weather, self.away = weather, False
        self.register: Stream = SimulatedStream(self, servers.register)
        self.records: Stream = SimulatedStream(self, servers.records)

    async def ask(self, room: str, target: str, *, within: float, largest: int) -> bytes | None:
        """Ask the owner of a room, if any answers there."""
        if self.away:
            raise ClusterAway(f"{self.name} does not answer")
        answer = self.servers.answering.get(room)
        answered = await self.clock.wait_for(answer(target), within) if answer else None
        if answered and len(answered) > largest:
            raise HangbotError(f"the owner of {room} answers with {len(answered)} bytes")
        return answered

    @asynccontextmanager
    async def answering(self, room: str, answer: AnswerOwner) -> AsyncIterator[None]:
        """Answer for a room within the block."""
        self.servers.answering[room] = answer
        try:
            yield
        finally:
            if self.servers.answering.get(room) is answer:
                del self.servers.answering[room]


class SimulatedStream:
    """A stream as one worker reaches it: a `hangbot.fleet.streams.Stream`.

    Attributes:
        largest: Bytes of the largest record that can be stored.
    """

    largest = 900_000

    def __init__(self, cluster: SimulatedCluster, served: ServedStream) -> None:
        self._cluster, self._served = cluster, served

    async def store(
        self, subject: str, data: bytes, *, last: int, key: str = "", seconds: int | None = None
    ) -> int:
        """Store a record where the newest is as expected."""
        if len(data) > self.largest:
            raise ValueError(f"{len(data)} bytes are more than {self.largest}")

        store = partial(self._served.store, subject, data, last=last, key=key, seconds=seconds)
        return await self._ask(f"whether {subject} is stored", store)

    async def newest(self, subjects: Sequence[str]) -> list[Entry]:
        """Return the newest records under subjects, maybe of a moment ago."""
        return await self._ask("a read", partial(self._served.newest, list(subjects), behind=self._behind()))

    async def read(self, subject: str, *, after: int, most: int = 256) -> list[Entry]:
        """Return the next records under a subject, maybe of a moment ago."""
        ask = partial(self._served.read, subject, after=after, most=most, behind=self._behind())
        return await self._ask("a read", ask)

    async def forget(self, subject: str, *, before: int) -> None:
        """Remove the older records under a subject."""
        await self._ask("a removal", partial(self._served.forget, subject, before=before))

    async def notify(self, subject: str, sequence: int) -> None:
        """Notify those who hear of a subject, if the hint leaves."""
        if self._cluster.away:
            return
        for heard in list(self._cluster.servers.heard.get((self._served, subject), ())):
            heard(sequence)

    @asynccontextmanager
    async def hearing(self, subject: str, notice: Callable[[int], None]) -> AsyncIterator[None]:
        """Give something the sequence of what others notify of, if the hint arrives."""
        own = contextvars.copy_context()  # a paused process hears nothing

        def heard(sequence: int) -> None:
            if not self._cluster.away and self._draw() >= self._cluster.weather.unheard:
                asyncio.get_running_loop().call_soon(notice, sequence, context=own)

        listeners = self._cluster.servers.heard.setdefault((self._served, subject), [])
        listeners.append(heard)
        try:
            yield
        finally:
            listeners.remove(heard)

    # -- the way there and back

    async def _ask(self, what: str, todo: Callable[[], T]) -> T:
        cluster, weather, begun = self._cluster, self._cluster.weather, self._cluster.clock.now()
        if cluster.away:
            await cluster.clock.sleep(0)
            raise ClusterAway(f"{cluster.name} does not answer")
        arrives = begun + self._draw() * weather.slow
        fate = self._draw()
        done: list[T | Outdated] = []

        def do() -> None:
            try:
                done.append(todo())
            except Outdated as exc:
                done.append(exc)

        if fate < weather.late:
            arrives = begun + _WITHIN + self._draw() * (_LATE - _WITHIN)
        if not weather.late <= fate < weather.late + weather.lost:
            self._served.at(arrives, do)
        answered = arrives + self._draw() * weather.slow
        unanswered = self._draw() < weather.unanswered
        await cluster.clock.sleep(min(arrives - begun, _WITHIN))
        self._served.settle()
        await cluster.clock.sleep(min(answered, begun + _WITHIN) - cluster.clock.now())
        if not done or unanswered or answered > begun + _WITHIN or cluster.away:
            await cluster.clock.sleep(begun + _WITHIN - cluster.clock.now())
            raise AnswerMissing(f"{cluster.name} did not answer: {what} is not known")
        result = done[0]
        if isinstance(result, Outdated):
            raise result
        return result

    def _behind(self) -> float:
        return self._draw() * self._cluster.weather.stale

    def _draw(self) -> float:
        return self._cluster.rng.random()
