import json
from collections.abc import Sequence
from typing import Any

from pytest_hangfm.proof.evidence import Evidence, Line, Probe, Run, text_of
from pytest_hangfm.proof.judge import acts_early, backoff, doubled, hammering, leaks, lost, one_connection
from tests.cases import cases

BOT = "b-1"


def sockets(*changes: tuple[int, str, int]) -> tuple[dict[str, Any], ...]:
    rows = ({"n": n, "t_ms": at, "service": "room", "dir": "in", "kind": kind, "conn": conn, "uid": BOT}
            for n, (at, kind, conn) in enumerate(changes, 1))  # fmt: skip
    return tuple(rows)


@cases(
    "changes ended what",
    ("none", [], 9_000, None),
    ("one", [(0, "open", 1)], 90_000, None),
    ("one-after-the-other", [(0, "open", 1), (50, "close", 1), (60, "open", 2)], 90_000, None),
    ("a-short-overlap", [(0, "open", 1), (50, "open", 2), (3_000, "close", 1)], 90_000, None),
    ("a-long-overlap", [(0, "open", 1), (50, "open", 2)], 9_050, "it kept 2 room sockets open for 9 s"),
    ("many", [(n, "open", n) for n in range(4)], 100, "it had 4 room sockets open at once"),
)
def test_room_sockets_are_counted(
    changes: Sequence[tuple[int, str, int]], ended: int, what: str | None
) -> None:
    assert one_connection(Evidence(BOT, sockets(*changes), ended_ms=ended)) == what


@cases(
    "answers is_lost is_doubled",
    ("none", 0, True, False),
    ("each", 2, False, False),
    ("one-twice", 3, False, True),
)
def test_answers_are_counted(answers: int, *, is_lost: bool, is_doubled: bool) -> None:
    lines = tuple(Line(n, BOT, "room", "pong") for n in range(answers))
    evidence = Evidence(BOT, questions=(Probe(1, 0), Probe(2, 0)), answers=lines)

    assert (lost(evidence) is not None) == is_lost
    assert (doubled(evidence) is not None) == is_doubled


DOUBLING = [0, 1_000, 3_000, 7_000, 15_000, 31_000]


@cases(
    "times until is_fine",
    ("none", [], 40_000, True),
    ("doubling-pauses", DOUBLING, 40_000, True),
    ("once-a-second", range(0, 40_000, 1_000), 40_000, False),
    ("every-two-seconds", range(0, 40_000, 2_000), 40_000, False),
    ("every-five-seconds", range(0, 40_000, 5_000), 40_000, True),
    ("in-a-rush", range(0, 800, 100), 40_000, False),
    ("gave-up", [0, 1_000, 2_000], 40_000, True),
)
def test_a_back_off_grows_or_is_gentle(times: Sequence[int], until: int, *, is_fine: bool) -> None:
    assert (backoff(list(times), until) is None) == is_fine


def test_a_rush_is_eight_tries_within_three_seconds() -> None:
    assert hammering(list(range(0, 2_400, 300))) == "it tried 8 times within 2.1 s"
    assert hammering(list(range(0, 8_000, 500))) is None


def test_a_printed_token_is_shown_masked() -> None:
    evidence = Evidence(BOT, runs=(Run(0, 0, ("token=<masked>",), ("token=<masked>",)),))

    assert leaks(evidence) == "it printed a token: token=<masked>"
    assert leaks(Evidence(BOT, runs=(Run(0, 0),))) is None


@cases(
    "row text",
    ("a-text", {"data": {"text": "pong"}}, "pong"),
    ("an-old-custom-line", {"data": {"customData": {"message": "pong"}}}, "pong"),
    ("metadata-alone", {"data": {"text": "", "metadata": {"chatMessage": {"message": "pong"}}}}, "pong"),
    ("nothing", {"data": {"metadata": 3}}, ""),
    ("no-data", {}, ""),
)
def test_the_text_of_a_message_is_found_wherever_it_is(row: dict[str, Any], text: str) -> None:
    assert text_of(row) == text


def action(name: str, conn: int, **more: object) -> dict[str, Any]:
    frame = json.dumps({"event": "action", "params": {"action": name}, "messageId": 1})
    row = {"n": 1, "t_ms": 1, "service": "room", "dir": "in", "kind": "frame", "uid": BOT}
    return {**row, "conn": conn, "frame": frame, **more}


OPENED = sockets((0, "open", 1), (0, "open", 2))


@cases(
    "rows what",
    ("nothing", [], None),
    ("a-join-first", [action("joinRoom", 1), action("voteOnSong", 1)], None),
    ("a-new-connection-joined-too", [action("joinRoom", 1), action("joinRoom", 2), action("addDj", 2)], None),
    ("no-join", [action("voteOnSong", 1)], "it ran voteOnSong before it had sent joinRoom"),
    (
        "a-join-on-another-connection",
        [action("joinRoom", 1), action("addDj", 2)],
        "it ran addDj before it had sent joinRoom",
    ),
    ("another-user", [action("voteOnSong", 1, uid="u-2")], None),
    ("a-beginning-that-the-journal-dropped", [action("voteOnSong", 3)], None),
    ("no-action", [action("", 1), action("x", 1, frame="7"), action("x", 1, frame="{}")], None),
)
def test_an_action_comes_after_the_join_of_its_connection(
    rows: Sequence[dict[str, Any]], what: str | None
) -> None:
    assert acts_early(Evidence(BOT, (*OPENED, *rows))) == what
