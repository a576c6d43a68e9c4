"""The room's actions, a row each: what it takes, what shows that it was done, what it is bound to. PURE.

A room action is never repeated blindly: after a time-out the state shows whether it took
effect. Where the state does not show it (an animation leaves no trace) the action is not repeated.
"""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from hangbot.errors import UsageError
from hangbot.hangfm.wire.state import RoomState

__all__ = ["ACTIONS", "Action", "check_name", "find_action", "song_id"]

_CLOSE: Final = 0.8
"""How like an action's name another must be (difflib's ratio) to count as a slip."""
_SONG_FIELDS: Final = ("artistName", "trackName", "isrc")
"""What a song is known by."""

Effect = Callable[[Mapping[str, Any], str, RoomState, object], bool | None]
"""Reads from the action's parameters, the bot's uuid, the room as it is now, and the `song_id` at the moment
that the action was meant for, whether it was carried out; ``None`` where the state does not show it."""


def song_id(state: RoomState | None) -> object:
    """Return what distinguishes the song that plays now from any other, or ``None`` when none plays."""
    return state.playing_id() if state else None


def _is_dj(_: Mapping[str, Any], me: str, state: RoomState, _song: object) -> bool:
    return state.dj(me) is not None


def _is_no_dj(params: Mapping[str, Any], me: str, state: RoomState, _song: object) -> bool:
    return state.dj(params.get("djUuid") or me) is None


def _song_is_set(params: Mapping[str, Any], me: str, state: RoomState, song_before: object) -> bool | None:
    """Look whether a song became the bot's next one, or plays already because nothing else did."""
    dj, song = state.dj(me), params.get("song")
    if dj is None:
        return None
    queued, playing = dj.get("nextSong"), state.now_playing()
    if song is None:
        return queued is None
    seen = [_is_same_song(song, queued)]
    if playing and song_id(state) != song_before and state.djs()[0] is dj:
        seen.append(_is_same_song(song, playing.get("song")))
    return True if True in seen else None if None in seen else False


def _is_same_song(song: object, other: object) -> bool | None:
    """Compare what a song is known by with what the bot said of it; the server may fill in the rest."""
    if not isinstance(song, dict) or not isinstance(other, dict):
        return False
    said = {key: song[key] for key in _SONG_FIELDS if song.get(key) is not None}
    return said.items() <= other.items() if said else None


def _votes_show(params: Mapping[str, Any], me: str, state: RoomState, song_before: object) -> bool | None:
    if song_id(state) != song_before:
        return None  # the votes went with the song
    wanted = params.get("songVotes")
    return isinstance(wanted, dict) and wanted.items() <= state.votes(me).items()


def _song_changed(_: Mapping[str, Any], _me: str, state: RoomState, song_before: object) -> bool:
    return song_id(state) != song_before


@dataclass(frozen=True, slots=True)
class Action:
    """A room action.

    Attributes:
        name: As the service spells it.
        params: The names of its parameters, beside the room's uuid.
        effect: Shows in the state whether it was carried out. An action without this is never repeated:
            a lost acknowledgement leaves it uncertain.
        bound_to: What must still be there when it is sent (again): every action belongs to the connection
            that it was meant for; one that is bound to the song must not hit the next one.
    """

    name: str
    params: tuple[str, ...] = ()
    effect: Effect | None = None
    bound_to: Literal["connection", "song"] = "connection"

    def took_effect(
        self, params: Mapping[str, Any], me: str, state: RoomState | None, song_before: object
    ) -> bool | None:
        """Return whether it was carried out; ``None`` where the state does not show it."""
        return None if self.effect is None or state is None else self.effect(params, me, state, song_before)


_ROWS: Final = (
    Action("joinRoom", params=("password",)),
    Action("addDj", params=("song",), effect=_is_dj),
    Action("removeDj", params=("djUuid",), effect=_is_no_dj),
    Action("updateNextSong", params=("song",), effect=_song_is_set),
    Action("voteOnSong", params=("songVotes",), effect=_votes_show, bound_to="song"),
    Action("skipSong", effect=_song_changed, bound_to="song"),
    Action("playOneTimeAnimation", params=("animation", "emoji"), effect=None),
)
ACTIONS: Final[Mapping[str, Action]] = {action.name: action for action in _ROWS}
"""What a client can do in a room, as the types of ttfm-socket 1.0.0 list it."""


def find_action(name: str) -> Action:
    """Return an action's row; one of a newer server has no effect that is known here."""
    return ACTIONS.get(name) or Action(name)


def check_name(name: str) -> None:
    """Refuse what is most likely misspelt; a name of another kind may be one of a newer server.

    Raises:
        UsageError: It is none of the known actions, and like one of them.
    """
    if name in ACTIONS:
        return
    spelt = {known.lower(): known for known in ACTIONS}
    close = difflib.get_close_matches(name[:64].lower(), spelt, n=1, cutoff=_CLOSE)
    if close:
        raise UsageError(
            f"there is no room action {name}; did you mean {spelt[close[0]]}?",
            remedy=f"The actions are {', '.join(ACTIONS)}.",
        )
