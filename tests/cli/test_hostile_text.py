"""What others write reaches no terminal raw: names, chat lines, server words, what an app raises."""

from __future__ import annotations

import json
import re
import signal
from typing import TYPE_CHECKING

import pytest

from hangbot.text import printable_lines
from tests.cli.stories import until

if TYPE_CHECKING:
    from tests.cli.conftest import Bench, Command

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

LINE = "2026-01-01 00:00:00,000 | hangbot | ERROR | forged"
HOSTILE = f"hi\x1b[2J\x1b]0;owned\x07\r\n{LINE}\u2028\u202egnp.\u2066\u200b\x9b31m\x7f\x85"
SHOWN = r"hi\x1b[2J\x1b]0;owned\x07\r\n"
APP = """
import logging

async def react(bot, message):
    logging.getLogger("an.app").warning("heard %s", message.text)
    await bot.say(message.text, key="echo")
    raise ValueError(message.text)
"""
REFUSED = {"error": {"code": "ERR_BAD_REQUEST", "message": HOSTILE, "details": {HOSTILE: [HOSTILE]}}}


def is_safe(command: Command) -> None:
    """Assert that both outputs of a process are lines of printable text, and that none is forged."""
    for text in (command.out, command.err):
        assert printable_lines(text) == text
        assert LINE not in text.split("\n")


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_no_text_of_another_reaches_a_terminal_raw(bare: Bench, log_format: str) -> None:
    (bare.folder / "app.py").write_text(APP, encoding="utf-8")
    bare.configure()

    async def speak(_sandbox: object) -> None:
        alice = bare.sandbox.users.add(HOSTILE)
        await alice.join()
        bare.fault("chat.send", "status", status=400, body=REFUSED)
        await alice.say(HOSTILE)

    bot = bare.start("--log-level", "debug", "--log-format", log_format, "--app", "app:react", "run")
    until(bot, lambda: "reading the chat" in bot.err)
    bare.do(speak)
    until(bot, lambda: "the app failed" in bot.err and "echo settled" in bot.err)
    bot.send(signal.SIGTERM)
    assert bot.wait() == 0
    listed, shown, as_json = (
        bare.start("outbox", "list"),
        bare.start("outbox", "show", "echo"),
        bare.start("outbox", "list", "--json"),
    )
    for command in (listed, shown, as_json):
        assert command.wait() == 0
    for command in (bot, listed, shown, as_json):
        is_safe(command)

    assert SHOWN in listed.out
    assert SHOWN in shown.out
    (row,) = json.loads(as_json.out)
    assert row["text"] == HOSTILE
    if log_format == "json":
        heard = [json.loads(line) for line in bot.err.splitlines()]
        assert f"heard {HOSTILE}" in [line["message"] for line in heard]
    else:
        assert f"an.app | WARNING | heard {SHOWN}" in bot.err
        assert re.search(r"^    ValueError: hi\\x1b\[2J", bot.err, re.MULTILINE)


@pytest.mark.parametrize("refuses", [True, False])
def test_preflight_shows_a_hostile_server_escaped(bare: Bench, *, refuses: bool) -> None:
    summary = bare.folder / "summary.md"
    bare.configure()

    async def arm(_sandbox: object) -> None:
        bare.sandbox.rooms.first.state["settings"]["name"] = HOSTILE
        if refuses:
            bare.fault("chat.group", "status", status=400, body=REFUSED, times=0)

    bare.do(arm)
    command = bare.start("preflight", env={"GITHUB_STEP_SUMMARY": str(summary)})

    assert command.wait() == int(refuses)
    is_safe(command)
    assert r"hi\x1b[2J" in command.out
    for line in summary.read_text(encoding="utf-8").splitlines():
        assert printable_lines(line) == line
