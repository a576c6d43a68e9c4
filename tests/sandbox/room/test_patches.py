from typing import Any

import jsonpatch
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hangbot.sandbox.room.patches import MISSING, PatchBuilder, compare, pointer

SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["a", "b", ""])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc/~"), inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.sampled_from(["a", "b", "c/d", "e~f"]), VALUES, max_size=4)


@given(before=OBJECTS, after=OBJECTS)
def test_a_difference_makes_one_state_of_the_other(before: dict[str, Any], after: dict[str, Any]) -> None:
    patch = compare(before, after)

    assert _exactly(applied(before, patch)) == _exactly(after)


@settings(max_examples=30)
@given(value=OBJECTS)
def test_equal_states_have_no_difference(value: dict[str, Any]) -> None:
    assert compare(value, applied(value, [])) == []


def test_keys_are_compared_from_the_last_to_the_first_and_additions_come_after() -> None:
    before = {"a": 1, "b": {"x": 1, "y": 2}, "c": 3}
    after = {"a": 2, "b": {"x": 2, "y": 3, "z": 0}, "d": 4}

    assert compare(before, after) == [
        {"op": "remove", "path": "/c"},
        {"op": "replace", "path": "/b/y", "value": 3},
        {"op": "replace", "path": "/b/x", "value": 2},
        {"op": "add", "path": "/b/z", "value": 0},
        {"op": "replace", "path": "/a", "value": 2},
        {"op": "add", "path": "/d", "value": 4},
    ]


def test_arrays_are_compared_by_index_so_that_a_join_in_the_middle_shifts_the_tail() -> None:
    before = [{"uuid": "a"}, {"uuid": "c"}]
    after = [{"uuid": "a"}, {"uuid": "b"}, {"uuid": "c"}]

    assert compare(before, after, "/allUsers") == [
        {"op": "replace", "path": "/allUsers/1/uuid", "value": "b"},
        {"op": "add", "path": "/allUsers/2", "value": {"uuid": "c"}},
    ]


def test_what_was_null_is_replaced_whole() -> None:
    song = {"song": {"trackName": "First"}}

    replaced = {"op": "replace", "path": "/nowPlaying", "value": song}
    assert compare({"nowPlaying": None}, {"nowPlaying": song}) == [replaced]


@pytest.mark.parametrize(
    ("before", "after"), [(1, True), (0, False), ({}, []), ("1", 1), (None, False)], ids=repr
)
def test_values_that_only_python_holds_for_equal_differ(before: object, after: object) -> None:
    patch = compare({"v": before}, {"v": after})

    assert len(patch) == 1
    assert patch[0]["value"] is after


@pytest.mark.parametrize(("key", "path"), [("a", "/a"), ("a/b", "/a~1b"), ("a~b", "/a~0b"), ("", "/")])
def test_a_key_is_escaped_as_rfc_6901_says(key: str, path: str) -> None:
    assert pointer(key) == path


@given(st.data())
def test_a_draft_says_the_same_as_a_comparison_of_everything(data: st.DataObject) -> None:
    users = data.draw(st.dictionaries(st.sampled_from("uvwxyz"), st.integers(0, 3), max_size=5), "users")
    state = {"allUserData": dict(users), "a": 1, "z": [1]}
    before = {"allUserData": dict(users), "a": 1, "z": [1]}
    draft = PatchBuilder(state)

    for key, value in data.draw(
        st.dictionaries(st.sampled_from("uvwxyz"), st.none() | st.integers(0, 3))
    ).items():
        draft.set_entry(key, MISSING if value is None else value)
    draft.set("a", data.draw(st.integers(0, 2), "a"))
    draft.set("z", data.draw(st.lists(st.integers(0, 2), max_size=3), "z"))

    patch = draft.patch()
    assert applied(before, patch) == state
    assert sorted(map(repr, patch)) == sorted(map(repr, compare(before, state)))


def applied(state: Any, patch: Any) -> Any:  # noqa: ANN401  any JSON value
    return jsonpatch.apply_patch(state, patch)


def _exactly(value: object) -> object:
    """A value in which `True` and `1` are no longer equal."""
    if isinstance(value, dict):
        return {key: _exactly(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_exactly(item) for item in value]
    return (type(value).__name__, value)
