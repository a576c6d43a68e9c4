"""Votes on the playing song."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangbot.sandbox.people import Person
from hangbot.sandbox.room.room import ActionRefused
from hangbot.sandbox.room.songs import default_song
from tests.sandbox.room.people import ANN, BEN, CAT, EVERYONE, NOW, PEOPLE, room_with


def test_votes_count_and_a_later_vote_replaces_the_earlier() -> None:
    room = room_with(*(PEOPLE.add(f"u{n}") for n in range(7)), ANN, BEN, CAT)
    room.stage.add_dj(ANN.uid, default_song(), NOW)

    liked = room.votes.cast(BEN.uid, {"like": True})
    vibe = room.state["vibeMeter"]
    room.votes.cast(CAT.uid, {"like": True, "star": True})
    room.votes.cast(BEN.uid, {"like": False})

    own = f"/allUserData/{BEN.uid}/songVotes/like"
    assert [op["path"] for op in liked[0].patch or []] == ["/voteCounts/likes", "/vibeMeter", own]
    assert vibe == pytest.approx(1 / 9)
    assert room.state["voteCounts"] == {"likes": 1, "dislikes": 1, "stars": 1}


def test_a_new_song_takes_all_votes_away() -> None:
    room = room_with(ANN, BEN, CAT)
    room.stage.add_dj(ANN.uid, default_song(1), NOW)
    room.votes.cast(BEN.uid, {"like": True})
    room.votes.cast(CAT.uid, {"star": True})

    room.stage.next_song(NOW)

    assert room.state["voteCounts"] == {"likes": 0, "dislikes": 0, "stars": 0}
    assert all(data["songVotes"] == {} for data in room.state["allUserData"].values())


def test_whether_a_dj_votes_on_his_own_song_is_a_variant() -> None:
    strict = room_with(ANN, dj_may_vote=False)
    strict.stage.add_dj(ANN.uid, default_song(), NOW)

    with pytest.raises(ActionRefused, match="own song"):
        strict.votes.cast(ANN.uid, {"like": True})


@given(st.lists(st.tuples(st.sampled_from(EVERYONE), st.booleans() | st.none()), max_size=12))
def test_votes_add_up_in_any_order(votes: list[tuple[Person, bool | None]]) -> None:
    room = room_with(*EVERYONE)
    room.stage.add_dj(ANN.uid, default_song(), NOW)
    last: dict[str, bool] = {}

    for person, like in votes:
        room.votes.cast(person.uid, {"star": True} if like is None else {"like": like})
        if like is not None:
            last[person.uid] = like

    counts = room.state["voteCounts"]
    assert counts["likes"] == sum(last.values())
    assert counts["dislikes"] == len(last) - sum(last.values())
