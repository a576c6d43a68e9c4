"""`hangbot run --dev`: a bot that starts again when its code changes, in the same room."""

import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.bounds import WITHIN
from tests.processes import Process, until

pytest.importorskip("watchfiles", reason="the extra `reload` is not installed")

APP = """
from hangbot import App

app = App()


@app.command("word")
async def word(ctx):
    number = await ctx.store.get("said", 0) + 1
    await ctx.store.set("said", number)
    await ctx.reply(f"{number}: before")
"""


@pytest.fixture
def process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Process]:
    for name in ("SOCKET_SERVER_URL", "OPENCHAT_BASE_URL"):  # the live bot's, in the author's shell
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    (tmp_path / "mine.py").write_text(APP, encoding="utf-8")
    process = Process(tmp_path, 1, "run", "--dev", "--app", "mine:app")
    yield process
    process.process.send_signal(signal.SIGTERM)
    process.process.wait(WITHIN)
    process.close()


def test_a_change_is_taken_over_a_mistake_is_waited_out_and_what_is_stored_stays(
    process: Process, tmp_path: Path
) -> None:
    until(lambda: process.err.count("running: in ") == 1)
    found = re.search(r"is a page: (http\S+)/", process.err)
    assert found
    with httpx.Client(base_url=found[1], trust_env=False, timeout=WITHIN) as room:
        room.post("/users/you/say", json={"text": "/word"}).raise_for_status()
        until(lambda: "1: before" in room.get("/messages").text)

        (tmp_path / "mine.py").write_text(f"{APP}(", encoding="utf-8")
        until(lambda: "it starts again when a file changes" in process.err)
        (tmp_path / "mine.py").write_text(APP.replace("before", "after"), encoding="utf-8")
        until(lambda: process.err.count("running: in ") == 2)
        room.post("/users/you/say", json={"text": "/word"}).raise_for_status()

        until(lambda: "2: after" in room.get("/messages").text)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with the one that started it")
def test_a_bot_ends_in_order_with_the_command_that_was_killed(process: Process) -> None:
    until(lambda: "running: in " in process.err)

    process.process.kill()

    process.process.wait(WITHIN)
    until(lambda: any(line.startswith("delivered 0") for line in process.out))
