"""Real processes, killed at any moment: every message is in the room once, and in order.

The short form kills ten times. The full one is asked for by ``HANGBOT_PROVE_KILLS=100`` (20
messages a kill), as ``make prove``'s environment.
"""

import json
import os
import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.bounds import WITHIN
from tests.processes import Process, until

KILLS = int(os.environ.get("HANGBOT_PROVE_KILLS", "10"))
SEED = int(os.environ.get("HANGBOT_PROVE_SEED", "0")) or random.SystemRandom().randrange(1, 2**31)
A_KILL = 20
"""Messages for each kill."""
_FAULTS: list[dict[str, object]] = [
    {"on": "chat.send", "do": "cut_after_store"},
    {"on": "chat.send", "do": "cut_after_store", "ms": 2},
    {"on": "chat.send", "do": "cut_before_store"},
    {"on": "chat.send", "do": "status", "status": 503},
    {"on": "chat.send", "do": "garbage"},
    {"on": "chat.lookup", "do": "cut_before_store"},
    {"on": "chat.lookup", "do": "status", "status": 500},
]


class World:
    """A sandbox that is never killed, and the bots in it that are."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rng = random.Random(SEED)  # noqa: S311  no secret
        self.processes: list[Process] = []
        self.told: list[str] = []
        sandbox = self.start("sandbox", "--history", "5000", "--env-out", "hang-fm-config.env")
        until(lambda: sandbox.out)
        url = json.loads(sandbox.out[0])["control_url"]
        self.http = httpx.Client(base_url=url, trust_env=False, timeout=WITHIN)

    def close(self) -> None:
        for process in self.processes:
            process.close()
        if hasattr(self, "http"):
            self.http.close()

    def start(self, *argv: str) -> Process:
        process = Process(self.folder, len(self.processes), *argv)
        self.processes.append(process)
        return process

    def run(self, *argv: str) -> list[str]:
        process = self.start(*argv)
        assert process.process.wait(4 * WITHIN) == 0, process.err[-2000:]
        return process.out

    def break_something(self) -> None:
        for fault in self.rng.choices(_FAULTS, k=4):
            self.http.post("/faults", json=fault | {"after": self.rng.randint(0, 15)}).raise_for_status()

    def stored(self) -> list[Mapping[str, Any]]:
        rows: list[Mapping[str, Any]] = self.http.get("/messages").json()["messages"]
        return [row for row in rows if row["category"] == "message"]

    def send(self, texts: list[str]) -> Process:
        """Begin to send; the caller reads the ids when they are all told."""
        sender = self.start("send", "--stdin")
        sender.feed(texts)
        return sender

    def all_told(self, sender: Process, many: int) -> None:
        until(lambda: len(sender.out) == many or sender.process.poll() is not None)
        assert len(sender.out) == many, sender.err[-2000:]
        self.told += sender.out

    def kill_a_bot_that_starts(self) -> bool:
        bot = self.start()
        time.sleep(self.rng.uniform(0, 1.5))  # a moment of its start-up, any
        return bot.kill()

    def kill_a_sender_that_delivers(self, texts: list[str]) -> bool:
        sender = self.send(texts)
        self.all_told(sender, len(texts))
        self._wait_for(self.rng.randint(0, len(texts)), sender)
        return sender.kill()

    def kill_a_bot_that_delivers(self, texts: list[str]) -> bool:
        bot = self.start()
        until(lambda: bot.err or bot.process.poll() is not None)  # it has the lock: the sender only accepts
        sender = self.send(texts)
        self._wait_for(self.rng.randint(0, len(texts)), bot)
        killed = bot.kill()
        self.all_told(sender, len(texts))  # without a bot, it delivers
        if self.rng.random() < 0.5:
            sender.process.wait(4 * WITHIN)
        sender.kill()
        return killed

    def _wait_for(self, many: int, process: Process) -> None:
        """Wait until so many more are in the room (but not for ever), and a moment longer."""
        before, end = len(self.stored()), time.monotonic() + 3
        while len(self.stored()) - before < many and time.monotonic() < end:
            if process.process.poll() is not None:
                return
            time.sleep(0.01)
        time.sleep(self.rng.uniform(0, 0.02))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


@pytest.mark.slow
@pytest.mark.timeout(300 + 60 * KILLS)
def test_bots_that_are_killed_at_any_moment_lose_nothing_and_repeat_nothing(world: World) -> None:
    begun, killed = time.monotonic(), Counter[str]()
    print(f"seed {SEED}")  # noqa: T201  how to repeat it, shown when it fails

    while killed.total() < KILLS:
        world.break_something()
        first = len(world.told)
        texts = [f"line {number}" for number in range(first, first + A_KILL)]
        kind = world.rng.choices(["starting", "sending", "running"], weights=[15, 15, 70])[0]
        if len(world.told) >= KILLS * A_KILL or kind == "starting":
            killed["starting"] += world.kill_a_bot_that_starts()
        elif kind == "sending":
            killed["sending"] += world.kill_a_sender_that_delivers(texts)
        else:
            killed["running"] += world.kill_a_bot_that_delivers(texts)
    world.http.delete("/faults").raise_for_status()
    left = KILLS * A_KILL - len(world.told)
    waiting = world.run("outbox", "stats", "--json")
    last = world.send([f"line {number}" for number in range(KILLS * A_KILL - left, KILLS * A_KILL)])
    assert last.process.wait(4 * WITHIN) == 0, last.err[-2000:]
    world.told += last.out

    rows = json.loads("\n".join(world.run("outbox", "list", "--json")))
    room = world.stored()
    again = sum(row["tier"] == 2 for row in rows)
    print(  # noqa: T201  the figures, for the report
        f"{len(rows)} messages, {killed.total()} kills ({dict(killed)}), {again} of tier 2,"
        f" {time.monotonic() - begun:.0f} s; before the last start: {' '.join(waiting)}"
    )
    assert [row["id"] for row in rows] == world.told
    assert [world.run("outbox", "show", row["id"]) for row in rows if row["state"] != "delivered"] == []
    assert [row["muid"] for row in room] == world.told
    assert [row["data"]["text"] for row in room] == [f"line {number}" for number in range(KILLS * A_KILL)]
