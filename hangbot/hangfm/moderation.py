"""What a bot does to users and lines by a request: puts them out of the room, reacts to them."""

from hangbot.hangfm.chat import ChatClient
from hangbot.hangfm.gateway import GatewayClient

__all__ = ["RoomModeration"]


class RoomModeration:
    """Does so in one room.

    Args:
        gateway: Kicks.
        chat: Reacts.
        room: The room's uuid.
    """

    def __init__(self, gateway: GatewayClient, chat: ChatClient, room: str) -> None:
        self._gateway = gateway
        self._chat = chat
        self._room = room

    async def kick(self, uuid: str) -> None:
        """Put a user out of the room; raises `ServiceError`."""
        await self._gateway.kick(self._room, uuid)

    async def react(self, line: int, emoji: str) -> None:
        """React to a line of the chat; raises `ServiceError`."""
        await self._chat.react(line, emoji)
