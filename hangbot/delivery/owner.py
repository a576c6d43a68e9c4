"""Whose messages an outbox keeps: the file is one bot's, each row belongs to a room."""

from dataclasses import dataclass

from hangbot.delivery.message import Outgoing

__all__ = ["ANY_ROOM", "Owner"]

ANY_ROOM = ""
"""The room of what belongs to the bot wherever it is: its direct messages."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The bot that opens an outbox.

    Attributes:
        uid: Its user id, or ``None`` as long as only the chat could tell.
        room: The room in which it accepts messages.
        groups: What else stands for that room: its chat group, where that has another id.
        binds: Whether a file that is nobody's becomes its own; who only looks takes nothing.
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
        """Return the room that a message belongs to which this bot accepts."""
        return ANY_ROOM if message.direct else self.room
