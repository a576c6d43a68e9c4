"""A bot, its sandbox and its outbox in one simulated loop, and minutes in which things happen."""

import asyncio
import logging
import random
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeVar

from hangbot import (
    AnyApp,
    Bot,
    ChatMessage,
    InlineWriter,
    Settings,
    Step,
    exclusive,
    open_bot,
    open_outbox,
)
from hangbot.sandbox import Sandbox, SandboxClock, open_sandbox
from pytest_hangfm.simulation.clock import SimulatedClock
from pytest_hangfm.simulation.guards import no_machine
from pytest_hangfm.simulation.loop import SimulatedLoop

__all__ = ["ROOM_PORT", "Run", "World", "in_a_world", "some_minutes"]

T = TypeVar("T")

ROOM_PORT: Final = 4001
_CHAT_PORT: Final = 4002
_CONTROL_PORT: Final = 4003
_FAULTS: Final = (
    ("chat.send", "cut_after_store", None),
    ("chat.send", "cut_before_store", None),
    ("chat.send", "status", None),
    ("chat.history", "garbage", None),
    ("chat.*", "refuse", None),
    ("room.message", "drop", None),
    ("room.message", "duplicate", None),
    ("room.action", "drop", None),
    ("room.connect", "delay", 500),
)


@dataclass(frozen=True, slots=True)
class World:
    """A bot that runs, and its sandbox."""

    sandbox: Sandbox
    bot: Bot
    loop: SimulatedLoop
    rng: random.Random


@dataclass(frozen=True, slots=True)
class Run:
    """What is left of a simulation.

    Attributes:
        journal: What went over the sandbox's wires, as it was recorded.
        steps: What delivery noted.
        log: The lines of the log.
        uses: Where the machine was used, in spite of all.
        failures: What no task could take.
    """

    journal: bytes
    steps: list[Step]
    log: list[str]
    uses: list[str]
    failures: list[dict[str, object]]


class _Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{asyncio.get_running_loop().time():.6f} {record.getMessage()}")


def in_a_world(
    seed: int,
    folder: Path,
    story: Callable[[World], Awaitable[T]],
    *,
    app: AnyApp | None = None,
    env: Mapping[str, str] = MappingProxyType({}),
) -> tuple[T, Run]:
    """Play a story with a bot that runs; the folder is emptied first, so that each run begins alike."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    steps: list[Step] = []
    rng = random.Random(seed)  # noqa: S311  to be repeatable
    handler, logger = _Lines(), logging.getLogger("hangbot")
    logger.addHandler(handler)

    async def main() -> T:
        async with _world(rng, folder, steps.append, app, env) as world:
            return await story(world)

    try:
        with no_machine() as uses, asyncio.Runner(loop_factory=SimulatedLoop) as runner:
            loop = runner.get_loop()
            assert isinstance(loop, SimulatedLoop)
            outcome = runner.run(main())
    finally:
        logger.removeHandler(handler)
    journal = (folder / "journal.jsonl").read_bytes()
    return outcome, Run(journal, steps, handler.lines, uses, loop.failures)


@asynccontextmanager
async def _world(
    rng: random.Random,
    folder: Path,
    notify: Callable[[Step], None],
    app: AnyApp | None,
    env: Mapping[str, str],
) -> AsyncIterator[World]:
    loop, clock = asyncio.get_running_loop(), SimulatedClock()
    assert isinstance(loop, SimulatedLoop)
    async with AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(
            open_sandbox(
                room_port=ROOM_PORT,
                http_port=_CHAT_PORT,
                control_port=_CONTROL_PORT,
                record=folder / "journal.jsonl",
                clock=SandboxClock(wall_s=clock.wall, monotonic_s=loop.time),
                rng=random.Random(rng.random()),  # noqa: S311  to be repeatable
            )
        )
        settings = Settings.from_env(
            {**sandbox.env(), **env, "HANGBOT_OUTBOX": str(folder / "outbox.sqlite3")}
        )
        stack.enter_context(exclusive(settings.outbox))
        outbox = await stack.enter_async_context(open_outbox(settings, clock=clock, make_writer=InlineWriter))
        opened = open_bot(settings, outbox, app=app, clock=clock, rng=rng, notify=notify)
        bot = await stack.enter_async_context(opened)
        running = asyncio.create_task(bot.run(), name="bot")
        await bot.ready()
        yield World(sandbox, bot, loop, rng)
        bot.stop()
        await running


async def _answer(bot: Bot, message: ChatMessage) -> None:
    if message.text == "/ping":
        await bot.say("pong", key=f"pong-{message.id}")


def some_minutes(seed: int, folder: Path, minutes: int) -> tuple[tuple[list[str], list[str]], Run]:
    """Play some minutes by chance; return what was said and what arrived, and what is left of the run."""
    return in_a_world(seed, folder, lambda world: _Story(world).play(minutes * 60.0), app=_answer)


class _Story:
    """Users talk, songs play and end, the bot speaks and votes, faults hit, services restart."""

    def __init__(self, world: World) -> None:
        self._said: list[str] = []
        self._sandbox = world.sandbox
        self._bot = world.bot
        self._rng = world.rng
        self._users = [self._sandbox.users.add(name) for name in ("alice", "bob")]

    async def play(self, seconds: float) -> tuple[list[str], list[str]]:
        """Play, and wait until all that was said has ended."""
        loop, rng = asyncio.get_running_loop(), self._rng
        planned = [
            (seconds / 3, self._restart),
            (seconds / 2, self._forget),
            (seconds * 2 / 3, self._restart),
        ]
        acts = [self._say, self._hear] * 2 + [self._queue, self._vote, self._fault, self._act]
        for user in self._users:
            await user.join()
            await user.dj(self._song())
        while loop.time() < seconds:
            await asyncio.sleep(rng.uniform(0.5, 8.0))
            await rng.choice(acts)()
            if planned and loop.time() > planned[0][0]:
                await planned.pop(0)[1]()
        for key in self._said:
            await self._bot.settled(key)
        arrived = [str(row.get("muid")) for row in self._sandbox.messages]
        return self._said, [muid for muid in arrived if muid.startswith("m-")]

    async def _restart(self) -> None:
        await self._sandbox.restart(down_ms=15_000)

    async def _forget(self) -> None:
        await self._sandbox.forget(self._sandbox.bot.uid)

    async def _say(self) -> None:
        key = f"m-{len(self._said)}"
        await self._bot.say(f"message {len(self._said)}", key=key)
        self._said.append(key)

    async def _hear(self) -> None:
        await self._rng.choice(self._users).say(self._rng.choice(["hello", "/ping", "/uptime"]))

    async def _queue(self) -> None:
        await self._rng.choice(self._users).next_song(self._song())

    async def _vote(self) -> None:
        if self._sandbox.state["nowPlaying"]:
            await self._rng.choice(self._users).vote(like=self._rng.choice((True, False)))

    async def _fault(self) -> None:
        point, kind, ms = self._rng.choice(_FAULTS)
        self._sandbox.faults.add(point, kind, ms=ms)

    async def _act(self) -> None:
        if self._bot.room and not self._bot.room.ended.done():
            await self._bot.act("voteOnSong", songVotes={"like": self._rng.choice((True, False))})

    def _song(self) -> dict[str, object]:
        number = self._rng.randrange(1000)
        return {
            "trackName": f"Song {number}",
            "artistName": "Ann",
            "duration": self._rng.randrange(20, 60),
            "musicProviders": {"youtube": f"song-{number}"},
        }
