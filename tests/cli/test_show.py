from hangbot.cli import show
from hangbot.delivery.message import Outgoing
from hangbot.delivery.record import OutboxRow, Step
from hangbot.delivery.stats import compute_stats

ROOM = "room-guid"


def stored(key: str = "m-1", **changes: object) -> OutboxRow:
    row = {
        "message": Outgoing(key, ROOM, "hello\nthere"),
        "state": "delivered",
        "tier": 1,
        "attempts": 1,
        "in_doubt": False,
        "accepted_at": 1_700_000_000.0,
        "settled_at": 1_700_000_000.25,
        "reason": "",
        "remedy": "",
    }
    return OutboxRow(**(row | changes))  # type: ignore[arg-type]  # a table's columns


def test_a_message_in_json_is_the_contracts() -> None:
    step = Step("m-1", 1_700_000_000.1, "answer", 1, "acknowledged")

    row = show.message_row(stored(), [step])

    assert row == {
        "id": "m-1",
        "to": ROOM,
        "state": "delivered",
        "tier": 1,
        "attempts": 1,
        "text": "hello\nthere",
        "accepted_at": "2023-11-14T22:13:20.000Z",
        "settled_at": "2023-11-14T22:13:20.250Z",
        "reason": "",
        "remedy": "",
        "history": [{"at": "2023-11-14T22:13:20.100Z", "event": "answer", "detail": "acknowledged"}],
    }


def test_a_message_that_has_not_ended_has_no_end_and_a_list_no_history() -> None:
    row = show.message_row(stored(state="queued", tier=None, settled_at=None))

    assert (row["settled_at"], row["tier"], "history" in row) == (None, None, False)


def test_a_line_of_a_list_holds_the_reason_on_one_line() -> None:
    line = show.stored_line(stored(state="failed", tier=3, reason="refused"))

    assert line == "m-1  failed tier 3 (refused)  -> room-guid: hello\\nthere"


def test_a_long_text_is_cut() -> None:
    line = show.stored_line(stored(message=Outgoing("m-1", ROOM, "x" * 100)))

    assert line.endswith("x" * 59 + "~")


def test_a_table_is_aligned_and_has_no_trailing_spaces() -> None:
    assert list(show.table([("a", "b"), ("long", "x"), ("c", "")])) == ["a     b", "long  x", "c"]


def test_a_report_lists_the_messages_and_adds_them_up() -> None:
    rows = [
        stored("m-1"),
        stored("m-2", tier=2, attempts=2, settled_at=1_700_000_001.0),
        stored("m-3", state="failed", tier=3, attempts=3),
        stored("m-4", state="uncertain", tier=None),
        stored("m-5", state="queued", tier=None, attempts=0, settled_at=None),
    ]

    *listed, figures = show.report(rows, compute_stats(rows, 1_700_000_010.0))

    assert [line.split()[:4] for line in listed] == [
        ["id", "state", "tier", "attempts"],
        ["m-1", "delivered", "1", "1"],
        ["m-2", "delivered", "2", "2"],
        ["m-3", "failed", "3", "3"],
        ["m-4", "uncertain", "-", "1"],
        ["m-5", "queued", "-", "0"],
    ]
    assert figures == (
        "delivered 2 (first try 25.0%), retried 1, failed 1, uncertain 1, left in the outbox 1, "
        "p50 250 ms, p95 1000 ms"
    )


def test_a_report_of_nothing_is_one_line_without_figures() -> None:
    (line,) = show.report([], compute_stats([], 0.0))

    assert line.startswith("delivered 0 (first try -)")
    assert line.endswith("p50 -, p95 -")
