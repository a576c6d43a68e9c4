"""What an app hears of a room, read from its state. PURE."""

from collections.abc import Mapping
from typing import Any

from hangbot.bot.events import Song, User, Votes
from hangbot.hangfm.wire.state import RoomState
from hangbot.text import text_or_none

__all__ = ["NO_VOTE", "Vote", "read_counts", "read_djs", "read_song", "read_user", "read_users", "read_vote"]

Vote = tuple[bool | None, bool]
"""Whether a user likes the song (``False``: dislikes it, ``None``: neither), and whether it is starred."""
NO_VOTE: Vote = (None, False)


def read_users(state: RoomState) -> dict[str, User]:
    """Return who is in the room, by uuid."""
    roles = state.room_roles()
    return {uuid: read_user(uuid, entry, state, roles) for uuid, entry in state.entries()}


def read_user(uuid: str, entry: Mapping[str, Any], state: RoomState, roles: Mapping[str, str]) -> User:
    """Return a user, of its entry in the list of users and the roles that the settings give."""
    role = text_or_none(entry.get("tokenRole"))
    return User(uuid, state.nickname(uuid), role, text_or_none(entry.get("highestRole")) or roles.get(uuid))


def read_djs(state: RoomState) -> tuple[str, ...]:
    """Return the uuids in the DJ line, each once."""
    uuids = (dj.get("uuid") for dj in state.djs())
    return tuple(dict.fromkeys(uuid for uuid in uuids if isinstance(uuid, str)))


def read_song(state: RoomState, dj: str | None = None) -> Song | None:
    """Return what plays, or ``None``; ``dj`` is who plays it, where that is known already."""
    playing = state.now_playing()
    if playing is None:
        return None
    song = playing.get("song")
    song = song if isinstance(song, dict) else {}
    started = playing.get("startTime")
    djs = read_djs(state)
    play_id = playing.get("playId")
    return Song(
        id=_id(song),
        artist=text_or_none(song.get("artistName")),
        title=text_or_none(song.get("trackName")),
        duration=_number(song.get("duration")),
        dj=dj or (djs[0] if djs else None),
        play_id=None if play_id is None else str(play_id),
        started_at=started / 1000 if isinstance(started, int | float) else None,
        raw=dict(song),
    )


def _id(song: Mapping[str, Any]) -> str | None:
    names = ("songId", "crateSongUuid", "songShortId")
    return next((str(song[name]) for name in names if isinstance(song.get(name), str | int)), None)


def read_counts(state: RoomState) -> Votes:
    """Return how the song that plays stands."""
    counts = state.data.get("voteCounts")
    if not isinstance(counts, dict):
        return Votes()
    return Votes(_count(counts.get("likes")), _count(counts.get("dislikes")), _count(counts.get("stars")))


def _count(number: object) -> int:
    return number if type(number) is int else 0


def read_vote(state: RoomState, uuid: str) -> Vote:
    """Return a user's vote."""
    votes = state.votes(uuid)
    if not votes:
        return NO_VOTE
    like = votes.get("like")
    return (like if isinstance(like, bool) else None), votes.get("star") is True


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
