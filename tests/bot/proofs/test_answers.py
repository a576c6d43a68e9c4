"""A bot that is killed at any moment answers every question of another user once, and in order.

The bot and the sandbox are processes; each life of the bot answers in other words, so an answer that was
given twice would show. The short form kills ten times. The full one is asked for by
``HANGBOT_PROVE_KILLS=100`` (ten questions a kill), as ``make prove``'s environment.
"""

import json
import os
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.bounds import WITHIN
from tests.processes import Forks, Life, Process, until

KILLS: Final = int(os.environ.get("HANGBOT_PROVE_KILLS", "10"))
SEED: Final = int(os.environ.get("HANGBOT_PROVE_SEED", "0")) or random.SystemRandom().randrange(1, 2**31)

_APP: Final = """
import asyncio
import os
import random


async def hear(bot, message):
    word, _, number = (message.text or "").partition(" ")
    if word == "question":
        print("begun", number, flush=True)
        await asyncio.sleep(random.random() / 100)
        for part in range({parts}):
            await message.reply(f"answer {{number}}.{{part}} in the words of {{os.getpid()}}")
        await asyncio.sleep(random.random() / 100)
"""


class World:
    """A sandbox that is never killed, a user who asks, and the lives of a bot that answers."""

    def __init__(
        self, folder: Path, *, parts: int = 1, direct: bool = False, forked: bool = False, app: str = _APP
    ) -> None:
        self.rng = random.Random(SEED)  # noqa: S311  no secret
        self.lives: list[Life] = []
        self._forks = Forks(folder) if forked else None
        self.folder = folder
        self.parts = parts
        self.direct = direct
        (folder / "quiz.py").write_text(app.format(parts=parts), encoding="utf-8")
        self.sandbox = Process(folder, 0, "sandbox", "--history", "20000", "--env-out", "hang-fm-config.env")
        until(lambda: self.sandbox.out)
        self._ready = json.loads(self.sandbox.out[0])
        self.http = httpx.Client(base_url=self._ready["control_url"], trust_env=False, timeout=WITHIN)
        self.asker = self.post("/users", nickname="asker")["uid"]
        self.post(f"/users/{self.asker}/join")

    def close(self) -> None:
        for process in (*self.lives, self.sandbox):
            process.close()
        if self._forks:
            self._forks.close()
        self.http.close()

    def post(self, path: str, **body: object) -> Any:  # noqa: ANN401  any JSON value
        return self.http.post(path, json=body).raise_for_status().json()

    def ask(self, number: int) -> None:
        text = f"question {number}"
        if self.direct:
            self.post(f"/users/{self.asker}/dm", to=self._ready["bot_uid"], text=text)
        else:
            self.post(f"/users/{self.asker}/say", text=text)

    def answers(self, first_word: str = "answer") -> list[str]:
        """What the bot said that begins with a word, oldest first, without the words of each life."""
        rows: list[Mapping[str, Any]] = self.http.get("/messages").json()["messages"]
        texts = [row["data"]["text"] for row in rows if row["category"] == "message"]
        return [text.split(" in ")[0] for text in texts if text.startswith(f"{first_word} ")]

    def start(self) -> Life:
        number, argv = len(self.lives) + 1, ("run", "--app", "quiz:hear")
        bot: Life = self._forks.start(number, *argv) if self._forks else Process(self.folder, number, *argv)
        self.lives.append(bot)
        return bot

    def one_life(self, longest: float) -> None:
        """Start the bot and kill it, mostly while it answers, for so many seconds at most."""
        bot = self.start()
        if self.rng.random() < 0.8:
            end = time.monotonic() + 3.0  # all may be answered, and pushes may be lost
            until(lambda: "[HEARD]" in bot.err or not bot.alive or time.monotonic() > end)
            time.sleep(self.rng.uniform(0, longest))
        else:
            time.sleep(self.rng.uniform(0, 1.5 * longest))
        assert bot.kill(), bot.err[-2000:]

    def begun_again(self) -> int:
        """How many times a life began to answer a question that an earlier one had begun to answer."""
        begun = [line for life in self.lives for line in life.out if line.startswith("begun ")]
        return len(begun) - len(set(begun))


@pytest.fixture
def open_world(tmp_path: Path) -> Iterator[Callable[..., World]]:
    worlds: list[World] = []

    def open_one(*, parts: int, direct: bool, forked: bool = False) -> World:
        worlds.append(World(tmp_path, parts=parts, direct=direct, forked=forked))
        return worlds[-1]

    yield open_one
    for world in worlds:
        world.close()


def prove(
    world: World, *, kills: int, questions: int, pause: float, fault: tuple[str, str] | None = None
) -> None:
    """Have questions asked beside the lives of a bot, and look at the answers.

    Args:
        world: Where.
        kills: How many lives end by force.
        questions: How many are asked.
        pause: The longest one between two of them, in seconds.
        fault: What goes wrong in each life, and where.
    """
    print(f"seed {SEED}")  # noqa: T201  how to repeat it, shown when it fails
    lives_over, begun = threading.Event(), time.monotonic()
    first = world.start()  # the first start begins at the newest line: what was asked before is not its
    until(lambda: "running: in " in first.err)

    def ask_all() -> None:
        rng = random.Random(SEED)  # noqa: S311  no secret
        for number in range(questions):
            lives_over.wait(rng.uniform(0, pause))
            world.ask(number)

    asking = threading.Thread(target=ask_all, name="asker")
    asking.start()
    try:
        time.sleep(world.rng.uniform(0, 4 * pause))
        first.kill()
        for _ in range(kills - 1):
            if fault:
                world.post("/faults", on=fault[0], do=fault[1], after=world.rng.randint(0, 5))
            world.one_life(4 * pause)
    finally:
        lives_over.set()
        asking.join(4 * WITHIN)
    world.http.delete("/faults").raise_for_status()
    last = world.start()
    expected = [f"answer {number}.{part}" for number in range(questions) for part in range(world.parts)]
    end = time.monotonic() + 2 * WITHIN
    while len(world.answers()) < len(expected) and time.monotonic() < end:
        time.sleep(0.05)

    again = world.begun_again()
    print(f"{questions} questions, {kills} kills, {again} begun again, {time.monotonic() - begun:.1f} s")  # noqa: T201
    assert last.alive, last.err[-2000:]
    assert world.answers() == expected
    assert again or fault or kills < 30, "no kill came between a question and its mark: this proves nothing"


@pytest.mark.slow
@pytest.mark.timeout(300 + 60 * KILLS)
@pytest.mark.parametrize(
    ("parts", "direct", "fault"),
    [
        pytest.param(1, False, None, id="in the group"),
        pytest.param(1, True, None, id="to the bot alone"),
        pytest.param(
            2, False, ("chat.send", "cut_after_store"), id="two answers each, acknowledgements lost"
        ),
        pytest.param(1, False, ("chat.ws", "deaf"), id="a socket that goes deaf"),
        pytest.param(1, True, ("chat.ws", "abort"), id="to the bot alone, the socket lost"),
    ],
)
def test_every_question_is_answered_once_and_in_order(
    *, parts: int, direct: bool, fault: tuple[str, str] | None, open_world: Callable[..., World]
) -> None:
    world = open_world(parts=parts, direct=direct)

    prove(world, kills=KILLS, questions=10 * KILLS, pause=0.25, fault=fault)


@pytest.mark.slow
def test_the_same_in_short_with_a_bot_that_starts_in_no_time(open_world: Callable[..., World]) -> None:
    world = open_world(parts=2, direct=False, forked=True)

    prove(world, kills=8, questions=100, pause=0.03)
