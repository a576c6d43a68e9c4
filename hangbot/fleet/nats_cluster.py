"""A fleet's cluster, made of NATS JetStream: `hangbot.fleet.streams` in JetStream's own requests."""

import json
import math
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from hangbot.clock import Clock, SystemClock
from hangbot.config.cluster import ClusterAddress
from hangbot.errors import HangbotError
from hangbot.fleet.insisting import first_answer
from hangbot.fleet.jetstream import (
    BUSY,
    ENDS,
    IN_PROCESS,
    NO_MORE,
    TOO_MANY,
    Answer,
    NoResponder,
    StreamNames,
    error_code,
    error_of,
    notice_headers,
    of_leader,
    parsed,
    record,
    store_headers,
)
from hangbot.fleet.providing import found_stream, provide
from hangbot.fleet.shapes import asked_prefix, records_names, register_names, shape
from hangbot.fleet.streams import AnswerMissing, AnswerOwner, ClusterAway, Entry, Stream

if TYPE_CHECKING:
    from hangbot.fleet.link import Link

__all__ = ["REMEMBERED_S", "NatsCluster", "NatsStream", "open_cluster", "open_link"]

REMEMBERED_S: Final = 600.0
"""For how long a key is remembered at least: twice as long as a message is tried where nothing is set."""
_WITHIN_S: Final = 2.0
_REGISTER_REMEMBERED_S: Final = 30.0
_AGAIN_S: Final = 0.02
_SOON_S: Final = 0.5
"""Seconds within which it is known what came of a record that is being stored, where that can be known."""
_AT_ONCE: Final = 500
"""Subjects that are asked for in one request; the server answers for 1024 at most."""
_BATCH: Final = 256
_BYTES: Final = 8 * 1024 * 1024
_MISSING_EXTRA: Final = 'pip install "hangbot[fleet]"'


@asynccontextmanager
async def open_link(
    address: ClusterAddress, *, within: float = _WITHIN_S, clock: Clock | None = None
) -> AsyncIterator["Link"]:
    """Connect to one of a cluster's servers; see `Link.opened`.

    Args:
        address: The servers.
        within: Seconds for each call.
        clock: Waits.

    Raises:
        HangbotError: The extra is not installed.
    """
    if find_spec("nats") is None:
        raise HangbotError("a fleet needs nats-py, which is not installed", remedy=_MISSING_EXTRA)
    from hangbot.fleet.link import Link  # noqa: PLC0415  the extra is there by now

    link = Link(address, clock=clock or SystemClock(), within=within)
    async with link.opened():
        yield link


@asynccontextmanager
async def open_cluster(
    address: ClusterAddress,
    *,
    remembered: float = REMEMBERED_S,
    within: float = _WITHIN_S,
    clock: Clock | None = None,
    make: bool = True,
) -> AsyncIterator["NatsCluster"]:
    """Open a fleet's two streams.

    Args:
        address: Where it is.
        remembered: Seconds for which the records remember a key, at least: longer than a message may take.
        within: Seconds for each call.
        clock: Waits.
        make: Whether to make them where they are missing: a mere look does not.

    Raises:
        NoFleet: They are missing, and not to be made.
        ClusterAway: No server answers, or no majority of them.
        ClusterRefused: The login is wrong, or may not do what is needed.
        ClusterUnfit: The servers are old, have no JetStream, or are less than three.
        OutboxOfAnother: A stream of that name is another project's.
        HangbotError: The extra is not installed.
    """
    register, records = register_names(address.fleet), records_names(address.fleet)
    async with open_link(address, within=within, clock=clock) as link:
        known = max(remembered, REMEMBERED_S)
        await provide(link, shape(register, known=_REGISTER_REMEMBERED_S, newest_only=True), make=make)
        await provide(link, shape(records, known=known, newest_only=False), make=make)
        yield NatsCluster(link, NatsStream(link, register), NatsStream(link, records), address)


