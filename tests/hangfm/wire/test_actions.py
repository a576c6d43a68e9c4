from typing import Any

import pytest

from hangbot.errors import UsageError
from hangbot.hangfm.wire.actions import ACTIONS, check_name, find_action, song_id
from hangbot.hangfm.wire.state import RoomState
from tests.cases import cases, rows

Json = dict[str, Any]
ME = "me"
SONG = {"artistName": "A", "trackName": "T", "isrc": "X1", "musicProviders": {"youtube": "y"}}
OTHER = SONG | {"trackName": "Other", "isrc": "X2"}
PLAYING = {"song": OTHER, "startTime": 100, "endTime": 200, "playId": "p1"}


def room(**parts: Any) -> RoomState:  # noqa: ANN401  parts of a JSON document
    return RoomState({"allUsers": [], "djs": [], "nowPlaying": None} | parts)


def dj(uuid: str, song: object = None) -> dict[str, object]:
    return {"uuid": uuid, "nextSong": song}


def voted(**votes: bool) -> RoomState:
    return room(allUserData={ME: {"songVotes": votes}}, nowPlaying=PLAYING)


def tell(action: str, params: dict[str, Any], state: RoomState | None, before: object = None) -> bool | None:
    return find_action(action).took_effect(params, ME, state, before)


@cases(
    "state key",
    ("no state", None, None),
    ("silence", room(), None),
    ("a song with a play id", room(nowPlaying=PLAYING), ("p1", 100)),
    ("a song of an older server", room(nowPlaying={"startTime": 5}), (None, 5)),
)
def test_a_song_is_told_from_others_by_its_play_and_start(state: RoomState | None, key: object) -> None:
    assert song_id(state) == key


@pytest.mark.parametrize("name", [*ACTIONS, "kickUser", "nope", "", "vote", "x" * 100_000])
def test_a_known_action_and_one_of_another_kind_may_be_sent(name: str) -> None:
    check_name(name)


@rows("name meant", ("voteOnsong", "voteOnSong"), ("addDJ", "addDj"), ("updateNextSongs", "updateNextSong"))
def test_a_misspelt_action_is_refused_with_what_was_meant(name: str, meant: str) -> None:
    with pytest.raises(UsageError, match=rf"there is no room action {name}; did you mean {meant}\?"):
        check_name(name)


@pytest.mark.parametrize("action", ACTIONS)
def test_without_a_state_nothing_can_be_told(action: str) -> None:
    assert tell(action, {}, None) is None


@cases(
    "action",
    ("an animation leaves no trace", "playOneTimeAnimation"),
    ("a join is seen by its answer", "joinRoom"),
    ("an action of the staff", "resetRoom"),
)
def test_what_leaves_no_trace_cannot_be_told(action: str) -> None:
    assert tell(action, {"animation": "jump"}, room(djs=[dj(ME)])) is None


@cases(
    "state done",
    ("in the line", room(djs=[dj("you"), dj(ME)]), True),
    ("not in the line", room(djs=[dj("you")]), False),
    ("no line", room(djs=None), False),
)
def test_joining_the_line_is_seen_in_the_line(state: RoomState, done: bool) -> None:  # noqa: FBT001  a row of the table
    assert tell("addDj", {}, state) is done


@cases(
    "params done",
    ("oneself, by no name", {}, False),
    ("oneself, by null", {"djUuid": None}, False),
    ("oneself, by name", {"djUuid": ME}, False),
    ("another, who is gone", {"djUuid": "you"}, True),
)
def test_leaving_the_line_is_seen_by_who_is_still_in_it(params: dict[str, Any], done: bool) -> None:  # noqa: FBT001  a row
    assert tell("removeDj", params, room(djs=[dj(ME)])) is done


@cases(
    "params queued done",
    ("as sent", {"song": SONG}, SONG, True),
    ("another song", {"song": SONG}, OTHER, False),
    ("no song", {"song": SONG}, None, False),
    ("taken away", {"song": None}, None, True),
    ("taken away by leaving it out", {}, None, True),
    ("not taken away", {"song": None}, SONG, False),
    ("filled in", {"song": SONG | {"isrc": None}}, SONG | {"genre": "g"}, True),
    ("only a name was said", {"song": {"trackName": "T"}}, SONG, True),
    ("only another name was said", {"song": {"trackName": "U"}}, SONG, False),
    ("nothing was said to know it by", {"song": {"musicProviders": {}}}, SONG, None),
    ("no object", {"song": "spotify:track:1"}, SONG, False),
)
def test_the_next_song_is_compared_by_what_was_said(
    params: Json, queued: object, *, done: bool | None
) -> None:
    assert tell("updateNextSong", params, room(djs=[dj("you"), dj(ME, queued)])) is done


def test_who_is_no_dj_has_no_next_song_to_look_at() -> None:
    assert tell("updateNextSong", {"song": SONG}, room(djs=[dj("you", SONG)])) is None


MINE = {"song": SONG, "startTime": 300, "endTime": 400, "playId": "p2"}
PLAYS = room(djs=[dj(ME)], nowPlaying=MINE)


@cases(
    "state before done",
    ("nothing played: it plays at once", PLAYS, None, True),
    ("the song before ended: it plays now", PLAYS, ("p1", 100), True),
    ("it played before it was asked for", PLAYS, ("p2", 300), False),
    ("that of another DJ", room(djs=[dj("you"), dj(ME)], nowPlaying=MINE), None, False),
    ("another song", room(djs=[dj(ME)], nowPlaying=MINE | {"song": OTHER}), None, False),
)
def test_a_next_song_that_plays_is_not_sent_again(state: RoomState, before: object, *, done: bool) -> None:
    assert tell("updateNextSong", {"song": SONG}, state, before) is done


@cases(
    "votes state done",
    ("like", {"like": True}, voted(like=True), True),
    ("like beside a star", {"like": True}, voted(like=True, star=True), True),
    ("the star is missing", {"like": True, "star": True}, voted(like=True), False),
    ("the opposite", {"like": True}, voted(like=False), False),
    ("no vote", {"like": True}, voted(), False),
    ("no data of the user", {"like": True}, room(nowPlaying=PLAYING), False),
    ("no votes said", None, voted(like=True), False),
    ("no object", ["like"], voted(like=True), False),
)
def test_a_vote_is_seen_in_the_users_votes(votes: object, state: RoomState, done: bool) -> None:  # noqa: FBT001  a row
    assert tell("voteOnSong", {"songVotes": votes}, state, ("p1", 100)) is done


@cases("state", ("cleared", voted()), ("a vote on the next song", voted(like=True)))
def test_votes_that_went_with_their_song_tell_nothing(state: RoomState) -> None:
    assert tell("voteOnSong", {"songVotes": {"like": True}}, state, ("p0", 1)) is None


@cases(
    "before done",
    ("the same song plays", ("p1", 100), False),
    ("another play", ("p0", 100), True),
    ("nothing played", None, True),
)
def test_a_skip_is_seen_when_another_song_plays(before: object, done: bool) -> None:  # noqa: FBT001  a row of the table
    assert tell("skipSong", {}, room(nowPlaying=PLAYING), before) is done


def test_a_skip_to_silence_is_seen_too() -> None:
    assert tell("skipSong", {}, room(), ("p1", 100)) is True
