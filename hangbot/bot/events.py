"""What an app hears: lines of the chat and what happens in the room, free of any one service."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["ChatMessage", "RoomEvent"]


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """A line of the chat; ``sent_at`` in seconds since the epoch."""

    id: int
    sender: str | None
    receiver: str | None
    text: str | None
    sent_at: float
    muid: str | None = None
    category: str = "message"
    direct: bool = False
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def edited(self) -> bool:
        """Whether its text is not the one that was sent; a reaction is no edit (measured on OpenChat)."""
        return bool(self.raw.get("editedAt"))

    @property
    def deleted(self) -> bool:
        """Whether it was taken back: CometChat shows such rows, with their text."""
        return bool(self.raw.get("deletedAt"))


@dataclass(frozen=True, slots=True)
class RoomEvent:
    """Something that happened in the room, after the state took it in.

    Attributes:
        name: The service's own name of it, known here or not.
        data: What came with it.
    """

    name: str
    data: Mapping[str, Any] = field(default_factory=dict)
