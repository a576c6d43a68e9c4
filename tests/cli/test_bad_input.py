"""What nobody should send and what the machine should not do, met by a bot in a process of its own."""

from __future__ import annotations

import json
import re
import signal
from typing import TYPE_CHECKING, Any, Final

import pytest

from hangbot.sandbox.chat.connection import ChatConnection
from hangbot.status import socket_path
from tests.cli.stories import until

if TYPE_CHECKING:
    from tests.cli.conftest import Bench, Command

_APP: Final = """
import time
from hangbot.clock import SystemClock

async def hear(bot, message):
    print(message.text, flush=True)
    if message.text == "set back":
        SystemClock.wall = lambda _: time.time() - 3 * 3600
    await message.reply(f"re {message.text}")
"""


def run(bench: Bench) -> Command:
    (bench.folder / "echo.py").write_text(_APP, encoding="utf-8")
    bot = bench.start("run", "--app", "echo:hear")
    until(bot, lambda: "the chat is heard by push" in bot.err)
    return bot


def answers(bench: Bench) -> list[str]:
    return [text for text in bench.texts if text.startswith("re ")]


def test_a_bot_that_was_killed_leaves_nothing_in_the_way_of_the_next(bench: Bench) -> None:
    dead = run(bench)
    dead.process.kill()
    dead.wait()
    left = socket_path(bench.outbox).exists()
    meanwhile = bench.call("status")

    run(bench)

    assert left
    assert (meanwhile.code, "Traceback" in meanwhile.err) == (3, False)
    assert json.loads(bench.call("status", "--json").out)["state"] == "ready"


@pytest.mark.parametrize("times", [1, 2])
def test_ids_as_strings_and_frames_that_come_twice_and_out_of_order_cost_no_line(
    times: int, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = ChatConnection.send
    held: list[str] = []

    def send_badly(connection: ChatConnection, text: str, *rest: Any, **more: Any) -> None:  # noqa: ANN401  passed on
        frame = json.loads(text)
        if frame.get("type") != "message":
            send(connection, text, *rest, **more)
            return
        held.append(re.sub(r'"(id|sentAt)":\s?(\d+)', r'"\1":"\2"', text))
        if len(held) == 2:
            for bad in [*reversed(held)] * times:
                send(connection, bad)
            held.clear()

    monkeypatch.setattr(ChatConnection, "send", send_badly)
    bot = run(bench)
    alice = bench.sandbox.users.add("alice")
    bench.do(lambda _: alice.join())

    said = [f"line {number}" for number in range(20)]
    for text in said:
        bench.do(lambda _, text=text: alice.say(text))  # type: ignore[misc]  # mypy infers no type for a lambda with a default
    until(bot, lambda: len(answers(bench)) >= len(said))

    assert sorted(answers(bench)) == sorted(f"re {text}" for text in said)
    assert sorted(bot.out.split("\n")[:-1]) == sorted(said)
    assert "passed over" not in bot.err


def test_a_wall_clock_that_is_set_back_by_hours_keeps_nothing_waiting(bench: Bench) -> None:
    bot = run(bench)
    bench.hear("set back")
    until(bot, lambda: "this machine's clock was set back by 10" in bot.err)
    bench.fault("chat.send", "status", status=503, times=2)
    bench.hear("and on")
    until(bot, lambda: len(answers(bench)) == 2)

    status = bench.call("status", "--json")
    bot.send(signal.SIGTERM)

    assert bot.wait() == 0
    shown = json.loads(status.out)
    assert shown["live"]
    assert "Traceback" not in bot.err
