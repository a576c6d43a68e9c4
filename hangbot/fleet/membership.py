"""A worker's own entry in the register: stored again and again, and gone soon after the worker is."""

import logging
from collections.abc import Callable
from typing import Final, Literal

from hangbot.clock import Clock
from hangbot.errors import HangbotError, OutboxUnusable
from hangbot.fleet.entries import Folder, WorkerEntry, digest_of
from hangbot.fleet.lease import EVERY, LASTS
from hangbot.fleet.streams import Outdated, Stream
from hangbot.fleet.subjects import Kind

__all__ = ["KEPT_ANEW", "Membership"]

logger = logging.getLogger("hangbot")

_LIVES: Final = 2
"""So often another run of the same name has stored its entry anew when it is known to live."""

_FOLDER_LASTS: Final = 30 * 86_400
"""Seconds after which the folder of a worker that is gone is forgotten."""
KEPT_ANEW: Final = 3_600.0
"""Seconds after which a worker stores again what would be forgotten otherwise."""


class Membership:
    """Keeps a worker among the live ones.

    Args:
        register: Where it stands.
        name: The worker's name.
        entry: Returns what is to be said of it now, given the digest of its folder's entry.
        clock: Measures and waits.
        unstored: Called with what keeps the worker's entry from being stored; ``None``: nothing does.
    """

    def __init__(
        self,
        register: Stream,
        name: str,
        entry: Callable[[str], WorkerEntry],
        clock: Clock,
        unstored: Callable[[OutboxUnusable | None], None] = lambda _: None,
    ) -> None:
        self._register, self._name, self._entry, self._clock = register, name, entry, clock
        self._unstored = unstored
        self._last = 0
        self._theirs = 0
        """The sequence of another run's entry."""
        self._folder = ""
        self._stored: Folder | None = None
        self._stored_at = clock.now()

    async def join(self) -> None:
        """Store it for the first time.

        Raises:
            HangbotError: Another worker of this name lives.
            ClusterAway: The cluster cannot be reached.
        """
        seen: set[int] = set()
        while (found := await self._store()) != "stored":
            if found == "another's":
                seen.add(self._theirs)
            if len(seen) > _LIVES:
                raise self._taken("runs already")
            await self._clock.sleep(EVERY / 2)

    async def run(self) -> None:
        """Store it again and again, until it is cancelled.

        Raises:
            HangbotError: Another worker has taken the name.
        """
        while True:
            await self._clock.sleep(EVERY)
            await self.refresh()

    async def refresh(self) -> None:
        """Store it now, where the cluster takes it; raises as `run`."""
        try:
            found = await self._store()
            if found == "unknown":
                found = await self._store()
        except OutboxUnusable as exc:
            self._unstored(exc)
            return
        self._unstored(None)
        if found == "another's":
            raise self._taken("has come meanwhile")

    async def store_folder(self, folder: Folder) -> str:
        """Store what the worker's folder has, where that is not done; return its digest.

        Raises:
            HangbotError: It is more than the servers take.
            ClusterAway: The cluster cannot be reached.
        """
        is_due = self._clock.now() - self._stored_at > KEPT_ANEW
        if folder is self._stored and not is_due:
            return self._folder
        subject, data = Kind.FOLDER.of(self._name), folder.to_bytes()
        if len(data) > self._register.largest:
            raise _too_large(folder, len(data), self._register.largest)
        while True:
            found = await self._register.newest([subject])
            if found and found[0].data == data and not is_due:
                break
            try:
                last = found[0].sequence if found else 0
                await self._register.store(subject, data, last=last, seconds=_FOLDER_LASTS)
            except Outdated:
                await self._clock.sleep(EVERY / 4)  # the read was behind
            else:
                self._stored_at = self._clock.now()
                break
        self._stored, self._folder = folder, digest_of(data)
        return self._folder

    async def _store(self) -> Literal["stored", "another's", "unknown"]:
        """Store the entry, or find out what stands there."""
        subject, entry = Kind.WORKER.of(self._name), self._entry(self._folder)
        try:
            self._last = await self._register.store(subject, entry.to_bytes(), last=self._last, seconds=LASTS)
        except Outdated:
            found = await self._register.newest([subject])
            if found and found[0].sequence < self._last:
                return "unknown"  # the read was behind
            theirs = WorkerEntry.from_bytes(found[0].data) if found and found[0].data else None
            if theirs and theirs.run != entry.run:
                self._theirs = found[0].sequence
                return "another's"
            self._last = found[0].sequence if found else 0
            return "unknown"
        return "stored"

    def _taken(self, what: str) -> HangbotError:
        remedy = "Give each worker a name of its own: --worker NAME."
        return HangbotError(f"another worker called {self._name} {what}", remedy=remedy)


def _too_large(folder: Folder, size: int, largest: int) -> HangbotError:
    rooms = len(folder.rooms)
    return HangbotError(
        f"what other workers are to know of {rooms} rooms is {size} bytes, and the NATS servers take "
        f"{largest}",
        remedy="Raise max_payload of the NATS servers, or make two fleets of it: HANGBOT_OUTBOX=nats://…/NAME.",
    )
