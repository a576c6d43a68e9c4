"""A chat that floods a bot: ten thousand lines a second for five seconds, in real time.

The bot is a process. It stays of a bounded size and live, answers another user who asks meanwhile, and
hears every line once.
"""

import asyncio
import json
import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from bench import usage
from hangbot.sandbox import open_sandbox
from tests.bounds import WITHIN

pytestmark = [pytest.mark.asyncio, pytest.mark.slow, pytest.mark.timeout(10 * WITHIN)]

RATE: Final = 10_000
SECONDS: Final = 5
MOST_MB: Final = 150.0

_APP: Final = r"""
heard = open("heard.txt", "w")

async def hear(bot, message):
    heard.write(f"{message.text}\n")
    heard.flush()
    if message.text.startswith("ask"):
        await message.reply(f"re {message.text}")
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="this system has no /proc to look at")
async def test_a_flood_is_bounded_and_every_line_of_it_is_heard_once(tmp_path: Path) -> None:
    (tmp_path / "flood.py").write_text(_APP, encoding="utf-8")
    async with open_sandbox(history=200_000) as sandbox:
        env = os.environ | sandbox.env() | {"HANGBOT_OUTBOX": str(tmp_path / "outbox.sqlite3")}
        loud, calm = sandbox.users.add("loud"), sandbox.users.add("calm")
        for user in (loud, calm):
            await user.join()
        with (tmp_path / "err.txt").open("wb") as err:
            bot = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "hangbot",
                "run",
                "--app",
                "flood:hear",
                stderr=err,
                cwd=tmp_path,
                env=env,
            )
        try:
            async with asyncio.timeout(WITHIN):
                while b"heard by push" not in (tmp_path / "err.txt").read_bytes():  # noqa: ASYNC110  a file
                    await asyncio.sleep(0.05)
            began, said, largest, asked = time.monotonic(), 0, 0.0, 0
            while said < RATE * SECONDS:
                due = int((time.monotonic() - began) * RATE)
                for _ in range(min(due, RATE * SECONDS) - said):
                    await loud.say(f"line {said}")
                    said += 1
                if asked < time.monotonic() - began:
                    await calm.say(f"ask {asked}")
                    asked += 1
                largest = max(largest, usage.resident_mb(Path(f"/proc/{bot.pid}")))
                await asyncio.sleep(0.001)
            flooded = time.monotonic() - began
            lines: list[str] = []
            end = time.monotonic() + 5 * WITHIN
            while len(lines) < said + asked and time.monotonic() < end:
                await asyncio.sleep(0.5)
                lines = (tmp_path / "heard.txt").read_text(encoding="utf-8").splitlines()
                largest = max(largest, usage.resident_mb(Path(f"/proc/{bot.pid}")))
            status = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "hangbot",
                "status",
                "--json",
                stdout=asyncio.subprocess.PIPE,
                cwd=tmp_path,
                env=env,
            )
            shown = json.loads((await status.communicate())[0])
            print(  # noqa: T201
                f"{said} lines in {flooded:.1f} s, all heard after {time.monotonic() - began:.1f} s, "
                f"at most {largest:.0f} MB, {len(lines)} heard"
            )
            assert Counter(lines) == Counter(
                [f"line {n}" for n in range(said)] + [f"ask {n}" for n in range(asked)]
            )
            assert shown["live"]
            assert largest < MOST_MB
        finally:
            bot.kill()
            await bot.wait()
