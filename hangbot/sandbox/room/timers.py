"""What happens in rooms by the passing of time."""

from collections.abc import Callable

from hangbot.sandbox.clock import SandboxClock, TimerHandle
from hangbot.sandbox.room.room import Room
from hangbot.sandbox.room.rooms import Rooms
from hangbot.sandbox.room.state import RoomMessage

__all__ = ["RoomTimers"]


class RoomTimers:
    """Songs that end, and users who leave some time after their last connection.

    Args:
        rooms: The rooms; a timer of a room that is no longer there does nothing.
        clock: The sandbox's clock.
        tell: Delivers what happened.
    """

    def __init__(
        self, rooms: Rooms, clock: SandboxClock, tell: Callable[[Room, list[RoomMessage]], object]
    ) -> None:
        self._rooms = rooms
        self._clock = clock
        self._tell = tell
        self._leaving: dict[tuple[str, str], TimerHandle] = {}
        self._songs: dict[str, tuple[int, TimerHandle]] = {}

    def close(self) -> None:
        """Forget every timer."""
        for timer in (*self._leaving.values(), *(timer for _, timer in self._songs.values())):
            timer.cancel()
        self._leaving.clear()
        self._songs.clear()

    def forget(self, room: Room) -> None:
        """Nobody is about to leave that room any more."""
        for key in [key for key in self._leaving if key[0] == room.uuid]:
            self._leaving.pop(key).cancel()

    def stay(self, room: Room, uid: str) -> None:
        """The user is back before he was missed."""
        timer = self._leaving.pop((room.uuid, uid), None)
        if timer is not None:
            timer.cancel()

    def linger(self, room: Room, uid: str) -> None:
        """``userLeft`` comes some time after the last connection, if none came back."""
        self.stay(room, uid)

        def leave() -> None:
            self._leaving.pop((room.uuid, uid), None)
            if self._rooms.get(room.uuid) is room and not room.is_held(uid):
                self._tell(room, room.leave(uid, self._clock.now_ms()))

        self._leaving[room.uuid, uid] = self._clock.call_later(self._rooms.variants.user_left_s, leave)

    def watch_song(self, room: Room) -> None:
        """Book the end of the playing song, if it is not booked already."""
        ends_ms = room.song_ends_ms()
        booked = self._songs.get(room.uuid)
        if booked is not None:
            if booked[0] == ends_ms:
                return
            booked[1].cancel()
            del self._songs[room.uuid]
        if ends_ms is not None:

            def over() -> None:
                self._songs.pop(room.uuid, None)
                if self._rooms.get(room.uuid) is room:
                    self._tell(room, room.next_song(max(ends_ms, self._clock.now_ms())))

            timer = self._clock.call_later(ends_ms / 1000 - self._clock.now_s(), over)
            self._songs[room.uuid] = ends_ms, timer
