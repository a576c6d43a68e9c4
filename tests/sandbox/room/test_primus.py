import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangbot.sandbox.ids import Ids
from hangbot.sandbox.room import primus
from tests.cases import rows

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(JSON)
def test_what_is_written_is_read_again(value: object) -> None:
    assert primus.decode(primus.encode(value)) == value


def test_frames_are_compact_and_keep_their_letters() -> None:
    assert primus.encode({"emoji": "💜", "n": [1, 2]}) == '{"emoji":"💜","n":[1,2]}'


def test_line_separators_are_escaped() -> None:
    assert primus.encode("\u2028\u2029") == '"\\u2028\\u2029"'


def test_half_a_surrogate_pair_goes_out_as_an_escape() -> None:
    text = primus.encode({"half": "\ud83d", "é": 1})

    assert text.isascii()
    assert json.loads(text) == {"half": "\ud83d", "é": 1}


def test_a_number_past_the_range_is_null_as_in_javascript() -> None:
    assert primus.encode({"n": [math.inf, 1e308]}) == '{"n":[null,1e+308]}'


@pytest.mark.parametrize(
    "text", ["", "   ", "{bad", "hello", "primus::pong::1", "NaN", "[Infinity]", "[" * 100_000]
)
def test_what_is_no_json_is_unreadable(text: str) -> None:
    with pytest.raises(primus.Unreadable):
        primus.decode(text)


@rows(
    "value pong asks_id",
    ("primus::pong::1795347208843", True, False),
    ("primus::pong::", True, False),
    ("primus::id::", False, True),
    ("primus::ping::1", False, False),
    ({"primus::pong::": 1}, False, False),
    (None, False, False),
)
def test_control_frames_are_told_apart(value: Any, pong: bool, asks_id: bool) -> None:  # noqa: ANN401, FBT001  a table's columns
    assert primus.is_pong(value) is pong
    assert primus.is_id_request(value) is asks_id


def test_heartbeat_and_id_carry_their_quotes() -> None:
    assert primus.ping(1795347208843) == '"primus::ping::1795347208843"'
    assert primus.spark_id("abc") == '"primus::id::abc"'
    assert len(primus.new_spark_id(Ids())) == 21


def test_the_spec_is_what_primus_answers() -> None:
    assert primus.spec(30.0) == (
        '{"pingInterval":30000,"pathname":"/primus","version":"8.0.9","parser":"json","transformer":"websockets"}'
    )
