"""A bot that runs for long while one thing after the other goes wrong keeps its size, and loses nothing.

Bot and sandbox are processes, in real time. Twenty times a second something happens: lines in the room and
to the bot alone, votes, joins, leaves, songs; every five seconds a fault of the table, chosen at random,
which passes. The short form takes a minute; ``HANGBOT_PROVE_SOAK_MINUTES=30`` asks for the full one.
"""

import json
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

import httpx
import pytest

from bench import usage
from tests.bounds import WITHIN
from tests.processes import Process, until

MINUTES: Final = float(os.environ.get("HANGBOT_PROVE_SOAK_MINUTES", "1"))
SEED: Final = int(os.environ.get("HANGBOT_PROVE_SEED", "0")) or random.SystemRandom().randrange(1, 2**31)
RATE: Final = 20.0
"""Events a second."""
FAULT_EVERY: Final = 5.0
FULL: Final = MINUTES >= 10
WARM: Final = 300.0 if FULL else 0.5 * MINUTES * 60
"""Seconds until the bot is to have its size."""
GROWTH: Final = 1.05 if FULL else 1.15
"""The short form ends while what is remembered of the last lines still fills up."""
POOLED: Final = 4
"""Connections for requests that the bot may keep: how many it has just now is chance, at the start too."""
CALM_WITHIN: Final = 3 * WITHIN
"""A back-off of 30 s, a look at the silent chat, and what was queued meanwhile."""

_PRODUCTION: Final = {
    "SOCKET_TIMEOUT_MS": "",
    "STAGE_RETRY_BASE_MS": "",
    "STAGE_RETRY_JITTER_MS": "",
    "STAGE_RETRY_MAX_MS": "5000",  # a fault every five seconds: with 30 s it would mostly be away
}

_APP: Final = """
import asyncio
import collections
import json

from hangbot.bot.events import Joined, UserJoined, UserLeft

inside = {}


def name(task):
    return f"{task.get_name()}: {task.get_coro()}"


class Soak:
    events = collections.Counter()

    async def on_message(self, bot, message):
        text = message.text or ""
        if text.startswith("census"):
            print(json.dumps({"census": text, "tasks": [name(task) for task in asyncio.all_tasks()],
                              "inside": sorted(inside), "events": self.events}), flush=True)
        elif text.startswith("line"):
            print(json.dumps({"heard": text}), flush=True)
            await message.reply(f"re {text}")

    async def on_event(self, bot, event):
        self.events[type(event).__name__] += 1
        match event:
            case Joined():
                inside.update((user.uuid, user) for user in event.state.users)
            case UserJoined():
                inside[event.user.uuid] = event.user
            case UserLeft():
                inside.pop(event.user.uuid, None)


app = Soak()
"""

FAULTS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    *(
        ("faults", {"on": "room.message", "do": do})
        for do in ("abort", "close", "close_deliberate", "drop", "duplicate", "reorder")
    ),
    *(
        ("faults", {"on": "chat.ws", "do": do})
        for do in ("abort", "close", "close_deliberate", "drop", "duplicate", "reorder", "garbage", "deaf")
    ),
    *(
        ("faults", {"on": "chat.send", "do": do})
        for do in ("cut_before_store", "cut_after_store", "garbage", "refuse", "hang")
    ),
    ("faults", {"on": "chat.send", "do": "status", "status": 503, "times": 2}),
    ("faults", {"on": "chat.send", "do": "delay", "ms": 2_000}),
    ("faults", {"on": "chat.history", "do": "status", "status": 503, "times": 2}),
    ("faults", {"on": "chat.history", "do": "garbage"}),
    ("faults", {"on": "room.joinRoom", "do": "hang"}),
    ("faults", {"on": "room.ping", "do": "drop", "times": 2}),
    ("restart", {"down_ms": 0, "services": ["room"]}),
    ("restart", {"down_ms": 2_000, "services": ["room"]}),
    ("restart", {"down_ms": 0, "services": ["chat"]}),
    ("restart", {"down_ms": 2_000, "services": ["chat"]}),
    ("restart", {"down_ms": 2_000, "services": ["room", "chat", "gateway"]}),
    ("chat/kick", {}),
    ("room/forget", {}),
    ("room/reset", {}),
)
"""What goes wrong: calls of the sandbox."""


