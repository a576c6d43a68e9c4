from __future__ import annotations

import builtins
import getpass
import io
import os
import sys
from functools import partial
from typing import TYPE_CHECKING

import pytest

from hangbot import given_file
from hangbot.cli import init, main
from hangbot.config import Settings
from tests.bounds import WITHIN

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Bench, Call

FILE = "hang-fm-config.env"
INIT = ("init", "--token-file", "token", "--room", "sandbox")


@pytest.fixture
def known(bare: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """The addresses of a sandbox in the environment, and the bot's token in a file."""
    for name in ("OPENCHAT_BASE_URL", "TTFM_GATEWAY_BASE_URL", "SOCKET_SERVER_URL"):
        monkeypatch.setenv(name, bare.env[name])
    (bare.folder / "token").write_text(bare.sandbox.bot.token + "\n")
    return bare


def terminal(monkeypatch: pytest.MonkeyPatch, *answers: str) -> None:
    """Somebody at a terminal who gives these answers, and then ends the input."""
    said = iter(answers)

    def answer(_prompt: str = "") -> str:
        try:
            return next(said)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(builtins, "input", answer)
    monkeypatch.setattr(getpass, "getpass", answer)


@pytest.mark.parametrize(
    ("source", "room"),
    [
        pytest.param("token", "{slug}", id="a file and a slug"),
        pytest.param("-", "{uuid}", id="a pipe and a uuid"),
        pytest.param("-", "https://hang.example/{slug}/?from=mail", id="the room's address"),
    ],
)
def test_one_token_and_a_room_make_a_configuration_that_works(
    source: str, room: str, known: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = known.sandbox
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{sandbox.bot.token}\n"))
    named = room.format(slug=sandbox.room_slug, uuid=sandbox.room_uuid)

    code, out, err = known.call("init", "--token-file", source, "--room", named)

    settings = Settings.load(known.folder / FILE, {})
    assert (code, settings.room_uuid) == (0, sandbox.room_uuid)
    assert settings.bot_user_token.get_secret_value() == sandbox.bot.token
    assert (known.folder / FILE).stat().st_mode & 0o777 == 0o600
    assert f"the bot: hangbot ({sandbox.bot.uid})" in out
    assert f"the room: {sandbox.room_uuid}" in out
    assert sandbox.bot.token not in out + err
    assert main(["preflight"]) == 0


def test_an_empty_pipe_is_one_line_and_2(folder: Path, monkeypatch: pytest.MonkeyPatch, call: Call) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("  \n"))

    said = call("init", "--token-file", "-", "--room", "sandbox")

    assert "no token in standard input" in said.line(2)
    assert not (folder / FILE).exists()


def test_a_file_that_is_there_is_left_alone_unless_forced(known: Bench) -> None:
    (known.folder / FILE).write_text("mine\n")

    refused = known.call(*INIT)
    before = (known.folder / FILE).read_text()
    forced = known.call(*INIT, "--force")

    assert (refused.code, before, forced.code) == (2, "mine\n", 0)
    assert "--force" in refused.err
    assert "BOT_USER_TOKEN=" in (known.folder / FILE).read_text()


def test_at_a_terminal_it_asks(known: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    (known.folder / FILE).write_text("old\n")
    terminal(monkeypatch, "yes", known.sandbox.bot.token, known.sandbox.room_slug)

    code = main(["init"])

    assert code == 0
    assert Settings.load(known.folder / FILE, {}).room_uuid == known.sandbox.room_uuid


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("answers", [(), ("n",), ("",), ("yes",), ("yes", "   ")])
def test_an_answer_that_is_none_ends_it_on_one_line_and_writes_nothing(
    answers: tuple[str, ...], folder: Path, monkeypatch: pytest.MonkeyPatch, call: Call
) -> None:
    (folder / FILE).write_text("mine\n")
    terminal(monkeypatch, *answers)

    assert call("init").line(2)
    assert (folder / FILE).read_text() == "mine\n"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(None, id="no file"),
        pytest.param(b"\xff\xfe", id="no text"),
        pytest.param(b"\n", id="empty"),
        pytest.param(b"two words\n", id="no token"),
    ],
)
def test_a_token_that_cannot_be_read_is_one_line_and_2(content: bytes | None, known: Bench) -> None:
    (known.folder / "token").unlink()
    if content is not None:
        (known.folder / "token").write_bytes(content)

    said = known.call(*INIT)

    assert "token" in said.line(2).lower()
    assert not (known.folder / FILE).exists()


