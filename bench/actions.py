"""Acknowledged room actions: alone over bare ``websockets``, four in flight beside npm's ``ttfm-socket``."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect

from bench.figures import Figure, at_least, at_most, figure, interleaved, ratio
from bench.npm import Ask, NoNpm, node
from bench.plan import Plan
from bench.processes import child
from hangbot.config import Settings
from hangbot.factory import open_room

__all__ = ["STEPS"]

_IN_FLIGHT: Final = 4
_WARM_UP: Final = 10
_WITHIN: Final = 60.0
_ACTION: Final = "playOneTimeAnimation"
_JUMP: Final = {"animation": "jump"}


def _actions(plan: Plan) -> Iterator[Figure]:
    number = plan.amount(2_000)
    with child("bench.servers", "sandbox") as sandbox, ExitStack() as stack:
        world = sandbox.ask({"rooms": 1, "bots": 1, "clients": 2})
        used: dict[str, list[float]] = {"bare": [], "alone": [], "four": [], "npm alone": [], "npm": []}

        def run(name: str, measured: Callable[[], list[float]]) -> float:
            rate, cpu_us = measured()
            used[name].append(cpu_us)
            return rate

        contenders: dict[str, Callable[[], float]] = {
            "bare": lambda: run("bare", lambda: asyncio.run(_bare(world, number))),
            "alone": lambda: run("alone", lambda: asyncio.run(_ours(world, number, 1))),
            "four": lambda: run("four", lambda: asyncio.run(_ours(world, number, _IN_FLIGHT))),
        }
        missing = ""
        try:
            npm = _npm(stack, node(Path(__file__).with_suffix(".mjs"), plan.folder / "npm"), world)
            contenders["npm alone"] = lambda: run("npm alone", partial(npm, number=number, atOnce=1))
            contenders["npm"] = lambda: run("npm", partial(npm, number=number, atOnce=_IN_FLIGHT))
        except NoNpm as exc:
            missing = f"alone: {exc}"
        values = interleaved(plan.rounds(7), contenders, within=_WITHIN)
    took = {
        name: f"{1e6 / median(rates):.0f} µs ({median(used[name]):.0f} of its processor)"
        for name, rates in values.items()
    }
    yield figure(
        "a lone acknowledged action, in round trips over bare websockets",
        ratio(values, "bare", "alone"),
        "x",
        goal=at_most(1.2),
        beside=f"{took['alone']} against {took['bare']}; ttfm-socket {took.get('npm alone', '-')}",
    )
    yield figure("the same in processor time", ratio(used, "alone", "bare"), "x")
    if missing:
        yield figure("four in flight, actions a second", values["four"], "/s", beside=missing)
        return
    yield figure(
        "four in flight, over the rate of ttfm-socket",
        ratio(values, "four", "npm"),
        "x",
        goal=at_least(1.0),
        beside=f"an action in {took['four']} against {took['npm']}",
    )
    yield figure("the same in processor time", ratio(used, "four", "npm"), "x")


def _npm(stack: ExitStack, opened: AbstractContextManager[Ask], world: dict[str, Any]) -> Ask:
    ask = stack.enter_context(opened)
    return partial(ask, url=world["room_url"], token=world["clients"][0]["token"], room=world["rooms"][0])


async def _ours(world: dict[str, Any], number: int, at_once: int) -> list[float]:
    """Measure the client that a bot has."""
    settings = Settings.from_env(world["bots"][0])
    async with open_room(settings) as room:
        await room.welcome(_WITHIN)
        await room.join()
        return await _rate(lambda: room.act(_ACTION, **_JUMP), number, at_once)


async def _bare(world: dict[str, Any], number: int) -> list[float]:
    """Measure a bare connection, one action at a time, whose frames are not decoded."""
    where = world["room_url"].replace("http", "ws", 1)
    url = f"{where}/primus?token={world['clients'][1]['token']}"
    async with connect(url, compression=None, max_size=None) as connection:
        ids = count(1)
        await connection.recv()  # the welcome
        await _exchange(connection, next(ids), {"action": "joinRoom", "roomUuid": world["rooms"][0]})
        params = _JUMP | {"action": _ACTION, "roomUuid": world["rooms"][0]}
        return await _rate(lambda: _exchange(connection, next(ids), params), number, 1)


async def _exchange(connection: ClientConnection, number: int, params: dict[str, str]) -> None:
    await connection.send(json.dumps({"event": "action", "params": params, "messageId": number}))
    answer = f'"messageId":{number}'
    while answer not in str(await connection.recv()):
        pass


async def _rate(act: Callable[[], Awaitable[object]], number: int, at_once: int) -> list[float]:
    """Return the actions a second, and the processor time of each in microseconds."""

    async def some(share: int) -> None:
        for _ in range(share):
            await act()

    await asyncio.gather(*(some(_WARM_UP) for _ in range(at_once)))
    share = number // at_once
    began, used = time.perf_counter(), time.process_time()
    await asyncio.gather(*(some(share) for _ in range(at_once)))
    used, took = time.process_time() - used, time.perf_counter() - began
    return [share * at_once / took, used / (share * at_once) * 1e6]


STEPS: Final = (_actions,)
"""The measurements of this part, in the order of the table."""
