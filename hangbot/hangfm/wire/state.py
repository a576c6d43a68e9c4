"""The state of a room: a snapshot from the join, kept current by patches.

Patches are deep, index by index, without a version: one lost or doubled patch corrupts the
lists without an error. So a patch is applied whole or not at all, and the list of users is
checked after each; a state that a patch did not fit has to be fetched anew.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from hangbot.errors import WireError
from hangbot.hangfm.wire.patch import MISFITS, Change, apply_patch, undo

__all__ = ["Crowd", "RoomState"]

_RECOUNTED: Final = 4
"""One change in so many users: from there on counting all of them takes no longer."""


class Crowd(NamedTuple):
    """What a patch did to the list of users.

    Attributes:
        came: Entries of users who were not in the room before, by uuid.
        left: The uuids of those who are in it no longer.
        changed: Entries that changed otherwise, by uuid; ``None``: any may have.
    """

    came: Mapping[str, Mapping[str, Any]]
    left: Sequence[str]
    changed: Mapping[str, Mapping[str, Any]] | None


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

    def apply(self, patch: list[dict[str, Any]]) -> Crowd | None:
        """Apply every operation of a patch; return what it did to the list of users, if anything.

        Raises:
            WireError: An operation does not fit, or afterwards the list of users would be gone or hold
                a user twice. The state is as it was before, and no longer the room's: fetch it anew.
        """
        log: list[Change] = []
        try:
            changes = apply_patch(self.data, patch, log, self._late)
            # otherwise no user came or left
            return self._count(changes) if changes else None
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

    def _count(self, changes: list[Change]) -> Crowd:
        """Follow who came and who left; raises `WireError` where a user is in the room twice."""
        users = self.data.get("allUsers")
        if not isinstance(users, list):
            raise WireError("a patch took the list `allUsers` out of the room state")
        if len(changes) * _RECOUNTED < len(users) and (crowd := self._follow(changes, users)):
            return crowd
        # Many changes, or some that crossed: count all users.
        here, entries = self._here, list(self.entries())
        now = dict(entries)
        self._here = set(now)
        if len(now) != len(entries):
            raise WireError("after a patch a user is in the room twice")
        return Crowd(
            {uuid: entry for uuid, entry in now.items() if uuid not in here}, list(here - now.keys()), None
        )

    def _follow(self, changes: list[Change], users: list[Any]) -> Crowd | None:
        """Follow few changes one by one; ``None``: they crossed, and all users are to be counted."""
        here, before = self._here, dict[str, bool]()
        entries: dict[str, Mapping[str, Any]] = {}
        changed: dict[str, Mapping[str, Any]] = {}
        for node, key, old, new in changes:
            if node is users:
                left, came, entry = _uuid(old), _uuid(new), new
            elif key == "uuid":
                left, came, entry = old, new, node
            else:
                if (uuid := _uuid(node)) is not None:
                    changed[uuid] = node
                continue
            if type(left) is str:
                before.setdefault(left, left in here)
                here.discard(left)
            if type(came) is str:
                before.setdefault(came, came in here)
                here.add(came)
                entries[came] = entry
        if len(here) == len(users):
            came_in = {uuid: entry for uuid, entry in entries.items() if uuid in here and not before[uuid]}
            return Crowd(came_in, [uuid for uuid, was in before.items() if was and uuid not in here], changed)
        self._here = here - before.keys() | {uuid for uuid, was in before.items() if was}
        return None

    def entries(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield the uuid of each user in the room, and its entry in the list of users."""
        users = self.data.get("allUsers")
        for user in users if isinstance(users, list) else ():
            if type(user) is dict and type(uuid := user.get("uuid")) is str:  # `_uuid` without a call
                yield uuid, user

    def users(self) -> Iterator[str]:
        """Yield the uuid of each user in the room."""
        return (uuid for uuid, _ in self.entries())

    def profiles(self) -> Iterator[str]:
        """Yield the uuid of each user whose profile has come."""
        profiles = self.data.get("allUserData")
        for uuid in profiles if isinstance(profiles, dict) else ():
            if uuid not in self._late:
                yield uuid

    def has_profile(self, uuid: str) -> bool:
        """Return whether a user's profile has come, and not only parts of it."""
        profiles = self.data.get("allUserData")
        return isinstance(profiles, dict) and isinstance(profiles.get(uuid), dict) and uuid not in self._late

    def room_roles(self) -> dict[str, str]:
        """Return the roles in this room that the settings give, by uuid."""
        settings = self.data.get("settings")
        roles = settings.get("roomRoles") if isinstance(settings, dict) else None
        return {
            role["userUuid"]: role["role"]
            for role in (roles if isinstance(roles, list) else ())
            if isinstance(role, dict)
            and isinstance(role.get("userUuid"), str)
            and isinstance(role.get("role"), str)
        }

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

    def playing_id(self) -> object:
        """Return what distinguishes this playing of a song from any other, or ``None`` when none plays."""
        playing = self.now_playing()
        if playing is None:
            return None
        if (which := (playing.get("playId"), playing.get("startTime"))) != (None, None):
            return which
        song = playing.get("song")
        return song.get("songId") if isinstance(song, dict) else which

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
        value: Any = user.get(part) if isinstance(user, dict) else None
        return value if isinstance(value, dict) else {}


def _uuid(user: object) -> str | None:
    if type(user) is dict:
        uuid = user.get("uuid")
        return uuid if type(uuid) is str else None
    return None
