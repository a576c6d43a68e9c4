"""Songs: what a client may hand in, and what the server makes of it.

PURE. The shape is MinimalCrateSong of ttfm-socket 1.0.0; real objects carry more fields
(seen in public bots), which are kept as they are.
"""

import hashlib
import json
from typing import Any, Final

__all__ = ["default_song", "duration_ms", "is_placeholder", "is_song", "looked_up", "song_id"]

_DEEPEST: Final = 8
_LARGEST: Final = 65_536
_UNSAID_S: Final = 180
_LONGEST_S: Final = 24 * 3600


def is_song(value: object) -> bool:
    """Whether a value can be a song: an object with names, neither huge nor bottomless."""
    if not isinstance(value, dict) or _depth(value) > _DEEPEST:
        return False
    if not all(isinstance(value.get(name, ""), str | None) for name in ("artistName", "trackName")):
        return False
    return len(json.dumps(value)) <= _LARGEST


def duration_ms(song: dict[str, Any]) -> int:
    """How long a song plays; the field is in whole seconds and may be missing or nonsense."""
    seconds = song.get("duration")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= _LONGEST_S:
        seconds = _UNSAID_S
    return int(seconds * 1000)


def song_id(song: dict[str, Any] | None) -> str | None:
    """``nextSongId`` of an action's response."""
    if song is None:
        return None
    for name in ("songId", "songShortId", "isrc", "crateSongUuid"):
        if isinstance(song.get(name), str) and song[name]:
            return str(song[name])
    return None


def is_placeholder(song: dict[str, Any]) -> bool:
    """Whether the server has to look the song up: no music provider knows it yet."""
    providers = song.get("musicProviders")
    return not (isinstance(providers, dict) and any(providers.values()))


def looked_up(song: dict[str, Any]) -> dict[str, Any]:
    """What the server-side look-up makes of a placeholder."""
    name = f"{song.get('artistName')} {song.get('trackName')}"
    digest = hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()
    providers = {"youtube": digest[:11], "spotify": f"spotify:track:{digest[11:33]}"}
    return song | {"musicProviders": providers, "songShortId": digest[33:41], "status": "ok"}


def default_song(number: int = 1, *, duration_s: int = 240) -> dict[str, Any]:
    """Make a song for an actor that brings none."""
    return {
        "artistName": "The Sandbox",
        "trackName": f"Song {number}",
        "genre": None,
        "duration": duration_s,
        "isrc": f"XX{number:010d}",
        "musicProviders": {"youtube": f"sandbox{number:04d}"},
        "playbackToken": None,
        "thumbnails": {},
    }


def _depth(value: object) -> int:
    """Nesting of a JSON value, counted only as far as it matters."""
    level: list[object] = [value]
    for depth in range(_DEEPEST + 1):
        level = [
            item
            for parent in level
            if isinstance(parent, dict | list)
            for item in (parent.values() if isinstance(parent, dict) else parent)
        ]
        if not level:
            return depth + 1
    return _DEEPEST + 1
