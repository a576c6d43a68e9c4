"""One room as the service keeps it: users, DJs, songs, votes, roles, settings.

PURE: no clock, no sockets. Every change returns the messages that it causes, in order.
The state has the shape of a recorded join response, the messages the names and patch
form of recorded ones. Values inside the state are never changed in place (see
``patches``); only the top level and ``allUserData`` are.
"""

import uuid as uuids
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from hangbot.sandbox import roles, songs
from hangbot.sandbox.patches import MISSING, Draft, Operation, pointer
from hangbot.sandbox.people import Person
from hangbot.sandbox.variants import RoomVariants

__all__ = ["ActionRefused", "Room", "RoomMessage", "first_settings"]

NOTHING_PLAYS: Final = "Nothing is playing right now."  # confirmed in production by a public bot
NOT_IN_ROOM: Final = "You are not in this room."
_RECENT_KEPT: Final = 50


class ActionRefused(Exception):
    """The room refuses what was asked; the text is the client's ``error``."""


@dataclass(frozen=True, slots=True)
class RoomMessage:
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


class Room:
    """One room and everybody in it.

    Args:
        uuid: The room's uuid, also the GUID of its chat group.
        slug: The room's name in URLs.
        name: What people call it.
        variants: The unknowns, settled.
    """

    def __init__(self, uuid: str, slug: str, name: str, variants: RoomVariants) -> None:
        self.uuid = uuid
        self.slug = slug
        self.name = name
        self.variants = variants
        self.password: str | None = None
        self.guest_password: str | None = None
        self.live = False
        """Whether the server holds a state for the room; the first join makes one (``didCreate``)."""
        self.roles: dict[str, str] = {}
        self.recent_songs: list[dict[str, Any]] = []
        self._holds: dict[str, set[str]] = {}
        self._voters: set[str] = set()
        self._users: dict[str, dict[str, Any]] = {}
        self.state: dict[str, Any] = _first_state(first_settings(uuid, slug, name, variants))

    # -- who is here

    def __contains__(self, uid: object) -> bool:
        return uid in self.state["allUserData"]

    def snapshot(self) -> dict[str, Any]:
        """The ``state`` of a join response: profiles are missing until ``updatedUserData``."""
        return {**self.state, "allUserData": {}}

    def profiles(self) -> list[Operation]:
        """``updatedUserData``'s patch: everybody's profile, position and votes."""
        return [
            {"op": "add", "path": "/allUserData" + pointer(uid), "value": data}
            for uid, data in self.state["allUserData"].items()
        ]

    def admit(self, person: Person, password: object, guest_password: object) -> None:
        """Let somebody in, or raise.

        Raises:
            ActionRefused: Banned, wrong password, or the room is full.
        """
        if self.roles.get(person.uid) == "banned":
            raise ActionRefused("You are banned from this room.")
        wanted = self.guest_password if person.role == "guest" else self.password
        given = guest_password if person.role == "guest" else password
        if wanted is not None and given != wanted and not self._moderates(person.uid, person.role):
            raise ActionRefused("The password is wrong.")
        if person.uid not in self and len(self.state["allUsers"]) >= self.state["settings"]["roomSize"]:
            raise ActionRefused("The room is full.")

    def enter(self, person: Person, hold: str) -> list[RoomMessage]:
        """Somebody is here, by one connection more (``hold`` names it)."""
        self._holds.setdefault(person.uid, set()).add(hold)
        self.live = True
        if person.uid in self:
            return []
        draft = Draft(self.state)
        user = _user(person.uid, person.role, self.roles.get(person.uid))
        self._users[person.uid] = user
        draft.set("allUsers", _sorted_in(self.state["allUsers"], user))
        self._seat(draft)
        data = {"userProfile": person.profile(), "position": {"x": 50, "y": 50}, "songVotes": {}}
        draft.set_entry(person.uid, data)
        return [RoomMessage("userJoined", draft.patch())]

    def release(self, uid: str, hold: str) -> bool:
        """One connection less; whether it was the user's last."""
        holds = self._holds.get(uid)
        if not holds:
            return False
        holds.discard(hold)
        return not holds

    def is_held(self, uid: str) -> bool:
        """Whether anything still keeps the user here."""
        return bool(self._holds.get(uid))

    def leave(self, uid: str, now_ms: int) -> list[RoomMessage]:
        """The user goes, after his last connection did: off the stage first."""
        self._holds.pop(uid, None)
        if uid not in self:
            return []
        messages = self._step_down(uid, now_ms)
        draft = Draft(self.state)
        draft.set("allUsers", [user for user in self.state["allUsers"] if user["uuid"] != uid])
        self._voters.discard(uid)
        del self._users[uid]
        draft.set_entry(uid, MISSING)
        self._seat(draft)
        return [*messages, RoomMessage("userLeft", draft.patch())]

    # -- what clients may do

    def add_dj(self, uid: str, song: dict[str, Any] | None, now_ms: int) -> list[RoomMessage]:
        """Enter the DJ line, perhaps with a song; the first DJ with a song plays at once.

        Raises:
            ActionRefused: Not here, already a DJ, not allowed, or the line is full.
        """
        user, settings = self._present(uid), self.state["settings"]
        if self._is_dj(uid):
            raise ActionRefused("You are already a DJ.")
        if not user["canDj"] or not roles.may_dj(user["tokenRole"], self.roles.get(uid), settings["djType"]):
            raise ActionRefused("You are not allowed to DJ in this room.")
        if len(self.state["djs"]) >= settings["numberOfDjs"]:
            raise ActionRefused("The DJ line is full.")
        draft = Draft(self.state)
        self._line_up(draft, [*self.state["djs"], {**user, "nextSong": song}])
        messages = [RoomMessage("addedDj", draft.patch())]
        if self.state["nowPlaying"] is None:
            messages += self._play(now_ms)
        return messages + self._look_up(song, uid)

    def remove_dj(self, uid: str, target: str | None, now_ms: int) -> list[RoomMessage]:
        """Leave the DJ line, or take another DJ off it.

        Raises:
            ActionRefused: Not here, no DJ, or no right to remove the other.
        """
        user = self._present(uid)
        target = target or uid
        if not self._is_dj(target):
            raise ActionRefused("You are not a DJ." if target == uid else "That user is not a DJ.")
        if target != uid and not self._moderates(uid, user["tokenRole"]):
            raise ActionRefused("You are not allowed to remove this DJ.")
        return self._step_down(target, now_ms)

    def update_next_song(self, uid: str, song: dict[str, Any] | None, now_ms: int) -> list[RoomMessage]:
        """Set or clear the song that the DJ plays next.

        Raises:
            ActionRefused: Not here, or no DJ.
        """
        self._present(uid)
        if not self._is_dj(uid):
            raise ActionRefused("You are not a DJ.")
        draft = Draft(self.state)
        self._line_up(draft, _with_song(self.state["djs"], uid, song), seated=True)
        messages = [RoomMessage("updatedNextSong", draft.patch())]
        if song is not None and self.state["nowPlaying"] is None:
            messages += self._play(now_ms)
        return messages + self._look_up(song, uid)

    def vote(self, uid: str, votes: Mapping[str, bool]) -> list[RoomMessage]:
        """Vote on the playing song: ``like`` true or false, ``star``; a later vote replaces the earlier.

        Raises:
            ActionRefused: Not here, nothing plays, or it is the DJ's own song and that is forbidden.
        """
        self._present(uid)
        if self.state["nowPlaying"] is None:
            raise ActionRefused(NOTHING_PLAYS)
        if not self.variants.dj_may_vote and self.state["djs"] and self.state["djs"][0]["uuid"] == uid:
            raise ActionRefused("You cannot vote on your own song.")
        data = self.state["allUserData"][uid]
        before, after = data["songVotes"], {**data["songVotes"], **votes}
        counts = dict(self.state["voteCounts"])
        for sign, cast in ((-1, before), (1, after)):
            if "like" in cast:
                counts["likes" if cast["like"] else "dislikes"] += sign
            if cast.get("star"):
                counts["stars"] += sign
        patch = _vote_patch(uid, (before, after), (self.state["voteCounts"], counts))
        self.state["voteCounts"] = counts
        vibe = self._vibe()
        if vibe != self.state["vibeMeter"]:
            patch.insert(
                sum(op["path"].startswith("/voteCounts") for op in patch),
                {"op": "replace", "path": "/vibeMeter", "value": vibe},
            )
            self.state["vibeMeter"] = vibe
        self.state["allUserData"][uid] = {**data, "songVotes": after}
        self._voters.add(uid)
        return [RoomMessage("votedOnSong", patch)]

    def skip(self, uid: str, now_ms: int) -> list[RoomMessage]:
        """End the playing song now.

        Raises:
            ActionRefused: Not here, nothing plays, or no right to.
        """
        user = self._present(uid)
        if self.state["nowPlaying"] is None:
            raise ActionRefused(NOTHING_PLAYS)
        own = bool(self.state["djs"]) and self.state["djs"][0]["uuid"] == uid
        if self.variants.skip_by != "anyone" and not own and not self._moderates(uid, user["tokenRole"]):
            raise ActionRefused("You are not allowed to skip this song.")
        return self.next_song(now_ms)

    def animate(self, uid: str, animation: str, emoji: str | None) -> list[RoomMessage]:
        """Jump, or show an emoji.

        Raises:
            ActionRefused: Not here.
        """
        self._present(uid)
        params = {"userUuid": uid, "animation": animation}
        if animation == "emoji" and emoji is not None:
            params["emoji"] = emoji
        return [RoomMessage("playedOneTimeAnimation", params=params)]

    # -- what time and moderators do

    def song_ends_ms(self) -> int | None:
        """When the playing song ends, in server milliseconds, or ``None``."""
        playing = self.state["nowPlaying"]
        return None if playing is None else int(playing["endTime"])

    def next_song(self, now_ms: int) -> list[RoomMessage]:
        """The song is over: the same DJ goes on while he has songs left, else the line rotates."""
        if not self.state["djs"] and self.state["nowPlaying"] is None:
            return []
        return self._play(now_ms, over=True)

    def kick(self, uid: str, now_ms: int, *, ban: bool = False) -> list[RoomMessage]:
        """Throw somebody out: off the stage, told so; the server closes his connections after it."""
        messages = self._step_down(uid, now_ms)
        if ban:
            messages += self.set_role(uid, "banned")
        return [*messages, RoomMessage("kickedFromRoom", to=uid)]

    def reset(self) -> list[RoomMessage]:
        """Clear the state; the server closes every connection of the room after it."""
        self.state = _first_state(self.state["settings"])
        self.live = False
        self._holds.clear()
        self._voters.clear()
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
            {"id": n, "roomId": 1, "userUuid": user, "role": held, "expirationTime": None}
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

    def update_profile(self, person: Person) -> list[RoomMessage]:
        """Show a changed profile to the room."""
        if person.uid not in self:
            return []
        draft = Draft(self.state)
        data = self.state["allUserData"][person.uid]
        draft.set_entry(person.uid, {**data, "userProfile": person.profile()})
        return [RoomMessage("updatedUserProfile", draft.patch())]

    def server_state(self) -> dict[str, Any]:
        """What actions answer with: the server's own view, as a lab recording has it."""
        return {
            "allUsers": [{"uuid": u["uuid"], "tokenRole": u["tokenRole"]} for u in self.state["allUsers"]],
            "djs": [
                {"userUuid": dj["uuid"], "nextSongId": songs.song_id(dj["nextSong"])}
                for dj in self.state["djs"]
            ],
            "nowPlaying": self.state["nowPlaying"],
            "shouldRemoveDjAfterSong": False,
            "songsRemainingForDj": self.state["songsRemainingForDj"],
        }

    # -- inside

    def _present(self, uid: str) -> dict[str, Any]:
        if uid not in self:
            raise ActionRefused(NOT_IN_ROOM)
        return self._users[uid]

    def _moderates(self, uid: str, token_role: str) -> bool:
        return roles.is_moderator(token_role, self.roles.get(uid))

    def _is_dj(self, uid: str) -> bool:
        return any(dj["uuid"] == uid for dj in self.state["djs"])

    def _reseat(self, draft: Draft, uid: str, role: str | None) -> None:
        user = self._users[uid] = _user(uid, self._users[uid]["tokenRole"], role)
        others = [other for other in self.state["allUsers"] if other["uuid"] != uid]
        draft.set("allUsers", _sorted_in(others, user))
        self._line_up(
            draft,
            [{**user, "nextSong": dj["nextSong"]} if dj["uuid"] == uid else dj for dj in self.state["djs"]],
        )

    def _seat(self, draft: Draft) -> None:
        """Floor and audience are everybody who is no DJ; the vibe depends on how many there are."""
        djs = {dj["uuid"] for dj in self.state["djs"]}
        standing = [user for user in self.state["allUsers"] if user["uuid"] not in djs]
        draft.set("floorUsers", standing)
        draft.set("audienceUsers", standing)
        draft.set("vibeMeter", self._vibe())

    def _line_up(self, draft: Draft, line: list[dict[str, Any]], *, seated: bool = False) -> None:
        draft.set("djs", line)
        draft.set("visibleDjs", line)
        if not seated:
            self._seat(draft)

    def _vibe(self) -> float:
        # One like among ten users showed as 1/9 in a recorded message; the formula is inferred.
        likes = self.state["voteCounts"]["likes"]
        share = min(1.0, likes / max(1, len(self.state["allUsers"]) - 1))
        return int(share) if share in {0, 1} else share

    def _step_down(self, uid: str, now_ms: int) -> list[RoomMessage]:
        if not self._is_dj(uid):
            return []
        playing = self.state["djs"][0]["uuid"] == uid and self.state["nowPlaying"] is not None
        draft = Draft(self.state)
        self._line_up(draft, [dj for dj in self.state["djs"] if dj["uuid"] != uid])
        messages = [RoomMessage("removedDj", draft.patch())]
        if playing:
            messages += self._play(now_ms)
        return messages

    def _play(self, now_ms: int, *, over: bool = False) -> list[RoomMessage]:
        """Start the next song there is; tell it when ``nowPlaying`` changed by it."""
        before = self.state["nowPlaying"]
        line = self.state["djs"]
        stays = over and self.state["songsRemainingForDj"] > 0 and line and line[0]["nextSong"] is not None
        if over and line and not stays:
            line = [*line[1:], line[0]]
        at = next((n for n, dj in enumerate(line) if dj["nextSong"] is not None), None)
        if at is None and before is None:
            return []
        draft = Draft(self.state)
        self._clear_votes(draft)
        if at is None:
            draft.set("nowPlaying", None)
            draft.set("songsRemainingForDj", 0)
        else:
            line = [*line[at:], *line[:at]]
            song = line[0]["nextSong"]
            per_dj = int(self.state["settings"]["songsPerDj"])
            left = self.state["songsRemainingForDj"] - 1 if stays else per_dj - 1
            draft.set("songsRemainingForDj", max(0, left))
            draft.set("nowPlaying", self._now_playing(song, now_ms))
            self._line_up(draft, _with_song(line, line[0]["uuid"], None), seated=True)
            self._remember(song, line[0]["uuid"], now_ms)
        return [RoomMessage("playedSong", draft.patch())]

    def _now_playing(self, song: dict[str, Any], now_ms: int) -> dict[str, Any]:
        playing = {"song": song, "startTime": now_ms, "endTime": now_ms + songs.duration_ms(song)}
        return {**playing, "playId": str(uuids.uuid4())} if self.variants.play_id else playing

    def _clear_votes(self, draft: Draft) -> None:
        data = self.state["allUserData"]
        for uid in self._voters:
            draft.set_entry(uid, {**data[uid], "songVotes": {}})
        self._voters.clear()
        draft.set("voteCounts", {"likes": 0, "dislikes": 0, "stars": 0})
        draft.set("vibeMeter", 0)

    def _remember(self, song: dict[str, Any], uid: str, now_ms: int) -> None:
        self.recent_songs.insert(0, {"song": song, "userUuid": uid, "startTime": now_ms})
        del self.recent_songs[_RECENT_KEPT:]

    def _look_up(self, song: dict[str, Any] | None, uid: str) -> list[RoomMessage]:
        """A placeholder is looked up by the server; what it found replaces it wherever it stands."""
        if song is None or not songs.is_placeholder(song):
            return []
        found = songs.looked_up(song)
        draft = Draft(self.state)
        playing = self.state["nowPlaying"]
        if playing is not None and playing["song"] is song:
            draft.set("nowPlaying", {**playing, "song": found})
        else:
            self._line_up(draft, _with_song(self.state["djs"], uid, found), seated=True)
        return [RoomMessage("lookedUpSong", draft.patch())]


