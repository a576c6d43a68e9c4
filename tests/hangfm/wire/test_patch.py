import copy
import json
from typing import Any

import jsonpatch
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonpointer import JsonPointerException

from hangbot.errors import WireError
from hangbot.hangfm.wire.patch import MISFITS, Change, apply_patch, undo
from tests.cases import cases

Step = dict[str, Any]


def room() -> dict[str, Any]:
    return {
        "allUserData": {"me": {"userProfile": {"nickname": "Bot", "badges": ["a"]}, "songVotes": {}}},
        "allUsers": [{"uuid": "me"}, {"uuid": "you"}],
        "djs": [],
        "settings": {"name": "Lab"},
        "voteCounts": {"likes": 1},
    }


def applied(data: dict[str, Any], *steps: Step, late: dict[str, bool] | None = None) -> dict[str, Any]:
    apply_patch(data, copy.deepcopy(steps), [], {} if late is None else late)
    return data


# -- objects are lenient, lists are strict


def test_removing_a_member_that_is_not_there_changes_nothing() -> None:
    vibes = [{"op": "remove", "path": path} for path in ("/settings/vibe", "/vibeMeter")]
    after = applied(room(), *vibes)

    assert after == room()


def test_replacing_a_member_that_is_not_there_sets_it() -> None:
    after = applied(room(), {"op": "replace", "path": "/settings/vibe", "value": 1})

    assert after["settings"] == {"name": "Lab", "vibe": 1}


ODD: list[object] = [{}, None, 7, "add"]


@cases(
    "step",
    ("remove beyond the end", {"op": "remove", "path": "/allUsers/2"}),
    ("replace beyond the end", {"op": "replace", "path": "/allUsers/2", "value": 1}),
    ("add beyond the end", {"op": "add", "path": "/allUsers/3", "value": 1}),
    ("remove what comes after the last", {"op": "remove", "path": "/allUsers/-"}),
    ("replace after the last", {"op": "replace", "path": "/allUsers/-", "value": 1}),
    ("from the end", {"op": "remove", "path": "/allUsers/-1"}),
    ("a leading zero", {"op": "remove", "path": "/allUsers/01"}),
    ("a sign", {"op": "remove", "path": "/allUsers/+1"}),
    ("as Python writes it", {"op": "remove", "path": "/allUsers/1_0"}),
    ("a digit of another script", {"op": "remove", "path": "/allUsers/\u0661"}),
    ("a number beyond all measure", {"op": "remove", "path": f"/allUsers/{'9' * 5000}"}),
    ("a name", {"op": "remove", "path": "/allUsers/uuid"}),
    ("in an entry not there", {"op": "replace", "path": "/allUsers/5/uuid", "value": "x"}),
    ("a member of nothing", {"op": "add", "path": "/nowhere/name", "value": 1}),
    ("remove from nothing", {"op": "remove", "path": "/nowhere/name"}),
    ("a member of a number", {"op": "add", "path": "/voteCounts/likes/x", "value": 1}),
    ("a letter of a text", {"op": "remove", "path": "/settings/name/0"}),
    ("in badges", {"op": "add", "path": "/allUserData/me/userProfile/badges/7", "value": 1}),
    ("name", {"op": "add", "path": "/allUserData/me/userProfile/nickname/x/y", "value": 1}),
    ("into itself", {"op": "move", "from": "/djs", "path": "/djs/x"}),
    ("a profile so", {"op": "move", "from": "/allUserData/me", "path": "/allUserData/me/x"}),
    ("move of nothing", {"op": "move", "from": "/ghost", "path": "/x"}),
    ("of a late profile", {"op": "copy", "from": "/allUserData/ghost/x", "path": "/x"}),
    ("test of a late profile", {"op": "test", "path": "/allUserData/ghost/x", "value": 1}),
    ("a wrong escape", {"op": "add", "path": "/a~2", "value": 1}),
    ("no pointer", {"op": "add", "path": "no-slash", "value": 1}),
    ("a number as path", {"op": "add", "path": 5, "value": 1}),
    ("no path", {"op": "add", "value": 1}),
    ("no value", {"op": "add", "path": "/x"}),
    ("copy from nowhere", {"op": "copy", "path": "/x"}),
    ("unknown operation", {"op": "merge", "path": "/x", "value": 1}),
    ("an operation that is no text", {"op": ["add"], "path": "/x", "value": 1}),
    ("no operation", {"path": "/x", "value": 1}),
    *[(f"{odd} as operation", odd) for odd in ODD],
    ("copy from no pointer", {"op": "copy", "from": "djs", "path": "/x"}),
    ("a profile's list", {"op": "add", "path": "/allUserData/me/list/0/a/b", "value": 1}),
)
def test_what_does_not_fit_is_refused_and_what_came_before_it_is_taken_back(step: Any) -> None:  # noqa: ANN401  as it may come
    data, log, late = room(), list[Change](), {"old": True}
    before: list[Step] = [
        {"op": "replace", "path": "/voteCounts/likes", "value": 2},
        {"op": "add", "path": "/allUsers/0", "value": {"uuid": "new"}},
        {"op": "replace", "path": "/allUsers/0/uuid", "value": "newer"},
        {"op": "remove", "path": "/allUsers/0"},
        {"op": "remove", "path": "/settings/name"},
        {"op": "add", "path": "/settings/name", "value": "Other"},
        {"op": "add", "path": "/allUserData/me/list", "value": [{}]},
        {"op": "add", "path": "/allUserData/ghost/songVotes/like", "value": True},
        {"op": "add", "path": "/allUserData/other", "value": {"userProfile": {}}},
        {"op": "add", "path": "/allUserData/ghost", "value": {"userProfile": {}}},
        {"op": "move", "from": "/allUsers/1", "path": "/djs/-"},
        {"op": "copy", "from": "/djs", "path": "/visibleDjs"},
    ]

    with pytest.raises(MISFITS):
        apply_patch(data, [*before, step], log, late)
    undo(log)

    assert json.dumps(data, sort_keys=True) == json.dumps(room(), sort_keys=True)
    assert late == {"old": True}
    assert log == []


