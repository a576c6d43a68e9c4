"""What one handler says, stores and schedules, until it is written: all of it together, or nothing."""

from collections.abc import Callable, Sequence
from typing import Final

from hangbot.bot.answering import current
from hangbot.bot.bot import Bot
from hangbot.delivery.message import Outgoing
from hangbot.delivery.record import OutboxRow
from hangbot.delivery.store import UNREAD, Change, Store, TimerChange
from hangbot.errors import UsageError

__all__ = ["Buffer"]

_MOST: Final = 1_000
"""Messages, changes or timers of one handler that are not written yet."""


class Buffer:
    """Collects what is to be written.

    Args:
        bot: Writes it.
        timers: What is written with the first commit in any case.
        changed: Given the timers that were set or taken back, once that is written.

    Attributes:
        acted: Whether something was done that cannot be taken back.
        committed: Whether something was written.
    """

    def __init__(
        self,
        bot: Bot,
        timers: Sequence[TimerChange] = (),
        changed: Callable[[Sequence[TimerChange]], None] = lambda _: None,
    ) -> None:
        self.acted = self.committed = False
        self._bot = bot
        self._changed = changed
        self._messages: list[Outgoing] = []
        self._changes: dict[tuple[str, str], Change] = {}
        self._read: dict[tuple[str, str], str | None] = {}
        self._timers = list(timers)
        self._first = tuple(timers)

    def say(self, message: Outgoing) -> None:
        """Have a message said."""
        self._check(len(self._messages))
        self._messages.append(message)

    def schedule(self, timer: TimerChange) -> None:
        """Have a timer set or taken back."""
        self._check(len(self._timers))
        self._timers.append(timer)

    async def read(self, space: str, key: str) -> str | None:
        """Return a value as JSON as it will be when all this is written, or ``None``."""
        place = space, key
        if place in self._changes:
            return self._changes[place].value
        if place not in self._read:
            self._read[place] = await self._store.read(space, key)
        return self._read[place]

    async def keys(self, space: str) -> list[str]:
        """Return the keys of a space as they will be when all this is written."""
        found = set(await self._store.keys(space))
        for (changed, key), change in self._changes.items():
            if changed == space:
                (found.discard if change.value is None else found.add)(key)
        return sorted(found)

    def change(self, space: str, key: str, value: str | None, expires_at: float | None = None) -> None:
        """Have a value be another one; where it was read before, only if it is still that."""
        self._check(len(self._changes))
        was = self._read.get((space, key), UNREAD)
        self._changes[space, key] = Change(space, key, value, expires_at, was)

    @property
    def _store(self) -> Store:
        if self._bot.store is None:
            raise UsageError("this bot has no store", remedy="Open it by `hangbot.open_bot`.")
        return self._bot.store

    @property
    def holds(self) -> bool:
        """Whether there is something to be written."""
        return bool(self._messages or self._changes or self._timers)

    def holds_message(self, key: str) -> bool:
        """Return whether a message of this id waits to be written."""
        return any(message.id == key for message in self._messages)

    async def commit(self) -> list[list[OutboxRow]]:
        """Write it all; raises as `hangbot.bot.bot.Bot.commit` does, and nothing is written then."""
        if not self.holds:
            return []
        stored = await self._bot.commit(
            self._messages, changes=list(self._changes.values()), timers=self._timers
        )
        self.committed = True
        if self._timers:
            self._changed(self._timers)
        self._messages, self._changes, self._read, self._timers = [], {}, {}, []
        self._first = ()
        return stored

    def discard(self) -> None:
        """Forget what is not written, but for what is written in any case."""
        self._messages, self._changes, self._read = [], {}, {}
        self._timers = list(self._first)
        if not self.committed and (context := current(self._bot)):
            context.begin_again()

    def _check(self, number: int) -> None:
        if number >= _MOST:
            raise UsageError(
                f"a handler says, stores or schedules more than {_MOST} things at once",
                remedy="Await `ctx.commit()` now and then.",
            )
