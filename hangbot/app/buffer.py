"""What one handler says, stores and schedules, until it is written: all of it together, or nothing."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from hangbot.bot.answering import current
from hangbot.bot.bot import Bot
from hangbot.delivery.message import Outgoing
from hangbot.delivery.record import OutboxRow
from hangbot.delivery.store import UNREAD, Change, Store, TimerChange
from hangbot.errors import UsageError

__all__ = ["Buffer"]

_Key = tuple[str, str]
"""The space and the key of a value."""
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
        committed: Whether something was written, or may have been.
        ended: Whether the handler has ended: what it says then is refused, as it would never be written.
    """

    def __init__(
        self,
        bot: Bot,
        timers: Sequence[TimerChange] = (),
        changed: Callable[[Sequence[TimerChange]], None] = lambda _: None,
    ) -> None:
        self.acted = self.committed = self.ended = False
        self._bot = bot
        self._changed = changed
        self._messages: list[Outgoing] = []
        self._changes: dict[_Key, Change] = {}
        self._read: dict[_Key, str | None] = {}
        self._seen: dict[_Key, str | None] = {}
        self._timers = list(timers)
        self._first = tuple(timers)
        self._writing = asyncio.Lock()

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
        if place in self._read:
            return self._read[place]
        value = self._read[place] = self._seen[place] = await self._store.read(space, key)
        return value

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
        was = self._seen.get((space, key), UNREAD)
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
        """Write it all; raises as `hangbot.bot.bot.Bot.commit` does, and nothing is written then.

        What another task of the handler leaves meanwhile is kept for the next time.
        """
        if not self.holds:
            return []
        async with self._writing:
            if not self.holds:  # another task has written it
                return []
            messages, changes, timers = [*self._messages], dict(self._changes), [*self._timers]
            held = self._messages, self._changes, self._timers
            try:
                stored = await self._bot.commit(messages, changes=[*changes.values()], timers=timers)
            except asyncio.CancelledError:
                self.committed = True  # it may be: run again, the handler would do it twice
                raise
            self.committed = True
            if timers:
                self._changed(timers)
            del held[0][: len(messages)], held[2][: len(timers)]
            self._written(changes, held[1])
            return stored

    def _written(self, changes: Mapping[_Key, Change], held: dict[_Key, Change]) -> None:
        """Forget what is written; what was read before and is changed later must be as it is now."""
        self._first, self._read = (), {}
        for place, change in changes.items():
            if change.expires_at is not None:
                self._seen.pop(place, None)
            elif place in self._seen:
                self._seen[place] = change.value
            if held.get(place) is change:
                del held[place]
            elif place in held:
                held[place] = held[place]._replace(was=self._seen.get(place, UNREAD))

    def discard(self) -> None:
        """Forget what is not written, but for what is written in any case."""
        self._messages, self._changes, self._read, self._seen = [], {}, {}, {}
        self._timers = list(self._first)
        self.ended = False
        if not self.committed and (context := current(self._bot)):
            context.begin_again()

    def _check(self, number: int) -> None:
        if self.ended:
            raise UsageError(
                "this handler has ended: what it says, stores or schedules now would never be written",
                remedy="Await what the handler begins, or use `ctx.after`; a task of its own can say by"
                " `ctx.bot.say`.",
            )
        if number >= _MOST:
            raise UsageError(
                f"a handler says, stores or schedules more than {_MOST} things at once",
                remedy="Await `ctx.commit()` now and then.",
            )
