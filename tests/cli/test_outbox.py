from __future__ import annotations

import os
import sqlite3
import sys
import unicodedata
from typing import TYPE_CHECKING

import pexpect
import pytest

from hangbot.cli import main
from hangbot.delivery.outbox import exclusive
from tests.bounds import WITHIN

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Bench, Call

STATS = {
    "delivered", "tier1", "tier2", "failed", "uncertain", "queued", "expired", "dropped",
    "first_try_rate", "p50_ms", "p95_ms", "p99_ms", "oldest_queued_s",
}  # fmt: skip


@pytest.fixture
def filled(bench: Bench) -> Bench:
    """An outbox with a message in each state that there is without waiting."""
    faults = bench.sandbox.faults
    assert main(["send", "fine", "--id", "good"]) == 0
    faults.add("chat.send", "status", status=400, body={"error": {"code": "ERR_BAD_REQUEST"}})
    assert main(["send", "refused", "--id", "bad"]) == 1
    with exclusive(bench.outbox):
        assert main(["send", "waiting", "--id", "later"]) == 0
    return bench


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    ("states", "ids"),
    [
        ([], ["good", "bad", "later"]),
        (["--failed"], ["bad"]),
        (["--queued"], ["later"]),
        (["--delivered"], ["good"]),
        (["--failed", "--delivered"], ["good", "bad"]),
    ],
)
def test_a_list_is_of_the_states_asked_for(states: list[str], ids: list[str], call: Call) -> None:
    rows = call.json("outbox", "list", *states)
    heading, *lines = call.printed("outbox", "list", *states).splitlines()

    assert [row["id"] for row in rows] == ids
    assert [line.split()[0] for line in lines if not line.startswith("  ")] == ids
    assert heading.split() == ["ID", "STATE", "ACCEPTED", "TEXT"]


@pytest.mark.usefixtures("filled")
def test_a_list_that_is_empty_says_so(folder: Path, call: Call) -> None:
    none_uncertain = call.printed("outbox", "list", "--uncertain")
    (folder / "outbox.sqlite3").unlink()
    make_empty(folder / "outbox.sqlite3")
    nothing = call.printed("outbox", "list")

    assert none_uncertain == "no message is uncertain\n"
    assert nothing == "the outbox is empty\n"
    assert call.json("outbox", "list") == []


def test_a_list_fits_sixty_columns_and_every_command_takes_the_name_it_shows(bench: Bench) -> None:
    ids = ["4f0c7d1e9b2a4c55", "4f0c7d1e9b2a77aa"]
    with exclusive(bench.outbox):
        assert main(["send", "word " * 250, "--id", ids[0]]) == 0
        wide = "\u65e5\u672c\U0001f9d1\u200d\U0001f3a4" * 20
        assert main(["send", wide, "--id", ids[1], "--to", "somebody"]) == 0

    heading, *lines = bench.call.printed("outbox", "list").splitlines()
    names = [line.split()[0] for line in lines]
    shown = [bench.call.json("outbox", "show", name)["id"] for name in names]
    dropped = [row["id"] for row in bench.call.json("outbox", "drop", names[0])]

    assert heading.split()[0] == "ID"
    assert all("now" in line or "ago" in line for line in lines)
    assert all(columns(line) <= 60 for line in (heading, *lines))
    assert names == ["4f0c7d1e9b2a4", "4f0c7d1e9b2a4.2", "4f0c7d1e9b2a7"]
    assert shown == [ids[0], f"{ids[0]}.2", ids[1]]
    assert dropped == [ids[0], f"{ids[0]}.2"]
    assert bench.muids == []


@pytest.mark.slow
@pytest.mark.parametrize("columns_there", [60, 90])
def test_at_a_terminal_a_list_is_as_wide_as_that(bench: Bench, columns_there: int) -> None:
    with exclusive(bench.outbox):
        assert main(["send", "word " * 40, "--id", "m-1"]) == 0

    said, code = pexpect.run(
        f"{sys.executable} -m hangbot outbox list",
        cwd=str(bench.folder),
        env={name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}},
        timeout=int(WITHIN),
        withexitstatus=True,
        encoding="utf-8",
        dimensions=(24, columns_there),
    )

    assert code == 0
    assert [len(line) for line in said.splitlines()][1:] == [columns_there]
    assert bench.muids == []


@pytest.mark.parametrize("command", ["show", "retry", "drop"])
def test_a_beginning_that_fits_two_messages_is_one_line_and_does_nothing(command: str, bench: Bench) -> None:
    with exclusive(bench.outbox):
        for key in ("order-1", "order-2", "ord"):
            assert main(["send", key, "--id", key]) == 0

    said = bench.call("outbox", command, "orde")

    exact = bench.call.json("outbox", "show", "ord")

    assert (said.code, said.out) == (2, "")
    assert said.err == (
        "hangbot: orde fits 2 messages (order-1, order-2); nothing was done. Give more of the id.\n"
    )
    assert exact["id"] == "ord"
    assert [row["state"] for row in bench.call.json("outbox", "list")] == ["queued"] * 3
    assert bench.muids == []


