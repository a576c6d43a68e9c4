from typing import Any

import pytest

from hangbot.errors import UsageError
from hangbot.hangfm.wire.actions import ACTIONS, check_name, find_action, song_id
from hangbot.hangfm.wire.state import RoomState

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


@pytest.mark.parametrize(
    ("state", "key"),
    [
        pytest.param(None, None, id="no state"),
        pytest.param(room(), None, id="silence"),
        pytest.param(room(nowPlaying=PLAYING), ("p1", 100), id="a song with a play id"),
        pytest.param(room(nowPlaying={"startTime": 5}), (None, 5), id="a song of an older server"),
    ],
)
def test_a_song_is_told_from_others_by_its_play_and_start(state: RoomState | None, key: object) -> None:
    assert song_id(state) == key


@pytest.mark.parametrize("name", [*ACTIONS, "kickUser", "nope", "", "vote", "x" * 100_000])
def test_a_known_action_and_one_of_another_kind_may_be_sent(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize(
    ("name", "meant"),
    [("voteOnsong", "voteOnSong"), ("addDJ", "addDj"), ("updateNextSongs", "updateNextSong")],
)
def test_a_misspelt_action_is_refused_with_what_was_meant(name: str, meant: str) -> None:
    with pytest.raises(UsageError, match=rf"there is no room action {name}; did you mean {meant}\?"):
        check_name(name)


@pytest.mark.parametrize("action", ACTIONS)
def test_without_a_state_nothing_can_be_told(action: str) -> None:
    assert tell(action, {}, None) is None


@pytest.mark.parametrize(
    "action",
    [
        pytest.param("playOneTimeAnimation", id="an animation leaves no trace"),
        pytest.param("joinRoom", id="a join is seen by its answer"),
        pytest.param("resetRoom", id="an action of the staff"),
    ],
)
def test_what_leaves_no_trace_cannot_be_told(action: str) -> None:
    assert tell(action, {"animation": "jump"}, room(djs=[dj(ME)])) is None


@pytest.mark.parametrize(
    ("state", "done"),
    [
        pytest.param(room(djs=[dj("you"), dj(ME)]), True, id="in the line"),
        pytest.param(room(djs=[dj("you")]), False, id="not in the line"),
        pytest.param(room(djs=None), False, id="no line"),
    ],
)
def test_joining_the_line_is_seen_in_the_line(state: RoomState, done: bool) -> None:  # noqa: FBT001  a row of the table
    assert tell("addDj", {}, state) is done


@pytest.mark.parametrize(
    ("params", "done"),
    [
        pytest.param({}, False, id="oneself, by no name"),
        pytest.param({"djUuid": None}, False, id="oneself, by null"),
        pytest.param({"djUuid": ME}, False, id="oneself, by name"),
        pytest.param({"djUuid": "you"}, True, id="another, who is gone"),
    ],
)
def test_leaving_the_line_is_seen_by_who_is_still_in_it(params: dict[str, Any], done: bool) -> None:  # noqa: FBT001  a row
    assert tell("removeDj", params, room(djs=[dj(ME)])) is done


@pytest.mark.parametrize(
    ("params", "queued", "done"),
    [
        pytest.param({"song": SONG}, SONG, True, id="as sent"),
        pytest.param({"song": SONG}, OTHER, False, id="another song"),
        pytest.param({"song": SONG}, None, False, id="no song"),
        pytest.param({"song": None}, None, True, id="taken away"),
        pytest.param({}, None, True, id="taken away by leaving it out"),
        pytest.param({"song": None}, SONG, False, id="not taken away"),
        pytest.param({"song": SONG | {"isrc": None}}, SONG | {"genre": "g"}, True, id="filled in"),
        pytest.param({"song": {"trackName": "T"}}, SONG, True, id="only a name was said"),
        pytest.param({"song": {"trackName": "U"}}, SONG, False, id="only another name was said"),
        pytest.param({"song": {"musicProviders": {}}}, SONG, None, id="nothing was said to know it by"),
        pytest.param({"song": "spotify:track:1"}, SONG, False, id="no object"),
    ],
)
def test_the_next_song_is_compared_by_what_was_said_of_it(
    params: dict[str, Any],
    queued: object,
    done: bool | None,  # noqa: FBT001  a row of the table
) -> None:
    assert tell("updateNextSong", params, room(djs=[dj("you"), dj(ME, queued)])) is done


def test_who_is_no_dj_has_no_next_song_to_look_at() -> None:
    assert tell("updateNextSong", {"song": SONG}, room(djs=[dj("you", SONG)])) is None


MINE = {"song": SONG, "startTime": 300, "endTime": 400, "playId": "p2"}
PLAYS = room(djs=[dj(ME)], nowPlaying=MINE)


@pytest.mark.parametrize(
    ("state", "before", "done"),
    [
        pytest.param(PLAYS, None, True, id="nothing played: it plays at once"),
        pytest.param(PLAYS, ("p1", 100), True, id="the song before ended: it plays now"),
        pytest.param(PLAYS, ("p2", 300), False, id="it played before it was asked for"),
        pytest.param(room(djs=[dj("you"), dj(ME)], nowPlaying=MINE), None, False, id="that of another DJ"),
        pytest.param(room(djs=[dj(ME)], nowPlaying=MINE | {"song": OTHER}), None, False, id="another song"),
    ],
)
def test_a_next_song_that_plays_already_is_not_sent_again(
    state: RoomState,
    before: object,
    done: bool,  # noqa: FBT001  a row of the table
) -> None:
    assert tell("updateNextSong", {"song": SONG}, state, before) is done


@pytest.mark.parametrize(
    ("votes", "state", "done"),
    [
        pytest.param({"like": True}, voted(like=True), True, id="like"),
        pytest.param({"like": True}, voted(like=True, star=True), True, id="like beside a star"),
        pytest.param({"like": True, "star": True}, voted(like=True), False, id="the star is missing"),
        pytest.param({"like": True}, voted(like=False), False, id="the opposite"),
        pytest.param({"like": True}, voted(), False, id="no vote"),
        pytest.param({"like": True}, room(nowPlaying=PLAYING), False, id="no data of the user"),
        pytest.param(None, voted(like=True), False, id="no votes said"),
        pytest.param(["like"], voted(like=True), False, id="no object"),
    ],
)
def test_a_vote_is_seen_in_the_users_votes(votes: object, state: RoomState, done: bool) -> None:  # noqa: FBT001  a row
    assert tell("voteOnSong", {"songVotes": votes}, state, ("p1", 100)) is done


@pytest.mark.parametrize("state", [voted(), voted(like=True)], ids=["cleared", "a vote on the next song"])
def test_votes_that_went_with_their_song_tell_nothing(state: RoomState) -> None:
    assert tell("voteOnSong", {"songVotes": {"like": True}}, state, ("p0", 1)) is None


@pytest.mark.parametrize(
    ("before", "done"),
    [
        pytest.param(("p1", 100), False, id="the same song plays"),
        pytest.param(("p0", 100), True, id="another play"),
        pytest.param(None, True, id="nothing played"),
    ],
)
def test_a_skip_is_seen_when_another_song_plays(before: object, done: bool) -> None:  # noqa: FBT001  a row of the table
    assert tell("skipSong", {}, room(nowPlaying=PLAYING), before) is done


def test_a_skip_to_silence_is_seen_too() -> None:
    assert tell("skipSong", {}, room(), ("p1", 100)) is True
