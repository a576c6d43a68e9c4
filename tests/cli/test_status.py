"""``hangbot status``: what it says of a bot that runs, that hangs, and of none."""

from __future__ import annotations

import json
import re
import signal
import socket
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from hangbot.cli import status
from hangbot.ops.token import token_path
from hangbot.status import socket_path
from tests.bounds import WITHIN
from tests.cli.stories import until

if TYPE_CHECKING:
    from tests.cli.conftest import Bench, Command

LOOKS = """
import sys

async def hear(bot, message):
    await message.reply(str({"aiohttp", "prometheus_client"} & sys.modules.keys() != set()))
"""


def url_of(bot: Command) -> str:
    (url,) = re.findall(r"(http://127\.0\.0\.1:\d+)/healthz", bot.err)
    return str(url)


def test_a_bot_that_runs_is_ready_by_its_socket_and_its_port_and_shows_no_secret(bench: Bench) -> None:
    bot = bench.start("run", env={"HANGBOT_STATUS_PORT": "0"})
    until(bot, lambda: "running: in " in bot.err)

    text, row = bench.call("status"), bench.call("status", "--json")
    with urlopen(f"{url_of(bot)}/healthz", timeout=WITHIN) as page:  # noqa: S310  the bot's own
        over_http = json.loads(page.read())
    bot.send(signal.SIGTERM)
    bot.wait()
    after = bench.call("status", "--json")

    assert (text.code, row.code, after.code) == (0, 0, 3)
    assert "[OK]    room: for" in text.out
    shown = json.loads(row.out)
    assert (shown["state"], shown["live"], shown["ready"]) == ("ready", True, True)
    assert {part["part"] for part in shown["parts"]} == {part["part"] for part in over_http["parts"]}
    assert bench.sandbox.bot.token not in text.out + row.out
    assert json.loads(after.out)["state"] == "not_running"


def test_a_bot_whose_chat_cannot_be_read_is_not_ready(bench: Bench) -> None:
    bench.fault("chat.*", "status", status=503, times=0)
    bot = bench.start("run", env={"HANGBOT_STATUS_PORT": "0"})
    until(bot, lambda: "[SOCKET] joined" in bot.err)

    text = bench.call("status")
    with pytest.raises(HTTPError) as refused:
        urlopen(f"{url_of(bot)}/readyz", timeout=WITHIN)  # noqa: S310  the bot's own
    refused.value.close()
    bot.send(signal.SIGTERM)
    bot.wait()

    assert text.code == 1
    assert "not ready: waits for: chat" in text.out
    assert refused.value.code == 503


def test_what_does_not_answer_is_told_and_bounded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "_WITHIN", 0.2)
    bench.configure()
    with socket.socket(socket.AF_UNIX) as hanging:
        hanging.bind(str(socket_path(bench.outbox)))
        hanging.listen()

        told = bench.call("status")

    assert told.code == 3
    assert "does not answer within 0.2 s" in told.err


def test_the_token_of_the_page_is_shown_once_and_stands_in_no_log(bench: Bench) -> None:
    def run() -> str:
        bot = bench.start("run", env={"HANGBOT_STATUS_PORT": "0"})
        until(bot, lambda: "running: in " in bot.err)
        bot.send(signal.SIGTERM)
        bot.wait()
        return bot.err + bot.out

    shown = [run(), run()]
    token = token_path(bench.outbox).read_text(encoding="ascii").strip()

    assert [text.count(token) for text in shown] == [1, 0]
    (line,) = [line for line in shown[0].splitlines() if token in line]
    assert line.startswith("hangbot: the token for changes on the status page, shown this once")


def test_a_bot_without_a_port_loads_no_server(bench: Bench) -> None:
    (bench.folder / "looks.py").write_text(LOOKS, encoding="utf-8")
    bot = bench.start("run", "--app", "looks:hear")
    until(bot, lambda: "running: in " in bot.err)

    bench.hear("hello")
    until(bot, lambda: "False" in bench.texts or "True" in bench.texts)
    bot.send(signal.SIGTERM)
    bot.wait()

    assert bench.texts == ["False"]


def test_a_port_that_is_taken_ends_the_bot_with_what_to_do(bench: Bench) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        bench.configure(HANGBOT_STATUS_PORT=str(taken.getsockname()[1]))

        told = bench.call("run")

    assert told.code == 1
    assert "cannot listen on 127.0.0.1:" in told.err
    assert "Choose another port" in told.err
