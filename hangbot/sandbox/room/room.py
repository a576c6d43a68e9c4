"""One room as the service keeps it: users, DJs, songs, votes, roles, settings.

PURE: no clock, no sockets. Every change returns the messages that it causes, in order.
The state has the shape of a recorded join response, the messages the names and patch
form of recorded ones. Values inside the state are never changed in place (see
``patches``); only the top level and ``allUserData`` are.
"""

from collections.abc import Mapping
from typing import Any, Final

from hangbot.sandbox.ids import Ids
from hangbot.sandbox.people import Person
from hangbot.sandbox.room import roles, songs
from hangbot.sandbox.room.moderation import House
from hangbot.sandbox.room.patches import MISSING, Draft, Operation, pointer
from hangbot.sandbox.room.state import (
    ActionRefused,
    RoomMessage,
    counted,
    first_settings,
    sorted_in,
    user_entry,
    vote_patch,
    with_song,
)
from hangbot.sandbox.room.variants import RoomVariants

__all__ = ["NOTHING_PLAYS", "ActionRefused", "Room", "RoomMessage", "first_settings"]

NOTHING_PLAYS: Final = "Nothing is playing right now."  # confirmed in production by a public bot
NOT_IN_ROOM: Final = "You are not in this room."


class Room(House):
    """One room and everybody in it.

    Args:
        uuid: The room's uuid, also the GUID of its chat group.
        slug: The room's name in URLs.
        name: What people call it.
        variants: The unknowns, settled.
        ids: Where play ids come from.
    """

    def __init__(
        self, uuid: str, slug: str, name: str, variants: RoomVariants, ids: Ids | None = None
    ) -> None:
        super().__init__(first_settings(uuid, slug, name, variants), variants, ids or Ids())
        self.uuid = uuid
        self.slug = slug
        self.name = name
        self.password: str | None = None
        self._answered: dict[str, Any] = {}
        self._answered_of: tuple[Any, ...] = (None,) * 4

    # -- who is here

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
        user = user_entry(person.uid, person.role, self.roles.get(person.uid))
        self._users[person.uid] = user
        draft.set("allUsers", sorted_in(self.state["allUsers"], user))
        self.seat(draft)
        data = {"userProfile": self.profile_of(person), "position": {"x": 50, "y": 50}, "songVotes": {}}
        draft.set_entry(person.uid, data)
        return [RoomMessage("userJoined", draft.patch())]

    def release(self, uid: str, hold: str) -> bool:
        """One connection less; whether it was the user's last."""
        holds = self._holds.get(uid)
        if not holds or hold not in holds:
            return False
        holds.discard(hold)
        return not holds

    def keep_only(self, uid: str, holds: set[str]) -> None:
        """Whatever else kept the user here (an actor, say) does so no longer."""
        self._holds.get(uid, set()).intersection_update(holds)

    def is_held(self, uid: str) -> bool:
        """Whether anything still keeps the user here."""
        return bool(self._holds.get(uid))

    def leave(self, uid: str, now_ms: int) -> list[RoomMessage]:
        """The user goes, after his last connection did: off the stage first."""
        self._holds.pop(uid, None)
        if uid not in self:
            return []
        messages = self.step_down(uid, now_ms)
        draft = Draft(self.state)
        draft.set("allUsers", [user for user in self.state["allUsers"] if user["uuid"] != uid])
        self.voters.discard(uid)
        del self._users[uid]
        draft.set_entry(uid, MISSING)
        self.seat(draft)
        return [*messages, RoomMessage("userLeft", draft.patch())]

    # -- what clients may do

    def add_dj(self, uid: str, song: dict[str, Any] | None, now_ms: int) -> list[RoomMessage]:
        """Enter the DJ line, perhaps with a song; the first DJ with a song plays at once.

        Raises:
            ActionRefused: Not here, already a DJ, not allowed, or the line is full.
        """
        user, settings = self._present(uid), self.state["settings"]
        if self.is_dj(uid):
            raise ActionRefused("You are already a DJ.")
        if not user["canDj"] or not roles.may_dj(user["tokenRole"], self.roles.get(uid), settings["djType"]):
            raise ActionRefused("You are not allowed to DJ in this room.")
        if len(self.state["djs"]) >= settings["numberOfDjs"]:
            raise ActionRefused("The DJ line is full.")
        draft = Draft(self.state)
        self.line_up(draft, [*self.state["djs"], {**user, "nextSong": song}])
        messages = [RoomMessage("addedDj", draft.patch())]
        if self.state["nowPlaying"] is None:
            messages += self.play(now_ms)
        return messages + self.look_up(song, uid)

    def remove_dj(self, uid: str, target: str | None, now_ms: int) -> list[RoomMessage]:
        """Leave the DJ line, or take another DJ off it.

        Raises:
            ActionRefused: Not here, no DJ, or no right to remove the other.
        """
        user = self._present(uid)
        target = target or uid
        if not self.is_dj(target):
            raise ActionRefused("You are not a DJ." if target == uid else "That user is not a DJ.")
        if target != uid and not self._moderates(uid, user["tokenRole"]):
            raise ActionRefused("You are not allowed to remove this DJ.")
        return self.step_down(target, now_ms)

    def update_next_song(self, uid: str, song: dict[str, Any] | None, now_ms: int) -> list[RoomMessage]:
        """Set or clear the song that the DJ plays next.

        Raises:
            ActionRefused: Not here, or no DJ.
        """
        self._present(uid)
        if not self.is_dj(uid):
            raise ActionRefused("You are not a DJ.")
        draft = Draft(self.state)
        self.line_up(draft, with_song(self.state["djs"], uid, song), seated=True)
        messages = [RoomMessage("updatedNextSong", draft.patch())]
        if song is not None and self.state["nowPlaying"] is None:
            messages += self.play(now_ms)
        return messages + self.look_up(song, uid)

    def vote(self, uid: str, votes: Mapping[str, bool]) -> list[RoomMessage]:
        """Vote on the playing song: ``like`` true or false, ``star``; a later vote replaces the earlier.

        Other names in ``votes`` count for nothing.

        Raises:
            ActionRefused: Not here, nothing plays, or it is the DJ's own song and that is forbidden.
        """
        self._present(uid)
        if self.state["nowPlaying"] is None:
            raise ActionRefused(NOTHING_PLAYS)
        if not self.variants.dj_may_vote and self.state["djs"] and self.state["djs"][0]["uuid"] == uid:
            raise ActionRefused("You cannot vote on your own song.")
        state = self.state
        data = state["allUserData"][uid]
        cast = data["songVotes"]
        now = dict(cast)
        for name in ("like", "star"):
            if name in votes:
                now[name] = votes[name]
        counts, vibe = state["voteCounts"], state["vibeMeter"]
        state["voteCounts"] = counted(counts, cast, now)
        state["vibeMeter"] = self.vibe()
        state["allUserData"][uid] = {**data, "songVotes": now}
        self.voters.add(uid)
        patch = vote_patch(uid, (cast, now), (counts, state["voteCounts"]), (vibe, state["vibeMeter"]))
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

    def server_state(self) -> dict[str, Any]:
        """What actions answer with: the server's own view, as a lab recording has it.

        The same object as long as nothing in it has changed; most actions change nothing. (Comparing
        costs little: what did not change is the same object.)
        """
        state = self.state
        parts = (state["allUsers"], state["djs"], state["nowPlaying"], state["songsRemainingForDj"])
        if parts != self._answered_of:
            self._answered_of = parts
            self._answered = {
                "allUsers": [{"uuid": u["uuid"], "tokenRole": u["tokenRole"]} for u in parts[0]],
                "djs": [
                    {"userUuid": dj["uuid"], "nextSongId": songs.song_id(dj["nextSong"])} for dj in parts[1]
                ],
                "nowPlaying": parts[2],
                "shouldRemoveDjAfterSong": False,
                "songsRemainingForDj": parts[3],
            }
        return self._answered

    # -- inside

    def _present(self, uid: str) -> dict[str, Any]:
        if uid not in self:
            raise ActionRefused(NOT_IN_ROOM)
        return self._users[uid]

    def _moderates(self, uid: str, token_role: str) -> bool:
        return roles.is_moderator(token_role, self.roles.get(uid))
