"""The playlist service as far as public bots use it: search, crates, the DJ queue.

PURE. Fields are those that bots send and read; a song is kept as it was put in.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qs

from hangbot.sandbox.chat.rows import Json, Row
from hangbot.sandbox.ids import Ids

__all__ = ["Playlists"]

SONGS: Final = 5
"""How many songs a search finds that names no limit."""
MOST_SONGS: Final = 100


@dataclass(slots=True)
class _Crate:
    name: str
    uuid: str
    songs: list[Row] = field(default_factory=list)

    def row(self) -> Row:
        return {"crateName": self.name, "crateUuid": self.uuid}


class Playlists:
    """Crates and queues, each user's own.

    Args:
        ids: Where ids of crates and songs come from.
    """

    def __init__(self, ids: Ids) -> None:
        self._new_id = ids.uuid
        self._queues: dict[str, _Crate] = {}
        self._crates: dict[str, dict[str, _Crate]] = {}

    def clear(self) -> None:
        """Forget every crate and queue."""
        self._queues.clear()
        self._crates.clear()

    def answer(
        self, uid: str, method: str, segments: tuple[str, ...], query: str, body: Json
    ) -> tuple[int, Json] | None:
        """Status and body; None where no route matches."""
        match (method, *segments):
            case ("GET", "search", *_):
                words = parse_qs(query)
                wanted = words.get("q", [""])[0]
                count = min(_parse_int(words.get("limit", [""])[0], SONGS), MOST_SONGS)
                return 200, {"songs": [_song(f"{wanted}-{n}", wanted) for n in range(count)]}
            case ("GET", "song-data", number, provider):
                return 200, _song(number, number) | {"provider": provider}
            case (_, "crate", "special", "queue", *rest):
                queue = self._queues.setdefault(uid, _Crate("queue", self._new_id()))
                return _answer_queue(queue, (method, *rest), query, body, self._new_id)
            case (_, "crate", *rest):
                return _answer_crates(self._crates.setdefault(uid, {}), (method, *rest), body, self._new_id)
            case _:
                return None


def _answer_queue(
    queue: _Crate, call: tuple[str, ...], query: str, body: Json, new_id: Callable[[], str]
) -> tuple[int, Json] | None:
    match call:
        case ("GET",):
            return 200, queue.row()
        case ("GET", "songs"):
            return 200, {"songs": _cut(queue.songs, query)}
        case ("POST", "songs", "clear"):
            queue.songs.clear()
            return 201, queue.row()
        case ("POST", "songs"):
            return 201, _put(queue, body, new_id)
        case ("DELETE", "songs", number):
            queue.songs[:] = [song for song in queue.songs if song["crateSongUuid"] != number]
            return 200, {}
        case _:
            return None


def _answer_crates(
    crates: dict[str, _Crate], call: tuple[str, ...], body: Json, new_id: Callable[[], str]
) -> tuple[int, Json] | None:
    match call:
        case ("GET", "user"):
            return 200, {"crates": [crate.row() for crate in crates.values()]}
        case ("POST",):
            crate = _Crate(str(body["crateName"]), new_id())
            crates[crate.uuid] = crate
            return 201, crate.row()
        case ("DELETE", number):
            return (200, {}) if crates.pop(number, None) else (404, _missing())
        case ("POST", number, "songs"):
            return (201, _put(crates[number], body, new_id)) if number in crates else (404, _missing())
        case _:
            return None


def _missing() -> Row:
    return {"statusCode": 404, "message": "Crate not found", "error": "Not Found"}


def _song(number: str, name: str) -> Row:
    return {
        "id": number,
        "songId": number,
        "trackName": name or "a song",
        "artistName": "an artist",
        "duration": 180,
        "isrc": "",
        "links": {},
        "musicProviders": {},
        "thumbnails": {},
        "status": "success",
    }


def _cut(songs: list[Row], query: str) -> list[Row]:
    words = parse_qs(query)
    offset = _parse_int(words.get("offset", ["0"])[0], 0)
    return songs[offset : offset + _parse_int(words.get("limit", ["100"])[0], 100)]


def _parse_int(text: str, otherwise: int) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else otherwise  # noqa: PLR2004  an index


def _put(crate: _Crate, body: Json, new_id: Callable[[], str]) -> Row:
    fresh = [{**song, "crateSongUuid": new_id()} for song in body["songs"]]
    crate.songs[:] = [*crate.songs, *fresh] if body.get("append") else [*fresh, *crate.songs]
    return {**crate.row(), "songs": fresh}
