"""The house rules of a room: roles, settings, profiles, and who is thrown out.

PURE, like the rest of the room's world.
"""

from collections.abc import Mapping
from typing import Any

from hangbot.sandbox.ids import Ids
from hangbot.sandbox.people import Person
from hangbot.sandbox.room import roles
from hangbot.sandbox.room.patches import Draft
from hangbot.sandbox.room.stage import Stage
from hangbot.sandbox.room.state import (
    STAMPS,
    RoomMessage,
    first_state,
    sorted_in,
    user_entry,
    user_profile,
)
from hangbot.sandbox.room.variants import RoomVariants

__all__ = ["House"]


class House(Stage):
    """What moderators and the service do to a room.

    Args:
        settings: The room's settings.
        variants: The unknowns, settled.
        ids: Where play ids come from.

    Attributes:
        guest_password: What guests must know, or ``None``.
        live: Whether the server holds a state for the room; the first join makes one (``didCreate``).
        roles: Room roles by uid.
    """

    def __init__(self, settings: dict[str, Any], variants: RoomVariants, ids: Ids) -> None:
        super().__init__(settings, variants, ids)
        self.guest_password: str | None = None
        self.live = False
        self.roles: dict[str, str] = {}
        self._holds: dict[str, set[str]] = {}
        self._users: dict[str, dict[str, Any]] = {}

    def __contains__(self, uid: object) -> bool:
        return uid in self.state["allUserData"]

    def kick(self, uid: str, now_ms: int, *, ban: bool = False) -> list[RoomMessage]:
        """Throw somebody out: off the stage, told so; the server closes his connections after it."""
        messages = self.step_down(uid, now_ms)
        if ban:
            messages += self.set_role(uid, "banned")
        return [*messages, RoomMessage("kickedFromRoom", to=uid)]

    def reset(self) -> list[RoomMessage]:
        """Clear the state; the server closes every connection of the room after it."""
        self.state = first_state(self.state["settings"])
        self.live = False
        self._holds.clear()
        self.voters.clear()
        self._users.clear()
        return [RoomMessage("roomReset")]

    def set_role(self, uid: str, role: str | None) -> list[RoomMessage]:
        """Give a user a room role, or take it.

        Raises:
            ValueError: There is no such role.
        """
        if role is not None and role not in roles.ROOM_ROLES:
            raise ValueError(f"no such room role: {role!r}; there are {', '.join(sorted(roles.ROOM_ROLES))}")
        self.roles.pop(uid, None)
        if role is not None:
            self.roles[uid] = role
        draft = Draft(self.state)
        rows = [
            {"id": n, "roomId": 1, "userUuid": user, "role": held, "expirationTime": None, **STAMPS}
            for n, (user, held) in enumerate(self.roles.items(), start=1)
        ]
        draft.set("settings", {**self.state["settings"], "roomRoles": rows})
        if uid in self:
            self._reseat(draft, uid, role)
        return [RoomMessage("updatedRoomSettings", draft.patch())]

    def update_settings(self, changes: Mapping[str, Any]) -> list[RoomMessage]:
        """Change the room's settings."""
        draft = Draft(self.state)
        draft.set("settings", {**self.state["settings"], **changes})
        return [RoomMessage("updatedRoomSettings", draft.patch())]

    def set_guest_password(self, password: str | None) -> list[RoomMessage]:
        """Ask guests for a password, or no longer. When the service tells so is unknown."""
        self.guest_password = password
        draft = Draft(self.state)
        protected = {"isGuestPasswordProtected": password is not None}
        draft.set("settings", {**self.state["settings"], **protected})
        return [RoomMessage("updatedGuestPassword", draft.patch())]

    def update_profile(self, person: Person) -> list[RoomMessage]:
        """Show a changed profile to the room."""
        if person.uid not in self:
            return []
        draft = Draft(self.state)
        data = self.state["allUserData"][person.uid]
        draft.set_entry(person.uid, {**data, "userProfile": self.profile_of(person)})
        return [RoomMessage("updatedUserProfile", draft.patch())]

    def profile_of(self, person: Person) -> dict[str, Any]:
        """A profile as the room shows it."""
        return user_profile(person.profile(), person.role, self.variants)

    def _reseat(self, draft: Draft, uid: str, role: str | None) -> None:
        user = self._users[uid] = user_entry(uid, self._users[uid]["tokenRole"], role)
        others = [other for other in self.state["allUsers"] if other["uuid"] != uid]
        draft.set("allUsers", sorted_in(others, user))
        self.line_up(
            draft,
            [{**user, "nextSong": dj["nextSong"]} if dj["uuid"] == uid else dj for dj in self.state["djs"]],
        )
