"""ActionHero's verbs on a room connection (captured from ActionHero 29.3.5)."""

from typing import TYPE_CHECKING, Any

from hangbot.sandbox.room import actionhero
from hangbot.sandbox.room.actionhero import Verb
from hangbot.sandbox.room.broadcast import Broadcaster
from hangbot.sandbox.room.connection import RoomConnection
from hangbot.sandbox.room.departures import Departures
from hangbot.sandbox.room.rooms import Rooms

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["VerbFailed", "Verbs"]


class VerbFailed(Exception):
    """A verb that cannot be done; ``kind`` is the JavaScript error's name."""

    def __init__(self, text: str, kind: str = "Error") -> None:
        super().__init__(text)
        self.kind = kind


class Verbs:
    """What verbs do; each returns the answer's ``data``, ``None`` for none.

    Args:
        rooms: The rooms.
        broadcaster: The connections in each room.
        departures: How connections leave rooms.
    """

    def __init__(self, rooms: Rooms, broadcaster: Broadcaster, departures: Departures) -> None:
        self._rooms = rooms
        self._broadcaster = broadcaster
        self._departures = departures
        self._verbs: dict[str, Callable[[RoomConnection, list[Any]], Any]] = {
            "roomAdd": self._room_add,
            "roomLeave": self._room_leave,
            "roomView": self._room_view,
            "detailsView": _details,
            "say": self._say_it,
            "documentation": _documentation,
        }

    def run(self, conn: RoomConnection, verb: Verb, *, allowed: bool) -> Any:  # noqa: ANN401  any JSON value
        """Do what a verb says.

        Raises:
            VerbFailed: It cannot, or there is no such verb.
        """
        do = self._verbs.get(verb.name) if allowed else None
        if do is None:
            raise VerbFailed(f"verb not found or not allowed ({verb.name})")
        return do(conn, verb.words)

    def _room_add(self, conn: RoomConnection, words: list[Any]) -> bool:
        room = _first(words)
        if self._rooms.get(room) is None:
            raise VerbFailed("room does not exist")
        if room in conn.rooms:
            raise VerbFailed(f"connection already in this room ({room})")
        self._broadcaster.add_member(conn, room)
        return True

    def _room_leave(self, conn: RoomConnection, words: list[Any]) -> bool:
        self._departures.leave_room(conn, self._own(conn, words))
        return True

    def _room_view(self, conn: RoomConnection, words: list[Any]) -> dict[str, Any]:
        room = self._own(conn, words)
        members = {
            other.hero_id: {"id": other.hero_id, "joinedAt": joined_ms}
            for other, joined_ms in self._broadcaster.members(room).items()
        }
        return {"room": room, "members": members, "membersCount": len(members)}

    def _say_it(self, conn: RoomConnection, words: list[Any]) -> None:
        text = " ".join(actionhero.js_text(word) for word in words[1:])
        if not words or not text:
            raise VerbFailed("both room and message are required")
        self._broadcaster.say(conn, self._own(conn, words), text)

    def _own(self, conn: RoomConnection, words: list[Any]) -> str:
        room = _first(words)
        if room not in conn.rooms:
            raise VerbFailed(f"connection not in this room ({room})")
        return room


def _first(words: list[Any]) -> str:
    return actionhero.js_text(words[0]) if words else "undefined"


def _details(conn: RoomConnection, _words: list[Any]) -> dict[str, Any]:
    host, port = (conn.socket.transport.get_extra_info("peername") or ("127.0.0.1", 0))[:2]
    return {
        "id": conn.hero_id,
        "fingerprint": conn.hero_id,
        "remoteIP": host,
        "remotePort": port,
        "params": {},
        "connectedAt": conn.connected_ms,
        "rooms": list(conn.rooms),
        "totalActions": conn.total,
        "pendingActions": conn.pending,
    }


def _documentation(_conn: RoomConnection, _words: list[Any]) -> None:
    # So it answers when its web part is off, as in the lab.
    raise VerbFailed("Cannot read properties of undefined (reading 'documentation')", "TypeError")
