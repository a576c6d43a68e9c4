"""The state of a room: a snapshot from the join, kept current by patches.

Patches are deep, index by index, without a version: one lost or doubled patch corrupts the
lists without an error. So a patch is applied whole or not at all, and the list of users is
checked after each; a state that a patch did not fit has to be fetched anew.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from hangbot.errors import WireError
from hangbot.hangfm.wire.patch import MISFITS, Change, apply_patch, undo

__all__ = ["RoomState"]

_RECOUNTED: Final = 4
"""One change in so many users: from there on counting all of them takes no longer."""


class RoomState:
    """What the bot knows of a room. ``data`` is the state as the server sent and patched it.

    The shape is that of the joinRoom answer: ``allUserData {uuid: {userProfile, songVotes…}}``,
    ``allUsers [{uuid, tokenRole…}]``, ``djs``, ``nowPlaying``, ``settings``, ``voteCounts``.
    ``allUserData`` may be empty until the profiles come; votes are kept meanwhile.
    Not a copy: applying a patch changes ``data`` in place, since copying a room for each vote
    costs milliseconds.
    """

    def __init__(self, data: Mapping[str, Any]) -> None:
        if not isinstance(data.get("allUsers"), list):
            raise WireError("the answer to joinRoom holds no room state (no list `allUsers`)")
        self.data: dict[str, Any] = dict(data)
        if "allUserData" in self.data and self.data["allUserData"] is None:
            self.data["allUserData"] = {}
        self._late: dict[str, bool] = {}
        self._here = set(self.users())

    def __contains__(self, uuid: object) -> bool:
        """Return whether a user is in the room."""
        return uuid in self._here

    def apply(self, patch: list[dict[str, Any]]) -> None:
        """Apply every operation of a patch.

        Raises:
            WireError: An operation does not fit, or afterwards the list of users would be gone or hold
                a user twice. The state is as it was before, and no longer the room's: fetch it anew.
        """
        log: list[Change] = []
        try:
            changes = apply_patch(self.data, patch, log, self._late)
            if changes:  # otherwise no user came or left
                self._count(changes)
        except MISFITS as exc:
            self._take_back(log)
            # The message leaves the values out: they are personal data.
            raise WireError(
                f"a patch of {len(patch)} operations does not fit the room state ({type(exc).__name__})"
            ) from None
        except WireError:
            self._take_back(log)
            raise

    def _take_back(self, log: list[Change]) -> None:
        undo(log)
        self._here = set(self.users())

    def _count(self, changes: list[Change]) -> None:
        """Follow who came and who left; raises `WireError` where a user is in the room twice."""
        users = self.data.get("allUsers")
        if not isinstance(users, list):
            raise WireError("a patch took the list `allUsers` out of the room state")
        here = self._here
        if len(changes) * _RECOUNTED < len(users):
            for node, key, old, new in changes:
                if node is users:
                    left, came = _uuid(old), _uuid(new)
                elif key == "uuid":
                    left, came = old, new
                else:
                    continue
                if type(left) is str:
                    here.discard(left)
                if type(came) is str:
                    here.add(came)
            if len(here) == len(users):
                return
        # Many changes, or some that crossed: count all users.
        uuids = list(self.users())
        self._here = set(uuids)
        if len(self._here) != len(uuids):
            raise WireError("after a patch a user is in the room twice")

    def users(self) -> Iterator[str]:
        """Yield the uuid of each user in the room."""
        users = self.data.get("allUsers")
        for user in users if isinstance(users, list) else ():
            uuid = _uuid(user)
            if uuid is not None:
                yield uuid

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
        profiles = self.data.get("allUserData")
        user = profiles.get(uuid) if isinstance(profiles, dict) else None
        value = user.get(part) if isinstance(user, dict) else None
        return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _uuid(user: object) -> str | None:
    if type(user) is dict:
        uuid = user.get("uuid")
        return uuid if type(uuid) is str else None
    return None