class NatsStream:
    """One of the two; see `hangbot.fleet.streams.Stream`."""

    def __init__(self, link: "Link", names: StreamNames) -> None:
        self._link = link
        self._names = names
        self.largest = link.largest

    async def store(
        self, subject: str, data: bytes, *, last: int, key: str = "", seconds: int | None = None
    ) -> int:
        """Store a record where the newest is as expected; see there."""
        if len(data) > self.largest:
            raise ValueError(f"{len(data)} bytes are more than {self.largest}")
        headers = store_headers(self._names, subject, last, key, seconds)
        begun = self._link.clock.now()
        try:
            sequence = await self._store(
                self._names.prefix + subject, data, headers, begun + self._link.within
            )
        except (AnswerMissing, NoResponder):
            self._link.doubt(begun)
            raise
        self._link.found_sound()
        return sequence

    async def _store(self, subject: str, data: bytes, headers: Mapping[str, str], end: float) -> int:
        waits = {IN_PROCESS: end, BUSY: self._link.clock.now() + _SOON_S}
        while True:
            try:
                found = parsed(await self._link.ask(subject, data, headers))
            except NoResponder:
                if self._link.clock.now() > end:
                    raise
            else:
                if "error" not in found:
                    return int(found["seq"])
                if self._link.clock.now() > waits.get(error_code(found), -math.inf):
                    raise error_of(found)
            await self._link.clock.sleep(_AGAIN_S)  # there is no leader yet; or it is just being stored

    async def newest(self, subjects: Sequence[str]) -> list[Entry]:
        """Return the newest record under each; see there."""
        found: list[Entry] = []
        for begin in range(0, len(subjects), _AT_ONCE):
            found += await self._newest(subjects[begin : begin + _AT_ONCE])
        return found

    async def _newest(self, subjects: Sequence[str]) -> list[Entry]:
        wanted = [self._names.prefix + subject for subject in subjects]
        *answers, end = await self._direct({"multi_last": wanted})
        if end.status != TOO_MANY:
            return [record(self._names, answer) for answer in answers]
        kinds: dict[str, Entry] = {}
        for subject in subjects:  # one of them stands for more than the server answers for
            after = 0
            while page := await self.read(subject, after=after):
                kinds.update((stored.subject, stored) for stored in page)
                after = page[-1].sequence
        return list(kinds.values())

    async def read(self, subject: str, *, after: int, most: int = _BATCH) -> list[Entry]:
        """Return the next records; see there. Where a follower has none, the leader is asked for one."""
        where = {"seq": after + 1, "next_by_subj": self._names.prefix + subject}
        *answers, _ = await self._direct({**where, "batch": most, "max_bytes": _BYTES})
        if answers:
            return [record(self._names, answer) for answer in answers]
        asked = f"$JS.API.STREAM.MSG.GET.{self._names.stream}"
        return of_leader(self._names, parsed(await self._link.ask(asked, json.dumps(where).encode())))

    async def forget(self, subject: str, *, before: int) -> None:
        """Remove records; see there."""
        if before <= 1:
            return
        body = {"filter": self._names.prefix + subject, "seq": before}
        found = parsed(
            await self._link.ask(f"$JS.API.STREAM.PURGE.{self._names.stream}", json.dumps(body).encode())
        )
        if "error" in found:
            raise error_of(found)

    async def notify(self, subject: str, sequence: int) -> None:
        """Notify others of what is stored; see there."""
        await self._link.notify(self._names.heard + subject, notice_headers(sequence))

    def hearing(self, subject: str, notice: Callable[[int], None]) -> AbstractAsyncContextManager[None]:
        """Hear what others notify of; see there."""
        return self._link.hearing(self._names.heard + subject, notice)

    async def _direct(self, body: dict[str, Any]) -> list[Answer]:
        link, asked, data = self._link, f"$JS.API.DIRECT.GET.{self._names.stream}", json.dumps(body).encode()
        answers = await first_answer(lambda came: link.ask_several(asked, data, came=came), link.clock)
        if answers[-1].status not in ENDS:
            raise ClusterAway(
                f"the NATS cluster has no answer for {self._names.stream} ({answers[-1].status})"
            )
        return answers


class NatsCluster:
    """Both; see `hangbot.fleet.streams.Cluster`."""

    def __init__(
        self, link: "Link", register: NatsStream, records: NatsStream, where: ClusterAddress
    ) -> None:
        self.register: Stream = register
        self.records: Stream = records
        self.name = str(where)
        self._link = link
        self._asked = asked_prefix(where.fleet)
        self._register = register_names(where.fleet).stream

    @property
    def server(self) -> str:
        """``HOST:PORT`` of the server that is connected, or was last."""
        return self._link.server

    async def check(self) -> None:
        """Raise `ClusterAway` where no server leads the register: what is read may have ended long ago."""
        found = await found_stream(self._link, self._register)
        if not (found and found["cluster"].get("leader")):
            raise ClusterAway(f"no server leads {self._register}")

    async def ask(self, room: str, target: str, *, within: float, largest: int) -> bytes | None:
        """Ask the owner of a room; see there."""
        asked = self._link.ask_several(self._asked + room, target.encode(), within=within, largest=largest)
        *answers, end = await asked
        return b"".join(answer.data for answer in answers) if end.status == NO_MORE else None

    def answering(self, room: str, answer: AnswerOwner) -> AbstractAsyncContextManager[None]:
        """Answer for a room; see there."""
        return self._link.answering(self._asked + room, answer)
