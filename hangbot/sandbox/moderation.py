"""What moderators change in rooms over the gateway, seen by every connected client."""

from typing import Any

from hangbot.sandbox.people import People
from hangbot.sandbox.room.rooms import Rooms
from hangbot.sandbox.room.server import RoomServer

__all__ = ["RoomModeration"]


class RoomModeration:
    """The gateway's `Moderation`.

    Args:
        rooms: The rooms.
        people: The users.
        server: The room socket, whose clients see it.
    """

    def __init__(self, rooms: Rooms, people: People, server: RoomServer) -> None:
        self._rooms = rooms
        self._people = people
        self._server = server

    def kick(self, room_uuid: str, uid: str) -> None:
        """Remove a user from a room."""
        room = self._rooms.get(room_uuid)
        if room is not None:
            self._server.endings.remove_user(room, uid)

    def change_settings(self, room_uuid: str, fields: dict[str, Any]) -> None:
        """Change settings of a room."""
        room = self._rooms.get(room_uuid)
        if room is not None:
            self._server.broadcaster.broadcast(room, room.moderation.update_settings(fields))

    def show_profile(self, uid: str) -> None:
        """Show a user's changed profile in every room."""
        for room in self._rooms:
            self._server.broadcaster.broadcast(room, room.moderation.update_profile(self._people.get(uid)))
