"""A room's outbox in the cluster: a place like a file of this machine, for the same outbox."""

import itertools
import math
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Final

from hangbot.clock import Clock, SystemClock
from hangbot.delivery.place import OutboxPlace
from hangbot.errors import OutboxUnusable
from hangbot.fleet.record_writer import RecordWriter
from hangbot.fleet.room_records import LOST_REMEDY, RoomRecords
from hangbot.fleet.streams import Cluster, ClusterAway, ClusterFull
from hangbot.health import AT_ONCE, Conditions
from hangbot.ids import SYSTEM_RNG, Rng, new_id

__all__ = ["RoomPlace"]

_OWNER_LOOKS: Final = 5.0
"""Seconds between an owner's looks at what others stored: it is notified of that, if no hint is lost."""
_OTHERS_LOOK: Final = 0.2
"""The same of others, as long as a command takes: an owner, who stores most, notifies none."""


class RoomPlace(OutboxPlace):
    """What a room's outbox is kept in: its records.

    Args:
        cluster: Has them.
        room: Under which key.
        writer: What writes here, in words.
        fence: Of the lease that is held: from the opening on nothing of an earlier owner is stored any more.
            ``None``: none is held, and what is written is for the owner to deliver.
        patience: Seconds for which the cluster is waited for.
        clock: Measures and waits.
        rng: Makes the names of the records.
    """

    lost_remedy = LOST_REMEDY

    def __init__(
        self,
        cluster: Cluster,
        room: str,
        *,
        writer: str,
        fence: int | None = None,
        patience: float = math.inf,
        clock: Clock | None = None,
        rng: Rng = SYSTEM_RNG,
    ) -> None:
        self.name = f"{cluster.name}/{room}"
        self._clock = clock or SystemClock()
        self.conditions = Conditions(self._clock.now, AT_ONCE)
        self._cluster = cluster
        own = new_id(rng)
        numbers = itertools.count(1)
        self._records = RoomRecords(
            cluster.records, room, writer=writer, fence=fence, keys=lambda: f"{own}-{next(numbers)}"
        )
        self._writer = RecordWriter(
            self._records,
            self._clock,
            begin=self._records.catch_up if fence is None else self._records.take_over,
            look_every=_OTHERS_LOOK if fence is None else _OWNER_LOOKS,
            on_away=self._show_away,
            on_others=self._give_notice,
            patience=patience,
        )
        self._notices: list[Callable[[], None]] = []
        self._held = AsyncExitStack()
        self._is_open = False

    @property
    def writer(self) -> RecordWriter:
        """What runs functions of the connection, from the moment of the call on, awaited or not."""
        if not self._is_open:
            raise OutboxUnusable(f"the outbox {self.name} is closed")
        return self._writer

    async def open(self, *, check: bool = False) -> None:  # noqa: ARG002  damage is the servers' matter
        """Read all records; with a fence, take the room over.

        Raises:
            ClusterAway: The cluster does not answer.
            OutboxTaken: Another one has the room.
            OutboxUnusable: A record cannot be read.
        """
        await self._held.enter_async_context(
            self._cluster.records.hearing(self._records.room, self._writer.look)
        )
        await self._writer.open()
        self._is_open = True

    async def close(self) -> None:
        """Finish what was submitted and close it; closing twice is harmless."""
        self._is_open = False
        try:
            await self._writer.close()
        finally:  # also where that is cancelled
            await self._held.aclose()
            self._records.close()

    async def renew(self, fence: int) -> None:
        """Go on under a later lease, where no other owner has had the room in between.

        Raises:
            OutboxTaken: Another one has.
        """
        await self._writer.renew(fence)

    async def check(self) -> None:
        """Look for nothing: the servers hold a sum of each record, and repair one from another."""

    async def look(self, *, closely: bool = True) -> tuple[int, str | None]:
        """Return how many records of others were read, and who has the room where it is lost."""
        lost = self._records.lost
        words = f"the room {self._records.room} is lost: {lost}"
        return self._records.others, words if lost and closely else None

    @contextmanager
    def noticing(self, notice: Callable[[], None]) -> Iterator[None]:
        """Call something soon after another process has written."""
        self._notices.append(notice)
        try:
            yield
        finally:
            self._notices.remove(notice)

    async def leave_lost(self) -> None:
        """Leave nothing: what another one has is in the cluster."""

    def _give_notice(self) -> None:
        for notice in self._notices:
            notice()

    def _show_away(self, problem: ClusterAway | None) -> None:
        if problem:
            what = "has no room left" if isinstance(problem, ClusterFull) else "does not answer"
            sentence = f"the cluster {self._cluster.name} {what}: nothing is accepted, and nothing sent"
            self.conditions.bad("outbox", sentence, problem.remedy)
        else:
            self.conditions.good("outbox")
