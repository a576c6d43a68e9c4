"""How users leave rooms: some time after their last connection."""

from typing import TYPE_CHECKING

from hangbot.sandbox.room.broadcast import Broadcaster
from hangbot.sandbox.room.connection import RoomConnection
from hangbot.sandbox.room.context import RoomContext
from hangbot.sandbox.room.room import Room

if TYPE_CHECKING:
    from hangbot.sandbox.clock import TimerHandle

__all__ = ["Departures"]


class Departures:
    """The grace periods of users whose last connection has gone.

    Args:
        context: The surroundings.
        broadcaster: Sends ``userLeft``.
    """

    def __init__(self, context: RoomContext, broadcaster: Broadcaster) -> None:
        self._context = context
        self._broadcaster = broadcaster
        self._leaving: dict[tuple[str, str], TimerHandle] = {}

    def close(self) -> None:
        """Forget every grace period."""
        for timer in self._leaving.values():
            timer.cancel()
        self._leaving.clear()

    def leave_room(self, conn: RoomConnection, uuid: str) -> None:
        """Take a connection out of a room; its user follows later, unless something else holds that user."""
        self._broadcaster.remove_member(conn, uuid)
        room = self._context.rooms.get(uuid)
        if room is not None and conn.uid is not None and room.presence.release(conn.uid, conn.holder):
            self._begin_grace_period(room, conn.uid)

    def stay(self, room: Room, uid: str) -> None:
        """End the grace period of a user who is back."""
        timer = self._leaving.pop((room.uuid, uid), None)
        if timer is not None:
            timer.cancel()

    def forget(self, room: Room) -> None:
        """Forget the grace periods of a room."""
        for key in [key for key in self._leaving if key[0] == room.uuid]:
            self._leaving.pop(key).cancel()

    def _begin_grace_period(self, room: Room, uid: str) -> None:
        self.stay(room, uid)
        context = self._context

        def leave() -> None:
            self._leaving.pop((room.uuid, uid), None)
            if context.rooms.get(room.uuid) is room and not room.presence.is_held(uid):
                self._broadcaster.broadcast(room, room.presence.leave(uid, context.clock.now_ms()))

        self._leaving[room.uuid, uid] = context.clock.call_later(context.variants.user_left_s, leave)
