"""One room action on one connection: how it is sent, and how to find out what became of it."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from hangbot.errors import AckTimeout, ActionLost, ConnectionLost, Refused, Unreachable
from hangbot.hangfm.room import RoomClient
from hangbot.hangfm.wire.actions import song_id, took_effect

__all__ = ["RoomAction"]

_NOT_SENT: Final = "The bot connects again by itself; do it again then if it is still wanted."
_FOR_ONE_SONG: Final = frozenset({"voteOnSong", "skipSong"})


class RoomAction:
    """An action, bound to the connection and to the song that it was meant for.

    Args:
        room: The connection.
        action: One of `hangbot.hangfm.wire.frames.ACTIONS`.
        params: Its parameters.
        me: Tells the bot's uuid.
    """

    def __init__(
        self, room: RoomClient, action: str, params: Mapping[str, Any], me: Callable[[], str]
    ) -> None:
        self._room = room
        self._action = action
        self._params = params
        self._me = me
        self._song = song_id(room.state)
        self._maybe_unread = False
        """Whether the server may not even have read the last attempt."""

    async def send(self) -> None:
        """Try once; raises `ServiceError`."""
        if self._action in _FOR_ONE_SONG and song_id(self._room.state) != self._song:
            raise Refused(f"{self._action} was meant for a song that has ended", service="room")
        self._maybe_unread = True
        try:
            await self._room.act(self._action, **self._params)
        except AckTimeout:
            with suppress(AckTimeout):
                await self._wait_until_read()  # what it did is seen after the wait that follows
            raise
        except ConnectionLost as exc:
            raise ActionLost(str(exc), service="room") from exc
        except Unreachable as exc:  # not sent, and the next connection is another room to it
            raise Refused(str(exc), service="room", remedy=_NOT_SENT) from exc

    async def find(self) -> bool:
        """Tell from the state whether it took effect; raises `ServiceError` where that cannot be told."""
        if self._maybe_unread:
            await self._wait_until_read()
            raise AckTimeout(f"the room has only now read {self._action}", service="room")
        effect = took_effect(self._action, self._params, self._me(), self._room.state, self._song)
        if not effect and self._room.ended.done():
            raise ActionLost(f"the room connection ended under {self._action}", service="room")
        if effect is None:
            raise Refused(f"the room's state does not show whether {self._action} was done", service="room")
        return effect

    async def _wait_until_read(self) -> None:
        """Wait until the server has read the last attempt.

        One that stalls would carry it out later, and once more what is sent again meanwhile.
        """
        try:
            await self._room.ping_and_wait()
        except ConnectionLost as exc:
            raise ActionLost(str(exc), service="room") from exc
        self._maybe_unread = False
