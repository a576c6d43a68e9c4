"""A bot with Hang.fm's addresses in its code: the names lead to its sandbox, and it is proven like any."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_hangfm.proof.bot_process import BotProgram
from pytest_hangfm.proof.conductor import play_once
from pytest_hangfm.proof.own_names import OwnNames, hosts_text
from pytest_hangfm.proof.refusals import NotHere
from pytest_hangfm.proof.scenario import load
from tests.bounds import WITHIN
from tests.cases import cases, rows
from tests.proof.bots.planted import Planted, need

NAMES = ("socket.prod.tt.fm", "openchat.prod.tt.fm")


@cases(
    "before after",
    ("an-empty-file", "", ""),
    ("other-lines-stay", "127.0.0.1 localhost\n# a word\n", "127.0.0.1 localhost\n# a word\n"),
    ("an-earlier-line-goes", "1.2.3.4 x openchat.prod.tt.fm # old\n::1 y", "::1 y\n"),
)
def test_a_hosts_file_leads_the_names_to_one_address_alone(before: str, after: str) -> None:
    text = hosts_text(before, "127.64.0.1", NAMES)

    assert text == f"127.64.0.1 {' '.join(NAMES)}\n{after}"


def test_without_the_extra_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trustme", None)

    with pytest.raises(NotHere, match=r"--tls needs the library trustme: pip install 'hangbot\[tls\]'"):
        OwnNames.find()


def test_where_no_namespace_can_be_had_it_is_said_what_to_do_by_hand(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("socket.gethostbyname", lambda _: "192.0.2.1")

    with pytest.raises(NotHere, match=r"put this line into /etc/hosts .* 127\.0\.0\.1 socket\.prod\.tt\.fm "):
        OwnNames.find()


def test_a_call_that_cannot_be_done_here_ends_with_3_and_a_line(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "hangbot", "prove", "--docker", "a-bot"]
    ended = subprocess.run(  # noqa: S603  our own command
        argv,
        cwd=tmp_path,
        env={**os.environ, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=10 * WITHIN,
    )

    assert (ended.returncode, ended.stdout.strip()) == (
        3,
        "cannot tell: docker is not installed, or not on PATH",
    )


@pytest.fixture
def names() -> OwnNames:
    """How the names lead to a sandbox, where they can."""
    try:
        return OwnNames.find()
    except NotHere as exc:
        pytest.skip(str(exc))


@pytest.mark.slow
@rows("scenario", ("start.answers",), ("chat-in.changed-rows",), ("chat-in.restart",), ("room-socket.abort",))
async def test_a_bot_with_the_addresses_in_its_code_is_proven(
    scenario: str, names: OwnNames, tmp_path: Path
) -> None:
    need("node")
    bot = Planted("", "node")
    deaf = ("env", "-u", "SOCKET_SERVER_URL", "-u", "OPENCHAT_BASE_URL", "-u", "TTFM_GATEWAY_BASE_URL")
    program = replace(BotProgram.of((*deaf, *bot.argv), tmp_path, bot.env), names=names)

    played = await play_once(load()[scenario], program, bot.profile)

    assert (played.not_exercised, played.not_applicable, played.blames) == ("", "", ())
