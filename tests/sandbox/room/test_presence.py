"""Who is in a room."""

import pytest

from hangbot.sandbox.room.room import ActionRefused
from hangbot.sandbox.room.songs import default_song
from tests.sandbox.room.people import ANN, BEN, CAT, DAN, GHOST, MOD, NOW, lists, names, room_with


def test_who_enters_is_seen_by_the_room_with_his_profile() -> None:
    room = room_with(ANN)

    messages = room.presence.enter(BEN, "x")

    assert names(messages) == ["userJoined"]
    paths = [op["path"] for op in messages[0].patch or []]
    assert paths == ["/floorUsers/1", "/audienceUsers/1", "/allUsers/1", f"/allUserData/{BEN.uid}"]


def test_a_second_connection_of_a_user_is_invisible_and_so_is_its_end() -> None:
    room = room_with(ANN)

    messages = room.presence.enter(ANN, "second")
    last = room.presence.release(ANN.uid, "test")

    assert messages == []
    assert not last
    assert room.presence.release(ANN.uid, "second")


def test_who_was_never_here_cannot_be_released() -> None:
    room = room_with(ANN)

    assert not room.presence.release(ANN.uid, "unknown")
    assert not room.presence.release(BEN.uid, "test")


def test_users_are_listed_by_role_and_then_by_arrival() -> None:
    room = room_with(ANN, BEN)
    room.moderation.set_role(CAT.uid, "moderator")
    room.moderation.set_role(DAN.uid, "owner")

    room.presence.enter(CAT, "x")
    room.presence.enter(DAN, "x")

    assert lists(room, "allUsers") == ["dan", "cat", "ann", "ben"]
    assert room.state["allUsers"][0]["highestRole"] == "owner"
    assert "highestRole" not in room.state["allUsers"][2]


def test_the_playing_dj_who_leaves_takes_his_song_along() -> None:
    room = room_with(ANN, BEN)
    room.stage.add_dj(ANN.uid, default_song(1), NOW)
    room.stage.add_dj(BEN.uid, default_song(2), NOW)

    messages = room.presence.leave(ANN.uid, NOW)

    assert names(messages) == ["removedDj", "playedSong", "userLeft"]
    assert room.state["nowPlaying"]["song"]["trackName"] == "Song 2"
    assert (messages[-1].patch or [])[-1] == {"op": "remove", "path": f"/allUserData/{ANN.uid}"}


def test_the_door_knows_bans_passwords_and_the_size_of_the_room() -> None:
    room = room_with(ANN)
    room.moderation.set_role(BEN.uid, "banned")
    room.presence.password, room.presence.guest_password = "open", "ghosts"
    room.moderation.update_settings({"roomSize": 2})

    room.presence.admit(CAT, "open", None)
    room.presence.admit(GHOST, None, "ghosts")
    room.presence.admit(MOD, None, None)
    room.presence.enter(DAN, "x")

    for person, password, error in (
        (BEN, "open", "banned"),
        (CAT, "shut", "password"),
        (CAT, "open", "full"),
    ):
        with pytest.raises(ActionRefused, match=error):
            room.presence.admit(person, password, None)
    room.presence.admit(DAN, "open", None)


def test_a_guest_appears_as_in_the_recorded_example() -> None:
    room = room_with(ANN)

    patch = room.presence.enter(GHOST, "x")[0].patch or []

    assert patch[0]["value"] == {"uuid": GHOST.uid, "tokenRole": "guest", "canDj": True}
    assert set(patch[-1]["value"]["userProfile"]) == {"color", "nickname", "uuid", "avatarId"}