REFUSED = {"status": 401, "body": {"statusCode": 401, "message": "No."}}
NO_UUID = {"status": 200, "body": {"uuid": 7}, "after": 2}
EVIL = {"status": 200, "body": {"uuid": "x\nBOT_NAME=evil"}, "after": 2}


@pytest.mark.parametrize(
    ("point", "fault", "code", "says"),
    [
        pytest.param("gateway.token", REFUSED, 1, "Renew BOT_USER_TOKEN", id="token"),
        pytest.param("gateway.token", {"status": 503}, 3, "status 503", id="gateway"),
        pytest.param("chat.me", {"status": 503}, 3, "503", id="chat"),
        pytest.param(None, {}, 1, "Check --room", id="room"),
        pytest.param("gateway.*", NO_UUID, 1, "no uuid", id="no uuid"),
        pytest.param("gateway.*", EVIL, 2, "ROOM_UUID", id="a uuid that is none"),
    ],
)
def test_what_the_services_refuse_is_one_line_and_nothing_is_written(
    point: str | None, fault: dict[str, object], code: int, says: str, known: Bench
) -> None:
    if point:
        known.fault(point, "status", **fault)

    said = known.call(*INIT[:-1], "sandbox" if point else "nowhere")

    assert (said.code, said.err.count("\n")) == (code, 1)
    assert says in said.err
    assert not list(known.folder.glob(f"{FILE}*"))


def test_a_file_that_cannot_be_written_leaves_no_token_behind(known: Bench) -> None:
    (known.folder / FILE).mkdir()

    said = known.call(*INIT, "--force")

    assert said.code == 1
    assert "cannot be written" in said.err
    assert list(known.folder.glob(f"{FILE}*")) == [known.folder / FILE]


def test_a_place_that_cannot_be_written_is_refused_before_anything_is_asked(known: Bench) -> None:
    said = known.call(*INIT, "--env-file", "no/such/folder.env")

    assert (said.code, said.out) == (1, "")
    assert "no/such/folder.env cannot be written: No such file or directory" in said.err


@pytest.mark.usefixtures("known")
def test_a_file_beside_it_that_leads_elsewhere_is_not_followed(folder: Path) -> None:
    elsewhere = folder / "elsewhere"
    elsewhere.write_text("not mine")
    (folder / f"{FILE}.new").symlink_to(elsewhere)

    code = main([*INIT])

    assert code == 0
    assert elsewhere.read_text() == "not mine"
    assert (folder / FILE).stat().st_mode & 0o777 == 0o600
    assert not (folder / FILE).is_symlink()


@pytest.mark.usefixtures("known")
def test_without_a_terminal_it_says_what_to_give(call: Call) -> None:
    said = call("init")

    assert said.code == 2
    assert "Give --token-file and --room" in said.err


def test_a_token_through_a_pipe_is_read_to_its_end(known: Bench) -> None:
    sandbox = known.sandbox
    reading, writing = os.pipe()
    os.write(writing, f"{sandbox.bot.token}\r\n".encode())
    os.close(writing)

    code, _, _ = known.call("init", "--token-file", f"/dev/fd/{reading}", "--room", sandbox.room_slug)

    os.close(reading)
    settings = Settings.load(known.folder / FILE, {})
    assert (code, settings.bot_user_token.get_secret_value()) == (0, sandbox.bot.token)


@pytest.mark.timeout(WITHIN)
def test_a_pipe_without_a_token_is_not_waited_for_for_ever(
    known: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(known.folder / "silent")
    monkeypatch.setattr(init, "read_given", partial(given_file.read_given, patience=0.1))

    said = known.call("init", "--token-file", "silent", "--room", "sandbox")

    assert said.code == 2
    assert "silent: nothing came out of it in 0.1 s" in said.err
