from __future__ import annotations

import builtins
import getpass
import io
import sys
from typing import TYPE_CHECKING

import pytest

from hangbot.cli import main
from hangbot.config import Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Call, Live

FILE = "hang-fm-config.env"


@pytest.fixture
def known(live: Live, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Live:
    """The addresses of a sandbox in the environment, and the bot's token in a file."""
    for name in ("OPENCHAT_BASE_URL", "TTFM_GATEWAY_BASE_URL", "SOCKET_SERVER_URL"):
        monkeypatch.setenv(name, live.env[name])
    (folder / "token").write_text(live.sandbox.bot.token + "\n")
    return live


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
    source: str,
    room: str,
    known: Live,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    sandbox = known.sandbox
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{sandbox.bot.token}\n"))
    named = room.format(slug=sandbox.room_slug, uuid=sandbox.room_uuid)

    code = main(["init", "--token-file", source, "--room", named])

    out, err = capsys.readouterr()
    settings = Settings.load(folder / FILE, {})
    assert code == 0
    assert settings.room_uuid == sandbox.room_uuid
    assert settings.bot_user_token.get_secret_value() == sandbox.bot.token
    assert (folder / FILE).stat().st_mode & 0o777 == 0o600
    assert f"the bot: hangbot ({sandbox.bot.uid})" in out
    assert f"the room: {sandbox.room_uuid}" in out
    assert sandbox.bot.token not in out + err
    assert main(["preflight"]) == 0


def test_an_empty_pipe_is_one_line_and_2(folder: Path, monkeypatch: pytest.MonkeyPatch, call: Call) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("  \n"))

    code, _, said = call("init", "--token-file", "-", "--room", "sandbox")

    assert (code, said.count("\n")) == (2, 1)
    assert "no token in standard input" in said
    assert not (folder / FILE).exists()


@pytest.mark.usefixtures("known")
def test_a_file_that_is_there_is_left_alone_unless_forced(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / FILE).write_text("mine\n")

    refused = main(["init", "--token-file", "token", "--room", "sandbox"])
    before = (folder / FILE).read_text()
    forced = main(["init", "--token-file", "token", "--room", "sandbox", "--force"])

    assert (refused, before, forced) == (2, "mine\n", 0)
    assert "--force" in capsys.readouterr().err
    assert "BOT_USER_TOKEN=" in (folder / FILE).read_text()


def test_at_a_terminal_it_asks(known: Live, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / FILE).write_text("old\n")
    terminal(monkeypatch, "yes", known.sandbox.bot.token, known.sandbox.room_slug)

    code = main(["init"])

    assert code == 0
    assert Settings.load(folder / FILE, {}).room_uuid == known.sandbox.room_uuid


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("answers", [(), ("n",), ("",), ("yes",), ("yes", "   ")])
def test_an_answer_that_is_none_ends_it_on_one_line_and_writes_nothing(
    answers: tuple[str, ...], folder: Path, monkeypatch: pytest.MonkeyPatch, call: Call
) -> None:
    (folder / FILE).write_text("mine\n")
    terminal(monkeypatch, *answers)

    said = call("init")

    assert said.code == 2
    assert said.err.count("\n") == 1
    assert (folder / FILE).read_text() == "mine\n"


def no_file(folder: Path) -> None:
    (folder / "token").unlink()


def no_text(folder: Path) -> None:
    (folder / "token").write_bytes(b"\xff\xfe")


def empty(folder: Path) -> None:
    (folder / "token").write_text("\n")


def not_a_token(folder: Path) -> None:
    (folder / "token").write_text("two words\n")


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("spoil", [no_file, no_text, empty, not_a_token])
def test_a_token_that_cannot_be_read_is_one_line_and_2(
    spoil: Callable[[Path], None], folder: Path, call: Call
) -> None:
    spoil(folder)

    said = call("init", "--token-file", "token", "--room", "sandbox")

    assert said.code == 2
    assert said.err.count("\n") == 1
    assert "token" in said.err.lower()
    assert not (folder / FILE).exists()


@pytest.mark.parametrize(
    ("point", "fault", "room", "code", "says"),
    [
        pytest.param(
            "gateway.token",
            {"status": 401, "body": {"statusCode": 401, "message": "No."}},
            "sandbox",
            1,
            "Renew BOT_USER_TOKEN",
            id="token",
        ),
        pytest.param("gateway.token", {"status": 503}, "sandbox", 3, "status 503", id="gateway"),
        pytest.param("chat.me", {"status": 503}, "sandbox", 3, "503", id="chat"),
        pytest.param(None, {}, "nowhere", 1, "Check --room", id="room"),
        pytest.param(
            "gateway.*",
            {"status": 200, "body": {"uuid": 7}, "after": 2},
            "sandbox",
            1,
            "no uuid",
            id="no uuid",
        ),
        pytest.param(
            "gateway.*",
            {"status": 200, "body": {"uuid": "x\nBOT_NAME=evil"}, "after": 2},
            "sandbox",
            2,
            "ROOM_UUID",
            id="a uuid that is none",
        ),
    ],
)
def test_what_the_services_refuse_is_one_line_and_nothing_is_written(  # noqa: PLR0917  columns of the table
    point: str | None,
    fault: dict[str, object],
    room: str,
    code: int,
    says: str,
    known: Live,
    folder: Path,
    call: Call,
) -> None:
    if point:
        known.sandbox.faults.add(point, "status", **fault)  # type: ignore[arg-type]  # the table's

    said = call("init", "--token-file", "token", "--room", room)

    assert said.code == code
    assert said.err.count("\n") == 1
    assert says in said.err
    assert [path.name for path in folder.iterdir() if path.name.startswith(FILE)] == []


@pytest.mark.usefixtures("known")
def test_a_file_that_cannot_be_written_leaves_no_token_behind(folder: Path, call: Call) -> None:
    (folder / FILE).mkdir()

    said = call("init", "--token-file", "token", "--room", "sandbox", "--force")

    assert said.code == 1
    assert "cannot be written" in said.err
    assert [path.name for path in folder.iterdir() if path.name.startswith(FILE)] == [FILE]


@pytest.mark.usefixtures("known")
def test_a_file_beside_it_that_leads_elsewhere_is_not_followed(folder: Path) -> None:
    elsewhere = folder / "elsewhere"
    elsewhere.write_text("not mine")
    (folder / f"{FILE}.new").symlink_to(elsewhere)

    code = main(["init", "--token-file", "token", "--room", "sandbox"])

    assert code == 0
    assert elsewhere.read_text() == "not mine"
    assert (folder / FILE).stat().st_mode & 0o777 == 0o600
    assert not (folder / FILE).is_symlink()


@pytest.mark.usefixtures("known")
def test_without_a_terminal_it_says_what_to_give(call: Call) -> None:
    said = call("init")

    assert said.code == 2
    assert "Give --token-file and --room" in said.err
