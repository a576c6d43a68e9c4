import re
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hangbot.sandbox.ids import Ids
from hangbot.sandbox.room import actionhero
from hangbot.sandbox.room.actionhero import Call, Verb
from hangbot.sandbox.room.actions import ACTIONS
from hangbot.sandbox.room.inputs import BadInput
from tests.cases import cases, rows

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)


def call(action: str, **params: Any) -> Call:  # noqa: ANN401  any JSON value
    frame = {"event": "action", "params": {"roomUuid": "r", **params, "action": action}, "messageId": 1}
    parsed = actionhero.parse(frame, Ids().uuid)
    assert isinstance(parsed, Call)
    return parsed


@pytest.mark.parametrize("given_id", [1, -3, 1.5, "abc", {"x": 1}, [], {}, True])
def test_a_true_message_id_is_echoed_unchanged(given_id: object) -> None:
    assert actionhero.message_id(given_id, Ids().uuid) == given_id


@pytest.mark.parametrize("given_id", [None, 0, 0.0, "", False])
def test_a_missing_or_false_message_id_becomes_a_uuid(given_id: object) -> None:
    assert UUID.fullmatch(actionhero.message_id(given_id, Ids().uuid))


@cases(
    "params",
    ("unknown", {"action": "nope"}),
    ("for services only", {"action": "resetRoom"}),
    ("no name", {}),
    ("no params", None),
    ("params is text", "x"),
    ("params is a list", ["joinRoom"]),
    ("name is a list", {"action": ["joinRoom"]}),
    ("wrong apiVersion", {"action": "joinRoom", "apiVersion": 2}),
)
def test_a_call_without_a_known_action_has_none(params: object) -> None:
    parsed = actionhero.parse({"event": "action", "params": params, "messageId": 4}, Ids().uuid)

    assert isinstance(parsed, Call)
    assert parsed.action not in ACTIONS
    assert parsed.id == 4


@pytest.mark.parametrize(
    "name",
    [
        *("addUser", "removeUser", "getRoomStates", "getRoomStatus", "kickUserFromRoom", "kickUserGlobally"),
        *("nextSong", "playSong", "resetRoom", "resetAllRooms", "updateRoomSettings"),
        *("speak", "banUser", "addToQueue", "chat"),
    ],
)
def test_what_is_for_services_and_what_never_was_is_unknown_alike(name: str) -> None:
    assert call(name).action not in ACTIONS


def test_unknown_parameters_and_a_message_id_among_them_mean_nothing() -> None:
    params = {"action": "joinRoom", "roomUuid": "r", "messageId": 99, "x": 1}
    parsed = actionhero.parse({"event": "action", "params": params}, Ids().uuid)

    assert isinstance(parsed, Call)
    assert UUID.fullmatch(parsed.id)
    ACTIONS["joinRoom"].check_inputs(parsed.params)


@pytest.mark.parametrize("version", [1, "1", None, 0], ids=repr)
def test_the_right_api_version_may_be_given(version: object) -> None:
    assert call("joinRoom", apiVersion=version).action == "joinRoom"


@pytest.mark.parametrize("value", ["string", 123, True, [], [1, 2], {}])
def test_whatever_is_no_object_with_an_event_is_the_undefined_verb(value: object) -> None:
    parsed = actionhero.parse(value, Ids().uuid)

    assert isinstance(parsed, Verb)
    assert parsed.name == "undefined"
    assert parsed.data == value
    assert UUID.fullmatch(parsed.id)


def test_a_verb_takes_its_room_first_and_repeats_the_rest() -> None:
    parsed = actionhero.parse({"event": "say", "message": "hi", "room": "r", "messageId": 8}, Ids().uuid)

    assert parsed == Verb("say", ["r", "hi"], {"message": "hi"}, 8)


@rows(
    "value text",
    (None, "null"),
    (True, "true"),
    (5, "5"),
    (1.5, "1.5"),
    ("x", "x"),
    ({}, "[object Object]"),
    ([1, None, "a"], "1,,a"),
)
def test_values_become_text_as_in_javascript(value: object, text: str) -> None:
    assert actionhero.js_text(value) == text


@cases(
    "action params error",
    ("empty", "joinRoom", {"roomUuid": ""}, "roomUuid is a required parameter"),
    ("null", "joinRoom", {"roomUuid": None}, "roomUuid is a required parameter"),
    ("number", "joinRoom", {"roomUuid": 5}, '"roomUuid" failed validation!'),
    ("no votes", "voteOnSong", {}, "songVotes is a required parameter"),
    ("empty votes", "voteOnSong", {"songVotes": {}}, '"songVotes" failed validation!'),
    ("vote is a number", "voteOnSong", {"songVotes": {"like": 1}}, '"songVotes" failed'),
    ("no animation", "playOneTimeAnimation", {}, "animation is a required parameter"),
    ("fly", "playOneTimeAnimation", {"animation": "fly"}, "animation must be emoji or jump"),
    ("animation list", "playOneTimeAnimation", {"animation": ["jump"]}, "animation must be"),
    ("no emoji", "playOneTimeAnimation", {"animation": "emoji"}, '"emoji" failed'),
    ("text", "playOneTimeAnimation", {"animation": "emoji", "emoji": "abc"}, '"emoji" failed'),
    ("no song", "updateNextSong", {}, "song is a required parameter"),
    ("song is a number", "updateNextSong", {"song": 5}, '"song" failed validation!'),
    ("song is a list", "addDj", {"song": []}, '"song" failed validation!'),
    ("dj is an object", "removeDj", {"djUuid": {}}, '"djUuid" failed validation!'),
)
def test_wrong_input_gets_the_first_error(action: str, params: dict[str, Any], error: str) -> None:
    with pytest.raises(BadInput, match=re.escape(error)):
        ACTIONS[action].check_inputs(call(action, **params).params)


@rows(
    "action params",
    ("joinRoom", {}),
    ("addDj", {}),
    ("addDj", {"song": None}),
    ("removeDj", {"djUuid": None}),
    ("updateNextSong", {"song": None}),
    ("voteOnSong", {"songVotes": {"like": False}}),
    ("voteOnSong", {"songVotes": {"star": True}}),
    ("playOneTimeAnimation", {"animation": "jump"}),
    ("playOneTimeAnimation", {"animation": "emoji", "emoji": "💜"}),
    ("skipSong", {"unknown": "dropped"}),
)
def test_right_input_passes(action: str, params: dict[str, Any]) -> None:
    ACTIONS[action].check_inputs(call(action, **params).params)


@given(JSON)
def test_no_frame_makes_the_parser_raise(value: object) -> None:
    if value is not None:
        parsed = actionhero.parse(value, Ids().uuid)

        assert isinstance(parsed, Call | Verb)


@settings(max_examples=50)
@given(action=st.sampled_from(sorted(ACTIONS)), params=st.dictionaries(st.text(max_size=8), JSON))
def test_no_input_makes_the_checks_raise_anything_else(action: str, params: dict[str, Any]) -> None:
    asked = actionhero.parse({"event": "action", "params": {**params, "action": action}}, Ids().uuid)
    assert isinstance(asked, Call)

    with suppress(BadInput):
        ACTIONS[action].check_inputs(asked.params)
