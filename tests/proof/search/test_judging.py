from typing import Any

from pytest_hangfm.proof.evidence import Evidence, Line, Probe
from pytest_hangfm.proof.search.judging import Ends, blamed, patience, under_its_rule
from tests.cases import cases

ONE = (Probe(1, 0),)
PONG = Line(2, "bot", "room", "pong")
WELL: dict[str, Any] = {"is_in_the_room": True, "answers_now": True, "waited": 61.0, "ends": Ends()}


def requests_at(*seconds: float) -> Evidence:
    rows = tuple(
        {"n": n, "t_ms": int(1000 * at), "service": "chat", "kind": "http", "dir": "in", "uid": "bot"}
        for n, at in enumerate(seconds, 1)
    )
    return Evidence("bot", rows)


@cases(
    "evidence changes found",
    ("well", Evidence("bot", questions=ONE, answers=(PONG,)), {}, []),
    (
        "answered-twice",
        Evidence("bot", questions=ONE, answers=(PONG, PONG)),
        {},
        [("search.once", "it answered 2 times to 1 question")],
    ),
    (
        "passed-over",
        Evidence("bot", questions=ONE * 2, answers=(PONG,)),
        {},
        [("search.lost", "of 2 questions 1 got no answer")],
    ),
    (
        "deaf",
        Evidence("bot", questions=ONE),
        {"answers_now": False},
        [("search.recovers", "it did not answer within 61 s after the last fault")],
    ),
    (
        "out",
        Evidence("bot", questions=ONE),
        {"is_in_the_room": False, "answers_now": False},
        [("search.recovers", "it was not in the room 61 s after the last fault")],
    ),
    (
        "ended-well-for-ever",
        Evidence("bot", questions=ONE),
        {"is_in_the_room": False, "answers_now": False, "ends": Ends((0,), allowed=True)},
        [("search.alive", "it ended with exit code 0, so that nothing starts it again")],
    ),
    (
        "crashed-at-a-frame",
        Evidence("bot", questions=ONE, answers=(PONG,)),
        {"ends": Ends((1,))},
        [("search.alive", "it ended with exit code 1")],
    ),
    (
        "was-started-again",
        Evidence("bot", questions=ONE, answers=(PONG,)),
        {"ends": Ends((1, 1), allowed=True)},
        [],
    ),
    (
        "ends-again-and-again",
        Evidence("bot", questions=ONE),
        {"is_in_the_room": False, "answers_now": False, "ends": Ends((1,) * 6, allowed=True)},
        [("search.alive", "it ended 6 times, the last time with exit code 1")],
    ),
)
def test_what_a_bot_did_wrong_is_told_by_one_rule(
    evidence: Evidence, changes: dict[str, Any], found: list[tuple[str, str]]
) -> None:
    assert blamed(evidence, **WELL | changes) == found


def test_a_rush_to_the_room_socket_is_told() -> None:
    row = {"service": "room", "kind": "http", "dir": "in", "path": "/primus?token=x"}
    rows = tuple({"n": n, "t_ms": 100 * n, **row} for n in range(1, 9))

    assert blamed(Evidence("bot", rows), **WELL) == [
        ("search.gentle", "it tried 8 times within 0.7 s to open the room socket")
    ]


def test_a_bot_that_opens_each_socket_anew_that_it_lost_is_gentle() -> None:
    tried = {"service": "room", "kind": "http", "dir": "in", "path": "/primus?token=T", "uid": None}
    opened = {"service": "room", "kind": "open", "dir": "in", "uid": "bot"}
    rows = tuple({"n": n, "t_ms": 100 * n, **(tried if n % 2 else opened)} for n in range(1, 21))

    assert blamed(Evidence("bot", rows), **WELL) == []
    assert Evidence("bot", rows[:-1]).connects_in_vain() == [1900]


@cases(
    "times seconds",
    ("nothing-asked", (), 60.0),
    ("asks-each-second", (0, 1, 2, 3), 60.0),
    ("its-pauses-have-grown", (0, 1, 3, 7, 39), 80.0),
    ("one-long-pause", (0, 50), 90.0),
)
def test_a_bot_whose_pauses_have_grown_is_waited_for_longer(times: tuple[float, ...], seconds: float) -> None:
    assert patience(requests_at(*times)) == seconds


def test_what_every_scenario_is_judged_by_has_a_rule_of_the_search() -> None:
    blames = [("search.once", "twice"), ("room-socket.one-connection", "it had 4 room sockets open at once")]

    assert under_its_rule(blames) == (
        ("search.once", "twice"),
        ("search.always", "room-socket.one-connection: it had 4 room sockets open at once"),
    )
