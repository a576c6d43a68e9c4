"""Whose messages an outbox keeps: the file is one bot's, each row belongs to a room."""

from dataclasses import dataclass

from hangbot.delivery.message import Outgoing

__all__ = ["ANY_ROOM", "Owner"]

ANY_ROOM = ""
"""Stands for every room: direct messages belong to the bot wherever it is."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The bot that opens an outbox.

    Attributes:
        uid: Its user id, or ``None`` as long as only the chat knows it.
        room: The room in which it accepts messages.
        groups: Other ids of that room: its chat group, if that has an id of its own.
        binds: Whether a file without an owner becomes this bot's; commands that only look leave it free.
    """

    uid: str | None
    room: str
    groups: frozenset[str] = frozenset()
    binds: bool = True

    @property
    def rooms(self) -> frozenset[str]:
        """The rooms of the messages that this bot delivers."""
        return self.groups | {self.room, ANY_ROOM}

    def room_of(self, message: Outgoing) -> str:
        """Return the room of a message that this bot accepts."""
        return ANY_ROOM if message.direct else self.room
