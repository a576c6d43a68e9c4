"""The state of a room that its parts share, the shapes in it, and the messages about it.

PURE. The shapes are those of a recorded join response and of recorded messages.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from hangbot.sandbox.room import roles
from hangbot.sandbox.room.patches import Operation
from hangbot.sandbox.room.variants import RoomVariants

__all__ = [
    "NOTHING_PLAYS",
    "NOT_IN_ROOM",
    "STAMPS",
    "ActionRefused",
    "RoomMessage",
    "RoomState",
    "first_settings",
    "first_state",
    "sorted_in",
    "user_entry",
    "user_profile",
    "with_song",
]


STAMPS: Final = {"createdAt": "2024-01-01T00:00:00.000Z", "updatedAt": "2024-01-01T00:00:00.000Z"}

# What recordings of the service show beyond the types and the lab (June 2024).
_REAL_SETTINGS: Final = {
    "discordServer": None,
    "varietyStyleMusic": False,
    "deletedAt": None,
    "posterFile": None,
    "explicit": True,
}
_REAL_PROFILE: Final[dict[str, Any]] = {
    "id": 1,
    "badges": [],
    "createdAt": STAMPS["createdAt"],
    **dict.fromkeys(
        (
            "discord",
            "discordNickname",
            "firstName",
            "lastName",
            "pronoun",
            "songOfTheWeek",
            "song",
            "coverPicture",
            "facebook",
            "instagram",
            "twitter",
            "snapchat",
            "tiktok",
            "priceForGig",
            "zodiac",
        )
    ),
    "displayPronouns": False,
}

NOTHING_PLAYS: Final = "Nothing is playing right now."  # confirmed in production by a public bot
NOT_IN_ROOM: Final = "You are not in this room."


class ActionRefused(Exception):
    """The room refuses what was asked; the text is the client's ``error``."""


class RoomMessage(NamedTuple):  # made in a quarter of the time of a frozen dataclass
    """What a room sends of a change: stateful ones carry a patch, stateless ones perhaps ``params``.

    Attributes:
        name: The message's name, e.g. ``votedOnSong``.
        patch: Operations on the state, or ``None`` for a stateless message.
        params: Parameters of a stateless message.
        to: uid of the only user who gets it, or ``None`` for the whole room.
    """

    name: str
    patch: list[Operation] | None = None
    params: Mapping[str, Any] | None = None
    to: str | None = None

    def body(self) -> dict[str, Any]:
        """The ``message`` of the room message's envelope."""
        body: dict[str, Any] = {"name": self.name}
        if self.patch is not None:
            body["statePatch"] = self.patch
        if self.params is not None:
            body["params"] = dict(self.params)
        return body


class RoomState:
    """What presence, stage, votes and moderation of one room share.

    Values inside the state are never changed in place (see ``patches``); only the top level and
    ``allUserData`` are.

    Args:
        settings: The room's settings.
        variants: The unknowns, settled.

    Attributes:
        shown: The state as clients hold it.
        entries: What the user lists show of each user, by uid.
        roles: Room roles by uid.
        live: Whether the server holds a state for the room; the first join makes one (``didCreate``).
    """

    def __init__(self, settings: dict[str, Any], variants: RoomVariants) -> None:
        self.variants = variants
        self.shown: dict[str, Any] = first_state(settings)
        self.entries: dict[str, dict[str, Any]] = {}
        self.roles: dict[str, str] = {}
        self.live = False

    def __contains__(self, uid: object) -> bool:
        return uid in self.shown["allUserData"]

    def require(self, uid: str) -> dict[str, Any]:
        """Return the entry of a user who is here.

        Raises:
            ActionRefused: The user is not.
        """
        if uid not in self:
            raise ActionRefused(NOT_IN_ROOM)
        return self.entries[uid]

    def moderates(self, uid: str, token_role: str) -> bool:
        """Whether a user is a moderator here."""
        return roles.is_moderator(token_role, self.roles.get(uid))

    def empty(self) -> None:
        """Begin again with the same settings and roles, and without users."""
        self.shown = first_state(self.shown["settings"])
        self.entries.clear()
        self.live = False


def user_entry(uid: str, token_role: str, role: str | None) -> dict[str, Any]:
    """A user as the lists show one."""
    user = {"uuid": uid, "tokenRole": token_role, "canDj": role not in {"djDisabled", "banned"}}
    # A plain user has no such key at all (seen in recorded states).
    return user if role is None else {**user, "highestRole": role}


def user_profile(profile: dict[str, Any], role: str, variants: RoomVariants) -> dict[str, Any]:
    """A user's profile as the room shows it; a guest's has four fields and no more."""
    if not variants.real_shapes or role == "guest":
        return profile
    return {**_REAL_PROFILE, **profile}


def sorted_in(users: list[dict[str, Any]], user: dict[str, Any]) -> list[dict[str, Any]]:
    """The list with one user more: by role, newest last within a role."""
    place = roles.rank(user.get("highestRole"))
    at = len(users)
    while at and roles.rank(users[at - 1].get("highestRole")) > place:
        at -= 1
    return [*users[:at], user, *users[at:]]


def with_song(line: Iterable[dict[str, Any]], uid: str, song: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The line with that DJ's next song set or cleared."""
    return [{**dj, "nextSong": song} if dj["uuid"] == uid else dj for dj in line]


def first_settings(uuid: str, slug: str, name: str, variants: RoomVariants) -> dict[str, Any]:
    """The settings of a new room, in the shape of a recorded join response."""
    settings: dict[str, Any] = {
        "name": name,
        "description": "",
        "vibe": "",
        "djType": "EVERYONE",
        "musicProviderKeys": ["spotify", "youtube"],
        "numberOfDjs": 5,
        "songsPerDj": 1,
        "slug": slug,
        "roomSize": 5000,
        "entryFee": 0,
        "freeEntries": 0,
        "type": "PUBLIC",
        "design": "CLUB",
        "promoted": False,
        "liveAudio": False,
        "hasChat": True,
        "isLive": False,
        "posterUrl": None,
        "externalUrl": None,
        "pinnedMessages": [],
        "roomRoles": [],
        "isPasswordProtected": False,
        "isGuestPasswordProtected": False,
        **STAMPS,
        "uuid": uuid,
    }
    if variants.real_shapes:
        settings |= _REAL_SETTINGS
    if variants.poster_bytes:
        settings["posterFile"] = "data:image/png;base64," + "A" * variants.poster_bytes
    return settings


def first_state(settings: dict[str, Any]) -> dict[str, Any]:
    """The state of an empty room, its keys in the recorded order."""
    return {
        "allUserData": {},
        "allUsers": [],
        "audienceUsers": [],
        "djs": [],
        "floorUsers": [],
        "nowPlaying": None,
        "settings": settings,
        "songsRemainingForDj": 0,
        "vibeMeter": 0,
        "visibleDjs": [],
        "voteCounts": {"likes": 0, "dislikes": 0, "stars": 0},
    }
