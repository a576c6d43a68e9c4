"""Whose outbox it is, and where: the file is one bot's, beside its configuration, from every folder."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hangbot.cli import main
from hangbot.delivery.outbox import exclusive
from tests.cli.stories import Heard

if TYPE_CHECKING:
    from tests.cli.conftest import Call, Live


@pytest.fixture
def bot_a(configured: Live) -> str:
    """Another bot's uid, which has queued a message in the outbox."""
    uid = "bot-a"
    configured.configure(COMETCHAT_UID=uid)
    with exclusive(outbox_of(configured)):
        assert main(["send", "said by a", "--id", "a-1"]) == 0
    configured.configure()
    return uid


def outbox_of(live: Live) -> Path:
    return Path(live.env["HANGBOT_OUTBOX"])


@pytest.mark.parametrize("command", [["run"], ["send", "hello"]])
def test_another_bots_outbox_is_refused_with_both_named_and_nothing_is_said(
    command: list[str], bot_a: str, configured: Live, call: Call
) -> None:

    said = call(*command)

    assert said.code == 2
    assert said.out == ""
    assert bot_a in said.err
    assert configured.sandbox.bot.uid in said.err
    assert "HANGBOT_OUTBOX of its own" in said.err
    assert "Traceback" not in said.err
    assert configured.muids == []


@pytest.mark.usefixtures("bot_a")
def test_preflight_rejects_it_and_does_not_take_what_is_nobodys(configured: Live, call: Call) -> None:
    code, refused, _ = call("preflight")

    with closing(sqlite3.connect(outbox_of(configured), isolation_level=None)) as database:
        database.execute("DELETE FROM owner")

    assert main(["preflight"]) == 0
    with closing(sqlite3.connect(outbox_of(configured))) as database:
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
def opaque(configured: Live, monkeypatch: pytest.MonkeyPatch) -> Live:
    """A token that does not say whose it is: only the chat can tell."""
    configured.configure(COMETCHAT_UID="", COMETCHAT_AUTH=configured.sandbox.bot.chat_token)
    monkeypatch.setattr("hangbot.config.validators.read_claims", lambda _: None)
    return configured


def test_a_uid_that_only_the_chat_can_tell_is_bound_at_the_first_connection(opaque: Live) -> None:
    assert main(["send", "hello"]) == 0

    with closing(sqlite3.connect(outbox_of(opaque))) as database:
        assert database.execute("SELECT uid FROM owner").fetchall() == [(opaque.sandbox.bot.uid,)]


@pytest.mark.parametrize("command", [["run"], ["send", "hello"]])
def test_and_a_mismatch_then_is_1_and_nothing_is_said(
    command: list[str], bot_a: str, opaque: Live, call: Call
) -> None:
    opaque.configure(COMETCHAT_UID="", COMETCHAT_AUTH=opaque.sandbox.bot.chat_token)

    said = call(*command)

    last = said.err.splitlines()[-1]
    assert said.code == 1
    assert bot_a in last
    assert opaque.sandbox.bot.uid in last
    assert opaque.muids == []
    row = call.listed()[0]
    assert (row["state"], row["attempts"]) == ("queued", 0)


def test_a_run_leaves_what_is_for_other_rooms_and_says_how_much_that_is(configured: Live, call: Call) -> None:
    attic = configured.sandbox.add_room("attic")
    alice = configured.sandbox.users.add("alice")
    with exclusive(outbox_of(configured)):
        configured.configure(ROOM_UUID=attic.uuid)
        assert main(["send", "in the attic", "--id", "attic-1"]) == 0
        assert main(["send", "psst", "--id", "direct-1", "--to", alice.uid]) == 0
        configured.configure()
        assert main(["send", "in the lounge", "--id", "lounge-1"]) == 0

    def story() -> None:
        listening.wait()
        configured.wait_for(lambda _: len(configured.muids) == 2)

    with Heard("reading the chat") as listening:
        code, _, said = call.beside(story, "run")

    assert code == 0
    assert "1 messages of other rooms wait in the outbox" in said
    assert set(configured.muids) == {"direct-1", "lounge-1"}
    assert {row["id"]: row["state"] for row in call.listed()}["attic-1"] == "queued"
    assert main(["send", "another"]) == 0  # it does not wait for the attic's
    configured.configure(ROOM_UUID=attic.uuid)
    assert main(["send", "and now", "--id", "attic-2"]) == 0
    assert configured.muids[-2:] == ["attic-1", "attic-2"]


def test_the_same_id_from_two_folders_is_said_once(
    live: Live, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("etc", "here", "there"):
        (folder / name).mkdir()
    text = "".join(f"{name}={value}\n" for name, value in live.env.items() if name != "HANGBOT_OUTBOX")
    (folder / "etc" / "lounge.env").write_text(text)

    for name in ("here", "there"):
        monkeypatch.chdir(folder / name)
        assert main(["send", "once", "--id", "m-1", "--env-file", "../etc/lounge.env"]) == 0
    capsys.readouterr()
    assert main(["outbox", "list", "--json", "--env-file", str(folder / "etc" / "lounge.env")]) == 0

    assert [row["state"] for row in json.loads(capsys.readouterr().out)] == ["delivered"]
    assert live.muids == ["m-1"]
    assert (folder / "etc" / "lounge.outbox.sqlite3").exists()
    assert list((folder / "here").iterdir()) == list((folder / "there").iterdir()) == []


def test_an_old_outbox_in_the_working_directory_is_a_warning(
    live: Live, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "etc").mkdir()
    config = folder / "etc" / "hang-fm-config.env"
    text = "".join(f"{name}={value}\n" for name, value in live.env.items() if name != "HANGBOT_OUTBOX")
    config.write_text(text)
    (folder / "hang-fm-config.env").write_text(text)
    assert main(["send", "old"]) == 0
    capsys.readouterr()

    codes = [main(["send", "new", "--env-file", str(config)]), main(["preflight", "--env-file", str(config)])]

    said = capsys.readouterr()
    assert codes == [0, 0]
    assert "an outbox with 1 messages is in the working directory" in said.err
    assert "[WARN] Files are private and in a lasting place" in said.out
    assert "1 messages is in the working directory" in said.out
    assert "hang-fm-config.env holds a token, and others can read it (mode 0644)" in said.out
    assert said.out.splitlines()[-1].startswith("READY")


def test_without_a_file_the_outbox_is_named_at_the_start(
    live: Live, folder: Path, monkeypatch: pytest.MonkeyPatch, call: Call
) -> None:
    for name, value in live.env.items():
        if name != "HANGBOT_OUTBOX":
            monkeypatch.setenv(name, value)

    said = call.until("joined", "run")

    assert said.code == 0
    assert f"the outbox is {folder / 'hangbot-outbox.sqlite3'} (in the working directory" in said.err


def test_a_place_that_cannot_be_written_is_rejected_with_the_setting_named_and_no_other_is_taken(
    live: Live, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    live.configure(HANGBOT_OUTBOX="/proc/hangbot/outbox.sqlite3")

    codes = [main(["preflight"]), main(["run", "--log-level", "error"])]

    said = capsys.readouterr()
    assert codes == [1, 1]
    assert "[FAIL] Outbox is writable: " in said.out
    assert "HANGBOT_OUTBOX" in said.out
    assert "HANGBOT_OUTBOX" in said.err
    assert not list(folder.glob("*.sqlite3*"))
