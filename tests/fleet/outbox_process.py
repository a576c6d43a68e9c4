"""A process that works on a room's outbox in a cluster, and prints what was done once it is: to be killed.

``put ADDRESS PREFIX``: accepts messages. ``own ADDRESS PREFIX FENCE``: owns the room and delivers as well.
"""

import asyncio
import os
import random
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count

from hangbot.clock import SystemClock
from hangbot.config import Settings
from hangbot.delivery.outbox import Outbox
from hangbot.factory import open_outbox
from hangbot.factory.outbox import open_fleet, open_owned_outbox
from hangbot.fleet.streams import ClusterAway
from tests.delivery.builders import DELIVERED, message

__all__ = ["settings_of"]

_AT_ONCE = 4
_AGAIN_AFTER = 0.05
_CLOCK = SystemClock()


def settings_of(address: str) -> Settings:
    """Return the configuration of a room whose outbox is at an address."""
    return Settings.from_env({"BOT_USER_TOKEN": "a-token", "ROOM_UUID": "lounge", "HANGBOT_OUTBOX": address})


def _say(what: str, key: str = "") -> None:
    print(what, key, flush=True)  # noqa: T201  it is what the process is for


async def _numbers() -> AsyncIterator[int]:
    """Yield numbers until the process that looks at what is done is gone."""
    parent = os.getppid()
    for number in count():
        if os.getppid() != parent:
            return
        yield number


async def _put(address: str, prefix: str) -> None:
    settings = settings_of(address)
    async with open_outbox(settings) as outbox:
        async for number in _numbers():
            first = number * _AT_ONCE
            ids = [f"{prefix}{each}" for each in range(first, first + _AT_ONCE)]
            await _have_accepted(outbox, settings.chat_receiver, ids)


async def _have_accepted(outbox: Outbox, to: str, ids: list[str]) -> None:
    """Have them accepted in their order, however often that takes: an id stands for one message."""
    told: set[str] = set()

    async def put(key: str) -> None:
        await outbox.put([message(key, to)], _CLOCK.wall())
        if key not in told:
            told.add(key)
            _say("accepted", key)

    while problems := [each for each in await asyncio.gather(*map(put, ids), return_exceptions=True) if each]:
        for problem in problems:
            if not isinstance(problem, ClusterAway):
                raise problem
        await _CLOCK.sleep(_AGAIN_AFTER)


async def _own(address: str, prefix: str, fence: str) -> None:
    settings = settings_of(address)
    rng, to = random.Random(int(fence)), settings.chat_receiver  # noqa: S311  no secret
    async with (
        open_fleet(settings) as cluster,
        open_owned_outbox(settings, cluster, int(fence)) as (outbox, _),
    ):
        await outbox.recover(_CLOCK.wall())
        async for number in _numbers():
            ids = [f"{prefix}{number}.{each}" for each in range(rng.randint(1, 3))]
            await _have_accepted(outbox, to, ids)
            if rng.random() < 0.7 and (row := await outbox.claim(to)):
                _say("sending", row.message.id)
                await _CLOCK.sleep(rng.uniform(0, 0.03))  # the request, which may be what is cut off
                await outbox.settle(row.message.id, DELIVERED, [], _CLOCK.wall())
                _say("settled", row.message.id)


_ROLES: dict[str, Callable[..., Awaitable[None]]] = {"put": _put, "own": _own}


async def _main(role: str, *args: str) -> None:
    await _ROLES[role](*args)


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
