"""What happened in a room, by comparing its state before and after. PURE.

The form of a patch says nothing: differences are made index by index, so a user who leaves shows as fifty
others with new names. A patch only says where to look, so that a vote in a room of two thousand costs no
look at two thousand users.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from hangbot.bot.events import (
    DjAdded,
    DjRemoved,
    Event,
    Joined,
    Kicked,
    RoomEvent,
    RoomReset,
    RoomSnapshot,
    Song,
    SongEnded,
    SongStarted,
    User,
    UserJoined,
    UserLeft,
    VoteChanged,
    Votes,
)
from hangbot.hangfm.wire.events import RoomMessage
from hangbot.hangfm.wire.room_values import (
    NO_VOTE,
    Vote,
    read_counts,
    read_djs,
    read_song,
    read_user,
    read_users,
    read_vote,
)
from hangbot.hangfm.wire.state import Crowd, RoomState

__all__ = ["RoomEvents"]

_SHOWN: Final = frozenset(
    {
        "updatedUserData",
        "userJoined",
        "userLeft",
        "addedDj",
        "removedDj",
        "playedSong",
        "votedOnSong",
        "kickedFromRoom",
        "roomReset",
    }
)
"""Messages for which other events stand; all the others are heard under their own name."""

_PROFILES: Final = "allUserData"
_USERS: Final = "allUsers"
_SETTINGS: Final = "settings"
"""Where the roles in the room stand, besides those in the list of users."""
_PROFILE: Final = 3
"""Names in the path of a profile, the empty one before the first slash counted."""


class RoomEvents:
    """Follows one room over all the connections that a bot makes to it.

    Args:
        room: The room's uuid.
    """

    def __init__(self, room: str) -> None:
        self._room = room
        self._name: str | None = None
        self._users: dict[str, User] = {}
        self._profiles: set[str] = set()
        """The users whose profile has come: until then their votes are not known."""
        self._djs: tuple[str, ...] = ()
        self._song: Song | None = None
        self._playing: object = None
        self._votes = Votes()
        self._voters: dict[str, Vote] = {}
        self._joined = False
        self._catching_up = False
        """Whether votes of before the last loss are still to be compared, once the profiles have come."""

    def join(self, state: RoomState) -> list[Event]:
        """Return what a join shows: at the first one that the bot is there, later what is different."""
        if not self._joined:
            self._joined = True
            self._load(state)
            return [Joined(self._snapshot())]
        self._catching_up = True
        self._name = state.room_name()
        users, before = read_users(state), self._users
        events: list[Event] = [UserLeft(before[uuid], catch_up=True) for uuid in before if uuid not in users]
        events += [UserJoined(users[uuid], catch_up=True) for uuid in users if uuid not in before]
        for uuid in before.keys() - users.keys():
            self._voters.pop(uuid, None)
        self._users, self._profiles = users, set()
        events += self._compare_djs(state, catch_up=True)
        events += self._compare_song(state, state.profiles(), catch_up=True)
        self._profiles.update(state.profiles())
        if self._profiles or not users:
            events += self._compare_votes(state, set(self._profiles))
        return events

    def message(self, message: RoomMessage, state: RoomState | None, crowd: Crowd | None) -> list[Event]:
        """Return what a message of the room brought, once the state has taken its patch in.

        Args:
            message: The message.
            state: The state with its patch; ``None`` before the join.
            crowd: Who came and left by it; ``None`` where that was not looked at.
        """
        events: list[Event] = []
        if message.patch is not None and state is not None and self._joined:
            events = self._patched(message.patch, state, crowd)
        if message.name == "kickedFromRoom":
            events.append(Kicked())
        elif message.name == "roomReset":
            events.append(RoomReset())
        elif message.name not in _SHOWN:
            events.append(RoomEvent(message.name, message.params))
        return events

    def _patched(
        self, patch: Sequence[Mapping[str, Any]], state: RoomState, crowd: Crowd | None
    ) -> list[Event]:
        tops, touched = _touched(patch)
        profiles = _PROFILES in tops
        candidates: Iterable[str] = list(state.profiles()) if profiles else touched
        events: list[Event] = []
        if _USERS in tops:
            events += self._compare_users(state, crowd)
        if _SETTINGS in tops:
            self._learn_settings(state)
        if profiles or touched:
            self._learn(candidates, state)
        if "djs" in tops:
            events += self._compare_djs(state, catch_up=False)
        if "nowPlaying" in tops:
            voters = {*self._voters, *candidates}  # nothing else can have a vote
            events += self._compare_song(state, voters, catch_up=False)
        if "voteCounts" in tops or profiles or touched:
            events += self._compare_votes(state, candidates)
        return events

    def _load(self, state: RoomState) -> None:
        self._name = state.room_name()
        self._users = read_users(state)
        self._profiles = set(state.profiles())
        self._djs = read_djs(state)
        self._playing, self._song = state.playing_id(), read_song(state)
        self._reset_votes(state, state.profiles())

    def snapshot(self) -> RoomSnapshot | None:
        """Return the room as it is, or as it last was; ``None`` before the first join."""
        return self._snapshot() if self._joined else None

    def user(self, uuid: str) -> User | None:
        """Return a user who is in the room."""
        return self._users.get(uuid)

    def _snapshot(self) -> RoomSnapshot:
        users = tuple(self._users.values())
        return RoomSnapshot(self._room, self._name, users, self._djs, self._song, self._votes)

    def _compare_users(self, state: RoomState, crowd: Crowd | None) -> Iterator[Event]:
        if crowd is None:
            return
        for uuid in crowd.left:
            if (user := self._users.pop(uuid, None)) is not None:
                self._voters.pop(uuid, None)
                self._profiles.discard(uuid)
                yield UserLeft(user)
        entries = state.entries() if crowd.changed is None else crowd.changed.items()
        users = self._users
        changed = [  # only of roles; one that just came is read anyway
            (uuid, entry)
            for uuid, entry in entries
            if (user := users.get(uuid)) is not None
            and (user.role != entry.get("tokenRole") or user.room_role != entry.get("highestRole"))
        ]
        roles = state.room_roles() if crowd.came or changed else {}
        for uuid, entry in (*crowd.came.items(), *changed):
            known = uuid in self._users
            user = self._users[uuid] = read_user(uuid, entry, state, roles)
            if not known:
                yield UserJoined(user)

    def _learn(self, uuids: Iterable[str], state: RoomState) -> None:
        """Take over the names in profiles that came or changed."""
        for uuid in uuids:
            user = self._users.get(uuid)
            if user is not None and (name := state.nickname(uuid)) != user.nickname and name is not None:
                self._users[uuid] = User(uuid, name, user.role, user.room_role)

    def _learn_settings(self, state: RoomState) -> None:
        """Take over the room's name, and the roles of users that the settings gave or took."""
        self._name = state.room_name()
        roles = state.room_roles()
        for uuid, entry in state.entries():
            if uuid in self._users:
                self._users[uuid] = read_user(uuid, entry, state, roles)

    def _compare_djs(self, state: RoomState, *, catch_up: bool) -> Iterator[Event]:
        before, self._djs = self._djs, read_djs(state)
        if before != self._djs:
            yield from (DjRemoved(uuid, catch_up) for uuid in before if uuid not in self._djs)
            yield from (DjAdded(uuid, catch_up) for uuid in self._djs if uuid not in before)

    def _compare_song(self, state: RoomState, voters: Iterable[str], *, catch_up: bool) -> Iterator[Event]:
        """Compare the song; ``voters`` are all who may have voted for one that has just begun."""
        before, ended = self._playing, self._song
        self._playing = state.playing_id()
        if self._playing == before:
            if ended is not None:  # looked up meanwhile: the song may have a name now
                self._song = read_song(state, ended.dj)
            return
        votes, self._song = self._votes, read_song(state)
        self._reset_votes(state, voters)
        if ended is not None:
            yield SongEnded(ended, votes, catch_up)
        if self._song is not None:
            yield SongStarted(self._song, catch_up)

    def _reset_votes(self, state: RoomState, voters: Iterable[str]) -> None:
        """Take the votes as they are: those of a new song are no change of anything."""
        self._votes = read_counts(state)
        self._voters = {
            uuid: vote
            for uuid in voters
            if state.has_profile(uuid) and (vote := read_vote(state, uuid)) != NO_VOTE
        }

    def _compare_votes(self, state: RoomState, uuids: Iterable[str]) -> Iterator[Event]:
        """Compare the votes of some users, and the counts.

        The votes that a profile brings when it comes are no change, unless the bot was away: then they are
        compared with those of before.
        """
        before, self._votes = self._votes, read_counts(state)
        came = {uuid for uuid in uuids if self._comes(uuid, state)}
        catch_up, reported = self._catching_up, False
        for uuid in uuids:
            new, old = read_vote(state, uuid), self._voters.get(uuid, NO_VOTE)
            if new == old:
                continue
            if new == NO_VOTE:
                del self._voters[uuid]
            else:
                self._voters[uuid] = new
            if uuid in self._users and (catch_up or uuid not in came):
                reported = True
                yield VoteChanged(uuid, *new, self._votes, catch_up)
        if not reported and before != self._votes:
            yield VoteChanged(None, *NO_VOTE, self._votes, catch_up)
        if came or self._profiles or not self._users:
            self._catching_up = False

    def _comes(self, uuid: str, state: RoomState) -> bool:
        """Note a profile that has come, and return whether it was not there before."""
        if uuid in self._profiles or uuid not in self._users or not state.has_profile(uuid):
            return False
        self._profiles.add(uuid)
        return True


def _touched(patch: Sequence[Mapping[str, Any]]) -> tuple[set[str], dict[str, None]]:
    """Return which parts of the state a patch names, and whose profiles; all of them count as the part."""
    tops: set[str] = set()
    profiles: dict[str, None] = {}
    part = "none"  # no path begins with it
    for step in patch:
        if step["path"].startswith(part) and "from" not in step:
            continue  # lists that move up name their part once for each user
        for path in (step["path"], step["from"]) if "from" in step else (step["path"],):
            _, *names = path.split("/", _PROFILE)
            top = names[0] if names else ""
            if top == _PROFILES and len(names) > 1:
                uuid = names[1]
                profiles[uuid.replace("~1", "/").replace("~0", "~") if "~" in uuid else uuid] = None
            else:
                tops.add(top)
                part = f"/{top}/"
    return tops, profiles
