import json
from collections import Counter

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hangbot.errors import UsageError, WireError
from hangbot.hangfm.wire import frames
from hangbot.hangfm.wire.actions import ACTIONS
from hangbot.hangfm.wire.events import RoomMessage
from hangbot.hangfm.wire.frames import Ping, Reply, ServerClosing, Unknown, Welcome, decode
from tests.cases import cases
from tests.hangfm.wire.documents import ANY_JSON, recorded

KEYS = st.sampled_from(["context", "welcome", "message", "room", "from", "messageId", "error", "status"])
NO_NAME = "context 'user' with ['context', 'message']"
CONTEXTS = st.sampled_from(["api", "response", "user", "alert"])


def case(name: str) -> list[frames.Event]:
    return [decode(row["frame"]) for row in recorded("room_cases.jsonl") if row["case"] == name]


def test_a_recorded_session_is_read_frame_by_frame() -> None:
    frames = [row["frame"] for row in recorded("room_session.jsonl") if row["from"] == "server"]

    events = [decode(frame) for frame in frames]

    assert isinstance(events[0], Welcome)
    assert Counter(type(event) for event in events) == {Welcome: 1, Reply: 8, RoomMessage: 10, Ping: 2}
    names = " ".join(event.name for event in events if isinstance(event, RoomMessage))
    first = "updatedUserData addedDj playedSong updatedNextSong votedOnSong"
    jumps = "playedOneTimeAnimation playedOneTimeAnimation"
    assert names == f"{first} {jumps} playedSong removedDj playedSong"


def test_a_recorded_session_would_have_been_written_the_same_way() -> None:
    rows = [row["frame"] for row in recorded("room_session.jsonl") if row["from"] == "client"]
    actions = [json.loads(row) for row in rows if not row.startswith('"primus::pong')]

    asked = [(action["params"]["action"], action["params"], action["messageId"]) for action in actions]
    written = [frames.encode_action(*each) for each in asked]

    assert [json.loads(frame) for frame in written] == actions
    assert {action["params"]["action"] for action in actions} == set(ACTIONS)
    for action in actions:
        known = {"action", "roomUuid", *ACTIONS[action["params"]["action"]].params}
        assert action["params"].keys() <= known


def test_recorded_heartbeats_are_answered_as_the_official_client_did() -> None:
    rows = recorded("room_session.jsonl")
    pings = [decode(row["frame"]) for row in rows if row["frame"].startswith('"primus::ping')]
    pongs = [row["frame"] for row in rows if row["frame"].startswith('"primus::pong')]

    answers = [frames.encode_pong(ping) for ping in pings if isinstance(ping, Ping)]

    assert answers == pongs
    assert len(pongs) == 2


def test_every_recorded_frame_of_every_case_is_understood() -> None:
    frames = [(row["case"], decode(row["frame"])) for row in recorded("room_cases.jsonl")]

    unknown = [event for _, event in frames if isinstance(event, Unknown)]

    # ActionHero's `say` carries a plain string, and `primus::id::` answers what no bot asks.
    assert unknown == [
        Unknown("a control string that Primus 8 does not send"),
        Unknown("context 'user' with ['context', 'from', 'message', 'room', 'sentAt']"),
    ]


@pytest.mark.parametrize(("name", "message"), [("kicked", "kickedFromRoom"), ("roomReset", "roomReset")])
def test_a_recorded_end_says_why_before_it_closes(name: str, message: str) -> None:
    assert case(name)[-2:] == [RoomMessage(message, room="room-1"), ServerClosing()]


def test_recorded_refusals_carry_the_servers_words_and_any_kind_of_id() -> None:
    replies = [event for event in case("errors-and-verbs") if isinstance(event, Reply)]

    silent, unknown = "Nothing is playing right now.", "unknown action or invalid apiVersion"
    assert {reply.error for reply in replies} >= {silent, unknown, "Error: room does not exist"}
    assert {type(reply.message_id) for reply in replies} == {int, str, float, dict}


@cases(
    "error expected",
    ("text", "no", "no"),
    ("object that ActionHero passes through", {"b": [1]}, '{"b": [1]}'),
    ("list", ["x"], '["x"]'),
    ("number", 7, "7"),
    ("true", True, "true"),
    ("empty text is no error", "", None),
    ("null is no error", None, None),
    ("zero is no error", 0, None),
    ("empty object is no error", {}, None),
)
def test_an_error_counts_when_javascript_calls_it_true(error: object, expected: str | None) -> None:
    reply = decode(json.dumps({"error": error, "context": "response", "messageId": 3}))

    assert reply == Reply(3, expected, {})


@cases(
    "frame event",
    ("a reply without an id", '{"context":"response"}', Reply(None, None, {})),
    (
        "a reply with fields",
        '{"roomUuid":"r","serverTime":5,"state":{},"context":"response","messageId":1}',
        Reply(1, None, {"roomUuid": "r", "serverTime": 5, "state": {}}),
    ),
    ("welcome", '{"welcome":"hi","context":"api"}', Welcome("hi")),
    ("welcome without words", '{"context":"api","welcome":null}', Welcome("None")),
    ("ping", '"primus::ping::1795347208843"', Ping("1795347208843")),
    ("ping without a number", '"primus::ping::"', Ping("")),
    ("deliberate close", '"primus::server::close"', ServerClosing()),
    ("but a name", '{"context":"user","message":{"name":"n"}}', RoomMessage("n")),
    (
        "message with parts of other types",
        '{"context":"user","room":7,"message":{"name":"n","statePatch":{},"params":[]}}',
        RoomMessage("n"),
    ),
    (
        "message with an empty patch",
        '{"context":"user","room":"r","message":{"name":"n","statePatch":[],"params":{"a":1}}}',
        RoomMessage("n", [], {"a": 1}, "r"),
    ),
)
def test_a_frame_becomes_an_event(frame: str, event: frames.Event) -> None:
    assert decode(frame) == event


