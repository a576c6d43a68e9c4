"""A room as a whole: a client that applies its patches holds its state."""

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import jsonpatch
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from hangbot.sandbox.people import Person
from hangbot.sandbox.room.room import ActionRefused
from hangbot.sandbox.room.songs import default_song
from hangbot.sandbox.room.state import RoomMessage

if TYPE_CHECKING:
    from collections.abc import Callable

from tests.sandbox.room.people import ANN, BEN, CAT, EVERYONE, NOW, names, room_with


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

    silent = "Nothing is playing right now."
    already, full, no_dj = "You are already a DJ.", "The DJ line is full.", "You are not a DJ."
    assert refusals == [silent, silent, already, full, no_dj, no_dj, "You are not in this room."]
    assert repr(room.state) == before


def test_a_reset_empties_the_room_and_keeps_its_settings() -> None:
    room = room_with(ANN)
    room.moderation.update_settings({"description": "kept"})

    messages = room.reset()

    assert names(messages) == ["roomReset"]
    assert ANN.uid not in room
    assert not room.live
    assert room.state["settings"]["description"] == "kept"


def test_an_animation_carries_its_parameters() -> None:
    room = room_with(ANN)

    emoji, jump = room.animate(ANN.uid, "emoji", "💜"), room.animate(ANN.uid, "jump", "💜")

    assert emoji[0].params == {"userUuid": ANN.uid, "animation": "emoji", "emoji": "💜"}
    params = {"userUuid": ANN.uid, "animation": "jump"}
    assert jump[0].body() == {"name": "playedOneTimeAnimation", "params": params}


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

    who = st.sampled_from(EVERYONE)

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
