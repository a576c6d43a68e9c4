"""What happened in a room, told from its state before and after."""

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hangbot.bot.events import (
    DjAdded,
    DjRemoved,
    Event,
    Joined,
    Kicked,
    RoomEvent,
    RoomReset,
    SongEnded,
    SongStarted,
    User,
    UserJoined,
    UserLeft,
    VoteChanged,
    Votes,
)
from hangbot.hangfm.wire.events import RoomMessage
from hangbot.hangfm.wire.room_events import RoomEvents
from hangbot.hangfm.wire.state import RoomState
from hangbot.sandbox.room.patches import compare
from tests.cases import cases

UUIDS = ["ann", "bob", "cid", "dora", "e/e~"]
Raw = dict[str, Any]


def raw(
    users: Sequence[str] = ("ann", "bob"),
    djs: Sequence[str] = (),
    song: int | None = None,
    votes: dict[str, dict[str, bool]] | None = None,
    **more: Any,  # noqa: ANN401  parts of a JSON document
) -> Raw:
    votes = votes or {}
    likes = [vote.get("like") for vote in votes.values()]
    state = {
        "allUserData": {
            uuid: {"userProfile": {"nickname": uuid.title()}, "songVotes": votes.get(uuid, {})}
            for uuid in users
        },
        "allUsers": [{"uuid": uuid, "tokenRole": "user"} for uuid in users],
        "floorUsers": [{"uuid": uuid, "tokenRole": "user"} for uuid in users if uuid not in djs],
        "djs": [{"uuid": uuid, "nextSong": None} for uuid in djs],
        "nowPlaying": None if song is None else playing(song),
        "settings": {"name": "Lab", "roomRoles": [{"userUuid": "ann", "role": "owner"}]},
        "voteCounts": {
            "likes": likes.count(True),
            "dislikes": likes.count(False),
            "stars": sum(vote.get("star") is True for vote in votes.values()),
        },
    }
    return state | more


def playing(number: int, start: int | None = None) -> Raw:
    song = {"songId": f"s{number}", "artistName": "A", "trackName": f"T{number}", "duration": 180}
    return {"song": song, "startTime": 1000 * (start or number), "endTime": 0, "playId": None}


class Room:
    """A room that is followed: its state on the server, and on the bot's side."""

    def __init__(self, first: Raw) -> None:
        self.server = first
        self.events = RoomEvents("room")
        self.state = RoomState(copy.deepcopy(first))
        self.joined = self.events.join(self.state)

    def becomes(self, after: Raw, name: str = "userJoined") -> list[Event]:
        patch = compare(self.server, after)
        self.server = after
        crowd = self.state.apply(copy.deepcopy(patch))
        return self.events.message(RoomMessage(name, patch), self.state, crowd)

    def rejoins(self, after: Raw) -> list[Event]:
        self.server, self.state = after, RoomState(copy.deepcopy(after))
        return self.events.join(self.state)


def short(events: Sequence[Event]) -> list[str]:
    """Say what happened in a few words."""
    return [_short(event) for event in events]


def _short(event: Event) -> str:
    after = "*" if getattr(event, "catch_up", False) else ""
    match event:
        case UserJoined(user):
            return f"+{user.uuid}{after}"
        case UserLeft(user):
            return f"-{user.uuid}{after}"
        case DjAdded(uuid):
            return f"dj+{uuid}{after}"
        case DjRemoved(uuid):
            return f"dj-{uuid}{after}"
        case SongStarted(song):
            return f"starts {song.title}{after}"
        case SongEnded(song, votes):
            return f"ends {song.title} {votes.likes}/{votes.dislikes}/{votes.stars}{after}"
        case VoteChanged(uuid, like, star, votes):
            said = f"{uuid} {like} {star}" if uuid else "counts"
            return f"vote {said} {votes.likes}/{votes.dislikes}/{votes.stars}{after}"
    return type(event).__name__


LIKES = {"ann": {"like": True}}