def test_positions_beyond_any_room_are_found_too() -> None:
    data = {"allUsers": list(range(20_000))}

    replaced = {"op": "replace", "path": "/allUsers/0", "value": 1}
    applied(data, {"op": "remove", "path": "/allUsers/19998"}, replaced)

    assert data == {"allUsers": [1, *range(1, 19_998), 19_999]}


# -- profiles that have not come


def test_votes_of_one_whose_profile_has_not_come_are_kept_until_it_does() -> None:
    late: dict[str, bool] = {}
    data = applied(
        room(),
        {"op": "add", "path": "/allUserData/you/songVotes/like", "value": True},
        {"op": "replace", "path": "/allUserData/you/songVotes/star", "value": True},
        late=late,
    )
    waiting = copy.deepcopy(data["allUserData"]["you"])

    profile = {"userProfile": {"nickname": "You"}, "songVotes": {"like": False}}
    applied(data, {"op": "add", "path": "/allUserData/you", "value": profile}, late=late)

    assert waiting == {"songVotes": {"like": True, "star": True}}
    assert data["allUserData"]["you"] == profile | {"songVotes": {"like": False, "star": True}}
    assert late == {}


@cases(
    "profile kept",
    ("without votes", {}, {"songVotes": {"like": True}}),
    ("votes that are none", {"songVotes": None}, {"songVotes": {"like": True}}),
    ("no profile", None, None),
)
def test_a_profile_takes_the_place_whatever_it_holds(profile: object, kept: object) -> None:
    late: dict[str, bool] = {}
    vote = {"op": "add", "path": "/allUserData/you/songVotes/like", "value": True}

    data = applied(room(), vote, {"op": "add", "path": "/allUserData/you", "value": profile}, late=late)

    assert data["allUserData"]["you"] == kept
    assert late == {}


def test_profiles_that_come_all_at_once_keep_votes_too() -> None:
    late: dict[str, bool] = {}
    paths = [f"/allUserData/{uuid}/songVotes/like" for uuid in ("you", "gone")]
    votes = [{"op": "add", "path": path, "value": True} for path in paths]

    everybody: dict[str, Any] = {"me": {}, "you": {"userProfile": {}}}
    data = applied(room(), *votes, {"op": "replace", "path": "/allUserData", "value": everybody}, late=late)

    assert data["allUserData"] == {"me": {}, "you": {"userProfile": {}, "songVotes": {"like": True}}}
    assert late == {}