@cases(
    "frame summary",
    ("id", '"primus::id::x"', "a control string that Primus 8 does not send"),
    ("plain string", '"hello"', "a control string that Primus 8 does not send"),
    ("alert", '{"context":"alert","x":1}', "context 'alert' with ['context', 'x']"),
    ("a say, which official clients die of", '{"context":"user","message":"hi"}', NO_NAME),
    ("a name that is no text", '{"context":"user","message":{"name":5}}', NO_NAME),
    ("empty object", "{}", "a dict without a context"),
    ("context of another type", '{"context":5}', "a dict without a context"),
    ("null", "null", "a NoneType without a context"),
    ("list", "[1]", "a list without a context"),
    ("not a number", "NaN", "a float without a context"),
)
def test_what_is_not_known_is_passed_over_with_a_summary(frame: str, summary: str) -> None:
    assert decode(frame) == Unknown(summary)


@cases(
    "frame words",
    ("binary", b"{}", "binary frame of 2 bytes"),
    ("empty", "", "0 characters"),
    ("blank", " ", "1 characters"),
    ("unquoted ping", "primus::ping::1", "not JSON"),
    ("cut off", "{bad", "not JSON"),
    ("deeper than any stack", "[" * 200_000, "not JSON"),
    ("a number too long to read", "1" * 5_000, "not JSON"),
)
def test_what_is_not_json_is_a_wire_error_that_quotes_nothing(frame: str | bytes, words: str) -> None:
    with pytest.raises(WireError, match=words) as caught:
        decode(frame)

    assert len(str(caught.value)) < 100


@settings(max_examples=40)
@given(st.text() | ANY_JSON.map(json.dumps))
@example('"\ud800"')
def test_no_frame_breaks_the_reader(frame: str) -> None:
    try:
        event = decode(frame)
    except WireError:
        return

    assert isinstance(event, frames.Event)


@settings(max_examples=40)
@given(st.dictionaries(KEYS, CONTEXTS | ANY_JSON, min_size=1))
@example(
    {"context": "user", "message": {"name": "n", "statePatch": [None], "params": {"a": []}}, "room": "r"}
)
@example({"context": "response", "welcome": 1, "error": [{}], "messageId": []})
def test_no_envelope_breaks_the_reader(envelope: dict[str, object]) -> None:
    event = decode(json.dumps(envelope))

    assert isinstance(event, frames.Event)


def test_an_action_carries_its_name_whatever_its_parameters_say() -> None:
    frame = frames.encode_action("skipSong", {"action": "resetRoom", "roomUuid": "r"}, 9)

    params = {"action": "skipSong", "roomUuid": "r"}
    assert json.loads(frame) == {"event": "action", "params": params, "messageId": 9}


def test_an_action_is_written_in_ascii_with_line_separators_escaped() -> None:
    frame = frames.encode_action("playOneTimeAnimation", {"emoji": "💜\u2028\u2029"}, 1)

    assert frame.isascii()
    assert "\\u2028\\u2029" in frame
    assert json.loads(frame)["params"]["emoji"] == "💜\u2028\u2029"


CIRCLE: dict[str, object] = {}
CIRCLE["again"] = CIRCLE


@cases(
    "value",
    ("not a number: the server drops such a frame silently", float("nan")),
    ("infinity", float("inf")),
    ("a set", {1, 2}),
    ("bytes", b"x"),
    ("a circle", CIRCLE),
)
def test_a_parameter_that_json_cannot_hold_is_refused_before_anything_is_sent(value: object) -> None:
    with pytest.raises(UsageError, match=r"parameter of updateNextSong .* nothing was sent"):
        frames.encode_action("updateNextSong", {"song": value}, 1)


@given(st.text())
def test_a_pong_is_always_a_quoted_string(number: str) -> None:
    pong = frames.encode_pong(Ping(number))

    assert pong.startswith('"primus::pong::')
    assert json.loads(pong) == "primus::pong::" + number


@cases(
    "base url",
    ("https", "https://socket.prod.tt.fm", "wss://socket.prod.tt.fm/primus?token=T"),
    ("http", "http://127.0.0.1:8123", "ws://127.0.0.1:8123/primus?token=T"),
    ("wss", "wss://h", "wss://h/primus?token=T"),
    ("ws", "ws://h", "ws://h/primus?token=T"),
    ("capitals", "HTTPS://H", "wss://H/primus?token=T"),
    ("a path is dropped", "https://u:p@h:1/path/?a=b#c", "wss://u:p@h:1/primus?token=T"),
    ("an IPv6 address", "http://[::1]:5", "ws://[::1]:5/primus?token=T"),
)
def test_the_address_keeps_what_the_official_client_keeps(base: str, url: str) -> None:
    assert frames.socket_url(base, "T") == url


@cases(
    "token written",
    ("a JWT comes through unchanged", "ab.cd-ef_0.g", "ab.cd-ef_0.g"),
    ("anything else is escaped", "a/b+c=&d #é", "a%2Fb%2Bc%3D%26d%20%23%C3%A9"),
)
def test_the_token_is_one_value_of_the_query(token: str, written: str) -> None:
    assert frames.socket_url("ws://h", token) == f"ws://h/primus?token={written}"