@dataclass(frozen=True)
class Sizes:
    """What the bot's process has open; its sockets are those among the files."""

    memory_mb: float
    threads: int
    files: int
    sockets: int
    open: tuple[str, ...]


class Soak:
    """A sandbox, a bot, and a user who talks to it."""

    def __init__(self, folder: Path) -> None:
        self.rng = random.Random(SEED)  # noqa: S311  no secret
        (folder / "soak.py").write_text(_APP, encoding="utf-8")
        self.sandbox = Process(folder, 0, "sandbox", "--history", "200000", "--env-out", "hang-fm-config.env")
        until(lambda: self.sandbox.out)
        ready = json.loads(self.sandbox.out[0])
        self.bot_uid = ready["bot_uid"]
        self.http = httpx.Client(base_url=ready["control_url"], trust_env=False, timeout=WITHIN)
        self.user, self.dj, *self.crowd = (self.post("/users", nickname=f"user {n}")["uid"] for n in range(8))
        self.inside: set[str] = set()
        self.said: list[str] = []
        self.refused: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.events = 0
        self._censuses = 0
        self._numbers = iter(range(10**9))
        self.enter()
        self.bot = Process(folder, 1, "run", "--app", "soak:app", env=_PRODUCTION)

    def close(self) -> None:
        for process in (self.bot, self.sandbox):
            process.close()
        self.http.close()

    def post(self, path: str, **body: object) -> Any:  # noqa: ANN401  any JSON value
        return self.http.post(path, json=body).raise_for_status().json()

    def enter(self) -> None:
        for uid in (self.user, self.dj):
            self.post(f"/users/{uid}/join")
        self.post(f"/users/{self.dj}/dj")

    def try_to(self, path: str, **body: object) -> bool:
        """Do what the room may refuse at that moment, as it refuses a vote where nothing plays."""
        accepted = self.http.post(path, json=body).is_success
        self.refused[path.rpartition("/")[2]] += not accepted
        return accepted

    # -- what happens

    def happen(self) -> None:
        """One of the things that people do."""
        self.events += 1
        what = self.rng.random()
        if what < 0.4:
            self.say()
        elif what < 0.6:
            self.say(directly=True)
        elif what < 0.8:
            self.try_to(f"/users/{self.user}/vote", like=self.rng.random() < 0.5)
        elif what < 0.95:
            who = self.rng.choice(self.crowd)
            act = "leave" if who in self.inside else "join"
            if self.try_to(f"/users/{who}/{act}"):
                self.inside ^= {who}
        else:
            for act in ("leave", "join", "dj"):  # a song ends, another begins
                self.try_to(f"/users/{self.dj}/{act}")

    def say(self, *, directly: bool = False) -> None:
        text = f"line {len(self.said)}"
        self.said.append(text)
        if directly:
            self.post(f"/users/{self.user}/dm", to=self.bot_uid, text=text)
        else:
            self.post(f"/users/{self.user}/say", text=text)

    def go_wrong(self) -> None:
        call, body = self.rng.choice(FAULTS)
        self.faults[f"{call} {' '.join(str(value) for value in body.values())}"] += 1
        if call in ("chat/kick", "room/forget"):
            self.try_to(f"/{call}", uid=self.bot_uid)
        elif call == "restart":
            threading.Thread(target=self.post, args=("/restart",), kwargs=body, daemon=True).start()
        else:
            self.post(f"/{call}", **body)
        if call == "room/reset":
            self.inside.clear()
            self.enter()

    # -- what is seen

    def heard(self) -> list[str]:
        return [row["heard"] for row in map(json.loads, self.bot.out) if "heard" in row]

    def answers(self) -> list[str]:
        rows = self.http.get("/messages").json()["messages"]
        return [row["data"]["text"] for row in rows if row["sender"] == self.bot_uid]

    def census(self) -> dict[str, Any]:
        """Ask the bot what tasks it has, and whom it believes in the room."""
        self._censuses += 1
        text = f"census {self._censuses}"
        self.post(f"/users/{self.user}/say", text=text)
        until(lambda: f'"{text}"' in self.bot.out_file.read_text(encoding="utf-8"))
        rows: list[dict[str, Any]] = [json.loads(line) for line in self.bot.out]
        return next(row for row in rows if row.get("census") == text)

    def in_room(self) -> set[str]:
        return {user["uid"] for user in self.http.get("/users").json()["users"] if user["in_room"]}

    def sizes(self) -> Sizes:
        proc = Path(f"/proc/{self.bot.process.pid}")
        opened = []
        for fd in (proc / "fd").iterdir():
            try:
                opened.append(str(fd.readlink()))
            except FileNotFoundError:  # closed meanwhile
                continue
        return Sizes(
            memory_mb=usage.resident_mb(proc),
            threads=len(list((proc / "task").iterdir())),
            files=len(opened),
            sockets=sum(name.startswith("socket:") for name in opened),
            open=tuple(sorted(opened)),
        )


