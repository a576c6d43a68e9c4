from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangbot.sandbox.faults import Faults
from tests.cases import cases, named


@given(times=st.integers(0, 5), after=st.integers(0, 5), passages=st.integers(0, 15))
def test_a_fault_hits_exactly_as_often_as_told(times: int, after: int, passages: int) -> None:
    faults = Faults()
    fault = faults.add("chat.send", "refuse", times=times, after=after)

    hits = [faults.take("chat.send") is fault for _ in range(passages)]

    expected = [n >= after and (times == 0 or n < after + times) for n in range(passages)]
    assert hits == expected
    assert faults.hits(fault.id) == sum(expected)


@pytest.fixture
def faults() -> Faults:
    return Faults()


@cases(
    "on point hit",
    ("star", "chat.*", "chat.history", True),
    ("room star", "room.*", "room.joinRoom", True),
    ("another service", "chat.*", "room.action", False),
    ("another point", "room.action", "room.joinRoom", False),
    ("a point without a name of its own", "gateway.*", "gateway.rooms", True),
)
def test_a_point_is_hit_by_its_own_faults(on: str, point: str, hit: bool) -> None:  # noqa: FBT001  a table's column
    faults = Faults()
    faults.add(on, "hang")

    assert (faults.take(point) is not None) is hit


def test_the_first_armed_fault_hits_first(faults: Faults) -> None:
    first, second = faults.add("chat.*", "hang"), faults.add("chat.send", "refuse")

    taken = [faults.take("chat.send"), faults.take("chat.send")]

    assert taken == [first, second]


def test_a_fault_that_lets_pass_does_not_shield_the_next(faults: Faults) -> None:
    late, now = faults.add("chat.send", "hang", after=1), faults.add("chat.send", "refuse")

    taken = [faults.take("chat.send"), faults.take("chat.send")]

    assert taken == [now, late]


def test_a_passage_can_be_about_some_deeds_only(faults: Faults) -> None:
    drop = faults.add("chat.ws", "drop")

    upgrade = faults.take("chat.ws", frozenset({"refuse"}))
    frame = faults.take("chat.ws", frozenset({"drop"}))

    assert upgrade is None
    assert frame is drop


def test_a_fault_may_be_about_what_has_one_name(faults: Faults) -> None:
    fault = faults.add("room.message", "drop", name="updatedUserData", after=1)
    names = ["userJoined", "updatedUserData", None, "userJoined", "updatedUserData", "updatedUserData"]

    hits = [faults.take("room.message", name=name) is fault for name in names]

    assert hits == [False, False, False, False, True, False]
    assert faults.list()[0]["name"] == "updatedUserData"


def test_leftovers_are_the_faults_that_never_hit(faults: Faults) -> None:
    faults.add("chat.send", "hang")
    unused = faults.add("room.ping", "drop")
    faults.take("chat.send")

    assert faults.leftovers() == (unused,)


def test_the_list_shows_what_was_asked_for_and_the_hits(faults: Faults) -> None:
    faults.add("chat.send", "status", times=2, status=429, headers={"Retry-After": "1"}, body={"error": 1})
    faults.take("chat.send")

    names = "id on do times after status headers body hits"
    row = named(names, 1, "chat.send", "status", 2, 0, 429, {"Retry-After": "1"}, {"error": 1}, 1)
    assert faults.list() == [row]


def test_what_is_removed_or_cleared_hits_no_more_and_numbers_go_on(faults: Faults) -> None:
    faults.remove(faults.add("chat.send", "hang", times=0).id)
    faults.add("chat.me", "hang")

    faults.clear()

    assert (faults.take("chat.send"), faults.take("chat.me"), faults.list()) == (None, None, [])
    assert faults.leftovers() == ()
    assert faults.add("chat.send", "hang").id == 3
    with pytest.raises(KeyError):
        faults.remove(7)


@cases(
    "on do options text",
    ("unknown point", "chat.sned", "hang", {}, "no such point"),
    ("unknown kind", "chat.send", "explode", {}, "no such deed"),
    ("a frame's kind on a request", "chat.send", "drop", {}, "is for frames"),
    ("delay without ms", "chat.send", "delay", {}, "needs ms"),
    ("negative ms", "chat.send", "delay", {"ms": -1}, "ms must be"),
    ("ms is a truth value", "chat.send", "delay", {"ms": True}, "ms must be"),
    ("no status", "chat.send", "status", {"status": 42}, "status must be"),
    ("headers", "chat.send", "status", {"headers": {"a": 1}}, "headers must be"),
    ("two headers", "chat.send", "status", {"headers": {"a": "b\r\nc: d"}}, "end of a line"),
    ("half a character", "chat.send", "status", {"headers": {"a": "\ud83d"}}, "half a character"),
    ("a name where nothing has one", "room.ping", "drop", {"name": "x"}, "room.action or room.message"),
    ("a name for a whole service", "room.*", "abort", {"name": "x"}, "room.action or room.message"),
    ("no name", "room.action", "drop", {"name": ""}, "room.action or room.message"),
    ("a name that is none", "room.action", "drop", {"name": 1}, "room.action or room.message"),
    ("negative times", "chat.send", "hang", {"times": -1}, "times must be"),
    ("half an after", "chat.send", "hang", {"after": 1.5}, "after must be"),
)
def test_a_wrong_fault_is_told_what_is_right(on: str, do: str, options: dict[str, Any], text: str) -> None:
    faults = Faults()

    with pytest.raises(ValueError, match=text):
        faults.add(on, do, **options)

    assert faults.list() == []
