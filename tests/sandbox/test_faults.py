from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangbot.sandbox.faults import Faults


def test_a_fault_hits_once_unless_told_otherwise() -> None:
    faults = Faults()
    fault = faults.add("chat.send", "status", status=503)

    taken = [faults.take("chat.send") for _ in range(3)]

    assert taken == [fault, None, None]


@given(times=st.integers(0, 5), after=st.integers(0, 5), passages=st.integers(0, 15))
def test_a_fault_hits_exactly_as_often_as_told(times: int, after: int, passages: int) -> None:
    faults = Faults()
    fault = faults.add("chat.send", "refuse", times=times, after=after)

    hits = [faults.take("chat.send") is fault for _ in range(passages)]

    expected = [n >= after and (times == 0 or n < after + times) for n in range(passages)]
    assert hits == expected
    assert faults.hits(fault.id) == sum(expected)


@pytest.mark.parametrize(
    ("on", "point", "hit"),
    [
        pytest.param("chat.*", "chat.history", True, id="star"),
        pytest.param("room.*", "room.joinRoom", True, id="room star"),
        pytest.param("chat.*", "room.action", False, id="another service"),
        pytest.param("room.action", "room.joinRoom", False, id="another point"),
        pytest.param("gateway.*", "gateway.rooms", True, id="a point without a name of its own"),
    ],
)
def test_a_point_is_hit_by_its_own_faults(on: str, point: str, hit: bool) -> None:  # noqa: FBT001  a table's column
    faults = Faults()
    faults.add(on, "hang")

    assert (faults.take(point) is not None) is hit


def test_the_first_armed_fault_hits_first() -> None:
    faults = Faults()
    first, second = faults.add("chat.*", "hang"), faults.add("chat.send", "refuse")

    taken = [faults.take("chat.send"), faults.take("chat.send")]

    assert taken == [first, second]


def test_a_fault_that_lets_pass_does_not_shield_the_next() -> None:
    faults = Faults()
    late, now = faults.add("chat.send", "hang", after=1), faults.add("chat.send", "refuse")

    taken = [faults.take("chat.send"), faults.take("chat.send")]

    assert taken == [now, late]


def test_a_passage_can_be_about_some_deeds_only() -> None:
    faults = Faults()
    drop = faults.add("chat.ws", "drop")

    upgrade = faults.take("chat.ws", frozenset({"refuse"}))
    frame = faults.take("chat.ws", frozenset({"drop"}))

    assert upgrade is None
    assert frame is drop


def test_leftovers_are_the_faults_that_never_hit() -> None:
    faults = Faults()
    faults.add("chat.send", "hang")
    unused = faults.add("room.ping", "drop")
    faults.take("chat.send")

    assert faults.leftovers() == (unused,)


def test_the_list_shows_what_was_asked_for_and_the_hits() -> None:
    faults = Faults()
    faults.add("chat.send", "status", times=2, status=429, headers={"Retry-After": "1"}, body={"error": 1})
    faults.take("chat.send")

    assert faults.list() == [
        {
            "id": 1,
            "on": "chat.send",
            "do": "status",
            "times": 2,
            "after": 0,
            "status": 429,
            "headers": {"Retry-After": "1"},
            "body": {"error": 1},
            "hits": 1,
        }
    ]


def test_a_removed_fault_hits_no_more() -> None:
    faults = Faults()
    fault = faults.add("chat.send", "hang", times=0)

    faults.remove(fault.id)

    assert faults.take("chat.send") is None
    assert faults.list() == []


def test_removing_what_is_not_there_is_told() -> None:
    with pytest.raises(KeyError):
        Faults().remove(7)


def test_clearing_forgets_everything_but_numbers_go_on() -> None:
    faults = Faults()
    faults.add("chat.send", "hang")

    faults.clear()

    assert faults.leftovers() == ()
    assert faults.add("chat.send", "hang").id == 2


@pytest.mark.parametrize(
    ("on", "do", "options", "text"),
    [
        pytest.param("chat.sned", "hang", {}, "no such point", id="unknown point"),
        pytest.param("chat.send", "explode", {}, "no such deed", id="unknown deed"),
        pytest.param("chat.send", "drop", {}, "is for frames", id="frame deed on a request"),
        pytest.param("chat.send", "delay", {}, "needs ms", id="delay without ms"),
        pytest.param("chat.send", "delay", {"ms": -1}, "ms must be", id="negative ms"),
        pytest.param("chat.send", "delay", {"ms": True}, "ms must be", id="ms is a truth value"),
        pytest.param("chat.send", "status", {"status": 42}, "status must be", id="no status"),
        pytest.param("chat.send", "status", {"headers": {"a": 1}}, "headers must be", id="headers"),
        pytest.param(
            "chat.send", "status", {"headers": {"a": "b\r\nc: d"}}, "end of a line", id="two headers"
        ),
        pytest.param(
            "chat.send", "status", {"headers": {"a": "\ud83d"}}, "half a character", id="half a character"
        ),
        pytest.param("chat.send", "hang", {"times": -1}, "times must be", id="negative times"),
        pytest.param("chat.send", "hang", {"after": 1.5}, "after must be", id="half an after"),
    ],
)
def test_a_fault_that_cannot_be_is_refused_with_what_can(
    on: str, do: str, options: dict[str, Any], text: str
) -> None:
    faults = Faults()

    with pytest.raises(ValueError, match=text):
        faults.add(on, do, **options)

    assert faults.list() == []
