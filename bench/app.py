"""What a handler of an app costs: without store, with a commit, with those of 64 users at once; lines read.

The bot is one as it runs, with its outbox on this disk, but has no services: lines are given to it.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

from bench.figures import Figure, at_least, figure, interleaved, ratio, under
from bench.plan import Plan
from hangbot import App, Bot, ChatMessage, Context, Settings, open_bot, open_outbox
from hangbot.bot.answering import Answering, answering
from hangbot.bot.app_forms import make_hooks
from hangbot.bot.app_runner import AppRunner
from hangbot.clock import SystemClock
from hangbot.hangfm.wire.chat_socket import decode

__all__ = ["STEPS"]

_USERS: Final = 64
_WITHIN: Final = 30.0
_ENV: Final = {
    "BOT_USER_TOKEN": "bench",
    "ROOM_UUID": "room",
    "COMETCHAT_UID": "bot",
    "OPENCHAT_BASE_URL": "http://127.0.0.1:9",
    "TTFM_GATEWAY_BASE_URL": "http://127.0.0.1:9",
    "SOCKET_SERVER_URL": "http://127.0.0.1:9",
}

app: Final = App("bench")


@app.command("nothing")
async def nothing(ctx: Context, count: int, *, text: str = "") -> None:
    """Do nothing."""


@app.command("count")
async def count(ctx: Context) -> None:
    """Store a number of the user."""
    mine = ctx.store.user(ctx.user.uuid)
    await mine.set("number", await mine.get("number", 0) + 1)


def _app(plan: Plan) -> Iterator[Figure]:
    lines = plan.amount(5_000)
    spent = [_run(plan, partial(_dispatched, lines)) for _ in range(plan.rounds(5))]
    yield figure(
        "a command's handler without store",
        spent,
        "µs",
        goal=under(100.0),
        beside=f"processor time of {lines:,} lines: queue, arguments, what limits the handler",
    )
    values = interleaved(
        plan.rounds(5),
        {
            "one": partial(_run, plan, partial(_in_turn, plan.amount(200))),
            "many": partial(_run, plan, partial(_at_once, plan.amount(100))),
        },
        within=_WITHIN,
    )
    yield figure("handlers that store, one after the other", values["one"], "/s", beside="a commit each")
    yield figure(f"the same of {_USERS} users at once", values["many"], "/s", beside="they share commits")
    yield figure("at once over one after the other", ratio(values, "many", "one"), "x", goal=at_least(10.0))
    read = [_run(plan, partial(_read, plan.amount(20_000))) for _ in range(plan.rounds(5))]
    yield figure(
        "lines read, from the socket's text to the app's end",
        read,
        "/s",
        goal=at_least(5_000.0),
        beside=f"of {_USERS} users, one in ten a command: a second of the processor",
    )


def _run(plan: Plan, measure: Callable[[Bot], Coroutine[Any, Any, float]]) -> float:
    async def run() -> float:
        async with _opened(plan) as bot:
            return await measure(bot)

    return asyncio.run(run())


@asynccontextmanager
async def _opened(plan: Plan) -> AsyncIterator[Bot]:
    path = plan.folder / f"app-{time.time_ns()}.sqlite3"
    settings = Settings.from_env(_ENV | {"HANGBOT_OUTBOX": str(path)})
    try:
        async with open_outbox(settings) as outbox, open_bot(settings, outbox, app=app) as bot:
            yield bot
    finally:
        for each in plan.folder.glob(f"{path.name}*"):
            each.unlink()


async def _dispatched(lines: int, bot: Bot) -> float:
    """Return the microseconds that a line takes from the queue to the end of its handler."""
    async with _runner(bot) as runner:
        began = time.process_time()
        for number in range(lines):
            await _offered(runner, _line(number, "/nothing 7 and more"))
        await _empty(runner)
        return 1e6 * (time.process_time() - began) / lines


async def _in_turn(number: int, bot: Bot) -> float:
    lines = [_line(each, "/count") for each in range(number)]
    began = time.perf_counter()
    for line in lines:
        await _handled(bot, line)
    return number / (time.perf_counter() - began)


async def _at_once(rounds: int, bot: Bot) -> float:
    lines = [[_line(_USERS * each + user, "/count") for each in range(rounds)] for user in range(_USERS)]

    async def one(user: int) -> None:
        for line in lines[user]:
            await _handled(bot, line)

    began = time.perf_counter()
    await asyncio.gather(*(one(user) for user in range(_USERS)))
    return _USERS * rounds / (time.perf_counter() - began)


async def _read(lines: int, bot: Bot) -> float:
    frames = [_frame(number, "/nothing 7" if number % 10 == 0 else "a nice song") for number in range(lines)]
    async with _runner(bot) as runner:
        began = time.process_time()
        for frame in frames:
            line = decode(frame)
            if not isinstance(line, ChatMessage):
                raise TypeError(f"{frame} was read as {line}")
            await _offered(runner, line)
        await _empty(runner)
        return lines / (time.process_time() - began)


async def _handled(bot: Bot, line: ChatMessage) -> None:
    with answering(Answering(bot, line, 1, app.name)):
        await app.on_message(bot, line)


@asynccontextmanager
async def _runner(bot: Bot) -> AsyncIterator[AppRunner]:
    runner = AppRunner(SystemClock(), make_hooks(app, bot))
    running = asyncio.create_task(runner.run(), name="bench-app")
    await asyncio.sleep(0)
    try:
        yield runner
    finally:
        await runner.drain(5.0)
        await running


async def _offered(runner: AppRunner, line: ChatMessage) -> None:
    while not runner.offer(line):
        await runner.room()


async def _empty(runner: AppRunner) -> None:
    while len(runner):  # noqa: ASYNC110  the app has no event that says so
        await asyncio.sleep(0)


def _line(number: int, text: str) -> ChatMessage:
    return ChatMessage(number + 1, f"user {number % _USERS}", "room", text, 1_800_000_000.0)


def _frame(number: int, text: str) -> str:
    row = {"id": number + 1, "sender": f"user {number % _USERS}", "receiver": "room", "receiverType": "group"}
    what = {"category": "message", "type": "text", "data": {"text": text, "metadata": {}}}
    body = row | what | {"sentAt": 1_800_000_000}
    return json.dumps({"appId": "bench", "receiver": "room", "type": "message", "body": body})


STEPS: Final = (_app,)
"""The measurements of this part, in the order of the table."""
