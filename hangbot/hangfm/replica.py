"""The room's state as one connection knows it: from the answer to its join, kept current by patches."""

from collections.abc import Mapping
from typing import Any

from hangbot.bot.ports import Disconnect
from hangbot.errors import WireError
from hangbot.hangfm.wire.state import Crowd, RoomState

__all__ = ["StateReplica"]


class StateReplica:
    """Keeps a copy of the state, and notices when it is no longer the room's.

    Args:
        me: The bot's uid. A state that held it and does so no longer is lost: a room sends nothing to a
            client that it does not hold. A state that never held it proves nothing.

    Attributes:
        state: The copy; ``None`` before the join. A copy that is lost stays as it last was.
        joined: The answer to the join without its state; ``None`` before the join.
        crowd: What the last patch did to the list of users.
    """

    def __init__(self, me: str | None) -> None:
        self.state: RoomState | None = None
        self.joined: Mapping[str, Any] | None = None
        self.crowd: Crowd | None = None
        self._me = me
        self._held = False

    def load(self, fields: Mapping[str, Any]) -> Disconnect | None:
        """Take over the state in the answer to a join, if it holds one; return how that failed."""
        state = fields.get("state")
        if not isinstance(state, dict):
            return None
        try:
            self.state = RoomState(state)
        except WireError as exc:
            return Disconnect("state lost", str(exc))
        self.joined = {name: value for name, value in fields.items() if name != "state"}
        self._held = self._me in self.state
        return None

    def apply(self, patch: list[dict[str, Any]]) -> Disconnect | None:
        """Apply a patch to the copy; return why the copy is lost where it does not fit."""
        self.crowd = None
        if self.state is None:
            return None
        try:
            self.crowd = self.state.apply(patch)
        except WireError as exc:
            return Disconnect("state lost", str(exc))
        held, self._held = self._held, self._me in self.state
        if held and not self._held:
            return Disconnect("state lost", "a patch took the bot out of the room", "forgotten")
        return None
