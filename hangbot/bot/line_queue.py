"""Lines of the chat that wait for the app, and the workers that have them handled."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from hangbot.bot.events import ChatMessage
from hangbot.bot.task_pool import TaskPool
from hangbot.bot.turns import Turns

__all__ = ["Heard", "LineQueue"]


@dataclass(frozen=True, slots=True)
class Heard:
    """A line as it was heard.

    Attributes:
        line: The line.
        epoch: How often the ids of lines had gone backwards by then; ``None``: that is not known.
    """

    line: ChatMessage
    epoch: int | None


class LineQueue:
    """A bounded queue: each user's lines one after the other, several users at once.

    Args:
        pool: Runs its workers.
        handle: Has a line handled; it raises only what is to end the bot.
        room: Set when a user whose line was refused has room again.
        limit: Lines that it holds.
        at_once: Users whose lines are handled at a time.
    """

    def __init__(
        self,
        pool: TaskPool,
        handle: Callable[[Heard], Awaitable[None]],
        room: asyncio.Event,
        *,
        limit: int,
        at_once: int,
    ) -> None:
        self._pool = pool
        self._handle = handle
        self._room = room
        self._turns = Turns[Heard](limit)
        self._at_once = at_once
        self._workers = 0
        self._started = False

    def __len__(self) -> int:
        """Return the lines that wait or are being handled."""
        return len(self._turns)

    @property
    def refusing(self) -> bool:
        """Whether a line was refused whose user has no room yet."""
        return self._turns.refusing

    def put(self, heard: Heard) -> bool:
        """Queue a line; ``False`` where there is no room for it."""
        taken = self._turns.put(heard.line.sender or "", heard)
        self._begin()
        return taken

    def start(self) -> None:
        """Begin to have lines handled."""
        self._started = True
        self._begin()

    def stop(self) -> None:
        """Begin no further line."""
        self._started = False

    def _begin(self) -> None:
        if self._started and self._pool.is_open and self._turns.waiting and self._workers < self._at_once:
            self._workers += 1
            self._pool.start(self._work(), "hangbot-app-lines")

    async def _work(self) -> None:
        try:
            while self._started and (turn := self._turns.begin()):
                self._begin()  # for the next user
                user, heard = turn
                try:
                    await self._handle(heard)
                finally:
                    if self._turns.done(user):
                        self._room.set()
        finally:
            self._workers -= 1
