"""The actions of a client: what each wants, does to a room, and answers; one row for each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from hangbot.sandbox.people import Person
from hangbot.sandbox.room import actionhero, inputs
from hangbot.sandbox.room.actionhero import Call
from hangbot.sandbox.room.connection import RoomConnection
from hangbot.sandbox.room.context import RoomContext
from hangbot.sandbox.room.room import Room
from hangbot.sandbox.room.state import NOT_IN_ROOM, ActionRefused, RoomMessage
from hangbot.sandbox.room.variants import RoomVariants

__all__ = ["ACTIONS", "Action", "Actions", "Outcome"]


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


class _Request(NamedTuple):
    """An action that is to be run, its parameters checked."""

    conn: RoomConnection
    person: Person
    room: Room | None
    params: dict[str, Any]
    now_ms: int
    variants: RoomVariants


_Act = Callable[[Room, str, dict[str, Any], int], list[RoomMessage]]
"""Changes a room for the user of that uid, by these parameters, at that time."""


class Action(NamedTuple):
    """One row of the table.

    Attributes:
        name: The action's name.
        run: Does it.
        required: The parameters that must be there, besides ``roomUuid``.
        check: Raises ``BadInput`` for parameters that are not what it wants.
    """

    name: str
    run: Callable[[_Request], Outcome]
    required: tuple[str, ...] = ()
    check: Callable[[Mapping[str, Any]], None] = lambda _: None

    def check_inputs(self, params: Mapping[str, Any]) -> None:
        """Check the parameters: required ones first, then each; the first fault counts.

        Raises:
            BadInput: With the text that the client gets.
        """
        inputs.check_room(params, self.required)
        self.check(params)


def _in_room(act: _Act, *, answers_state: bool = True) -> Callable[[_Request], Outcome]:
    """Make what runs an action that changes a room."""

    def run(request: _Request) -> Outcome:
        room = request.room
        if room is None:
            raise ActionRefused(NOT_IN_ROOM)
        messages = act(room, request.person.uid, request.params, request.now_ms)
        answered = answers_state and request.variants.action_state
        return Outcome(room.server_state() if answered else {}, room, messages)

    return run


def _join(request: _Request) -> Outcome:
    room, person, params = request.room, request.person, request.params
    if room is None:
        raise ActionRefused("The room does not exist.")
    if request.variants.second_join == "refused" and room.uuid in request.conn.rooms:
        raise ActionRefused(f"connection already in this room ({room.uuid})")
    room.presence.admit(person, params.get("password"), params.get("guestPassword"))
    fields = {
        "roomUuid": room.uuid,
        "allowedRooms": [room.uuid],
        "didCreate": not room.live,
        "serverTime": request.now_ms,
        "state": room.presence.snapshot(),
    }
    messages = room.presence.enter(person, request.conn.holder)
    if request.variants.joiner_in_state:
        fields["state"] = room.presence.snapshot()
    return Outcome(fields, room, messages, joined=True)


_ROWS: Final = (
    Action("joinRoom", _join),
    Action(
        "addDj",
        _in_room(lambda room, uid, params, now_ms: room.stage.add_dj(uid, params.get("song"), now_ms)),
        check=inputs.check_song,
    ),
    Action(
        "removeDj",
        _in_room(lambda room, uid, params, now_ms: room.stage.remove_dj(uid, params.get("djUuid"), now_ms)),
        check=inputs.check_dj,
    ),
    Action(
        "updateNextSong",
        _in_room(lambda room, uid, params, now_ms: room.stage.update_next_song(uid, params["song"], now_ms)),
        check=inputs.check_next_song,
    ),
    Action(
        "voteOnSong",
        _in_room(lambda room, uid, params, _: room.votes.cast(uid, params["songVotes"])),
        required=("songVotes",),
        check=inputs.check_votes,
    ),
    Action(
        "skipSong",
        _in_room(lambda room, uid, _, now_ms: room.stage.skip(uid, now_ms), answers_state=False),
    ),
    Action(
        "playOneTimeAnimation",
        _in_room(
            lambda room, uid, params, _: room.animate(uid, params["animation"], params.get("emoji")),
            answers_state=False,
        ),
        required=("animation",),
        check=inputs.check_animation,
    ),
)

ACTIONS: Final[Mapping[str, Action]] = {row.name: row for row in _ROWS}
"""What a client can run; the other names that exist are for services and staff."""


class Actions:
    """Runs actions.

    Args:
        context: The surroundings.

    Attributes:
        stopping: While true, actions are answered with "the server is shutting down".
    """

    def __init__(self, context: RoomContext) -> None:
        self._context = context
        self.stopping = False

    def run(self, conn: RoomConnection, call: Call) -> Outcome:
        """Run an action.

        Raises:
            ActionRefused: The server or the room refuses it.
            BadInput: Its parameters are not what it wants.
        """
        context = self._context
        if self.stopping:
            raise ActionRefused(actionhero.SHUTTING_DOWN)
        action = None if call.action is None else ACTIONS.get(call.action)
        if action is None:
            raise ActionRefused(actionhero.UNKNOWN_ACTION)
        if conn.person is None or (
            context.variants.recheck_token and context.people.by_token(conn.token) is None
        ):
            raise ActionRefused(context.variants.token_error)
        action.check_inputs(call.params)
        room = context.rooms.get(call.params["roomUuid"])
        person = context.people.get(conn.person.uid)
        return action.run(_Request(conn, person, room, call.params, context.clock.now_ms(), context.variants))