@pytest.fixture
def soak(tmp_path: Path) -> Iterator[Soak]:
    opened = Soak(tmp_path)
    yield opened
    opened.close()


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    """Look again until something is so, or the time is over."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(1.0)
    return True


def live(soak: Soak, seconds: float) -> list[tuple[float, float]]:
    """Let things happen and go wrong; return after how many seconds the bot had how many MiB."""
    memory: list[tuple[float, float]] = []
    began = time.monotonic()
    fault_at, look_at = FAULT_EVERY, 1.0
    while (at := time.monotonic() - began) < seconds:
        if soak.events < at * RATE:
            soak.happen()
        if at >= fault_at:
            fault_at += FAULT_EVERY
            soak.go_wrong()
        if at >= look_at:
            look_at += 1.0
            assert soak.bot.alive, soak.bot.err[-2000:]
            memory.append((at, soak.sizes().memory_mb))
        time.sleep(max(0.0, soak.events / RATE - (time.monotonic() - began)))
    return memory


@pytest.mark.slow
@pytest.mark.timeout(MINUTES * 60 + 8 * CALM_WITHIN)
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="this system has no /proc to look at")
def test_a_bot_keeps_its_size_and_loses_nothing_while_things_go_wrong(soak: Soak) -> None:
    print(f"seed {SEED}, {MINUTES:g} minutes")  # noqa: T201  how to repeat it, shown when it fails
    until(lambda: "running: in " in soak.bot.err)
    for number in range(20):
        soak.say(directly=number % 2 == 0)
    assert within(WITHIN, lambda: len(soak.answers()) == len(soak.said))
    tasks, before = soak.census()["tasks"], soak.sizes()

    memory = live(soak, MINUTES * 60)
    soak.http.delete("/faults").raise_for_status()
    expected = Counter(f"re {text}" for text in soak.said)
    within(CALM_WITHIN, lambda: len(soak.answers()) >= len(soak.said))
    within(CALM_WITHIN, lambda: soak.sizes().files <= before.files + POOLED)
    within(CALM_WITHIN, lambda: set(soak.census()["inside"]) == soak.in_room())
    within(WITHIN, lambda: len(soak.census()["tasks"]) <= len(tasks))
    last, after = soak.census(), soak.sizes()

    sizes = [mb for at, mb in memory if at >= WARM]
    grown = [mb for at, mb in memory if WARM - 10.0 <= at <= WARM]
    report = (
        f"{soak.events} events, {len(soak.said)} lines, {soak.faults.total()} faults, "
        f"refused {dict(soak.refused)}\n"
        f"memory: {before.memory_mb:.1f} MB at the start, {median(grown):.1f} when warm, then at most "
        f"{max(sizes):.1f}, at the end {median(sizes[-10:]):.1f}\n"
        f"tasks {len(tasks)} to {len(last['tasks'])}, threads {before.threads} to {after.threads}, "
        f"sockets {before.sockets} to {after.sockets}, files {before.files} to {after.files}"
    )
    print(report)  # noqa: T201
    print(last["events"], dict(soak.faults))  # noqa: T201
    answers = Counter(soak.answers())
    assert soak.bot.alive, soak.bot.err[-2000:]
    assert Counter(soak.heard()) == Counter(soak.said)
    assert answers == expected, (expected - answers, answers - expected)
    assert set(last["inside"]) == soak.in_room()
    assert len(last["tasks"]) <= len(tasks), set(last["tasks"]) - set(tasks)
    assert after.threads <= before.threads
    assert after.sockets <= before.sockets + POOLED, after.open
    assert after.files <= before.files + POOLED, (before.open, after.open)
    assert max(sizes) <= GROWTH * median(grown)
    assert "Traceback" not in soak.bot.err
