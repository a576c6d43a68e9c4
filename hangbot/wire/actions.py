"""What each room action changes in the state, so that a lost acknowledgement can be asked about.

A room action is never repeated blindly: after a time-out the state tells whether it took
effect. Where the state cannot tell (an animation leaves no trace) the answer is ``None`` and
the action is not repeated.
"""

from collections.abc import Mapping
from typing import Any

from hangbot.wire.state import RoomState

__all__ = ["song_key", "took_effect"]


def song_key(state: RoomState | None) -> object:
    """Return what tells the song that plays now from any other, or ``None`` when none plays.

    Skips and votes are bound to it: they must not hit the next song.
    """
    playing = state.now_playing() if state else None
    return (playing.get("playId"), playing.get("startTime")) if playing else None


def took_effect(
    action: str, params: Mapping[str, Any], me: str, state: RoomState | None, song_before: object
) -> bool | None:
    """Tell from the state whether an action was carried out.

    Args:
        action: One of `hangbot.wire.room.ACTIONS`.
        params: The action's own parameters.
        me: The bot's uuid.
        state: The room as it is now.
        song_before: `song_key` at the moment the action was meant for.

    Returns:
        ``None`` where the state cannot tell.
    """
    if state is None:
        return None
    match action:
        case "addDj":
            return state.dj(me) is not None
        case "removeDj":
            return state.dj(params.get("djUuid") or me) is None
        case "updateNextSong":
            song = params.get("song")
            return _is_next(song, state.dj(me)) or (
                song_key(state) != song_before and _plays(song, me, state) or None
            )
        case "voteOnSong":
            if song_key(state) != song_before:
                return None  # the votes went with the song
            wanted = params.get("songVotes")
            return isinstance(wanted, dict) and wanted.items() <= state.votes(me).items()
        case "skipSong":
            return song_key(state) != song_before
    return None


def _is_next(song: object, dj: dict[str, Any] | None) -> bool | None:
    """Compare what a song is known by; the server may have filled in the rest of it."""
    if dj is None:
        return None
    queued = dj.get("nextSong")
    if not isinstance(song, dict) or not isinstance(queued, dict):
        return song is None and queued is None
    return all(queued.get(key) == song.get(key) for key in ("artistName", "trackName", "isrc"))
