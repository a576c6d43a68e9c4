"""An outbox that is kept nowhere: for what wants the real thing, and nothing of it to stay."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from hangbot.clock import Clock
from hangbot.delivery import read_sql
from hangbot.delivery.database import connect_in_memory, look_through
from hangbot.delivery.place import OutboxPlace
from hangbot.delivery.writer import InlineWriter, Writer
from hangbot.errors import OutboxUnusable
from hangbot.health import AT_ONCE, Conditions

__all__ = ["OutboxInMemory"]


class OutboxInMemory(OutboxPlace):
    """A database in the memory of this process, which is gone when it is closed.

    Args:
        clock: Dates its conditions.
    """

    name = "in memory"

    def __init__(self, clock: Clock) -> None:
        self.conditions = Conditions(clock.now, AT_ONCE)
        self._writer = InlineWriter(connect_in_memory)
        self._open = False

    @property
    def writer(self) -> Writer:
        """What runs functions of the connection, in the caller."""
        if not self._open:
            raise OutboxUnusable(f"the outbox {self.name} is closed")
        return self._writer

    async def open(self, *, check: bool = False) -> None:
        """Make it; with ``check`` look for damage, of which there is none."""
        await self._writer.open()
        self._open = True
        if check:
            await self.check()

    async def close(self) -> None:
        """Forget it; closing twice is harmless."""
        self._open = False
        await self._writer.close()

    async def check(self) -> None:
        """Look through all of it for damage."""
        await self.read(look_through)

    async def look(self, *, closely: bool = True) -> tuple[int, str | None]:  # noqa: ARG002  there is nothing to see
        """Return a number that never changes, as no other process can write, and that it is not lost."""
        return await self.read(read_sql.version), None

    def noticing(self, notice: Callable[[], None]) -> AbstractContextManager[None]:  # noqa: ARG002  as above
        """Notice nothing: no other process can write."""
        return nullcontext()

    async def leave_lost(self) -> None:
        """Leave nothing, as nothing is there."""
