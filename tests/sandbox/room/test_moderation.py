"""Roles, settings, profiles, kicks."""

import pytest

from hangbot.sandbox.people import People
from hangbot.sandbox.room.songs import default_song
from hangbot.sandbox.room.state import RoomMessage
from tests.sandbox.room.people import ANN, BEN, GHOST, NOW, names, room_with


def test_a_kick_takes_the_dj_off_and_tells_him_alone() -> None:
    room = room_with(ANN, BEN)
    room.stage.add_dj(ANN.uid, default_song(), NOW)

    messages = room.moderation.kick(ANN.uid, NOW)

    assert names(messages) == ["removedDj", "playedSong", "kickedFromRoom"]
    assert messages[-1] == RoomMessage("kickedFromRoom", to=ANN.uid)


def test_a_ban_is_a_kick_with_a_role() -> None:
    room = room_with(ANN)

    messages = room.moderation.kick(ANN.uid, NOW, ban=True)

    assert names(messages) == ["updatedRoomSettings", "kickedFromRoom"]
    assert room.state["settings"]["roomRoles"][0]["role"] == "banned"


def test_changed_settings_and_roles_stand_below_settings() -> None:
    room = room_with(ANN)

    changed = room.moderation.update_settings({"songsPerDj": 2})
    given = room.moderation.set_role(BEN.uid, "moderator")

    assert changed[0].patch == [{"op": "replace", "path": "/settings/songsPerDj", "value": 2}]
    assert given[0].patch is not None
    assert given[0].patch[0]["path"] == "/settings/roomRoles/0"
    fields = "id roomId userUuid role expirationTime createdAt updatedAt"
    assert set(given[0].patch[0]["value"]) == set(fields.split())


def test_a_guest_password_is_told_and_asked_for() -> None:
    room = room_with(ANN)

    set_, taken = room.moderation.set_guest_password("boo"), room.moderation.set_guest_password(None)

    assert names(set_ + taken) == ["updatedGuestPassword"] * 2
    assert [op["value"] for message in set_ + taken for op in message.patch or []] == [True, False]
    room.presence.admit(GHOST, None, None)


def test_a_role_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="no such room role"):
        room_with(ANN).moderation.set_role(ANN.uid, "king")


def test_a_profile_change_shows() -> None:
    people = People(lambda: 0.0)
    eve = people.add("eve")
    room = room_with(eve)

    messages = room.moderation.update_profile(people.change(eve.uid, nickname="Eva"))

    path = f"/allUserData/{eve.uid}/userProfile/nickname"
    assert messages[0].patch == [{"op": "replace", "path": path, "value": "Eva"}]
    assert room.moderation.update_profile(BEN) == []
