import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import jsonpatch
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from hangbot.sandbox.people import People, Person
from hangbot.sandbox.room.room import ActionRefused, Room
from hangbot.sandbox.room.songs import default_song
from hangbot.sandbox.room.state import RoomMessage
from hangbot.sandbox.room.variants import RoomVariants

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = 1_800_000_000_000
PEOPLE = People(lambda: 1_800_000_000.0)
ANN, BEN, CAT, DAN = (PEOPLE.add(name) for name in ("ann", "ben", "cat", "dan"))
MOD = PEOPLE.add("mod", role="globalModerator")
GHOST = PEOPLE.add("ghost-9910", role="guest")


def room_with(*people: Person, **variants: Any) -> Room:  # noqa: ANN401  passed on
    room = Room("room-uuid", "room", "Room", RoomVariants(**variants))
    for person in people:
        room.presence.enter(person, "test")
    return room


def names(messages: list[RoomMessage]) -> list[str]:
    return [message.name for message in messages]


def lists(room: Room, key: str) -> list[str]:
    return [PEOPLE.get(user["uuid"]).nickname for user in room.state[key]]


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


def test_the_first_song_starts_at_once_and_takes_the_whole_nowplaying() -> None:
    room = room_with(ANN, BEN)
    song = default_song(1, duration_s=100)

    messages = room.stage.add_dj(ANN.uid, song, NOW)

    assert names(messages) == ["addedDj", "playedSong"]
    assert room.state["nowPlaying"] == {"song": song, "startTime": NOW, "endTime": NOW + 100_000}
    assert {"op": "replace", "path": "/nowPlaying", "value": room.state["nowPlaying"]} in (
        messages[1].patch or []
    )
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


def test_the_playing_dj_who_leaves_takes_his_song_along() -> None:
    room = room_with(ANN, BEN)
    room.stage.add_dj(ANN.uid, default_song(1), NOW)
    room.stage.add_dj(BEN.uid, default_song(2), NOW)

    messages = room.presence.leave(ANN.uid, NOW)

    assert names(messages) == ["removedDj", "playedSong", "userLeft"]
    assert room.state["nowPlaying"]["song"]["trackName"] == "Song 2"
    assert (messages[-1].patch or [])[-1] == {"op": "remove", "path": f"/allUserData/{ANN.uid}"}


def test_a_waiting_dj_who_leaves_ends_no_song() -> None:
    room = room_with(ANN, BEN)
    room.stage.add_dj(ANN.uid, default_song(1), NOW)
    room.stage.add_dj(BEN.uid, default_song(2), NOW)

    assert names(room.stage.remove_dj(BEN.uid, None, NOW)) == ["removedDj"]
    assert room.state["nowPlaying"]["song"]["trackName"] == "Song 1"


def test_votes_count_and_a_later_vote_replaces_the_earlier() -> None:
    room = room_with(*(PEOPLE.add(f"u{n}") for n in range(7)), ANN, BEN, CAT)
    room.stage.add_dj(ANN.uid, default_song(), NOW)

    liked = room.votes.cast(BEN.uid, {"like": True})
    vibe = room.state["vibeMeter"]
    room.votes.cast(CAT.uid, {"like": True, "star": True})
    room.votes.cast(BEN.uid, {"like": False})

    assert [op["path"] for op in liked[0].patch or []] == [
        "/voteCounts/likes",
        "/vibeMeter",
        f"/allUserData/{BEN.uid}/songVotes/like",
    ]
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


@pytest.mark.parametrize(
    ("variants", "allowed"),
    [pytest.param({}, False, id="default"), pytest.param({"skip_by": "anyone"}, True, id="anyone")],
)
def test_who_may_skip_is_a_variant(variants: dict[str, Any], allowed: bool) -> None:  # noqa: FBT001  a table's column
    room = room_with(ANN, BEN, **variants)
    room.stage.add_dj(ANN.uid, default_song(), NOW)

    if allowed:
        assert names(room.stage.skip(BEN.uid, NOW)) == ["playedSong"]
    else:
        with pytest.raises(ActionRefused, match="skip"):
            room.stage.skip(BEN.uid, NOW)


def test_whether_a_dj_votes_on_his_own_song_is_a_variant() -> None:
    strict = room_with(ANN, dj_may_vote=False)
    strict.stage.add_dj(ANN.uid, default_song(), NOW)

    with pytest.raises(ActionRefused, match="own song"):
        strict.votes.cast(ANN.uid, {"like": True})


