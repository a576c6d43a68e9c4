import copy
import json
from typing import Any

import jsonpatch
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hangbot.errors import WireError
from hangbot.hangfm.wire.events import RoomMessage
from hangbot.hangfm.wire.frames import Reply, decode
from hangbot.hangfm.wire.state import RoomState
from tests.cases import cases
from tests.hangfm.wire.documents import recorded

BOT = "11111111-1111-4111-8111-111111111111"
Patch = list[dict[str, Any]]


def room_state(**changes: Any) -> dict[str, Any]:  # noqa: ANN401  parts of a JSON document
    state: dict[str, Any] = {
        "allUserData": {"me": {"userProfile": {"nickname": "Bot"}, "songVotes": {"like": True}}},
        "allUsers": [{"uuid": "me", "tokenRole": "bot"}, {"uuid": "you", "tokenRole": "user"}],
        "djs": [{"uuid": "you", "nextSong": None}],
        "nowPlaying": {"song": {"trackName": "T"}, "startTime": 1, "endTime": 2, "playId": "p"},
        "settings": {"name": "Lab Room"},
        "voteCounts": {"likes": 0, "dislikes": 0, "stars": 0},
    }
    return state | changes


def test_a_recorded_session_is_followed_from_the_join_to_the_end() -> None:
    events = [decode(row["frame"]) for row in recorded("room_session.jsonl") if row["from"] == "server"]
    joined = next(event for event in events if isinstance(event, Reply))

    state = RoomState(joined.fields["state"])
    songs = []
    for event in events:
        if isinstance(event, RoomMessage) and event.patch is not None:
            state.apply(event.patch)
            playing = state.now_playing()
            songs.append(playing["song"]["trackName"] if playing else None)

    assert songs == [None, None, "First", "First", "First", "Second", "Second", None]
    assert list(state.users()) == [BOT]
    assert state.nickname(BOT) == "nick-1111"
    assert state.room_name() == "Lab Room"
    assert state.djs() == []


@pytest.mark.parametrize("answer", [{}, {"allUsers": None}, {"allUsers": {}}])
def test_an_answer_without_users_is_no_room_state(answer: dict[str, object]) -> None:
    with pytest.raises(WireError, match="no room state"):
        RoomState(answer)


def test_a_vote_is_seen_after_its_patch() -> None:
    state = RoomState(room_state())

    star = {"op": "add", "path": "/allUserData/me/songVotes/star", "value": True}
    state.apply([{"op": "replace", "path": "/voteCounts/likes", "value": 1}, star])

    assert state.votes("me") == {"like": True, "star": True}
    assert state.data["voteCounts"]["likes"] == 1


def nested(depth: int) -> dict[str, Any]:
    root: dict[str, Any] = {}
    inner = root
    for _ in range(depth):
        inner["x"] = {}
        inner = inner["x"]
    return root


DEEP = {"op": "add", "path": "/deep", "value": nested(5_000)}
TOO_DEEP: Patch = [DEEP, {"op": "copy", "from": "/deep", "path": "/x"}]
FITS, WHOLE, USERS = "does not fit the room state", "replaced the whole room", "took the list `allUsers`"


# What does not fit, the table of `test_patch` says; here is that it is whole or not at all, and why.
@cases(
    "patch says",
    ("a position", [{"op": "remove", "path": "/djs/9"}], f"a patch of 2 operations {FITS}"),
    ("no operation", [None], FITS),
    ("a failed test", [{"op": "test", "path": "/settings/name", "value": "Other"}], FITS),
    ("deeper than the stack", None, FITS),
    ("the root, by a list", [{"op": "replace", "path": "", "value": []}], WHOLE),
    ("by a whole state", [{"op": "replace", "path": "", "value": room_state()}], WHOLE),
    ("all users removed", [{"op": "remove", "path": "/allUsers"}], USERS),
    ("all users null", [{"op": "replace", "path": "/allUsers", "value": None}], USERS),
    ("users that are no list", [{"op": "replace", "path": "/allUsers", "value": {}}], USERS),
)
def test_a_patch_that_does_not_fit_is_told_and_changes_nothing(patch: Patch | None, says: str) -> None:
    state = RoomState(room_state())
    patch = TOO_DEEP if patch is None else patch

    with pytest.raises(WireError, match=says) as caught:
        state.apply([{"op": "remove", "path": "/allUsers/0"}, *patch])

    assert "Lab Room" not in str(caught.value)
    assert state.data == room_state()
    assert "me" in state


@cases("others", ("few", 0), ("many", 20))
def test_a_doubled_join_is_noticed_and_changes_nothing(others: int) -> None:
    users = [{"uuid": f"user {number}"} for number in range(others)]
    state = RoomState(room_state(allUsers=list(users)))
    joined: Patch = [{"op": "add", "path": f"/allUsers/{others}", "value": {"uuid": "new"}}]
    state.apply(copy.deepcopy(joined))

    with pytest.raises(WireError, match="in the room twice"):
        state.apply(joined)

    assert state.data == room_state(allUsers=[*users, {"uuid": "new"}])
    assert "new" in state


