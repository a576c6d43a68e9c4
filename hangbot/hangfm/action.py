"""One room action on one connection: how it is sent, and how to find out what became of it."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final, Protocol

from hangbot.bot.ports import Disconnect
from hangbot.errors import AckTimeout, ActionLost, ConnectionLost, Refused, Unreachable
from hangbot.hangfm.wire.actions import find_action, song_id
from hangbot.hangfm.wire.state import RoomState

__all__ = ["RoomAction"]

_NOT_SENT: Final = "The bot connects again by itself; do it again then if it is still wanted."


class ActingRoom(Protocol):
    """What an action needs of its connection; see `hangbot.hangfm.room.RoomClient`."""

    @property
    def state(self) -> RoomState | None:
        """The room as it is, or as it last was."""

    @property
    def ended(self) -> asyncio.Future[Disconnect]:
        """Done when the connection has ended or its state was lost."""

    async def act(self, action: str, **params: object) -> object:
        """Run an action once; raises `ServiceError`."""

    async def ping_and_wait(self) -> None:
        """Return when the server has read everything sent so far; raises `AckTimeout`, `ConnectionLost`."""


class RoomAction:
    """An action, bound to the connection that it was meant for, and where its row says so to the song.

    Args:
        room: The connection.
        name: The name of a row of `hangbot.hangfm.wire.actions.ACTIONS`, or of an action of a newer server.
        params: Its parameters.
        me: Returns the bot's uuid.
    """

    def __init__(self, room: ActingRoom, name: str, params: Mapping[str, Any], me: Callable[[], str]) -> None:
        self._room = room
        self._action = find_action(name)
        self._params = params
        self._me = me
        self._song = song_id(room.state)
        self._maybe_unread = False
        """Whether the server may not even have read the last attempt."""

    async def send(self) -> None:
        """Make one attempt; raises `ServiceError`."""
        name = self._action.name
        if self._action.bound_to == "song" and song_id(self._room.state) != self._song:
            raise Refused(f"{name} was meant for a song that has ended", service="room")
        self._maybe_unread = True
        try:
            await self._room.act(name, **self._params)
        except AckTimeout:
            with suppress(AckTimeout):
                await self._wait_until_read()  # `find` looks for its effect after the wait that follows
            raise
        except ConnectionLost as exc:
            raise ActionLost(str(exc), service="room") from exc
        except Unreachable as exc:  # not sent, and this action does not outlive its connection
            raise Refused(str(exc), service="room", remedy=_NOT_SENT) from exc

    async def find(self) -> bool:
        """Return whether the state shows its effect; raises `ServiceError` where the state cannot show it."""
        name = self._action.name
        if self._maybe_unread:
            await self._wait_until_read()
            raise AckTimeout(f"the room has only now read {name}", service="room")
        effect = self._action.took_effect(self._params, self._me(), self._room.state, self._song)
        if not effect and self._room.ended.done():
            raise ActionLost(f"the room connection ended under {name}", service="room")
        if effect is None:
            raise Refused(f"the room's state does not show whether {name} was done", service="room")
        return effect

    async def _wait_until_read(self) -> None:
        """Wait until the server has read the last attempt.

        A server that stalls would carry it out later, and what is sent again meanwhile as well.
        """
        try:
            await self._room.ping_and_wait()
        except ConnectionLost as exc:
            raise ActionLost(str(exc), service="room") from exc
        self._maybe_unread = False
