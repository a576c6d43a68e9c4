"""What moderators change in rooms over the gateway, seen by every connected client."""

from typing import Any

from hangbot.sandbox.people import People
from hangbot.sandbox.room.handler import RoomDesk
from hangbot.sandbox.room.rooms import Rooms

__all__ = ["RoomModeration"]


class RoomModeration:
    """The gateway's `Moderation`.

    Args:
        rooms: The rooms.
        people: The users.
        desk: Tells clients what happened in a room.
    """

    def __init__(self, rooms: Rooms, people: People, desk: RoomDesk) -> None:
        self._rooms = rooms
        self._people = people
        self._desk = desk

    def kick(self, room_uuid: str, uid: str) -> None:
        """Remove a user from a room."""
        room = self._rooms.get(room_uuid)
        if room is not None:
            self._desk.expel(room, uid)

    def change_settings(self, room_uuid: str, fields: dict[str, Any]) -> None:
        """Change settings of a room."""
        room = self._rooms.get(room_uuid)
        if room is not None:
            self._desk.tell(room, room.update_settings(fields))

    def show_profile(self, uid: str) -> None:
        """Show a user's changed profile in every room."""
        for room in self._rooms:
            self._desk.tell(room, room.update_profile(self._people.get(uid)))