def test_who_leaves_before_the_profile_came_is_forgotten() -> None:
    late: dict[str, bool] = {}
    data = applied(
        room(),
        {"op": "remove", "path": "/allUserData/stranger"},
        {"op": "remove", "path": "/allUserData/stranger/songVotes/like"},
        {"op": "add", "path": "/allUserData/you/songVotes/like", "value": True},
        {"op": "remove", "path": "/allUserData/you"},
        late=late,
    )

    assert data == room()
    assert late == {}


@cases("profiles", ("all of them", None), ("one", {"you": None}), ("its votes", {"you": {"songVotes": None}}))
def test_what_is_null_of_a_profile_has_not_come(profiles: object) -> None:
    before = {"allUserData": profiles, "allUsers": []}
    data = copy.deepcopy(before)
    log: list[Change] = []
    untold = {"op": "remove", "path": "/allUserData/you/songVotes/star"}
    vote = {"op": "add", "path": "/allUserData/you/songVotes/like", "value": True}
    profile = {"op": "replace", "path": "/allUserData/you/userProfile", "value": {"nickname": "You"}}

    apply_patch(data, [untold, vote, profile], log, {})
    after = copy.deepcopy(data)
    undo(log)

    assert after["allUserData"] == {"you": {"songVotes": {"like": True}, "userProfile": {"nickname": "You"}}}
    assert data == before


def test_a_profile_that_is_replaced_keeps_nothing_of_the_one_before() -> None:
    data = applied(room(), {"op": "add", "path": "/allUserData/me", "value": {"songVotes": {"star": True}}})

    assert data["allUserData"]["me"] == {"songVotes": {"star": True}}


# -- unkind patches


def test_copies_that_double_the_state_again_and_again_are_refused() -> None:
    data, log = room(), list[Change]()
    doubling = [{"op": "copy", "from": "", "path": f"/{number}"} for number in range(64)]

    with pytest.raises(ValueError, match="copies too much"):
        apply_patch(data, doubling, log, {})
    undo(log)

    assert data == room()


def test_what_was_copied_is_a_thing_of_its_own() -> None:
    copied = {"op": "copy", "from": "/settings", "path": "/other"}
    data = applied(room(), copied, {"op": "add", "path": "/other/vibe", "value": 1})

    assert data["settings"] == {"name": "Lab"}


# -- beside the library

_KEYS = st.sampled_from(["a", "b", "0", "1", "", "a/b", "m~n", "allUsers", "allUserData", "songVotes"])
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.text(max_size=2),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=8,
)
_DOCUMENTS = st.dictionaries(_KEYS, _VALUES, max_size=5)
_NAMES = st.sampled_from(["a", "b", "0", "1", "2", "-", "", "a~1b", "m~0n", "allUsers", "allUserData", "~"])
_POINTERS = st.lists(_NAMES, min_size=1, max_size=4).map(lambda names: "".join(f"/{name}" for name in names))
_STEPS = st.fixed_dictionaries(
    {
        "op": st.sampled_from(
            ["add", "remove", "replace", "add", "remove", "replace", "move", "copy", "test"]
        ),
        "path": _POINTERS,
        "from": _POINTERS,
        "value": _VALUES,
    }
)


def _as_the_library(document: dict[str, Any], patch: list[Step]) -> object:
    try:
        return jsonpatch.apply_patch(copy.deepcopy(document), copy.deepcopy(patch), in_place=True)
    except (jsonpatch.JsonPatchException, JsonPointerException, LookupError, TypeError, ValueError):
        return None


@settings(max_examples=200)
@given(_DOCUMENTS, st.lists(_STEPS, max_size=5))
@example({"a": [1, 2]}, [{"op": "move", "from": "/a/0", "path": "/a/1"}])
@example({"a": {"b": 1}}, [{"op": "copy", "from": "/a", "path": "/a/0"}])
@example({"a": {}}, [{"op": "test", "path": "/a", "value": {}}, {"op": "remove", "path": "/a"}])
def test_it_does_what_the_library_does_if_both_accept(document: dict[str, Any], patch: list[Step]) -> None:
    ours, log, late = copy.deepcopy(document), list[Change](), dict[str, bool]()
    theirs = _as_the_library(document, patch)

    try:
        apply_patch(ours, copy.deepcopy(patch), log, late)
    except (*MISFITS, WireError):
        undo(log)
        assert ours == document
        assert theirs is None  # whatever the library takes is taken
        return

    if theirs is not None:
        assert ours == theirs
    undo(log)
    assert ours == document
    assert late == {}