def test_what_cannot_be_done_is_refused_and_changes_nothing() -> None:
    room = room_with(ANN, BEN)
    room.moderation.update_settings({"numberOfDjs": 1})
    room.stage.add_dj(BEN.uid, None, NOW)
    before = repr(room.state)
    refusals = []

    acts: list[Callable[[], object]] = [
        lambda: room.votes.cast(ANN.uid, {"like": True}),
        lambda: room.stage.skip(ANN.uid, NOW),
        lambda: room.stage.add_dj(BEN.uid, None, NOW),
        lambda: room.stage.add_dj(ANN.uid, None, NOW),
        lambda: room.stage.remove_dj(ANN.uid, None, NOW),
        lambda: room.stage.update_next_song(ANN.uid, None, NOW),
        lambda: room.animate(CAT.uid, "jump", None),
    ]
    for act in acts:
        with pytest.raises(ActionRefused) as caught:
            act()
        refusals.append(str(caught.value))

    assert refusals == [
        "Nothing is playing right now.",
        "Nothing is playing right now.",
        "You are already a DJ.",
        "The DJ line is full.",
        "You are not a DJ.",
        "You are not a DJ.",
        "You are not in this room.",
    ]
    assert repr(room.state) == before


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


def test_a_reset_empties_the_room_and_keeps_its_settings() -> None:
    room = room_with(ANN)
    room.moderation.update_settings({"description": "kept"})

    messages = room.reset()

    assert names(messages) == ["roomReset"]
    assert ANN.uid not in room
    assert not room.live
    assert room.state["settings"]["description"] == "kept"


def test_a_song_after_a_song_is_many_small_replacements_and_a_new_dj_one_too() -> None:
    room = room_with(ANN, BEN)
    room.stage.add_dj(ANN.uid, default_song(1), NOW)
    room.stage.add_dj(BEN.uid, default_song(2) | {"thumbnails": {"youtube": "x"}}, NOW)
    room.stage.update_next_song(ANN.uid, default_song(3), NOW)

    patch = room.stage.next_song(NOW)[0].patch or []

    paths = {op["path"] for op in patch}
    assert {op["op"] for op in patch} <= {"add", "replace", "remove"}
    assert "/nowPlaying" not in paths
    assert {
        "/nowPlaying/song/trackName",
        "/nowPlaying/song/thumbnails/youtube",
        "/djs/0/uuid",
        "/djs/0/nextSong",
        "/djs/1/uuid",
    } <= paths


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


def test_an_animation_carries_its_parameters() -> None:
    room = room_with(ANN)

    emoji, jump = room.animate(ANN.uid, "emoji", "💜"), room.animate(ANN.uid, "jump", "💜")

    assert emoji[0].params == {"userUuid": ANN.uid, "animation": "emoji", "emoji": "💜"}
    assert jump[0].body() == {
        "name": "playedOneTimeAnimation",
        "params": {"userUuid": ANN.uid, "animation": "jump"},
    }


def test_newer_play_ids_and_large_posters_are_variants() -> None:
    room = room_with(ANN, play_id=True, poster_bytes=2_000_000)

    room.stage.add_dj(ANN.uid, default_song(), NOW)

    assert room.state["nowPlaying"]["playId"]
    assert len(room.state["settings"]["posterFile"]) > 2_000_000


def applied(state: Any, patch: Any) -> Any:  # noqa: ANN401  any JSON value
    # As it comes over the wire: no two places of the state share an object.
    return jsonpatch.apply_patch(json.loads(json.dumps(state)), json.loads(json.dumps(patch)), in_place=True)


