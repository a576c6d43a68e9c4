"""What the sandbox costs: opening, actions and sends a second, memory, a crowded room."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from itertools import count
from statistics import median
from typing import Any, Final

from bench.chat_load import Posts, post
from bench.crowd import watch_votes
from bench.figures import Figure, at_least, at_most, figure, interleaved, quantile, ratio, under
from bench.plan import Plan
from bench.processes import child
from bench.room_load import Press, press
from hangbot.sandbox import open_sandbox

__all__ = ["STEPS"]

_CONNECTIONS: Final = 64
_MEMORY_WITHIN: Final = 80.0
_SERVERS: Final = "bench.servers"
_LOUD: Final = {"like": True}
_QUIET: Final = {"like": False}


def _opening(plan: Plan) -> list[Figure]:
    one = [asyncio.run(_open_ms(1)) for _ in range(3)][1:]  # the first pays for lazy imports
    one += asyncio.run(_open_many(plan.amount(200)))
    ten = [asyncio.run(_open_ms(10)) / 10 for _ in range(plan.rounds(9))]
    return [
        figure(
            "open and close one",
            one,
            "ms",
            goal=under(5),
            beside=f"three servers; p95 {quantile(one, 0.95):.2f} ms",
        ),
        figure("the same, each of ten open at once", ten, "ms"),
    ]


async def _open_many(number: int) -> list[float]:
    return [await _open_ms(1) for _ in range(number)]


async def _open_ms(at_once: int) -> float:
    started = time.perf_counter()
    async with AsyncExitStack() as stack:
        for _ in range(at_once):
            await stack.enter_async_context(open_sandbox())
    return (time.perf_counter() - started) * 1000


def _actions(plan: Plan) -> list[Figure]:
    seconds = plan.seconds(2.0)
    with child(_SERVERS, "sandbox") as sandbox, child(_SERVERS, "echo") as echo:
        world = sandbox.ask({"rooms": _CONNECTIONS, "clients": _CONNECTIONS})
        echo_url = echo.ask({})["room_url"]
        used: dict[str, list[float]] = {"votes": [], "jumps": []}

        def run(kind: str, frames: Callable[[str], list[str]]) -> float:
            before = sandbox.ask({"do": "usage"})["cpu_s"]
            score = asyncio.run(press(_presses(world, frames), seconds))
            after = sandbox.ask({"do": "usage"})["cpu_s"]
            used[kind].append((after - before) * 1e6 / score.all)
            return score.rate

        values = interleaved(
            plan.rounds(5),
            {
                "votes": lambda: run("votes", _votes),
                "jumps": lambda: run("jumps", _jumps),
                "echo": lambda: asyncio.run(press(_presses(world, _votes, echo=echo_url), seconds)).rate,
            },
            within=40,
        )
    beside = f"bare websockets echo: {median(values['echo']):,.0f}/s"
    return [
        figure(
            "votes a second, 64 connections in 64 rooms",
            values["votes"],
            "/s",
            goal=at_least(10_000),
            beside=f"{median(used['votes']):.0f} µs of processor a vote; {beside}",
        ),
        figure(
            "jumps a second, likewise",
            values["jumps"],
            "/s",
            goal=at_least(10_000),
            beside=f"{median(used['jumps']):.0f} µs of processor a jump",
        ),
        figure("votes over the bare echo", ratio(values, "votes", "echo"), "x"),
    ]


def _votes(room: str) -> list[str]:
    frames = [{"action": "voteOnSong", "songVotes": votes, "roomUuid": room} for votes in (_LOUD, _QUIET)]
    return [_frame(params) for params in frames]


def _jumps(room: str) -> list[str]:
    return [_frame({"action": "playOneTimeAnimation", "animation": "jump", "roomUuid": room})]


def _frame(params: dict[str, Any]) -> str:
    frame = {"event": "action", "params": params, "messageId": "%d"}
    return json.dumps(frame).replace('"%d"', "%d")


def _presses(world: dict[str, Any], frames: Callable[[str], list[str]], *, echo: str = "") -> list[Press]:
    return [
        Press(echo or world["room_url"], one["token"], room, frames(room), joins=not echo)
        for one, room in zip(world["clients"], world["rooms"], strict=True)
    ]


def _sends(plan: Plan) -> list[Figure]:
    number, prefixes = plan.amount(4_000), count()
    with child(_SERVERS, "sandbox") as sandbox, child(_SERVERS, "echo") as echo:
        world, plain = sandbox.ask({"rooms": 1}), echo.ask({})

        def run(url: str) -> float:
            prefix = f"send-{next(prefixes)}"
            return asyncio.run(post(Posts(url, world["chat_token"], world["rooms"][0], number, 16, prefix)))

        values = interleaved(
            plan.rounds(5),
            {"sandbox": lambda: run(world["chat_url"]), "echo": lambda: run(plain["chat_url"])},
            within=40,
        )
    beside = f"16 connections; bare aiohttp echo: {median(values['echo']):,.0f}/s"
    return [
        figure("chat sends a second", values["sandbox"], "/s", goal=at_least(1_500), beside=beside),
        figure("chat sends over the bare echo", ratio(values, "sandbox", "echo"), "x"),
    ]


def _memory(plan: Plan) -> list[Figure]:
    step = plan.amount(20_000)
    with child(_SERVERS, "sandbox") as sandbox:
        world = sandbox.ask({"rooms": 1})
        sizes = [sandbox.ask({"do": "usage"})["resident_mb"]]
        started = time.monotonic()
        for number in range(5):
            if number > 1 and time.monotonic() - started > _MEMORY_WITHIN:
                break  # a busy machine: what was sent until now must do
            posts = Posts(world["chat_url"], world["chat_token"], world["rooms"][0], step, 16, f"m{number}")
            asyncio.run(post(posts))
            sizes.append(sandbox.ask({"do": "usage"})["resident_mb"])
        kept = sandbox.ask({"do": "delivered"})
    course = ", ".join(f"{size:.0f}" for size in sizes)
    beside = f"MB at the start and after each {step:,}: {course}; {kept:,} kept in the history"
    return [
        Figure(
            f"memory after {(len(sizes) - 1) * step:,} messages over that after {step:,}",
            sizes[-1] / sizes[1],
            "x",
            at_most(1.05),
            beside,
            tuple(sizes),
        )
    ]


def _crowd(plan: Plan) -> Iterator[Figure]:
    crowd, clients, votes = plan.amount(2_000), plan.amount(100), plan.amount(100)
    with child(_SERVERS, "sandbox") as sandbox:
        world = sandbox.ask({"crowd": crowd - clients - 1, "clients": clients})
        before = sandbox.ask({"do": "usage"})["cpu_s"]
        seen = asyncio.run(watch_votes(world["env"], world["clients"], votes=votes, a_second=10))
        server_s = sandbox.ask({"do": "usage"})["cpu_s"] - before
        state = sandbox.ask({"do": "state"})
    equal = sum(one == state for one in seen.states)
    yield Figure(
        f"clients of {clients} whose state is the server's in the end",
        equal,
        "",
        at_least(clients),
        f"{crowd:,} users, {votes} votes at 10 a second, {seen.missing} not seen",
    )
    yield figure(
        "a vote until a client has applied it",
        seen.lags_ms or [float("nan")],
        "ms",
        beside=f"p99 {quantile(seen.lags_ms, 0.99):.0f} ms; all clients in one process",
    )
    yield Figure("the same, processor time of all clients", seen.client_ms, "ms", beside="for each vote")
    yield Figure("joining, a client", seen.joined_s * 1000 / clients, "ms", beside="one after another")
    yield Figure("the server's processor time for it all", server_s, "s", beside="joins and votes")


STEPS: Final = (_opening, _actions, _sends, _memory, _crowd)
"""The measurements of this part, in the order of the table."""
