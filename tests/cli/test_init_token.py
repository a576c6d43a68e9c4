"""Where `hangbot init` takes the token from: never from the command line."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from hangbot.cli import main
from hangbot.config import ENV, Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Command, Live

FILE = "hang-fm-config.env"
ADDRESSES = ("OPENCHAT_BASE_URL", "TTFM_GATEWAY_BASE_URL", "SOCKET_SERVER_URL")


@pytest.fixture
def known(live: Live, monkeypatch: pytest.MonkeyPatch) -> Live:
    """The addresses of a sandbox in the environment."""
    for name in ADDRESSES:
        monkeypatch.setenv(name, live.env[name])
    return live


def test_a_piped_token_is_in_no_argument_and_the_preflight_is_green(
    known: Live, start: Callable[..., Command], folder: Path
) -> None:
    init = start("init", "--token-file", "-", "--room", known.sandbox.room_slug)
    assert init.process.stdin is not None
    init.process.stdin.write(known.sandbox.bot.token.encode() + b"\n")
    init.process.stdin.close()
    code = init.wait()
    checked = start("preflight")

    assert (code, checked.wait()) == (0, 0)
    assert known.sandbox.bot.token not in init.out + init.err + " ".join(map(str, init.process.args))  # type: ignore[arg-type]  # a list of texts
    assert (folder / FILE).stat().st_mode & 0o777 == 0o600
    assert checked.out.splitlines()[-1].startswith('READY: room "Sandbox" on 127.0.0.1:')


def test_each_line_of_the_file_has_a_comment_over_it(
    known: Live, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(known.sandbox.bot.token))

    code = main(["init", "--token-file", "-", "--room", known.sandbox.room_uuid])

    lines = (folder / FILE).read_text().splitlines()
    places = [place for place, line in enumerate(lines) if "=" in line and not line.startswith("#")]
    assert code == 0
    assert len(places) == len(ENV)
    assert all(lines[place - 1].startswith("# ") for place in places)


def test_the_rooms_address_will_do_for_its_slug(
    known: Live, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(known.sandbox.bot.token))

    code = main(
        ["init", "--token-file", "-", "--room", f"https://hang.example/{known.sandbox.room_slug}/?from=mail"]
    )

    assert code == 0
    assert Settings.load(folder / FILE, {}).room_uuid == known.sandbox.room_uuid


def test_an_empty_pipe_is_one_line_and_2(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("  \n"))

    code = main(["init", "--token-file", "-", "--room", "sandbox"])

    said = capsys.readouterr().err
    assert (code, said.count("\n")) == (2, 1)
    assert "no token in standard input" in said
    assert not (folder / FILE).exists()
