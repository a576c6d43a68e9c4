"""The parts of a room's state, and the messages about it.

PURE. The shapes are those of a recorded join response and of recorded messages.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from hangbot.sandbox.room import roles
from hangbot.sandbox.room.patches import Operation, pointer
from hangbot.sandbox.room.variants import RoomVariants

__all__ = [
    "STAMPS",
    "ActionRefused",
    "RoomMessage",
    "counted",
    "first_settings",
    "first_state",
    "sorted_in",
    "user_entry",
    "user_profile",
    "vote_patch",
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


Votes = dict[str, bool]
"""``songVotes`` of a user: ``like``, ``star``, or neither."""

# Differences go through keys from the last to the first; the state has likes, dislikes, stars.
_COUNTS_IN_ORDER: Final = ("stars", "dislikes", "likes")


class ActionRefused(Exception):
    """The room refuses what was asked; the text is the client's ``error``."""


class RoomMessage(NamedTuple):  # made in a quarter of the time of a frozen dataclass
    """What a change tells: stateful ones carry a patch, stateless ones perhaps ``params``.

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


def counted(counts: Mapping[str, int], cast: Votes, now: Votes) -> dict[str, int]:
    """``voteCounts`` once a user's votes ``cast`` are replaced by those of ``now``."""
    after = dict(counts)
    for sign, votes in ((-1, cast), (1, now)):
        like = votes.get("like")
        if like is not None:
            after["likes" if like else "dislikes"] += sign
        if votes.get("star"):
            after["stars"] += sign
    return after


def vote_patch(
    uid: str,
    votes: tuple[Votes, Votes],
    counts: tuple[Mapping[str, int], Mapping[str, int]],
    vibe: tuple[float, float],
) -> list[Operation]:
    """What a vote changes; each argument but ``uid`` is a value before and after it.

    Written down directly instead of compared: votes are by far the most frequent change.
    """
    before, after = counts
    ops: list[Operation] = [
        {"op": "replace", "path": f"/voteCounts/{name}", "value": after[name]}
        for name in _COUNTS_IN_ORDER
        if after[name] != before[name]
    ]
    if vibe[1] != vibe[0]:
        ops.append({"op": "replace", "path": "/vibeMeter", "value": vibe[1]})
    old, new = votes
    path = f"/allUserData{pointer(uid)}/songVotes"
    ops += [
        {"op": "replace", "path": f"{path}/{name}", "value": new[name]}
        for name in reversed(old)
        if old[name] is not new[name]
    ]
    ops += [
        {"op": "add", "path": f"{path}/{name}", "value": given}
        for name, given in new.items()
        if name not in old
    ]
    return ops


def user_entry(uid: str, token_role: str, role: str | None) -> dict[str, Any]:
    """A user as the lists show him."""
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
