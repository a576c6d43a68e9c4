"""The process ends when it is told to, whatever the author's app leaves."""

from __future__ import annotations

import signal
import time
from functools import partial
from typing import TYPE_CHECKING, Final

import pytest

from tests.bounds import WITHIN
from tests.cli.stories import until

if TYPE_CHECKING:
    from tests.cli.conftest import Bench

_APPS: Final = {
    "a handler that ignores its cancellation": """
async def hear(bot, message):
    while True:
        try:
            print("hanging", flush=True)
            await asyncio.sleep(3600)
        except:
            pass
""",
    "a thread that never ends": """
async def hear(bot, message):
    print("hanging", flush=True)
    await asyncio.to_thread(time.sleep, 3600)
""",
    "a task that ignores its cancellation": """
async def never_ends():
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass

async def hear(bot, message):
    hear.task = asyncio.create_task(never_ends())
    await asyncio.sleep(0)
    print("hanging", flush=True)
""",
}
_EVERYDAY: Final = ("a handler that ignores its cancellation",)
"""Each waits out the seconds that a process gives its app: one a day will do, the others are proofs."""


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(code, id=name, marks=() if name in _EVERYDAY else pytest.mark.slow)
        for name, code in _APPS.items()
    ],
)
def test_what_an_app_leaves_keeps_no_bot_from_its_end(code: str, bench: Bench) -> None:
    (bench.folder / "mine.py").write_text(f"import asyncio, time\n{code}")
    bot = bench.start("run", "--app", "mine:hear", env={"HANGBOT_DRAIN_MS": "200"})
    until(bot, lambda: "running: in " in bot.err)
    bench.hear("hello")
    until(bot, lambda: "hanging" in bot.out)

    begun = time.monotonic()
    bot.send(signal.SIGTERM)

    assert bot.wait() == 0, bot.err
    assert time.monotonic() - begun < WITHIN / 2
    assert "[ERROR] the app leaves what does not end (" in bot.err
    assert "Traceback" not in bot.err
    assert "delivered 0" in bot.out


_STOPPING: Final = """
import asyncio, sys

async def leaves():
    sys.exit(4)

async def interrupts():
    raise KeyboardInterrupt

async def hear(bot, message):
    if message.text == "await":
        await asyncio.create_task(leaves())
    elif message.text == "interrupt":
        hear.task = asyncio.create_task(interrupts())
    elif message.text == "callback":
        asyncio.get_running_loop().call_soon(sys.exit, 4)
    elif message.text == "stop":
        asyncio.get_running_loop().stop()
    else:
        await bot.say("still here")
"""


def test_nothing_that_an_app_does_ends_its_bot_but_bot_stop(bench: Bench) -> None:
    (bench.folder / "mine.py").write_text(_STOPPING)
    bot = bench.start("run", "--app", "mine:hear")
    until(bot, lambda: "running: in " in bot.err)

    def stopped(times: int) -> bool:
        return bot.err.count("the app stopped the event loop (") == times

    for count, text in enumerate(("await", "interrupt", "callback", "stop"), 1):
        bench.hear(text)
        until(bot, partial(stopped, count))
    bench.hear("hello")
    until(bot, lambda: "[SAID] still here" in bot.err)
    bot.send(signal.SIGTERM)

    assert bot.wait() == 0, bot.err
    assert "delivered 1" in bot.out
