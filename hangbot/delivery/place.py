"""Where an outbox is kept: a file of this machine, or a room's records in a cluster."""

import asyncio
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from hangbot.delivery.writer import Writer
from hangbot.health import Conditions

__all__ = ["OutboxPlace", "Query"]

P = ParamSpec("P")
T = TypeVar("T")
Query = Callable[Concatenate[sqlite3.Connection, P], T]


class OutboxPlace(ABC):
    """A place whose rows are read and written by functions of an SQLite connection, in their order.

    Attributes:
        name: What it is called in messages.
        conditions: Show what keeps it from being written.
        lost_remedy: What is to be done when it is lost to another, who delivers what it holds; empty: what is
            open holds it still, and delivers it.
    """

    name: str
    conditions: Conditions
    lost_remedy: str = ""

    @property
    def files(self) -> Sequence[Path]:
        """What belongs to it on this machine."""
        return ()

    @property
    @abstractmethod
    def writer(self) -> Writer:
        """What runs functions of the connection, from the moment of the call on, awaited or not."""

    @abstractmethod
    async def open(self, *, check: bool = False) -> None:
        """Open it, and make or migrate its tables; with ``check`` look for damage first."""

    @abstractmethod
    async def close(self) -> None:
        """Finish what was submitted and close it; closing twice is harmless."""

    @abstractmethod
    async def check(self) -> None:
        """Look through all of it for damage; the caller holds the right to deliver.

        Raises:
            OutboxUnusable: It is damaged.
        """

    @abstractmethod
    async def look(self, *, closely: bool = True) -> tuple[int, str | None]:
        """Return a number that changes when another process has written, and how the place was lost.

        The latter is ``None`` while it is not, or is not looked at ``closely``: about once a second will do.
        """

    @abstractmethod
    def noticing(self, notice: Callable[[], None]) -> AbstractContextManager[None]:
        """Call something soon after another process has written, and after what is written here."""

    @abstractmethod
    async def leave_lost(self) -> None:
        """Leave nothing of a place that was lost in the way of another."""

    async def read(self, work: Query[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function that only reads."""
        result: T = await self.writer.submit(lambda database: work(database, *args, **kwargs), writes=False)
        return result

    async def write(self, work: Query[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function that writes; on a full disk it fails."""
        result: T = await self.writer.submit(lambda database: work(database, *args, **kwargs), writes=True)
        return result

    async def write_patiently(self, work: Query[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function that writes; on a full disk as soon as there is room."""
        result: T = await self.writer.submit(
            lambda database: work(database, *args, **kwargs), writes=True, patient=True
        )
        return result

    async def write_if_wanted(self, work: Query[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Write patiently, unless the caller is cancelled first: then another process may deliver.

        What has begun is in a transaction, and that process waits for its end.
        """
        wanted = True

        def unless_cancelled(database: sqlite3.Connection) -> Any:  # noqa: ANN401  nothing reads the `None`
            return work(database, *args, **kwargs) if wanted else None

        try:
            result: T = await self.writer.submit(unless_cancelled, writes=True, patient=True)
        except asyncio.CancelledError:
            wanted = False
            raise
        return result

    async def probe(self) -> None:
        """Find out whether it can be written; what keeps it from that is shown as ever."""
        await self.write_patiently(lambda _: None)
        self.conditions.good("outbox")
