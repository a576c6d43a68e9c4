"""What moderators, time and the service do to those who are in a room."""

from hangbot.sandbox.injector import End
from hangbot.sandbox.room.broadcast import Broadcaster
from hangbot.sandbox.room.context import RoomContext
from hangbot.sandbox.room.departures import Departures
from hangbot.sandbox.room.room import Room
from hangbot.sandbox.room.state import NOTHING_PLAYS, ActionRefused

__all__ = ["Endings"]


class Endings:
    """Removes users, ends songs, resets rooms.

    Args:
        context: The surroundings.
        broadcaster: Sends what happened.
        departures: Users who are leaving anyway.
    """

    def __init__(self, context: RoomContext, broadcaster: Broadcaster, departures: Departures) -> None:
        self._context = context
        self._broadcaster = broadcaster
        self._departures = departures

    @property
    def _how(self) -> End:
        return "close_deliberate" if self._context.variants.kick_deliberate else "close"

    def remove_user(self, room: Room, uid: str, *, ban: bool = False) -> None:
        """Kick or ban a user, who hears it; then every connection of that user is closed on purpose."""
        now_ms = self._context.clock.now_ms()
        self._broadcaster.broadcast(room, room.moderation.kick(uid, now_ms, ban=ban))
        theirs = [conn for conn in self._broadcaster.members(room.uuid) if conn.uid == uid]
        room.presence.drop_others(uid, {conn.holder for conn in theirs})
        for conn in theirs:
            conn.end(self._how)
        if not theirs:
            self._broadcaster.broadcast(room, room.presence.leave(uid, now_ms))

    def forget_user(self, room: Room, uid: str) -> None:
        """Take a user out of the state although still connected; everyone hears it, the user too."""
        self._broadcaster.broadcast(room, room.presence.leave(uid, self._context.clock.now_ms()))

    def silence(self, room: Room) -> None:
        """End the playing song without a message.

        Raises:
            ActionRefused: Nothing is playing.
        """
        if room.stage.song_ends_ms() is None:
            raise ActionRefused(NOTHING_PLAYS)
        room.stage.next_song(self._context.clock.now_ms())
        self._broadcaster.book_song_end(room)

    def reset_room(self, room: Room) -> None:
        """Clear a room; every connection in it hears so and is closed on purpose."""
        self._broadcaster.broadcast(room, room.reset())
        self._departures.forget(room)
        for conn in tuple(self._broadcaster.members(room.uuid)):
            conn.end(self._how)
