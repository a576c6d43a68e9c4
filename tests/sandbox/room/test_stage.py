"""DJs and songs."""

from typing import Any

import pytest

from hangbot.sandbox.room.room import ActionRefused
from hangbot.sandbox.room.songs import default_song
from tests.cases import cases
from tests.sandbox.room.people import ANN, BEN, CAT, MOD, NOW, lists, names, room_with


def test_the_first_song_starts_at_once_and_takes_the_whole_nowplaying() -> None:
    room = room_with(ANN, BEN)
    song = default_song(1, duration_s=100)

    messages = room.stage.add_dj(ANN.uid, song, NOW)

    assert names(messages) == ["addedDj", "playedSong"]
    assert room.state["nowPlaying"] == {"song": song, "startTime": NOW, "endTime": NOW + 100_000}
    playing = {"op": "replace", "path": "/nowPlaying", "value": room.state["nowPlaying"]}
    assert playing in (messages[1].patch or [])
    assert lists(room, "djs") == ["ann"]
    assert lists(room, "floorUsers") == ["ben"]


def test_the_line_rotates_when_a_song_ends() -> None:
    room = room_with(ANN, BEN, CAT)
    for person in (ANN, BEN, CAT):
        room.stage.add_dj(person.uid, default_song(), NOW)
    room.stage.update_next_song(ANN.uid, default_song(2), NOW)

    order = []
    for _ in range(3):
        room.stage.next_song(NOW)
        order.append(lists(room, "djs")[0])

    assert order == ["ben", "cat", "ann"]


def test_a_dj_without_a_song_is_passed_over() -> None:
    room = room_with(ANN, BEN, CAT)
    room.stage.add_dj(ANN.uid, default_song(), NOW)
    room.stage.add_dj(BEN.uid, None, NOW)
    room.stage.add_dj(CAT.uid, default_song(), NOW)

    room.stage.next_song(NOW)

    assert lists(room, "djs") == ["cat", "ann", "ben"]


def test_a_dj_plays_as_many_songs_in_a_row_as_the_room_allows() -> None:
    room = room_with(ANN, BEN)
    room.moderation.update_settings({"songsPerDj": 2})
    room.stage.add_dj(ANN.uid, default_song(1), NOW)
    room.stage.add_dj(BEN.uid, default_song(2), NOW)
    room.stage.update_next_song(ANN.uid, default_song(3), NOW)
    left_first = room.state["songsRemainingForDj"]

    room.stage.next_song(NOW)
    still, left_second = lists(room, "djs")[0], room.state["songsRemainingForDj"]
    room.stage.next_song(NOW)

    assert (left_first, still, left_second) == (1, "ann", 0)
    assert lists(room, "djs")[0] == "ben"


def test_when_nothing_follows_nowplaying_becomes_null_and_stays_quiet() -> None:
    room = room_with(ANN)
    room.stage.add_dj(ANN.uid, default_song(), NOW)

    over = room.stage.next_song(NOW)
    again = room.stage.next_song(NOW)

    assert names(over) == ["playedSong"]
    assert room.state["nowPlaying"] is None
    assert again == []
    assert room.stage.song_ends_ms() is None


def test_a_next_song_starts_when_nothing_plays() -> None:
    room = room_with(ANN)
    silent = room.stage.add_dj(ANN.uid, None, NOW)

    messages = room.stage.update_next_song(ANN.uid, default_song(), NOW)

    assert names(silent) == ["addedDj"]
    assert names(messages) == ["updatedNextSong", "playedSong"]
    assert room.stage.song_ends_ms() == NOW + 240_000


def test_clearing_the_next_song_starts_nothing() -> None:
    room = room_with(ANN)
    room.stage.add_dj(ANN.uid, None, NOW)

    assert names(room.stage.update_next_song(ANN.uid, None, NOW)) == ["updatedNextSong"]


def test_a_waiting_dj_who_leaves_ends_no_song() -> None:
    room = room_with(ANN, BEN)
    room.stage.add_dj(ANN.uid, default_song(1), NOW)
    room.stage.add_dj(BEN.uid, default_song(2), NOW)

    assert names(room.stage.remove_dj(BEN.uid, None, NOW)) == ["removedDj"]
    assert room.state["nowPlaying"]["song"]["trackName"] == "Song 1"


def test_a_placeholder_is_looked_up_where_it_stands() -> None:
    room = room_with(ANN)
    placeholder = {"artistName": "a", "trackName": "b", "musicProviders": {}}

    playing = room.stage.add_dj(ANN.uid, dict(placeholder), NOW)
    waiting = room.stage.update_next_song(ANN.uid, dict(placeholder), NOW)

    assert names(playing) == ["addedDj", "playedSong", "lookedUpSong"]
    assert names(waiting) == ["updatedNextSong", "lookedUpSong"]
    assert room.state["nowPlaying"]["song"]["musicProviders"]["youtube"]
    assert room.state["djs"][0]["nextSong"]["musicProviders"]["youtube"]


def test_a_moderator_removes_a_dj_and_nobody_else_does() -> None:
    room = room_with(ANN, BEN, MOD)
    room.stage.add_dj(ANN.uid, default_song(), NOW)

    with pytest.raises(ActionRefused, match="not allowed"):
        room.stage.remove_dj(BEN.uid, ANN.uid, NOW)
    messages = room.stage.remove_dj(MOD.uid, ANN.uid, NOW)

    assert names(messages) == ["removedDj", "playedSong"]


@cases("variants allowed", ("default", {}, False), ("anyone", {"skip_by": "anyone"}, True))
def test_who_may_skip_is_a_variant(variants: dict[str, Any], allowed: bool) -> None:  # noqa: FBT001  a table's column
    room = room_with(ANN, BEN, **variants)
    room.stage.add_dj(ANN.uid, default_song(), NOW)

    if allowed:
        assert names(room.stage.skip(BEN.uid, NOW)) == ["playedSong"]
    else:
        with pytest.raises(ActionRefused, match="skip"):
            room.stage.skip(BEN.uid, NOW)


def test_a_song_after_a_song_is_many_small_replacements_and_a_new_dj_one_too() -> None:
    room = room_with(ANN, BEN)
    room.stage.add_dj(ANN.uid, default_song(1), NOW)
    room.stage.add_dj(BEN.uid, default_song(2) | {"thumbnails": {"youtube": "x"}}, NOW)
    room.stage.update_next_song(ANN.uid, default_song(3), NOW)

    patch = room.stage.next_song(NOW)[0].patch or []

    paths = {op["path"] for op in patch}
    assert {op["op"] for op in patch} <= {"add", "replace", "remove"}
    assert "/nowPlaying" not in paths
    moved = {f"/djs/{place}" for place in ("0/uuid", "0/nextSong", "1/uuid")}
    assert {"/nowPlaying/song/trackName", "/nowPlaying/song/thumbnails/youtube", *moved} <= paths
