"""What running bots cost, and how soon they answer: the bots in one process, the sandbox in another."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from bench.figures import Figure, at_most, figure, quantile, under
from bench.plan import Plan
from bench.processes import Child, child
from hangbot import ChatMessage, Settings
from hangbot.clock import SystemClock
from hangbot.delivery.message import Outgoing
from hangbot.factory import open_clients
from hangbot.hangfm.chat_socket import open_chat_socket

__all__ = ["STEPS", "World", "ask", "open_world"]

_OPEN_WITHIN: Final = 300.0
_SETTLES: Final = 5.0
_ANSWERED_WITHIN: Final = 30.0
_CROWD: Final = 199
_HUNDRED: Final = 100.0


class World:
    """A sandbox in one process, bots in another.

    Attributes:
        number: Of the bots.
        folder: Where their outboxes are.
        answer: What the sandbox's process opened.
        empty_mb: What the bots' process used without a bot.
        ports: The address of each bot's status port; ``None`` where it has none.
    """

    def __init__(self, sandbox: Child, bots: Child, number: int, folder: str, answer: dict[str, Any]) -> None:
        self.number = number
        self.folder = folder
        self.answer = answer
        self.ports: list[str | None] = []
        self.empty_mb = float(bots.ask({"do": "usage"})["resident_mb"])
        self._sandbox = sandbox
        self._bots = bots

    def usage(self) -> dict[str, float]:
        """Return what the bots use."""
        return dict(self._bots.ask({"do": "usage"}))

    def ask_sandbox(self, **request: object) -> Any:  # noqa: ANN401  any JSON value
        """Ask the sandbox's process something."""
        return self._sandbox.ask(request, within=_OPEN_WITHIN)

    def cpu_while(self, run: Callable[[], object], seconds: float) -> float:
        """Return the share of a core in per cent that the bots use while a function runs."""
        before, began = self.usage()["cpu_s"], time.monotonic()
        run()
        used = self.usage()["cpu_s"] - before
        return used / max(time.monotonic() - began, seconds) * _HUNDRED


@contextmanager
def open_world(*, bots: int, crowd: int = 0, clients: int = 0, **env: str) -> Iterator[World]:
    """Open so many bots, each in a room of its own.

    Args:
        bots: How many.
        crowd: People in each room who have no client.
        clients: People with tokens.
        env: What all of them are configured with besides.
    """
    wants = {"rooms": bots, "crowd": crowd, "clients": clients, "bots": bots}
    with (
        TemporaryDirectory(prefix="hangbot-bench-") as folder,
        child("bench.servers", "sandbox") as sandbox,
        child("bench.bot_process") as process,
    ):
        answer = sandbox.ask(wants, within=_OPEN_WITHIN)
        world = World(sandbox, process, bots, folder, answer)
        envs = [
            own | {"HANGBOT_RATE": "0", "HANGBOT_OUTBOX": f"{folder}/{number}.sqlite3"} | env
            for number, own in enumerate(answer["bots"])
        ]
        world.ports = process.ask({"do": "open", "envs": envs}, within=_OPEN_WITHIN)
        yield world


def _answers(plan: Plan) -> Iterator[Figure]:
    with open_world(bots=1, clients=1) as world:
        took = asyncio.run(ask(world.answer, plan.amount(500), Path(world.folder)))
    beside = "without a limit of the rate; bots that poll were measured with 202 to 626 ms"
    yield figure("answer, median", [quantile(took, 0.5)], "ms", goal=under(10.0), beside=beside)
    yield figure("answer, p99", [quantile(took, 0.99)], "ms", goal=under(30.0))


async def ask(world: dict[str, Any], number: int, folder: Path) -> list[float]:
    """Return milliseconds until each of so many lines was answered."""
    client = world["clients"][0]
    env = {key: value for key, value in world["env"].items() if key.endswith("_URL")} | {
        "BOT_USER_TOKEN": client["token"],
        "ROOM_UUID": world["rooms"][0],
        "HANGBOT_OUTBOX": str(folder / "user.sqlite3"),
    }
    settings = Settings.from_env(env)
    took: list[float] = []
    async with open_clients(settings) as (_, chat):
        await chat.me()
        await chat.join()
        socket = open_chat_socket(chat, app_id=None, within=_ANSWERED_WITHIN, clock=SystemClock())
        async with socket as pushed:
            rows = pushed.rows()
            for count in range(number + 5):
                began = time.perf_counter()
                await chat.send(Outgoing(f"ask-{count}", chat.group_id, f"ask {count}"))
                async with asyncio.timeout(_ANSWERED_WITHIN):
                    while not _is_answer(await anext(rows), count):
                        pass
                took.append((time.perf_counter() - began) * 1000)
                await asyncio.sleep(0.01)  # a person does not answer within the same moment
    return took[5:]


def _is_answer(row: object, count: int) -> bool:
    return isinstance(row, ChatMessage) and row.text == f"re ask {count}"


def _one(plan: Plan) -> Iterator[Figure]:
    with open_world(bots=1, crowd=_CROWD) as world:
        yield from _idle(plan, world, "one bot in a room of 200", cpu=0.5, memory=60.0)
        seconds = plan.seconds(20.0)
        busy = world.cpu_while(lambda: world.ask_sandbox(do="traffic", rate=50.0, seconds=seconds), seconds)
        yield figure("one bot, 50 votes a second", [busy], "%", goal=under(3.0), beside="of a core")


def _many(plan: Plan) -> Iterator[Figure]:
    bots = 200 if not plan.quick else 20
    with open_world(bots=bots) as world:
        yield from _idle(plan, world, f"{bots} bots in a process", cpu=8.0, over=150.0)
        used = world.usage()
        yield figure("threads", [used["threads"]], "", goal=at_most(16))
        yield figure("open files", [used["files"]], "", beside=f"{used['files'] / bots:.1f} a bot")


def _idle(
    plan: Plan,
    world: World,
    name: str,
    *,
    cpu: float,
    memory: float | None = None,
    over: float | None = None,
) -> Iterator[Figure]:
    time.sleep(_SETTLES)
    seconds = plan.seconds(120.0)
    before = world.ask_sandbox(do="requests")
    used = world.cpu_while(lambda: time.sleep(seconds), seconds)
    asked = world.ask_sandbox(do="requests") - before
    resident = world.usage()["resident_mb"]
    yield figure(f"{name}, idle", [used], "%", goal=under(cpu), beside="of a core")
    yield figure(
        f"{name}: requests a minute and bot",
        [asked / world.number / seconds * 60],
        "",
        goal=None if plan.quick else at_most(2.0),
    )
    if memory is not None:
        yield figure(f"{name}: memory", [resident], "MB", goal=under(memory))
    if over is not None:
        empty = world.empty_mb
        yield figure(
            f"{name}: memory over an empty process",
            [resident - empty],
            "MB",
            goal=under(over),
            beside=f"{resident:.0f} MB against {empty:.0f} MB with hangbot imported",
        )


STEPS: Final = (_answers, _one, _many)
