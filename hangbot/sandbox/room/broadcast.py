"""What goes out to the clients in a room: its messages, and the answers to their actions."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from hangbot.sandbox.faults import Fault
from hangbot.sandbox.room import primus
from hangbot.sandbox.room.connection import RoomConnection
from hangbot.sandbox.room.context import RoomContext
from hangbot.sandbox.room.room import Room
from hangbot.sandbox.room.state import RoomMessage
from hangbot.sandbox.websocket import text_frame

if TYPE_CHECKING:
    from hangbot.sandbox.clock import TimerHandle

__all__ = ["Broadcaster"]

_SERVER: Final = "0"
"""``from`` of what the server itself broadcasts (captured from ActionHero 29.3.5)."""


class Broadcaster:
    """Sends what rooms and actions lead to, and books the end of each song that begins by it.

    Args:
        context: The surroundings.
    """

    def __init__(self, context: RoomContext) -> None:
        self._context = context
        self._injector = context.injector
        self._members: defaultdict[str, dict[RoomConnection, int]] = defaultdict(dict)
        self._songs: dict[str, tuple[int, TimerHandle]] = {}

    def close(self) -> None:
        """Forget the ends of songs."""
        for _, timer in self._songs.values():
            timer.cancel()
        self._songs.clear()

    # -- who hears a room

    def members(self, uuid: str) -> dict[RoomConnection, int]:
        """Return the connections in a room, with when they joined (ms)."""
        return self._members[uuid]

    def add_member(self, conn: RoomConnection, uuid: str) -> None:
        """Let a connection hear a room."""
        now_ms = self._context.clock.now_ms()
        conn.rooms.setdefault(uuid, now_ms)
        self._members[uuid].setdefault(conn, now_ms)

    def remove_member(self, conn: RoomConnection, uuid: str) -> None:
        """Let a connection hear a room no more."""
        conn.rooms.pop(uuid, None)
        self._members[uuid].pop(conn, None)

    # -- out

    def broadcast(
        self, room: Room, messages: Iterable[RoomMessage], *, but: RoomConnection | None = None
    ) -> None:
        """Send a room's messages, each written once for everyone.

        Args:
            room: The room.
            messages: What its members hear.
            but: The only connection that does not.
        """
        for message in messages:
            if message.to is not None:
                for conn in tuple(self._members[room.uuid]):
                    if conn.uid == message.to:
                        self.send_to(conn, room, message.body())
                continue
            text = self._envelope(room.uuid, message.body(), _SERVER)
            frame = text_frame(text)
            for conn in tuple(self._members[room.uuid]):
                if conn is not but:
                    self._injector.send_frame(conn, text, "room.message", frame, name=message.name)
        self.book_song_end(room)

    def send_to(
        self, conn: RoomConnection, room: Room, body: dict[str, Any], *, sent_at: bool = True
    ) -> None:
        """Send one connection a room message, in the form that direct ones have."""
        envelope: dict[str, Any] = {"context": "user", "from": _SERVER, "room": room.uuid}
        if sent_at:
            envelope["sentAt"] = self._context.clock.now_ms()
        text = primus.encode({**envelope, "message": body})
        self._injector.send_frame(conn, text, "room.message", name=body.get("name"))

    def send_profiles(self, conn: RoomConnection, room: Room) -> None:
        """Send a joiner ``updatedUserData``: the profiles, some time after the response."""
        context, variants = self._context, self._context.variants

        def send() -> None:
            if room.uuid not in conn.rooms or context.rooms.get(room.uuid) is not room:
                return  # it has left meanwhile, or the room is another
            body = RoomMessage("updatedUserData", room.presence.profiles()).body()
            self.send_to(conn, room, body, sent_at=variants.profiles_sent_at)

        if variants.profiles_ms > 0:
            context.clock.call_later(variants.profiles_ms / 1000, send)
        else:
            send()

    def respond(self, conn: RoomConnection, text: str, fault: Fault | None) -> None:
        """Send an action's response, or what its fault makes of it."""
        if fault is None:
            conn.send(text)
        else:
            self._injector.send_faulty(conn, text, fault)

    def say(self, conn: RoomConnection, uuid: str, text: str) -> None:
        """Send a plain text to a room, after the answer to the verb ``say``."""
        envelope = self._envelope(uuid, text, conn.hero_id)
        asyncio.get_running_loop().call_soon(self._send_all, uuid, envelope, text_frame(envelope))

    def _send_all(self, uuid: str, text: str, frame: bytes) -> None:
        for member in tuple(self._members.get(uuid, ())):
            self._injector.send_frame(member, text, "room.message", frame)

    def _envelope(self, uuid: str, message: object, sender: str) -> str:
        # Put together by hand: this is written for every message of every room.
        return (
            f'{{"message":{primus.encode(message)},"room":{primus.encode(uuid)},"from":"{sender}",'
            f'"context":"user","sentAt":{self._context.clock.now_ms()}}}'
        )

    # -- the end of a song

    def book_song_end(self, room: Room) -> None:
        """Book the end of the playing song, if it is not booked already."""
        ends_ms = room.stage.song_ends_ms()
        booked = self._songs.get(room.uuid)
        if booked is not None:
            if booked[0] == ends_ms:
                return
            booked[1].cancel()
            del self._songs[room.uuid]
        if ends_ms is None:
            return
        context = self._context

        def over() -> None:
            self._songs.pop(room.uuid, None)
            if context.rooms.get(room.uuid) is room:  # otherwise it is another room by now
                self.broadcast(room, room.stage.next_song(max(ends_ms, context.clock.now_ms())))

        timer = context.clock.call_later(ends_ms / 1000 - context.clock.now_s(), over)
        self._songs[room.uuid] = ends_ms, timer
