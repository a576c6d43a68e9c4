"""Whose outbox it is, and where: the file is one bot's, beside its configuration, from every folder."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from hangbot.cli import main
from hangbot.delivery.outbox import exclusive
from tests.cli.stories import Heard

if TYPE_CHECKING:
    from tests.cli.conftest import Bench


@pytest.fixture
def bot_a(bench: Bench) -> str:
    """Another bot's uid, which has queued a message in the outbox."""
    uid = "bot-a"
    bench.configure(COMETCHAT_UID=uid)
    with exclusive(bench.outbox):
        assert main(["send", "said by a", "--id", "a-1"]) == 0
    bench.configure()
    return uid


@pytest.mark.parametrize("command", [["run"], ["send", "hello"]])
def test_another_bots_outbox_is_refused_with_both_named_and_nothing_is_said(
    command: list[str], bot_a: str, bench: Bench
) -> None:
    said = bench.call(*command)

    assert (said.code, said.out) == (2, "")
    assert bot_a in said.err
    assert bench.sandbox.bot.uid in said.err
    assert "HANGBOT_OUTBOX of its own" in said.err
    assert "Traceback" not in said.err
    assert bench.muids == []


@pytest.mark.usefixtures("bot_a")
def test_preflight_rejects_it_and_does_not_take_what_is_nobodys(bench: Bench) -> None:
    code, refused, _ = bench.call("preflight")

    with closing(sqlite3.connect(bench.outbox, isolation_level=None)) as database:
        database.execute("DELETE FROM owner")

    assert main(["preflight"]) == 0
    with closing(sqlite3.connect(bench.outbox)) as database:
        owners = database.execute("SELECT * FROM owner").fetchall()

    assert code == 1
    assert "[FAIL] Outbox is writable: the outbox" in refused
    assert owners == []


@pytest.mark.parametrize("command", [["list"], ["show", "a-1"], ["stats"], ["drop", "a-1"]])
@pytest.mark.usefixtures("bot_a")
def test_looking_and_dropping_needs_no_matching_configuration(command: list[str]) -> None:
    assert main(["outbox", *command]) == 0


OPAQUE = "opaque-token-without-claims"


@pytest.fixture
def opaque(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A token that does not say whose it is: only the chat can tell."""
    bench.configure(COMETCHAT_UID="", COMETCHAT_AUTH=bench.sandbox.bot.chat_token)
    monkeypatch.setattr("hangbot.config.validators.read_claims", lambda _: None)
    return bench


def test_a_uid_that_only_the_chat_can_tell_is_bound_at_the_first_connection(opaque: Bench) -> None:
    assert main(["send", "hello"]) == 0

    with closing(sqlite3.connect(opaque.outbox)) as database:
        assert database.execute("SELECT uid FROM owner").fetchall() == [(opaque.sandbox.bot.uid,)]


@pytest.mark.parametrize("command", [["run"], ["send", "hello"]])
def test_and_a_mismatch_then_is_1_and_nothing_is_said(command: list[str], bot_a: str, opaque: Bench) -> None:
    opaque.configure(COMETCHAT_UID="", COMETCHAT_AUTH=opaque.sandbox.bot.chat_token)

    said = opaque.call(*command)

    last = said.err.splitlines()[-1]
    assert said.code == 1
    assert bot_a in last
    assert opaque.sandbox.bot.uid in last
    assert opaque.muids == []
    row = opaque.call.listed()[0]
    assert (row["state"], row["attempts"]) == ("queued", 0)


def test_a_run_leaves_what_is_for_other_rooms_and_says_how_much_that_is(bench: Bench) -> None:
    attic = bench.sandbox.add_room("attic")
    alice = bench.sandbox.users.add("alice")
    with exclusive(bench.outbox):
        bench.configure(ROOM_UUID=attic.uuid)
        assert main(["send", "in the attic", "--id", "attic-1"]) == 0
        assert main(["send", "psst", "--id", "direct-1", "--to", alice.uid]) == 0
        bench.configure()
        assert main(["send", "in the lounge", "--id", "lounge-1"]) == 0

    def story() -> None:
        listening.wait()
        bench.wait_for(lambda _: len(bench.muids) == 2)

    with Heard("reading the chat") as listening:
        code, _, said = bench.call.beside(story, "run")

    assert code == 0
    assert "1 messages of other rooms wait in the outbox" in said
    assert set(bench.muids) == {"direct-1", "lounge-1"}
    assert {row["id"]: row["state"] for row in bench.call.listed()}["attic-1"] == "queued"
    assert main(["send", "another"]) == 0  # it does not wait for the attic's
    bench.configure(ROOM_UUID=attic.uuid)
    assert main(["send", "and now", "--id", "attic-2"]) == 0
    assert bench.muids[-2:] == ["attic-1", "attic-2"]


def test_the_same_id_from_two_folders_is_said_once(bare: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("etc", "here", "there"):
        (bare.folder / name).mkdir()
    text = "".join(f"{name}={value}\n" for name, value in bare.env.items() if name != "HANGBOT_OUTBOX")
    (bare.folder / "etc" / "lounge.env").write_text(text)

    for name in ("here", "there"):
        monkeypatch.chdir(bare.folder / name)
        assert main(["send", "once", "--id", "m-1", "--env-file", "../etc/lounge.env"]) == 0

    rows = bare.call.listed("--env-file", str(bare.folder / "etc" / "lounge.env"))
    assert [row["state"] for row in rows] == ["delivered"]
    assert bare.muids == ["m-1"]
    assert (bare.folder / "etc" / "lounge.outbox.sqlite3").exists()
    assert list((bare.folder / "here").iterdir()) == list((bare.folder / "there").iterdir()) == []


def test_an_old_outbox_in_the_working_directory_is_a_warning(bare: Bench) -> None:
    (bare.folder / "etc").mkdir()
    config = bare.folder / "etc" / "hang-fm-config.env"
    text = "".join(f"{name}={value}\n" for name, value in bare.env.items() if name != "HANGBOT_OUTBOX")
    config.write_text(text)
    (bare.folder / "hang-fm-config.env").write_text(text)
    assert main(["send", "old"]) == 0

    sent = bare.call("send", "new", "--env-file", str(config))
    checked = bare.call.printed("preflight", "--env-file", str(config))

    assert sent.code == 0
    assert "an outbox with 1 messages is in the working directory" in sent.err
    assert "[WARN] Files are private and in a lasting place" in checked
    assert "1 messages is in the working directory" in checked
    assert "hang-fm-config.env holds a token, and others can read it (mode 0644)" in checked
    assert checked.splitlines()[-1].startswith("READY")


def test_without_a_file_the_outbox_is_named_at_first(bare: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in bare.env.items():
        if name != "HANGBOT_OUTBOX":
            monkeypatch.setenv(name, value)

    said = bare.call.until("joined", "run")

    assert said.code == 0
    assert f"the outbox is {bare.folder / 'hangbot-outbox.sqlite3'} (in the working directory" in said.err


def test_a_place_that_cannot_be_written_is_rejected_by_its_setting_and_no_other_is_taken(bare: Bench) -> None:
    bare.configure(HANGBOT_OUTBOX="/proc/hangbot/outbox.sqlite3")

    checked, ran = bare.call("preflight"), bare.call("run", "--log-level", "error")

    assert (checked.code, ran.code) == (1, 1)
    assert "[FAIL] Outbox is writable: " in checked.out
    assert "HANGBOT_OUTBOX" in checked.out
    assert "HANGBOT_OUTBOX" in ran.err
    assert not list(bare.folder.glob("*.sqlite3*"))
