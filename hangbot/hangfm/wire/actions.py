"""What each room action changes in the state, so that a lost acknowledgement can be asked about.

A room action is never repeated blindly: after a time-out the state tells whether it took
effect. Where the state cannot tell (an animation leaves no trace) the answer is ``None`` and
the action is not repeated.
"""

import difflib
from collections.abc import Mapping
from typing import Any, Final

from hangbot.errors import UsageError
from hangbot.hangfm.wire.frames import ACTIONS
from hangbot.hangfm.wire.state import RoomState

__all__ = ["check_name", "song_id", "took_effect"]

_CLOSE: Final = 0.8
"""How like an action's name another must be (difflib's ratio) to count as a slip."""


def check_name(action: str) -> None:
    """Refuse what is most likely misspelt; a name of another kind may be one of a newer server.

    Raises:
        UsageError: It is none of the known actions, and like one of them.
    """
    if action in ACTIONS:
        return
    spelt = {name.lower(): name for name in ACTIONS}
    close = difflib.get_close_matches(action[:64].lower(), spelt, n=1, cutoff=_CLOSE)
    if close:
        raise UsageError(
            f"there is no room action {action}; did you mean {spelt[close[0]]}?",
            remedy=f"The actions are {', '.join(ACTIONS)}.",
        )


_KNOWN_BY: Final = ("artistName", "trackName", "isrc")


def song_id(state: RoomState | None) -> object:
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
        action: One of `hangbot.hangfm.wire.frames.ACTIONS`.
        params: The action's own parameters.
        me: The bot's uuid.
        state: The room as it is now.
        song_before: `song_id` at the moment the action was meant for.

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
            return _was_set(params.get("song"), me, state, song_before)
        case "voteOnSong":
            if song_id(state) != song_before:
                return None  # the votes went with the song
            wanted = params.get("songVotes")
            return isinstance(wanted, dict) and wanted.items() <= state.votes(me).items()
        case "skipSong":
            return song_id(state) != song_before
    return None


def _was_set(song: object, me: str, state: RoomState, song_before: object) -> bool | None:
    """Tell whether a song became the bot's next one, or began to play at once because nothing else did."""
    dj = state.dj(me)
    if dj is None:
        return None
    queued, playing = dj.get("nextSong"), state.now_playing()
    if song is None:
        return queued is None
    seen = [_is_same(song, queued)]
    if playing and song_id(state) != song_before and state.djs()[0] is dj:
        seen.append(_is_same(song, playing.get("song")))
    return True if True in seen else None if None in seen else False


def _is_same(song: object, other: object) -> bool | None:
    """Compare what a song is known by and what the bot said of it; the server may fill in the rest."""
    if not isinstance(song, dict) or not isinstance(other, dict):
        return False
    said = {key: song[key] for key in _KNOWN_BY if song.get(key) is not None}
    return said.items() <= other.items() if said else None