@pytest.mark.usefixtures("filled")
def test_a_message_is_shown_with_its_history_and_what_to_do(call: Call) -> None:
    row = call.json("outbox", "show", "bad")
    said = call.printed("outbox", "show", "bad")

    assert (row["state"], row["tier"], row["attempts"], row["text"]) == ("failed", 3, 1, "refused")
    assert [step["event"] for step in row["history"]] == ["accepted", "attempt", "answer", "settled"]
    assert all(set(step) == {"at", "event", "detail"} for step in row["history"])
    assert row["remedy"] in said
    assert said.count("\n") == 2 + 4


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("command", [["show"], ["retry"], ["drop"]])
def test_an_unknown_id_is_1_and_changes_nothing(command: list[str], call: Call) -> None:
    ids = ["bad", "nobody"] if command != ["show"] else ["nobody"]

    said = call("outbox", *command, *ids)

    assert said.code == 1
    assert said.err == "hangbot: no message nobody is in the outbox. `hangbot outbox list` shows the ids.\n"
    assert [row["state"] for row in call.json("outbox", "list")] == ["delivered", "failed", "queued"]


def test_a_failed_message_is_queued_again_and_the_next_one_delivers_it(filled: Bench) -> None:
    said = filled.call.printed("outbox", "retry", "bad")
    queued = filled.call.json("outbox", "list", "--queued")

    assert said.splitlines()[-1] == "queued: no bot runs, the next one delivers"
    assert [row["id"] for row in queued] == ["bad", "later"]
    assert main(["send", "go", "--id", "go"]) == 0
    assert sorted(filled.muids) == ["bad", "go", "good", "later"]


@pytest.mark.usefixtures("filled")
def test_while_a_bot_runs_it_is_told_that_the_bot_takes_it(folder: Path, call: Call) -> None:
    with exclusive(folder / "outbox.sqlite3"):
        said = call.printed("outbox", "retry", "--all-failed")

    assert said.splitlines()[-1] == "the running bot takes it from here"


@pytest.mark.usefixtures("filled")
def test_retrying_all_of_none_says_that_there_is_nothing(call: Call) -> None:
    assert call.printed("outbox", "retry", "--all-uncertain") == "nothing to retry\n"
    assert call.json("outbox", "retry", "--all-uncertain") == []


@pytest.mark.usefixtures("filled")
def test_an_id_that_is_named_twice_is_retried_once(call: Call) -> None:
    assert [row["id"] for row in call.json("outbox", "retry", "bad", "bad", "--all-failed")] == ["bad"]
    history = call.json("outbox", "show", "bad")["history"]
    assert [step["detail"] for step in history].count("queued again by hand") == 1


@pytest.mark.usefixtures("filled")
def test_retrying_without_saying_what_is_a_wrong_call(call: Call) -> None:
    said = call("outbox", "retry")

    assert said.code == 2
    assert "--all-failed" in said.err


def test_dropped_messages_stay_listed_and_are_not_sent(filled: Bench) -> None:
    rows = filled.call.json("outbox", "drop", "bad", "later")

    assert [(row["id"], row["state"], row["tier"]) for row in rows] == [
        ("bad", "dropped", None),
        ("later", "dropped", None),
    ]
    assert main(["send", "go", "--id", "go"]) == 0
    assert filled.muids == ["good", "go"]


@pytest.mark.usefixtures("filled")
def test_what_is_delivered_cannot_be_dropped(call: Call) -> None:
    (row,) = call.json("outbox", "drop", "good", code=1)

    assert row["state"] == "delivered"


@pytest.mark.usefixtures("filled")
def test_the_figures_are_the_contracts(call: Call) -> None:
    figures = call.json("outbox", "stats")
    lines = call.printed("outbox", "stats").splitlines()

    assert set(figures) == STATS
    counted = {name: figures[name] for name in ("delivered", "tier1", "tier2", "failed", "queued")}
    assert counted == {"delivered": 1, "tier1": 1, "tier2": 0, "failed": 1, "queued": 1}
    assert figures["first_try_rate"] == 0.5
    assert figures["p50_ms"] > 0
    assert {line.split()[0] for line in lines} == STATS | {"figure"}


def test_an_outbox_that_is_not_there_is_not_made(folder: Path, call: Call) -> None:
    said = call("outbox", "list")

    assert said.code == 1
    assert said.err.startswith("hangbot: there is no outbox hangbot-outbox.sqlite3. Check HANGBOT_OUTBOX")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("rest", ["", "BOT_USER_TOKEN\nROOM_UUID=\nSOCKET_TIMEOUT_MS=soon\n"])
def test_the_outbox_is_shown_whatever_the_configuration_says(rest: str, folder: Path, call: Call) -> None:
    (folder / "hang-fm-config.env").write_text(f"{rest}HANGBOT_OUTBOX= {folder}/elsewhere.db \n")
    make_empty(folder / "elsewhere.db")

    assert call.json("outbox", "list") == []


def test_the_environments_outbox_wins(folder: Path, monkeypatch: pytest.MonkeyPatch, call: Call) -> None:
    (folder / "hang-fm-config.env").write_text("HANGBOT_OUTBOX=not-this-one.db\n")
    make_empty(folder / "this-one.db")
    monkeypatch.setenv("HANGBOT_OUTBOX", " this-one.db ")

    assert call.json("outbox", "list") == []
    assert sorted(path.name for path in folder.glob("*.db")) == ["this-one.db"]


def columns(line: str) -> int:
    widths = (2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in line if char != "\u200d")
    return sum(widths)


def make_empty(path: Path) -> None:
    sqlite3.connect(path).close()
    path.touch()
