import pytest

from hangbot.cli.listing import ago, list_lines
from hangbot.delivery.message import Outgoing
from hangbot.delivery.record import OutboxRow, State


def stored(key: str, text: str, *, state: State = "queued", reason: str = "", to: str = "") -> OutboxRow:
    message = Outgoing(key, to or "room", text, bool(to))
    return OutboxRow(message, state, None, 0, False, 1_000.0, None, reason)  # noqa: FBT003  in doubt: no


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "now"),
        (0.4, "now"),
        (1, "1 s ago"),
        (59.9, "59 s ago"),
        (60, "1 min ago"),
        (7_199, "1 h ago"),
        (86_400 * 3, "3 d ago"),
    ],
)
def test_a_time_is_told_in_its_largest_unit(seconds: float, words: str) -> None:
    assert ago(seconds) == words


def test_a_list_has_a_heading_and_says_why_something_did_not_arrive_and_to_whom_it_is() -> None:
    rows = [
        stored("good", "hello\nthere", state="delivered"),
        stored("bad", "no", state="failed", reason="refused", to="ann"),
    ]

    assert list(list_lines(rows, {"good": "good", "bad": "bad"}, 1_180.0)) == [
        "ID    STATE      ACCEPTED   TEXT",
        "good  delivered  3 min ago  hello\\nthere",
        "bad   failed     3 min ago  to ann: no",
        "  -> refused",
    ]


def test_an_id_that_leaves_no_room_stands_on_a_line_of_its_own() -> None:
    long = "playlist-of-the-evening-2026-11-28-number-000017"
    rows = [stored(long, "x" * 200, reason="y" * 200)]

    lines = list(list_lines(rows, {long: long}, 1_000.0))

    assert lines[1] == long
    assert lines[2].split() == ["queued", "now", lines[2].split()[-1]]
    assert [len(line) for line in lines[2:]] == [60, 60]
