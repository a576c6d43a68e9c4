"""What actions want of their parameters, and the texts of ActionHero for what is missing or wrong.

PURE.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from hangbot.sandbox.room import songs

__all__ = [
    "BadInput",
    "check_animation",
    "check_dj",
    "check_next_song",
    "check_room",
    "check_song",
    "check_votes",
]

_LONGEST_EMOJI: Final = 32

_Params = Mapping[str, Any]


class BadInput(Exception):
    """An action's parameters are not what it wants; the text is the client's ``error``."""


def check_room(params: _Params, required: Iterable[str]) -> None:
    """Check that the room is named, and that the other required parameters are there.

    Raises:
        BadInput: With the text that the client gets.
    """
    for name in ("roomUuid", *required):
        if params.get(name) in (None, ""):
            raise _missing(name)
    if not isinstance(params["roomUuid"], str):
        raise _failed("roomUuid")


def check_song(params: _Params) -> None:
    """Check a song, which may be left out."""
    if params.get("song") is not None and not songs.is_song(params["song"]):
        raise _failed("song")


def check_next_song(params: _Params) -> None:
    """Check a song that must be there; ``null`` clears it, so ActionHero's own "required" is not on it."""
    if "song" not in params:
        raise _missing("song")
    check_song(params)


def check_dj(params: _Params) -> None:
    """Check the uid of a DJ, which may be left out."""
    if not isinstance(params.get("djUuid"), str | None):
        raise _failed("djUuid")


def check_votes(params: _Params) -> None:
    """Check votes: at least one of ``like`` and ``star``."""
    votes = params["songVotes"]
    if not isinstance(votes, dict) or ("like" not in votes and "star" not in votes):
        raise _failed("songVotes")
    if not isinstance(votes.get("like", False), bool) or not isinstance(votes.get("star", False), bool):
        raise _failed("songVotes")


def check_animation(params: _Params) -> None:
    """Check an animation, and its emoji if it is one."""
    animation, emoji = params["animation"], params.get("emoji")
    if animation not in ("jump", "emoji"):
        raise BadInput("animation must be emoji or jump")
    if animation == "emoji" and not (
        isinstance(emoji, str) and 0 < len(emoji) <= _LONGEST_EMOJI and not emoji.isalnum()
    ):
        raise _failed("emoji")


def _missing(name: str) -> BadInput:
    return BadInput(f"{name} is a required parameter for this action")


def _failed(name: str) -> BadInput:
    return BadInput(f'Input for parameter "{name}" failed validation!')