@cases(
    "before after happened",
    ("a user comes", raw(), raw(["ann", "bob", "cid"]), ["+cid"]),
    ("in the middle of the list", raw(), raw(["ann", "cid", "bob"]), ["+cid"]),
    ("one leaves", raw(["ann", "bob", "cid"]), raw(["ann", "cid"]), ["-bob"]),
    ("one for another", raw(), raw(["ann", "cid"]), ["-bob", "+cid"]),
    ("only the order", raw(), raw(["bob", "ann"]), []),
    ("a DJ", raw(), raw(djs=["ann"]), ["dj+ann"]),
    ("the line moves on", raw(djs=["ann", "bob"]), raw(djs=["bob", "ann"]), []),
    ("a DJ goes", raw(djs=["ann", "bob"]), raw(djs=["bob"]), ["dj-ann"]),
    ("a DJ leaves the room", raw(djs=["ann", "bob"]), raw(["ann"], ["ann"]), ["-bob", "dj-bob"]),
    ("a song after none", raw(), raw(song=1), ["starts T1"]),
    ("a song after a song", raw(song=1, votes=LIKES), raw(song=2), ["ends T1 1/0/0", "starts T2"]),
    ("the last one", raw(song=1, votes=LIKES), raw(), ["ends T1 1/0/0"]),
    ("a vote", raw(song=1), raw(song=1, votes=LIKES), ["vote ann True False 1/0/0"]),
    ("taken back", raw(song=1, votes=LIKES), raw(song=1), ["vote ann None False 0/0/0"]),
    (
        "turned",
        raw(song=1, votes=LIKES),
        raw(song=1, votes={"ann": {"like": False}}),
        ["vote ann False False 0/1/0"],
    ),
    ("a star", raw(song=1), raw(song=1, votes={"bob": {"star": True}}), ["vote bob None True 0/0/1"]),
    ("counts alone", raw(song=1), raw(song=1, voteCounts={"likes": 2}), ["vote counts 2/0/0"]),
    ("a vibe", raw(song=1, vibeMeter=0.1), raw(song=1, vibeMeter=0.2), []),
    ("the counts of nothing", raw(), raw(voteCounts=None), []),
)
def test_a_patch_is_told_as_what_is_different_after_it(before: Raw, after: Raw, happened: list[str]) -> None:
    room = Room(before)

    assert short(room.becomes(after)) == happened


@cases("roles role", ("given", [{"userUuid": "bob", "role": "moderator"}], "moderator"), ("taken", [], None))
def test_a_role_that_the_settings_give_or_take_is_known_of_a_user_who_is_there(
    roles: list[Raw], role: str | None
) -> None:
    before = [] if roles else [{"userUuid": "bob", "role": "moderator"}]
    room = Room(raw(settings={"name": "Lab", "roomRoles": before}))

    told = room.becomes(raw(settings={"name": "Lab", "roomRoles": roles}), "updatedRoomSettings")
    left = room.becomes(raw(["ann"], settings={"name": "Lab", "roomRoles": roles}), "userLeft")

    assert short(told) == ["RoomEvent"]
    assert left == [UserLeft(User("bob", "Bob", "user", role))]


@cases(
    "before after happened",
    ("nothing", raw(song=1), raw(song=1), []),
    ("all at once",
     raw(["ann", "bob"], ["ann"], 1, LIKES), raw(["bob", "cid"], ["cid"], 4),
     ["-ann*", "+cid*", "dj-ann*", "dj+cid*", "ends T1 1/0/0*", "starts T4*"]),
    ("votes on the same song", raw(song=1), raw(song=1, votes=LIKES), ["vote ann True False 1/0/0*"]),
    ("counts alone", raw(song=1), raw(song=1, voteCounts={"likes": 3}), ["vote counts 3/0/0*"]),
)  # fmt: skip
def test_a_rejoin_is_told_as_what_is_different_once(before: Raw, after: Raw, happened: list[str]) -> None:
    room = Room(before)

    assert short(room.rejoins(after)) == happened
    assert short(room.rejoins(after)) == []


def test_the_first_join_shows_the_room_and_nothing_else() -> None:
    (joined,) = Room(raw(["ann", "bob"], ["bob"], 3, LIKES)).joined

    assert isinstance(joined, Joined)
    snapshot = joined.state
    assert (snapshot.uuid, snapshot.name, snapshot.djs, snapshot.votes) == ("room", "Lab", ("bob",), Votes(1))
    assert snapshot.users == (User("ann", "Ann", "user", "owner"), User("bob", "Bob", "user"))
    song = snapshot.song
    assert song is not None
    assert (song.id, song.artist, song.title, song.dj, song.started_at) == ("s3", "A", "T3", "bob", 3.0)


def test_profiles_that_come_late_are_no_event_and_give_the_names() -> None:
    whole = raw(["ann", "bob"], [], 1, LIKES)
    room = Room({**whole, "allUserData": {}})

    assert short(room.becomes(whole, "updatedUserData")) == []
    assert room.becomes(raw(["ann"], [], 1, LIKES)) == [UserLeft(User("bob", "Bob", "user"))]


def test_votes_of_before_a_loss_are_compared_when_the_profiles_have_come() -> None:
    room = Room(raw(["ann", "bob"], [], 1, LIKES))
    whole = raw(["ann", "bob"], [], 1, LIKES | {"bob": {"star": True}})

    assert short(room.rejoins({**whole, "allUserData": {}})) == []
    assert short(room.becomes(whole, "updatedUserData")) == ["vote bob None True 1/0/1*"]


def test_a_vote_on_a_profile_that_has_not_come_is_heard() -> None:
    whole = raw(["ann", "bob"], [], 1)
    room = Room({**whole, "allUserData": {}})
    patch = [
        {"op": "replace", "path": "/voteCounts/likes", "value": 1},
        {"op": "add", "path": "/allUserData/ann/songVotes/like", "value": True},
    ]

    crowd = room.state.apply(copy.deepcopy(patch))
    happened = room.events.message(RoomMessage("votedOnSong", patch), room.state, crowd)

    assert short(happened) == ["vote ann True False 1/0/0"]


