"""What moderators and the service do to a room: roles, settings, profiles, kicks.

PURE.
"""

from collections.abc import Mapping
from typing import Any

from hangbot.sandbox.people import Person
from hangbot.sandbox.room import roles
from hangbot.sandbox.room.patches import PatchBuilder
from hangbot.sandbox.room.presence import Presence
from hangbot.sandbox.room.stage import Stage
from hangbot.sandbox.room.state import STAMPS, RoomMessage, RoomState, sorted_in, user_entry, user_profile

__all__ = ["Moderation"]


class Moderation:
    """Roles, settings and kicks of a room.

    Args:
        state: The room's state.
        stage: The DJ line, which a kicked DJ leaves.
        presence: Where guests are asked for a password.
    """

    def __init__(self, state: RoomState, stage: Stage, presence: Presence) -> None:
        self._state = state
        self._stage = stage
        self._presence = presence

    def kick(self, uid: str, now_ms: int, *, ban: bool = False) -> list[RoomMessage]:
        """Take a user off the stage and say so; the server closes the user's connections after it."""
        messages = self._stage.step_down(uid, now_ms)
        if ban:
            messages += self.set_role(uid, "banned")
        return [*messages, RoomMessage("kickedFromRoom", to=uid)]

    def set_role(self, uid: str, role: str | None) -> list[RoomMessage]:
        """Give a user a room role, or take it.

        Raises:
            ValueError: There is no such role.
        """
        if role is not None and role not in roles.ROOM_ROLES:
            raise ValueError(f"no such room role: {role!r}; there are {', '.join(sorted(roles.ROOM_ROLES))}")
        state = self._state
        state.roles.pop(uid, None)
        if role is not None:
            state.roles[uid] = role
        rows = [
            {"id": n, "roomId": 1, "userUuid": user, "role": held, "expirationTime": None, **STAMPS}
            for n, (user, held) in enumerate(state.roles.items(), start=1)
        ]
        patch = self._settings_patch({"roomRoles": rows})
        if uid in state:
            self._show_role(patch, uid, role)
        return [RoomMessage("updatedRoomSettings", patch.patch())]

    def update_settings(self, changes: Mapping[str, Any]) -> list[RoomMessage]:
        """Change the room's settings."""
        return [RoomMessage("updatedRoomSettings", self._settings_patch(changes).patch())]

    def set_guest_password(self, password: str | None) -> list[RoomMessage]:
        """Ask guests for a password, or no longer. When the service says so is unknown."""
        self._presence.guest_password = password
        patch = self._settings_patch({"isGuestPasswordProtected": password is not None})
        return [RoomMessage("updatedGuestPassword", patch.patch())]

    def update_profile(self, person: Person) -> list[RoomMessage]:
        """Show a changed profile to the room."""
        state = self._state
        if person.uid not in state:
            return []
        patch = PatchBuilder(state.shown)
        profile = user_profile(person.profile(), person.role, state.variants)
        patch.set_entry(person.uid, {**state.shown["allUserData"][person.uid], "userProfile": profile})
        return [RoomMessage("updatedUserProfile", patch.patch())]

    def _settings_patch(self, changes: Mapping[str, Any]) -> PatchBuilder:
        patch = PatchBuilder(self._state.shown)
        patch.set("settings", {**self._state.shown["settings"], **changes})
        return patch

    def _show_role(self, patch: PatchBuilder, uid: str, role: str | None) -> None:
        shown, entries = self._state.shown, self._state.entries
        user = entries[uid] = user_entry(uid, entries[uid]["tokenRole"], role)
        others = [other for other in shown["allUsers"] if other["uuid"] != uid]
        patch.set("allUsers", sorted_in(others, user))
        line = [{**user, "nextSong": dj["nextSong"]} if dj["uuid"] == uid else dj for dj in shown["djs"]]
        self._stage.set_dj_line(patch, line)