class Replica(RuleBasedStateMachine):
    """Whatever happens in a room, a client that applies every patch strictly holds the server's state."""

    people = (ANN, BEN, CAT, DAN, MOD, GHOST)
    who = st.sampled_from(people)

    @initialize()
    def open_the_room(self) -> None:
        self.room = room_with()
        self.now = NOW
        self.replica: Any = applied(self.room.state, [])

    def hear(self, messages: list[RoomMessage]) -> None:
        for message in messages:
            if message.name == "roomReset":
                self.replica = applied(self.room.state, [])
            elif message.patch is not None:
                self.replica = applied(self.replica, message.patch)

    def attempt(self, act: Any, *args: Any) -> None:  # noqa: ANN401  a method of Room
        self.now += 1000
        with suppress(ActionRefused):
            self.hear(act(*args))

    @rule(person=who)
    def enter(self, person: Person) -> None:
        self.hear(self.room.presence.enter(person, "x"))

    @rule(person=who)
    def leave(self, person: Person) -> None:
        self.hear(self.room.presence.leave(person.uid, self.now))

    @rule(person=who, song=st.none() | st.integers(1, 3))
    def add_dj(self, person: Person, song: int | None) -> None:
        self.attempt(self.room.stage.add_dj, person.uid, song and default_song(song), self.now)

    @rule(person=who, other=st.none() | who)
    def remove_dj(self, person: Person, other: Person | None) -> None:
        self.attempt(self.room.stage.remove_dj, person.uid, other and other.uid, self.now)

    @rule(person=who, song=st.none() | st.sampled_from([{}, {"trackName": "x"}, default_song(4)]))
    def update_next_song(self, person: Person, song: dict[str, Any] | None) -> None:
        self.attempt(
            self.room.stage.update_next_song, person.uid, None if song is None else dict(song), self.now
        )

    @rule(person=who, votes=st.dictionaries(st.sampled_from(["like", "star"]), st.booleans(), min_size=1))
    def vote(self, person: Person, votes: dict[str, bool]) -> None:
        self.attempt(self.room.votes.cast, person.uid, votes)

    @rule(person=who)
    def skip(self, person: Person) -> None:
        self.attempt(self.room.stage.skip, person.uid, self.now)

    @rule()
    def song_ends(self) -> None:
        self.hear(self.room.stage.next_song(self.now))

    @rule(person=who, role=st.sampled_from([None, "owner", "coOwner", "moderator", "djDisabled", "banned"]))
    def set_role(self, person: Person, role: str | None) -> None:
        self.hear(self.room.moderation.set_role(person.uid, role))

    @rule(person=who, ban=st.booleans())
    def kick(self, person: Person, ban: bool) -> None:  # noqa: FBT001  drawn by hypothesis
        self.hear(self.room.moderation.kick(person.uid, self.now, ban=ban))

    @rule(per_dj=st.integers(1, 3))
    def change_settings(self, per_dj: int) -> None:
        self.hear(self.room.moderation.update_settings({"songsPerDj": per_dj}))

    @rule()
    def reset(self) -> None:
        self.hear(self.room.reset())

    @invariant()
    def the_replica_is_the_state(self) -> None:
        if hasattr(self, "room"):
            assert self.replica == self.room.state

    @invariant()
    def everybody_is_once_in_the_lists_where_he_belongs(self) -> None:
        if not hasattr(self, "room"):
            return
        state = self.room.state
        users = [user["uuid"] for user in state["allUsers"]]
        djs = [dj["uuid"] for dj in state["djs"]]
        floor = [user["uuid"] for user in state["floorUsers"]]
        assert len(set(users)) == len(users)
        assert set(users) == set(state["allUserData"])
        assert set(djs) <= set(users)
        assert floor == [uid for uid in users if uid not in djs]
        assert state["audienceUsers"] == state["floorUsers"]
        assert state["visibleDjs"] == state["djs"]

    @invariant()
    def the_counts_are_the_votes(self) -> None:
        if not hasattr(self, "room"):
            return
        votes = [data["songVotes"] for data in self.room.state["allUserData"].values()]
        counts = self.room.state["voteCounts"]
        assert counts["likes"] >= sum(vote.get("like") is True for vote in votes)
        assert counts["dislikes"] >= sum(vote.get("like") is False for vote in votes)
        assert 0 <= self.room.state["vibeMeter"] <= 1


class ReplicaAtLength(Replica):
    """The same for longer."""


TestReplica = Replica.TestCase
TestReplica.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
TestReplicaAtLength = pytest.mark.slow(pytest.mark.timeout(600)(ReplicaAtLength.TestCase))
TestReplicaAtLength.settings = settings(max_examples=300, stateful_step_count=50, deadline=None)


@given(st.lists(st.tuples(st.sampled_from(Replica.people), st.booleans() | st.none()), max_size=12))
def test_votes_add_up_in_any_order(votes: list[tuple[Person, bool | None]]) -> None:
    room = room_with(*Replica.people)
    room.stage.add_dj(ANN.uid, default_song(), NOW)
    last: dict[str, bool] = {}

    for person, like in votes:
        room.votes.cast(person.uid, {"star": True} if like is None else {"like": like})
        if like is not None:
            last[person.uid] = like

    counts = room.state["voteCounts"]
    assert counts["likes"] == sum(last.values())
    assert counts["dislikes"] == len(last) - sum(last.values())
