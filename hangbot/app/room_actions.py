"""What a handler does in the room: at once, and outside of what is written when it ends."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from hangbot.app.buffer import Buffer
from hangbot.app.store import AppStore
from hangbot.app.users import uuid_of
from hangbot.bot.bot import Bot
from hangbot.bot.events import ChatMessage, User
from hangbot.bot.ports import Moderation
from hangbot.delivery.record import Settlement
from hangbot.errors import UsageError

__all__ = ["RoomActions", "bans"]


class RoomActions(ABC):
    """Acts in the room for one call of a handler.

    Args:
        bot: Acts.
        buffer: Is notified that something was done which cannot be taken back.

    Attributes:
        store: What the app keeps in this room.
    """

    store: AppStore

    def __init__(self, bot: Bot, buffer: Buffer) -> None:
        self.bot = bot
        self._buffer = buffer

    @property
    @abstractmethod
    def message(self) -> ChatMessage:
        """The line that the handler was called for."""

    async def vote(self, *, like: bool = True) -> Settlement:
        """Vote on the song that plays."""
        return await self._act("voteOnSong", songVotes={"like": like})

    async def step_up(self, song: Mapping[str, Any] | None = None) -> Settlement:
        """Become a DJ, with a song as the service has it."""
        return await self._act("addDj", **({} if song is None else {"song": dict(song)}))

    async def step_down(self) -> Settlement:
        """Leave the DJ line."""
        return await self._act("removeDj")

    async def skip(self) -> Settlement:
        """Skip the song that plays."""
        return await self._act("skipSong")

    async def animate(self, animation: str = "jump", emoji: str | None = None) -> Settlement:
        """Show an animation: ``jump``, or ``emoji`` with one."""
        return await self._act(
            "playOneTimeAnimation", animation=animation, **({} if emoji is None else {"emoji": emoji})
        )

    async def react(self, emoji: str) -> None:
        """React to the line that the handler was called for; raises `ServiceError`."""
        self._buffer.acted = True
        await self._moderation.react(self.message.id, emoji)

    async def kick(self, user: User | str) -> None:
        """Put a user out of the room.

        Raises:
            Refused: The bot's role does not allow it, or the user is not there.
            ServiceError: The gateway cannot be asked.
        """
        self._buffer.acted = True
        await self._moderation.kick(uuid_of(user))

    async def ban(self, user: User | str, reason: str = "") -> None:
        """Put a user out of the room, and again each time that it comes back, until `unban`.

        The service has no public way to ban: the list is the app's own, in its store.

        Raises:
            ServiceError: As `kick` does; the user is on the list all the same.
        """
        await bans(self.store).set(uuid_of(user), reason)
        await self._buffer.commit()
        await self.kick(user)

    async def unban(self, user: User | str) -> None:
        """Let a user come back."""
        await bans(self.store).delete(uuid_of(user))

    @property
    def _moderation(self) -> Moderation:
        if self.bot.moderation is None:
            raise UsageError("this bot can neither kick nor react", remedy="Open it by `hangbot.open_bot`.")
        return self.bot.moderation

    async def _act(self, action: str, **params: object) -> Settlement:
        self._buffer.acted = True
        return await self.bot.act(action, **params)


def bans(store: AppStore) -> AppStore:
    """Return where the users stand that are kept out of the room: reasons by uuid."""
    return store.part("bans")