def test_a_leave_that_shifts_the_list_name_by_name_is_no_doubling() -> None:
    state = RoomState(room_state(allUsers=[{"uuid": f"user {number}"} for number in range(20)]))

    state.apply(
        [
            {"op": "remove", "path": "/allUsers/19"},
            {"op": "replace", "path": "/allUsers/18/uuid", "value": "user 19"},
            {"op": "replace", "path": "/allUsers/17/uuid", "value": "user 18"},
            {"op": "add", "path": "/allUsers/17/highestRole", "value": "moderator"},
        ]
    )

    assert "user 17" not in state
    assert [uuid for uuid in ("user 16", "user 18", "user 19") if uuid not in state] == []


@cases(
    "profiles",
    ("none yet", {"allUserData": {}}),
    ("null", {"allUserData": None}),
    ("missing", {}),
    ("null for each", {"allUserData": {"me": None, "you": None}}),
)
def test_votes_and_leaves_before_the_profiles_came_are_no_corruption(profiles: dict[str, Any]) -> None:
    answer = {name: value for name, value in room_state().items() if name != "allUserData"}
    state = RoomState(answer | profiles)

    state.apply([{"op": "remove", "path": "/allUsers/0"}, {"op": "remove", "path": "/allUserData/me"}])
    state.apply([{"op": "add", "path": "/allUserData/you/songVotes/like", "value": True}])
    early = (state.votes("you"), state.nickname("you"))
    profile = {"userProfile": {"nickname": "You"}, "songVotes": {}}
    state.apply([{"op": "add", "path": "/allUserData/you", "value": profile}])

    assert early == ({"like": True}, None)
    assert (state.votes("you"), state.nickname("you")) == ({"like": True}, "You")
    assert list(state.users()) == ["you"]


def test_who_has_no_uuid_is_not_counted_and_breaks_nothing() -> None:
    state = RoomState(room_state(allUsers=[{"uuid": "me"}, {"uuid": 7}, {}, None, "me", {"uuid": 7}]))

    state.apply([])

    assert list(state.users()) == ["me"]


@cases(
    "odd",
    ("missing", {}),
    ("null", dict.fromkeys(["allUserData", "djs", "nowPlaying", "settings"], None)),
    ("text", dict.fromkeys(["allUserData", "djs", "nowPlaying", "settings"], "text")),
    ("odd within", {"allUserData": {"me": 5}, "djs": [None, 5], "nowPlaying": [], "settings": {"name": 5}}),
    ("odd user data", {"allUserData": {"me": {"userProfile": [], "songVotes": 1}}}),
)
def test_what_is_missing_or_odd_reads_as_nothing(odd: dict[str, Any]) -> None:
    state = RoomState({"allUsers": []} | odd)

    assert (state.djs(), state.dj("me"), state.now_playing()) == ([], None, None)
    assert (state.votes("me"), state.nickname("me"), state.room_name()) == ({}, None, None)


def test_users_of_a_state_that_lost_them_are_nobody() -> None:
    state = RoomState(room_state())
    state.data["allUsers"] = None

    assert list(state.users()) == []


NAMES = st.sampled_from(["allUsers", "djs", "0", "1", "-", "uuid", "settings", "name", "", "~0", "~"])
POINTERS = st.lists(NAMES, max_size=4).map(lambda names: "".join(f"/{name}" for name in names))
VALUES: st.SearchStrategy[object] = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.just({"uuid": "me"}) | st.just([])
)
OPERATIONS = st.fixed_dictionaries(
    {},
    optional={
        "op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test", "x"]) | VALUES,
        "path": POINTERS | VALUES,
        "from": POINTERS | VALUES,
        "value": VALUES,
    },
)


@given(st.lists(OPERATIONS | VALUES, max_size=4))
@example([{"op": "move", "from": "/settings", "path": "/settings/name"}])
@example([{"op": "add", "path": "/allUsers/-", "value": {"uuid": "me"}}])
def test_a_patch_is_applied_whole_or_is_a_wire_error(patch: Any) -> None:  # noqa: ANN401  as it may come
    state = RoomState(room_state())
    before = json.dumps(room_state(), sort_keys=True)

    try:
        state.apply(copy.deepcopy(patch))
    except WireError:
        assert json.dumps(state.data, sort_keys=True) == before
    assert {uuid for uuid in ("me", "you") if uuid in state} == set(state.users()) & {"me", "you"}


DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(0, 5) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=50)
@given(DOCUMENTS, DOCUMENTS, st.lists(st.sampled_from("abcdef"), unique=True))
def test_any_difference_a_server_computes_is_followed(old: object, new: object, users: list[str]) -> None:
    before: dict[str, Any] = {"allUsers": [{"uuid": "x"}], "settings": old}
    after: dict[str, Any] = {"allUsers": [{"uuid": name} for name in users], "settings": new}
    patch = jsonpatch.make_patch(before, after).patch
    state = RoomState(copy.deepcopy(before))

    state.apply(patch)

    assert state.data == after
