from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangbot.preflight import shapes
from hangbot.preflight.shapes import Difference, Shape, compare, frame_of
from hangbot.sandbox.room.variants import RoomVariants

if TYPE_CHECKING:
    from tests.preflight.conftest import Bench

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)
NEW = {"context": "user", "message": {"name": "danced", "params": {}}}
PATCH = {"context": "user", "message": {"name": "playedSong", "statePatch": {}}}
VOTE = {"context": "user", "message": {"name": "votedOnSong", "statePatch": []}}
IN_A_LIST = Difference("a.rows[]", "changed", "number, not text")
ANOTHER_PATCH = Difference("message.message.statePatch", "changed", "object, not list")
SHAPE = Shape(
    ("object",),
    inner={"id": Shape(("number",), needed=True), "rows": Shape(("list",), each=Shape(("text",)))},
)


@pytest.mark.parametrize(
    ("value", "differences"),
    [
        pytest.param({"id": 1}, [], id="as known"),
        pytest.param({"id": 1, "x": 2}, [Difference("a.x", "new")], id="new"),
        pytest.param({}, [Difference("a.id", "gone")], id="gone"),
        pytest.param({"id": "1"}, [Difference("a.id", "changed", "text, not number")], id="changed"),
        pytest.param({"id": True}, [Difference("a.id", "changed", "switch, not number")], id="a switch"),
        pytest.param({"id": 1, "rows": ["b", 2]}, [IN_A_LIST], id="in a list"),
        pytest.param([], [Difference("a", "changed", "list, not object")], id="something else"),
    ],
)
def test_differences_are_told_with_their_path(value: object, differences: list[Difference]) -> None:
    assert list(compare(SHAPE, value, "a")) == differences


@given(JSON)
def test_whatever_comes_is_compared(value: Any) -> None:  # noqa: ANN401  any JSON
    for shape in (shapes.JOINED, shapes.ME, shapes.GROUP, shapes.MESSAGE, shapes.SPEC):
        list(compare(shape, value, "it"))
    list(frame_of(value))


@pytest.mark.parametrize(
    ("frame", "differences"),
    [
        pytest.param("primus::ping::1", [], id="heartbeat"),
        pytest.param({"welcome": "hello", "context": "api"}, [], id="welcome"),
        pytest.param(VOTE, [], id="vote"),
        pytest.param(NEW, [Difference("message danced", "new")], id="new message"),
        pytest.param(PATCH, [ANOTHER_PATCH], id="another patch"),
        pytest.param("hello", [Difference("frame", "new", "a string that is none of Primus")], id="a string"),
        pytest.param({"context": "moon"}, [Difference("frame", "new", "context moon")], id="new context"),
        pytest.param(7, [Difference("frame", "changed", "number, not text or object")], id="a number"),
    ],
)
def test_frames_of_the_room_are_compared(frame: object, differences: list[Difference]) -> None:
    assert list(frame_of(frame)) == differences


@pytest.mark.parametrize(
    "hangfm_sandbox_options",
    [
        pytest.param({"dialect": "openchat"}, id="openchat"),
        pytest.param({"dialect": "cometchat"}, id="cometchat"),
        pytest.param({"variants": RoomVariants(real_shapes=True, play_id=True)}, id="real shapes"),
    ],
)
async def test_what_the_recordings_hold_is_no_drift(bench: Bench) -> None:
    alice = bench.sandbox.users.add("alice")
    await alice.join()
    await alice.say("hello")
    await alice.dj()

    await bench.check("chat.member")
    found = await bench.check("drift")

    assert (found.message, found.remedy) == ("me, group, messages, joinRoom, spec as hangbot knows them", "")


async def test_a_message_of_another_shape_is_warned_about_and_named(bench: Bench) -> None:
    rows = [
        {"id": 1, "sender": "a", "receiver": "b", "receiverType": "group", "category": "message", "data": "x"}
    ]
    bench.fault("chat.history", status=200, body={"data": rows})

    found = await bench.check("drift")

    assert "changed: messages[].data (text, not object); gone: messages[].sentAt" in found.message
    assert found.remedy.startswith("Update hangbot")


async def test_no_token_of_an_answer_is_told(bench: Bench) -> None:
    token = bench.sandbox.bot.chat_token
    bench.fault("chat.me", "status", status=200, body={"data": {"uid": 7, "secretToken": token}})

    found = await bench.check("drift")

    assert "me.secretToken" in found.message
    assert token not in json.dumps([found.message, found.remedy])