@cases(
    "now happened",
    ("at another time", playing(1, 5), ["ends T1 0/0/0", "starts T1"]),
    ("looked up meanwhile", {**playing(1), "song": {"songId": "s1", "trackName": "Found"}}, []),
    ("played anew", {**playing(1), "playId": "p2"}, ["ends T1 0/0/0", "starts T1"]),
)
def test_the_same_song_twice_in_a_row_begins_twice(now: Raw, happened: list[str]) -> None:
    room = Room(raw(song=1))

    assert short(room.becomes(raw(nowPlaying=now), "playedSong")) == happened


def test_a_song_that_was_looked_up_ends_under_its_own_name() -> None:
    room = Room(raw(djs=["ann"], song=1))
    room.becomes(raw(djs=["ann"], nowPlaying={**playing(1), "song": {"trackName": "Found"}}), "lookedUpSong")

    _, ended = room.becomes(raw(djs=["bob", "ann"]), "playedSong")

    assert isinstance(ended, SongEnded)
    assert (ended.song.title, ended.song.dj) == ("Found", "ann")


def test_roles_are_the_servers_and_follow_it() -> None:
    room = Room(raw())
    users = [
        {"uuid": "ann", "tokenRole": "user"},
        {"uuid": "bob", "tokenRole": "user", "highestRole": "moderator"},
    ]
    profile = {"bob": {"userProfile": {"nickname": "Bob", "highestRole": "owner"}, "songVotes": {}}}

    assert room.becomes(raw(allUsers=users, allUserData=profile)) == []
    assert room.becomes(raw(["ann"])) == [UserLeft(User("bob", "Bob", "user", "moderator"))]


def test_messages_that_nothing_else_stands_for_are_heard_by_their_own_name() -> None:
    events = RoomEvents("room")

    heard = [
        events.message(RoomMessage(name, params={"userUuid": "ann"}), None, None)
        for name in ("kickedFromRoom", "roomReset", "playedOneTimeAnimation", "userJoined")
    ]

    assert heard == [
        [Kicked()],
        [RoomReset()],
        [RoomEvent("playedOneTimeAnimation", {"userUuid": "ann"})],
        [],
    ]


# -- any room


class Model(NamedTuple):
    """What is known of a room by its events alone."""

    users: frozenset[str]
    djs: frozenset[str]
    song: str | None
    votes: Votes

    def after(self, events: Sequence[Event]) -> "Model":
        users, djs, song, votes = set(self.users), set(self.djs), self.song, self.votes
        for event in events:
            match event:
                case UserJoined(user):
                    assert user.uuid not in users
                    users.add(user.uuid)
                case UserLeft(user):
                    users.remove(user.uuid)
                case DjAdded(uuid):
                    djs.add(uuid)
                case DjRemoved(uuid):
                    djs.remove(uuid)
                case SongEnded(ended, tally):
                    assert (ended.title, tally) == (song, votes)
                    song = None
                case SongStarted(started):
                    assert song is None
                    song = started.title
                case VoteChanged(votes=tally):
                    votes = tally
        return Model(frozenset(users), frozenset(djs), song, votes)


VOTES = st.fixed_dictionaries({}, optional={"like": st.booleans(), "star": st.booleans()})


@st.composite
def rooms(draw: st.DrawFn) -> Raw:
    users = draw(st.lists(st.sampled_from(UUIDS), unique=True))
    djs = draw(st.lists(st.sampled_from(UUIDS), unique=True, max_size=3))
    song = draw(st.none() | st.integers(1, 3))
    votes = draw(st.dictionaries(st.sampled_from(users), VOTES)) if users and song else {}
    return raw(users, djs, song, votes)


def model_of(state: Raw) -> Model:
    counts = state["voteCounts"]
    playing = state["nowPlaying"]
    return Model(
        frozenset(user["uuid"] for user in state["allUsers"]),
        frozenset(dj["uuid"] for dj in state["djs"]),
        playing and playing["song"]["trackName"],
        Votes(counts["likes"], counts["dislikes"], counts["stars"]),
    )


STEPS = st.lists(st.tuples(rooms(), st.sampled_from(["patch", "rejoin"])), min_size=2, max_size=8)


@given(STEPS)
def test_the_events_say_all_that_is_different(steps: list[tuple[Raw, str]]) -> None:
    assert_the_events_say_all(steps)


@pytest.mark.slow
@settings(max_examples=300)
@given(STEPS)
def test_the_events_say_all_that_is_different_over_many_runs(steps: list[tuple[Raw, str]]) -> None:
    assert_the_events_say_all(steps)


def assert_the_events_say_all(steps: list[tuple[Raw, str]]) -> None:
    room = Room(copy.deepcopy(steps[0][0]))
    model = model_of(steps[0][0])

    for after, way in steps[1:]:
        events = room.becomes(after) if way == "patch" else room.rejoins(after)
        model = model.after(events)
        expected = model_of(after)
        # The votes of a song that ended, and of one that begins, are part of these events themselves.
        song_changed = any(isinstance(event, SongEnded | SongStarted) for event in events)
        model = model._replace(votes=expected.votes) if song_changed else model
        assert model == expected
