"""The state of a room: a snapshot from the join, kept current by patches.

Patches are deep, index by index, without a version: one lost or doubled patch corrupts the
lists without an error. So a patch is applied whole or the state is given up, and the lists
are checked after each; whoever holds a state that was given up joins the room anew.
"""

from collections.abc import Iterator, Mapping
from typing import Any, cast

import jsonpatch
from jsonpointer import JsonPointerException

from hangbot.errors import WireError

__all__ = ["RoomState"]


class RoomState:
    """What the bot knows of a room. ``data`` is the state as the server sent and patched it.

    The shape is that of the joinRoom answer: ``allUserData {uuid: {userProfile, songVotes…}}``,
    ``allUsers [{uuid, tokenRole…}]``, ``djs``, ``nowPlaying``, ``settings``, ``voteCounts``.
    Not a copy: applying a patch changes ``data`` in place, since copying a room for each vote
    costs milliseconds.
    """

    def __init__(self, data: Mapping[str, Any]) -> None:
        if not isinstance(data.get("allUsers"), list):
            raise WireError("the answer to joinRoom holds no room state (no list `allUsers`)")
        self.data: dict[str, Any] = dict(data)

    def apply(self, patch: list[dict[str, Any]]) -> None:
        """Apply every operation of a patch.

        Raises:
            WireError: An operation failed, or afterwards the list of users is gone or has a
                user twice. The state is then worthless (the library applies in place): join the room anew.
        """
        try:
            changed = jsonpatch.apply_patch(self.data, cast("Any", patch), in_place=True)
        except (
            jsonpatch.JsonPatchException,
            JsonPointerException,
            LookupError,
            RecursionError,
            TypeError,
            ValueError,
        ) as exc:
            # The library's own text quotes the whole document: name only the kind of failure.
            kind = type(exc).__name__
            raise WireError(
                f"a patch of {len(patch)} operations does not fit the room state ({kind})"
            ) from None
        if not isinstance(changed, dict) or changed is not self.data:
            raise WireError("a patch replaced the whole room state")
        if not isinstance(self.data.get("allUsers"), list):
            raise WireError("a patch took the list `allUsers` out of the room state")
        if not any(str(step.get("path", "")).startswith("/allUsers") for step in patch):
            return  # who is in the room cannot have changed: a vote among 2,000 is no time to count them
        uuids = list(self.users())
        if len(set(uuids)) != len(uuids):
            raise WireError("after a patch a user is in the room twice")

    def users(self) -> Iterator[str]:
        """Yield the uuid of everyone in the room."""
        users = self.data.get("allUsers")
        for user in users if isinstance(users, list) else ():
            if isinstance(user, dict) and isinstance(user.get("uuid"), str):
                yield user["uuid"]

    def djs(self) -> list[dict[str, Any]]:
        """Return the DJ line; the first one plays now."""
        djs = self.data.get("djs")
        return [dj for dj in djs if isinstance(dj, dict)] if isinstance(djs, list) else []

    def dj(self, uuid: str) -> dict[str, Any] | None:
        """Return a user's entry in the DJ line, or ``None``."""
        return next((dj for dj in self.djs() if dj.get("uuid") == uuid), None)

    def now_playing(self) -> dict[str, Any] | None:
        """Return ``{song, startTime, endTime, playId?}`` (server milliseconds), or ``None``."""
        playing = self.data.get("nowPlaying")
        return playing if isinstance(playing, dict) else None

    def votes(self, uuid: str) -> dict[str, Any]:
        """Return a user's ``songVotes``: ``{like?: bool, star?: bool}``."""
        return self._user_data(uuid, "songVotes")

    def nickname(self, uuid: str) -> str | None:
        """Return a user's nickname, or ``None`` while the profile is not known."""
        name = self._user_data(uuid, "userProfile").get("nickname")
        return name if isinstance(name, str) else None

    def room_name(self) -> str | None:
        """Return the room's name, or ``None``."""
        settings = self.data.get("settings")
        name = settings.get("name") if isinstance(settings, dict) else None
        return name if isinstance(name, str) else None

    def _user_data(self, uuid: str, part: str) -> dict[str, Any]:
        everyone = self.data.get("allUserData")
        user = everyone.get(uuid) if isinstance(everyone, dict) else None
        value = user.get(part) if isinstance(user, dict) else None
        return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
