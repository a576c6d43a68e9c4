"""What an app hears: lines of the chat and what happens in the room, free of any one service."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, Self

from hangbot.delivery.record import OutboxRow
from hangbot.errors import UsageError

__all__ = ["ChatMessage", "DirectMessage", "RoomEvent", "Speaker"]


class Speaker(Protocol):
    """What says something in the chat: a bot."""

    async def say(
        self, text: str, *, to: str | None = None, direct: bool = False, key: str | None = None
    ) -> Sequence[OutboxRow]:
        """Accept a message, as `hangbot.bot.bot.Bot.say` does."""


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """A line of the chat, by its content; ``sent_at`` in seconds since the epoch."""

    id: int
    sender: str | None
    receiver: str | None
    text: str | None
    sent_at: float
    muid: str | None = None
    category: str = "message"
    direct: bool = False
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)
    heard_by: Speaker | None = field(default=None, repr=False, compare=False)

    def given_to(self, bot: Speaker) -> Self:
        """Return the same line as one that a bot heard: `reply` speaks through it."""
        return replace(self, heard_by=bot)

    async def reply(self, text: str, *, key: str | None = None) -> Sequence[OutboxRow]:
        """Say something where this came from: in the room's group, or to the one user alone.

        When this returns it is on disk, and will be delivered or reported.

        Args:
            text: What to say.
            key: The stable id; made by default, in a handler from this line.

        Raises:
            UsageError: No bot heard this line, or the text cannot be sent as it is.
            OutboxError: It could not be written; nothing was accepted.
        """
        if self.heard_by is None:
            raise UsageError(
                f"message {self.id} belongs to no bot; nothing was said",
                remedy="Reply to what a bot gives to its app, or call `message.given_to(bot)` first.",
            )
        if self.direct and self.sender is None:
            raise UsageError(
                f"direct message {self.id} has no sender; nothing was said",
                remedy="Name a receiver to `bot.say`.",
            )
        to = self.sender if self.direct else None  # the chat may write the group otherwise than the bot does
        return await self.heard_by.say(text, to=to, direct=self.direct, key=key)

    @property
    def edited(self) -> bool:
        """Whether its text is not the one that was sent; a reaction is no edit (measured on OpenChat)."""
        return bool(self.raw.get("editedAt"))

    @property
    def deleted(self) -> bool:
        """Whether it was taken back: CometChat shows such rows, with their text."""
        return bool(self.raw.get("deletedAt"))


@dataclass(frozen=True, slots=True)
class DirectMessage(ChatMessage):
    """A line that a user said to the bot alone."""

    direct: bool = True


@dataclass(frozen=True, slots=True)
class RoomEvent:
    """Something that happened in the room, after the state took it in.

    Attributes:
        name: The service's own name of it, known here or not.
        data: What came with it.
    """

    name: str
    data: Mapping[str, Any] = field(default_factory=dict)
