"""The stage of a room: who is up, what plays, what comes next.

PURE. Index 0 of the line is the DJ who plays now; the line rotates (seen in public bots).
"""

from typing import Any, Final

from hangbot.sandbox.ids import Ids
from hangbot.sandbox.room import songs
from hangbot.sandbox.room.patches import Draft
from hangbot.sandbox.room.state import RoomMessage, first_state, with_song
from hangbot.sandbox.room.variants import RoomVariants

__all__ = ["Stage"]

_RECENT_KEPT: Final = 50


class Stage:
    """The state of a room, as far as DJs and songs change it.

    Args:
        settings: The room's settings.
        variants: The unknowns, settled.
        ids: Where play ids come from.

    Attributes:
        state: The state as clients hold it.
        recent_songs: What played, newest first.
        voters: Who has voted on the playing song.
    """

    def __init__(self, settings: dict[str, Any], variants: RoomVariants, ids: Ids) -> None:
        self._ids = ids
        self.variants = variants
        self.state: dict[str, Any] = first_state(settings)
        self.recent_songs: list[dict[str, Any]] = []
        self.voters: set[str] = set()

    def song_ends_ms(self) -> int | None:
        """When the playing song ends, in server milliseconds, or ``None``."""
        playing = self.state["nowPlaying"]
        return None if playing is None else int(playing["endTime"])

    def next_song(self, now_ms: int) -> list[RoomMessage]:
        """The song is over: the same DJ goes on while he has songs left, else the line rotates."""
        if not self.state["djs"] and self.state["nowPlaying"] is None:
            return []
        return self.play(now_ms, over=True)

    def is_dj(self, uid: str) -> bool:
        """Whether a user is in the DJ line."""
        return any(dj["uuid"] == uid for dj in self.state["djs"])

    def seat(self, draft: Draft) -> None:
        """Floor and audience are everybody who is no DJ; the vibe depends on how many there are."""
        djs = {dj["uuid"] for dj in self.state["djs"]}
        users = self.state["allUsers"]
        standing = [user for user in users if user["uuid"] not in djs] if djs else users
        draft.set("floorUsers", standing)
        draft.set("audienceUsers", standing)
        draft.set("vibeMeter", self.vibe())

    def line_up(self, draft: Draft, line: list[dict[str, Any]], *, seated: bool = False) -> None:
        """Give the DJ line a new order; ``seated`` when nobody entered or left it."""
        draft.set("djs", line)
        draft.set("visibleDjs", line)
        if not seated:
            self.seat(draft)

    def vibe(self) -> float:
        """``vibeMeter`` as the votes are now."""
        # One like among ten users showed as 1/9 in a recorded message; the formula is inferred.
        likes: int = self.state["voteCounts"]["likes"]
        others = len(self.state["allUsers"]) - 1
        if likes == 0 or likes >= others:
            return 1 if likes else 0
        return likes / others

    def step_down(self, uid: str, now_ms: int) -> list[RoomMessage]:
        """Take a DJ off the line; what he played ends."""
        if not self.is_dj(uid):
            return []
        playing = self.state["djs"][0]["uuid"] == uid and self.state["nowPlaying"] is not None
        draft = Draft(self.state)
        self.line_up(draft, [dj for dj in self.state["djs"] if dj["uuid"] != uid])
        messages = [RoomMessage("removedDj", draft.patch())]
        if playing:
            messages += self.play(now_ms)
        return messages

    def play(self, now_ms: int, *, over: bool = False) -> list[RoomMessage]:
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
        self.clear_votes(draft)
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
            self.line_up(draft, with_song(line, line[0]["uuid"], None), seated=True)
            self._remember(song, line[0]["uuid"], now_ms)
        return [RoomMessage("playedSong", draft.patch())]

    def _now_playing(self, song: dict[str, Any], now_ms: int) -> dict[str, Any]:
        playing = {"song": song, "startTime": now_ms, "endTime": now_ms + songs.duration_ms(song)}
        return {**playing, "playId": self._ids.uuid()} if self.variants.play_id else playing

    def clear_votes(self, draft: Draft) -> None:
        """Another song, no votes yet."""
        data = self.state["allUserData"]
        for uid in self.voters:
            draft.set_entry(uid, {**data[uid], "songVotes": {}})
        self.voters.clear()
        draft.set("voteCounts", {"likes": 0, "dislikes": 0, "stars": 0})
        draft.set("vibeMeter", 0)

    def _remember(self, song: dict[str, Any], uid: str, now_ms: int) -> None:
        self.recent_songs.insert(0, {"song": song, "userUuid": uid, "startTime": now_ms})
        del self.recent_songs[_RECENT_KEPT:]

    def look_up(self, song: dict[str, Any] | None, uid: str) -> list[RoomMessage]:
        """A placeholder is looked up by the server; what it found replaces it wherever it stands."""
        if song is None or not songs.is_placeholder(song):
            return []
        found = songs.looked_up(song)
        draft = Draft(self.state)
        playing = self.state["nowPlaying"]
        if playing is not None and playing["song"] is song:
            draft.set("nowPlaying", {**playing, "song": found})
        else:
            self.line_up(draft, with_song(self.state["djs"], uid, found), seated=True)
        return [RoomMessage("lookedUpSong", draft.patch())]
