"""Who is in a room, and by which connections.

PURE.
"""

from typing import Any

from hangbot.sandbox.people import Person
from hangbot.sandbox.room.patches import MISSING, Operation, PatchBuilder, pointer
from hangbot.sandbox.room.stage import Stage
from hangbot.sandbox.room.state import (
    ActionRefused,
    RoomMessage,
    RoomState,
    sorted_in,
    user_entry,
    user_profile,
)
from hangbot.sandbox.room.votes import Votes

__all__ = ["Presence"]


class Presence:
    """The users of a room; each is here as long as something holds a presence of the user.

    Args:
        state: The room's state.
        stage: The DJ line, which a leaving DJ leaves.
        votes: The votes on what plays.

    Attributes:
        password: What users must know, or ``None``.
        guest_password: What guests must know, or ``None``.
    """

    def __init__(self, state: RoomState, stage: Stage, votes: Votes) -> None:
        self.password: str | None = None
        self.guest_password: str | None = None
        self._state = state
        self._stage = stage
        self._votes = votes
        self._held: dict[str, set[str]] = {}

    def snapshot(self) -> dict[str, Any]:
        """Return the ``state`` of a join response: profiles are missing until ``updatedUserData``."""
        return {**self._state.shown, "allUserData": {}}

    def profiles(self) -> list[Operation]:
        """Return the patch of ``updatedUserData``: each user's profile, position and votes."""
        return [
            {"op": "add", "path": "/allUserData" + pointer(uid), "value": data}
            for uid, data in self._state.shown["allUserData"].items()
        ]

    def admit(self, person: Person, password: object, guest_password: object) -> None:
        """Check whether a user may come in.

        Raises:
            ActionRefused: Banned, wrong password, or the room is full.
        """
        state = self._state
        if state.roles.get(person.uid) == "banned":
            raise ActionRefused("You are banned from this room.")
        wanted = self.guest_password if person.role == "guest" else self.password
        given = guest_password if person.role == "guest" else password
        if wanted is not None and given != wanted and not state.moderates(person.uid, person.role):
            raise ActionRefused("The password is wrong.")
        if person.uid not in state and len(state.shown["allUsers"]) >= state.shown["settings"]["roomSize"]:
            raise ActionRefused("The room is full.")

    def enter(self, person: Person, holder: str) -> list[RoomMessage]:
        """Let a user be here, held by one thing more: a connection, an actor."""
        state, uid = self._state, person.uid
        self._held.setdefault(uid, set()).add(holder)
        state.live = True
        if uid in state:
            return []
        patch = PatchBuilder(state.shown)
        user = state.entries[uid] = user_entry(uid, person.role, state.roles.get(uid))
        patch.set("allUsers", sorted_in(state.shown["allUsers"], user))
        self._stage.update_audience(patch)
        profile = user_profile(person.profile(), person.role, state.variants)
        patch.set_entry(uid, {"userProfile": profile, "position": {"x": 50, "y": 50}, "songVotes": {}})
        return [RoomMessage("userJoined", patch.patch())]

    def release(self, uid: str, holder: str) -> bool:
        """Let go of a user, and return whether nothing else holds that user here."""
        held = self._held.get(uid)
        if not held or holder not in held:
            return False
        held.discard(holder)
        return not held

    def drop_others(self, uid: str, holders: set[str]) -> None:
        """Let nothing hold a user here but these."""
        self._held.get(uid, set()).intersection_update(holders)

    def is_held(self, uid: str) -> bool:
        """Whether anything still holds a user here."""
        return bool(self._held.get(uid))

    def leave(self, uid: str, now_ms: int) -> list[RoomMessage]:
        """Let a user go, off the stage first."""
        self._held.pop(uid, None)
        state = self._state
        if uid not in state:
            return []
        messages = self._stage.step_down(uid, now_ms)
        patch = PatchBuilder(state.shown)
        patch.set("allUsers", [user for user in state.shown["allUsers"] if user["uuid"] != uid])
        self._votes.forget(uid)
        del state.entries[uid]
        patch.set_entry(uid, MISSING)
        self._stage.update_audience(patch)
        return [*messages, RoomMessage("userLeft", patch.patch())]

    def reset(self) -> None:
        """Let nothing hold anyone here."""
        self._held.clear()
