"""Makes the contexts of one test: they share a room, a clock and what apps keep."""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from hangbot.bot.events import ChatMessage, DirectMessage, Event, RoomSnapshot, User
from hangbot.bot.roles import Role
from hangbot.clock import Clock
from hangbot.config import Settings
from hangbot.delivery.memory import OutboxInMemory
from hangbot.delivery.outbox import Outbox
from hangbot.errors import UsageError
from hangbot.ids import SYSTEM_RNG, Rng
from hangbot.testing.bot import UnrunBot
from hangbot.testing.context import FakeContext
from hangbot.testing.room import BOT, ROOM, DescribedRoom

__all__ = ["MakeContext", "open_contexts"]

_ADA: Final = "ada"


class MakeContext:
    """Makes contexts: ``ctx = hangfm_ctx(user="ada", role="moderator")``.

    Args:
        settings: Those of the bot.
        outbox: Is open.
        clock: The bot's time.
        rng: Makes its ids.
    """

    def __init__(self, settings: Settings, outbox: Outbox, clock: Clock, rng: Rng) -> None:
        self._settings = settings
        self._outbox = outbox
        self._clock = clock
        self._rng = rng
        self._room = DescribedRoom()
        self._lines = itertools.count(1)

    def __call__(
        self,
        text: str = "hello",
        *,
        user: str | User | None = _ADA,
        role: Role | None = None,
        direct: bool = False,
        event: Event | ChatMessage | None = None,
        room: RoomSnapshot | None = None,
        app: str = "app",
    ) -> FakeContext:
        """Return the context of a line that a user said, or of something else.

        Args:
            text: The line.
            user: Who said it, by nickname (``ada`` by default) or as a value, and is in the room from now on;
                ``None``: there is no line, the handler is called by the clock, at the start or at the stop.
            role: That user's role in the room from now on; as it was by default.
            direct: Whether the line is to the bot alone.
            event: What the handler is called for instead of a line.
            room: How the room is from now on: users, DJs, song, votes; as it was by default.
            app: The name of the app whose things these are.

        Raises:
            UsageError: What belongs to a line is given without one.
        """
        if (event is not None or user is None) and (user not in {_ADA, None} or direct or role is not None):
            raise UsageError(
                "`user`, `role` and `direct` say whose line it is, and this context is for no line",
                remedy="Leave `event` out, or have the user in `event` and `room`.",
            )
        if room is not None:
            self._room.become(room)
        bot = UnrunBot(self._settings, self._outbox, self._room, self._clock, self._rng)
        if event is None and user is not None:
            event = self._line(bot, text, self._room.enter(user, role), direct=direct)
        elif isinstance(event, ChatMessage):
            event = event.given_to(bot)
        return FakeContext(bot, app, event)

    def _line(self, bot: UnrunBot, text: str, user: User, *, direct: bool) -> ChatMessage:
        kind = DirectMessage if direct else ChatMessage
        to = BOT if direct else ROOM
        line = kind(next(self._lines), user.uuid, to, text, self._clock.wall(), direct=direct)
        return line.given_to(bot)


@asynccontextmanager
async def open_contexts(clock: Clock, rng: Rng = SYSTEM_RNG) -> AsyncIterator[MakeContext]:
    """Give what makes contexts; what they have written is forgotten at the end of the block.

    Args:
        clock: Their time.
        rng: Makes their ids.
    """
    settings = Settings.from_env({"BOT_USER_TOKEN": "none", "ROOM_UUID": ROOM, "COMETCHAT_UID": BOT})
    outbox = Outbox(OutboxInMemory(clock))
    await outbox.open()
    try:
        yield MakeContext(settings, outbox, clock, rng)
    finally:
        await outbox.close()
