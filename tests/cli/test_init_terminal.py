"""`hangbot init` at a real terminal."""

from __future__ import annotations

import os
import sys
import textwrap
from typing import TYPE_CHECKING

import pexpect
import pytest

from hangbot.config import Settings
from tests.bounds import WITHIN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.conftest import Bench

FILE = "hang-fm-config.env"
ADDRESSES = ("OPENCHAT_BASE_URL", "TTFM_GATEWAY_BASE_URL", "SOCKET_SERVER_URL")
CTRL_C = "\x03"


@pytest.fixture
def init(bare: Bench) -> Iterator[pexpect.spawn[str]]:
    """The command, started by somebody at a terminal."""
    kept = {"PATH", "HOME", "LANG", "VIRTUAL_ENV"}
    env = {name: value for name, value in os.environ.items() if name in kept}
    env |= {name: bare.env[name] for name in ADDRESSES}
    command = pexpect.spawn(
        sys.executable,
        ["-m", "hangbot", "init"],
        cwd=str(bare.folder),
        env=env,
        encoding="utf-8",
        timeout=WITHIN,
        dimensions=(40, 400),
    )
    yield command
    command.close(force=True)


def ended(command: pexpect.spawn[str]) -> tuple[str, int | None]:
    command.expect(pexpect.EOF)
    said = command.before or ""
    command.close()
    return said, command.exitstatus


@pytest.mark.slow
def test_only_the_room_is_asked_again_when_it_is_wrong(init: pexpect.spawn[str], bare: Bench) -> None:
    init.expect("The bot's token")
    init.sendline("\r\n".join(textwrap.wrap(bare.sandbox.bot.token, 60)))
    init.expect("The room: ")
    init.sendline("no-such-room")
    init.expect("found nothing for room no-such-room")
    init.expect("The room: ")
    init.sendline("https://")
    init.expect("no room's name in what was given")
    init.expect("The room: ")
    init.sendline(f"https://hang.example/da/{bare.sandbox.room_slug.upper()}?x=1")
    said, code = ended(init)

    assert code == 0, said
    assert Settings.load(bare.folder / FILE, {}).room_uuid == bare.sandbox.room_uuid
    assert bare.sandbox.bot.token not in said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answer", "code"),
    [
        pytest.param("", 2, id="nothing"),
        pytest.param("\x04", 2, id="end of file"),
        pytest.param("two words", 2, id="no token"),
        pytest.param("\x1b[A\x1b[B", 2, id="arrow keys"),
        pytest.param(CTRL_C, 130, id="Ctrl-C"),
    ],
)
def test_an_answer_that_is_none_is_one_line_and_nothing_is_written(
    init: pexpect.spawn[str], folder: Path, answer: str, code: int
) -> None:
    init.expect("The bot's token.*: ")
    init.send(answer) if answer in {CTRL_C, "\x04"} else init.sendline(answer)
    said, found = ended(init)

    assert found == code, said
    assert said.strip().count("\n") == 0
    assert "\x1b" not in said
    assert not (folder / FILE).exists()