def _vote_patch(
    uid: str, votes: tuple[dict[str, bool], dict[str, bool]], counts: tuple[dict[str, int], dict[str, int]]
) -> list[Operation]:
    """What a vote changes, but for the vibe, written down directly: votes are by far the most frequent change."""
    before, after = counts
    ops: list[Operation] = [
        {"op": "replace", "path": f"/voteCounts/{name}", "value": after[name]}
        for name in ("stars", "dislikes", "likes")
        if after[name] != before[name]
    ]
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


def _user(uid: str, token_role: str, role: str | None) -> dict[str, Any]:
    user = {"uuid": uid, "tokenRole": token_role, "canDj": role not in {"djDisabled", "banned"}}
    # A plain user has no such key at all (seen in recorded states).
    return user if role is None else {**user, "highestRole": role}


def _sorted_in(users: list[dict[str, Any]], user: dict[str, Any]) -> list[dict[str, Any]]:
    """The list with one user more: by role, newest last within a role."""
    place = roles.rank(user.get("highestRole"))
    at = len(users)
    while at and roles.rank(users[at - 1].get("highestRole")) > place:
        at -= 1
    return [*users[:at], user, *users[at:]]


def _with_song(line: Iterable[dict[str, Any]], uid: str, song: dict[str, Any] | None) -> list[dict[str, Any]]:
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
        "createdAt": "2024-01-01T00:00:00.000Z",
        "updatedAt": "2024-01-01T00:00:00.000Z",
        "uuid": uuid,
    }
    if variants.poster_bytes:
        settings["posterFile"] = "data:image/png;base64," + "A" * variants.poster_bytes
    return settings


def _first_state(settings: dict[str, Any]) -> dict[str, Any]:
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
