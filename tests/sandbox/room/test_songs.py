from typing import Any

from hangbot.sandbox.room import songs
from tests.cases import cases, rows


def nested(depth: int) -> dict[str, Any]:
    song: dict[str, Any] = {}
    for _ in range(depth):
        song = {"links": song}
    return song


@cases(
    "value good",
    ("a song", songs.default_song(), True),
    ("a placeholder without anything", {}, True),
    ("real extras", {"thumbnails": {}, "links": {"spotify": {}}}, True),
    ("text", "song", False),
    ("list", [], False),
    ("name is a number", {"trackName": 7}, False),
    ("bottomless", nested(100), False),
    ("huge", {"trackName": "x" * 70_000}, False),
)
def test_a_client_may_hand_in_what_can_be_a_song(value: object, good: bool) -> None:  # noqa: FBT001  a table's column
    assert songs.is_song(value) is good


@rows(
    "duration ms",
    (240, 240_000),
    (0.5, 500),
    (None, 180_000),
    (-1, 180_000),
    (True, 180_000),
    ("9", 180_000),
    (10**9, 180_000),
)
def test_a_song_without_a_sensible_duration_plays_three_minutes(duration: object, ms: int) -> None:
    assert songs.duration_ms({"duration": duration}) == ms


def test_a_song_that_no_provider_knows_is_a_placeholder_until_it_is_looked_up() -> None:
    song = {"artistName": "a", "trackName": "b", "musicProviders": {"spotify": None}}

    found = songs.looked_up(song)

    assert songs.is_placeholder(song)
    assert not songs.is_placeholder(found)
    assert found == songs.looked_up(song)
    assert found["trackName"] == "b"


@rows(
    "song found",
    (None, None),
    ({}, None),
    ({"isrc": "XX1"}, "XX1"),
    ({"isrc": "XX1", "songId": "9"}, "9"),
    ({"isrc": 4}, None),
)
def test_the_id_of_a_song_is_the_best_that_it_has(song: dict[str, Any] | None, found: str | None) -> None:
    assert songs.song_id(song) == found
