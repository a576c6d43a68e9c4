"""The stage of a room: who is up, what plays, what comes next.

PURE. Index 0 of the line is the DJ who plays now; the line rotates (seen in public bots).
"""

from typing import Any, Final

from hangbot.sandbox.ids import Ids
from hangbot.sandbox.room import roles, songs
from hangbot.sandbox.room.patches import PatchBuilder
from hangbot.sandbox.room.state import NOTHING_PLAYS, ActionRefused, RoomMessage, RoomState, with_song
from hangbot.sandbox.room.votes import Votes

__all__ = ["Stage"]

_RECENT_KEPT: Final = 50


class Stage:
    """DJs and songs.

    Args:
        state: The room's state.
        votes: The votes on what plays.
        ids: Where play ids come from.

    Attributes:
        recent_songs: What played, newest first.
    """

    def __init__(self, state: RoomState, votes: Votes, ids: Ids) -> None:
        self.recent_songs: list[dict[str, Any]] = []
        self._state = state
        self._votes = votes
        self._ids = ids

    # -- what clients may do

    def add_dj(self, uid: str, song: dict[str, Any] | None, now_ms: int) -> list[RoomMessage]:
        """Enter the DJ line, perhaps with a song; the first DJ with a song plays at once.

        Raises:
            ActionRefused: Not here, already a DJ, not allowed, or the line is full.
        """
        user, shown = self._state.require(uid), self._state.shown
        settings, role = shown["settings"], self._state.roles.get(uid)
        if self.is_dj(uid):
            raise ActionRefused("You are already a DJ.")
        if not user["canDj"] or not roles.may_dj(user["tokenRole"], role, settings["djType"]):
            raise ActionRefused("You are not allowed to DJ in this room.")
        if len(shown["djs"]) >= settings["numberOfDjs"]:
            raise ActionRefused("The DJ line is full.")
        patch = PatchBuilder(shown)
        self.set_dj_line(patch, [*shown["djs"], {**user, "nextSong": song}])
        messages = [RoomMessage("addedDj", patch.patch())]
        if shown["nowPlaying"] is None:
            messages += self._play(now_ms)
        return messages + self._look_up(song, uid)

    def remove_dj(self, uid: str, target: str | None, now_ms: int) -> list[RoomMessage]:
        """Leave the DJ line, or take another DJ off it.

        Raises:
            ActionRefused: Not here, no DJ, or no right to remove the other.
        """
        user = self._state.require(uid)
        target = target or uid
        if not self.is_dj(target):
            raise ActionRefused("You are not a DJ." if target == uid else "That user is not a DJ.")
        if target != uid and not self._state.moderates(uid, user["tokenRole"]):
            raise ActionRefused("You are not allowed to remove this DJ.")
        return self.step_down(target, now_ms)

    def update_next_song(self, uid: str, song: dict[str, Any] | None, now_ms: int) -> list[RoomMessage]:
        """Set or clear the song that the DJ plays next.

        Raises:
            ActionRefused: Not here, or no DJ.
        """
        self._state.require(uid)
        if not self.is_dj(uid):
            raise ActionRefused("You are not a DJ.")
        patch = PatchBuilder(self._state.shown)
        self._set_next_song(patch, uid, song)
        messages = [RoomMessage("updatedNextSong", patch.patch())]
        if song is not None and self._state.shown["nowPlaying"] is None:
            messages += self._play(now_ms)
        return messages + self._look_up(song, uid)

    def skip(self, uid: str, now_ms: int) -> list[RoomMessage]:
        """End the playing song now.

        Raises:
            ActionRefused: Not here, nothing plays, or no right to.
        """
        user, shown = self._state.require(uid), self._state.shown
        if shown["nowPlaying"] is None:
            raise ActionRefused(NOTHING_PLAYS)
        own = bool(shown["djs"]) and shown["djs"][0]["uuid"] == uid
        anyone = self._state.variants.skip_by == "anyone"
        if not anyone and not own and not self._state.moderates(uid, user["tokenRole"]):
            raise ActionRefused("You are not allowed to skip this song.")
        return self.next_song(now_ms)

    # -- what happens by itself

    def song_ends_ms(self) -> int | None:
        """Return when the playing song ends, in server milliseconds, or ``None``."""
        playing = self._state.shown["nowPlaying"]
        return None if playing is None else int(playing["endTime"])

    def next_song(self, now_ms: int) -> list[RoomMessage]:
        """End the song: the same DJ goes on while songs are left, otherwise the line rotates."""
        if not self._state.shown["djs"] and self._state.shown["nowPlaying"] is None:
            return []
        return self._play(now_ms, over=True)

    def step_down(self, uid: str, now_ms: int) -> list[RoomMessage]:
        """Take a DJ off the line; what that DJ played ends."""
        if not self.is_dj(uid):
            return []
        shown = self._state.shown
        playing = shown["djs"][0]["uuid"] == uid and shown["nowPlaying"] is not None
        patch = PatchBuilder(shown)
        self.set_dj_line(patch, [dj for dj in shown["djs"] if dj["uuid"] != uid])
        messages = [RoomMessage("removedDj", patch.patch())]
        if playing:
            messages += self._play(now_ms)
        return messages

    # -- the lists

    def is_dj(self, uid: str) -> bool:
        """Whether a user is in the DJ line."""
        return any(dj["uuid"] == uid for dj in self._state.shown["djs"])

    def update_audience(self, patch: PatchBuilder) -> None:
        """Show everyone who is no DJ on the floor and in the audience; the vibe depends on how many."""
        djs = {dj["uuid"] for dj in self._state.shown["djs"]}
        users = self._state.shown["allUsers"]
        standing = [user for user in users if user["uuid"] not in djs] if djs else users
        patch.set("floorUsers", standing)
        patch.set("audienceUsers", standing)
        patch.set("vibeMeter", self._votes.vibe())

    def set_dj_line(self, patch: PatchBuilder, line: list[dict[str, Any]]) -> None:
        """Give the DJ line other members."""
        self._reorder(patch, line)
        self.update_audience(patch)

    # -- inside

    def _reorder(self, patch: PatchBuilder, line: list[dict[str, Any]]) -> None:
        patch.set("djs", line)
        patch.set("visibleDjs", line)

    def _set_next_song(self, patch: PatchBuilder, uid: str, song: dict[str, Any] | None) -> None:
        self._reorder(patch, with_song(self._state.shown["djs"], uid, song))

    def _play(self, now_ms: int, *, over: bool = False) -> list[RoomMessage]:
        """Start the next song there is; a message says so when ``nowPlaying`` changed by it."""
        shown = self._state.shown
        before, line = shown["nowPlaying"], shown["djs"]
        stays = over and shown["songsRemainingForDj"] > 0 and line and line[0]["nextSong"] is not None
        if over and line and not stays:
            line = [*line[1:], line[0]]
        at = next((n for n, dj in enumerate(line) if dj["nextSong"] is not None), None)
        if at is None and before is None:
            return []
        patch = PatchBuilder(shown)
        self._votes.clear(patch)
        if at is None:
            patch.set("nowPlaying", None)
            patch.set("songsRemainingForDj", 0)
        else:
            line = [*line[at:], *line[:at]]
            song, dj = line[0]["nextSong"], line[0]["uuid"]
            per_dj = int(shown["settings"]["songsPerDj"])
            left = shown["songsRemainingForDj"] - 1 if stays else per_dj - 1
            patch.set("songsRemainingForDj", max(0, left))
            patch.set("nowPlaying", self._now_playing(song, now_ms))
            self._reorder(patch, with_song(line, dj, None))
            self.recent_songs.insert(0, {"song": song, "userUuid": dj, "startTime": now_ms})
            del self.recent_songs[_RECENT_KEPT:]
        return [RoomMessage("playedSong", patch.patch())]

    def _now_playing(self, song: dict[str, Any], now_ms: int) -> dict[str, Any]:
        playing = {"song": song, "startTime": now_ms, "endTime": now_ms + songs.duration_ms(song)}
        return {**playing, "playId": self._ids.uuid()} if self._state.variants.play_id else playing

    def _look_up(self, song: dict[str, Any] | None, uid: str) -> list[RoomMessage]:
        """Replace a placeholder by what the server found, wherever it stands."""
        if song is None or not songs.is_placeholder(song):
            return []
        found = songs.looked_up(song)
        patch = PatchBuilder(self._state.shown)
        playing = self._state.shown["nowPlaying"]
        if playing is not None and playing["song"] is song:
            patch.set("nowPlaying", {**playing, "song": found})
        else:
            self._set_next_song(patch, uid, found)
        return [RoomMessage("lookedUpSong", patch.patch())]
