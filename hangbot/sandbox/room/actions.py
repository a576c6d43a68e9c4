"""The seven actions of a client: what each does to a room and what it answers."""

from dataclasses import dataclass, field
from typing import Any

from hangbot.sandbox.clock import SandboxClock
from hangbot.sandbox.people import People
from hangbot.sandbox.room import actionhero
from hangbot.sandbox.room.actionhero import Call
from hangbot.sandbox.room.connection import RoomConnection
from hangbot.sandbox.room.room import NOT_IN_ROOM, Room
from hangbot.sandbox.room.rooms import Rooms
from hangbot.sandbox.room.state import ActionRefused, RoomMessage

__all__ = ["Actions", "Outcome"]


@dataclass(slots=True)
class Outcome:
    """What an action leads to.

    Attributes:
        fields: The response's fields.
        room: The room that hears the messages.
        messages: What it hears.
        joined: Whether the connection has just joined the room.
    """

    fields: dict[str, Any]
    room: Room | None = None
    messages: list[RoomMessage] = field(default_factory=list)
    joined: bool = False


class Actions:
    """Carries actions out.

    Args:
        people: Whose tokens are good.
        rooms: The rooms.
        clock: The sandbox's clock.
    """

    def __init__(self, people: People, rooms: Rooms, clock: SandboxClock) -> None:
        self._people = people
        self._rooms = rooms
        self._variants = rooms.variants
        self._clock = clock
        self.stopping = False
        """While true, actions are answered with "the server is shutting down"."""

    def execute(self, conn: RoomConnection, call: Call) -> Outcome:
        """Carry an action out.

        Raises:
            ActionRefused: The server or the room refuses it.
            BadInput: Its parameters are not what it wants.
        """
        if self.stopping:
            raise ActionRefused(actionhero.SHUTTING_DOWN)
        if call.action is None:
            raise ActionRefused(actionhero.UNKNOWN_ACTION)
        if conn.person is None or (
            self._variants.recheck_token and self._people.by_token(conn.token) is None
        ):
            raise ActionRefused(self._variants.token_error)
        actionhero.check_params(call)
        room = self._rooms.get(call.params["roomUuid"])
        if call.action == "joinRoom":
            return self._join(conn, conn.person.uid, room, call.params)
        if room is None:
            raise ActionRefused(NOT_IN_ROOM)
        messages = self._act(room, conn.person.uid, call)
        silent = call.action in {"skipSong", "playOneTimeAnimation"} or not self._variants.action_state
        return Outcome({} if silent else room.server_state(), room, messages)

    def _act(self, room: Room, uid: str, call: Call) -> list[RoomMessage]:
        params, now_ms = call.params, self._clock.now_ms()
        match call.action:
            case "addDj":
                return room.add_dj(uid, params.get("song"), now_ms)
            case "removeDj":
                return room.remove_dj(uid, params.get("djUuid"), now_ms)
            case "updateNextSong":
                return room.update_next_song(uid, params["song"], now_ms)
            case "voteOnSong":
                return room.vote(uid, params["songVotes"])
            case "skipSong":
                return room.skip(uid, now_ms)
            case _:
                return room.animate(uid, params["animation"], params.get("emoji"))

    def _join(self, conn: RoomConnection, uid: str, room: Room | None, params: dict[str, Any]) -> Outcome:
        if room is None:
            raise ActionRefused("The room does not exist.")
        person = self._people.get(uid)
        if self._variants.second_join == "refused" and room.uuid in conn.rooms:
            raise ActionRefused(f"connection already in this room ({room.uuid})")
        room.admit(person, params.get("password"), params.get("guestPassword"))
        fields = {
            "roomUuid": room.uuid,
            "allowedRooms": [room.uuid],
            "didCreate": not room.live,
            "serverTime": self._clock.now_ms(),
            "state": room.snapshot(),
        }
        messages = room.enter(person, conn.hold)
        if self._variants.joiner_in_state:
            fields["state"] = room.snapshot()
        return Outcome(fields, room, messages, joined=True)
