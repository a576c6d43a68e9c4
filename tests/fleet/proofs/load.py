"""Messages from outside for the rooms of a fleet, from a process of its own.

``python -m tests.fleet.proofs.load JOB`` prints each accepted message as a line of JSON; at the end, told so
on standard input, how the messages of every room stand.
"""

import asyncio
import json
import random
import sqlite3
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from time import time
from typing import Final, NamedTuple

from hangbot.config import Settings
from hangbot.delivery.message import Outgoing
from hangbot.delivery.outbox import Outbox, OutboxLimits
from hangbot.delivery.owner import Owner
from hangbot.factory import open_fleet
from hangbot.fleet.keys import room_key
from hangbot.fleet.room_outbox import RoomPlace
from hangbot.fleet.streams import Cluster, ClusterAway

_AGAIN: Final = 0.2


class Job(NamedTuple):
    """What is to be sent.

    Attributes:
        files: The rooms' configurations, each with a user in the room.
        messages: To each room.
        seconds: In which.
        seed: Of the pauses.
    """

    files: list[tuple[str, str]]
    messages: int
    seconds: float
    seed: int


def main() -> None:
    """Do what a file says."""
    asyncio.run(_run(Job(*json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))))


async def _run(job: Job) -> None:
    every = [(Settings.load(Path(file), {}), user) for file, user in job.files]
    async with open_fleet(every[0][0]) as cluster:
        async with _opened(cluster, every) as boxes:
            _say({"begun": True})
            begun = time()
            async with asyncio.TaskGroup() as tasks:
                for settings, user, outbox in boxes:
                    tasks.create_task(_send(job, settings, outbox, user, begun))
        _say({"sent": True})
        await asyncio.to_thread(sys.stdin.readline)  # until all should be delivered
        async with _opened(cluster, every) as boxes:
            for settings, _, outbox in boxes:
                answered = await outbox.place.read(_answered)
                _say({"room": room_key(settings), "states": await _states(outbox), "answered": answered})


@asynccontextmanager
async def _opened(
    cluster: Cluster, every: Sequence[tuple[Settings, str]]
) -> AsyncIterator[list[tuple[Settings, str, Outbox]]]:
    """Open the outboxes of all rooms."""
    async with AsyncExitStack() as stack:
        boxes = []
        for settings, user in every:
            owner = Owner(settings.chat_uid, settings.room_uuid, frozenset({settings.chat_receiver}))
            outbox = Outbox(RoomPlace(cluster, room_key(settings), writer="the load"), OutboxLimits(), owner)
            await outbox.open()
            stack.push_async_callback(outbox.close)
            boxes.append((settings, user, outbox))
        yield boxes


async def _send(job: Job, settings: Settings, outbox: Outbox, user: str, begun: float) -> None:
    rng = random.Random(f"{job.seed} {settings.room_uuid}")  # noqa: S311  no secret
    room = room_key(settings)
    for number, at in enumerate(sorted(rng.uniform(0, job.seconds) for _ in range(job.messages))):
        await asyncio.sleep(max(0.0, begun + at - time()))
        direct = rng.random() < 0.2
        to = user if direct else settings.chat_receiver
        message = Outgoing(f"{settings.room_uuid}-{number}", to, f"load {number}", direct)
        while True:
            try:
                await outbox.put([message], time())
                break
            except ClusterAway:
                await asyncio.sleep(_AGAIN)
        _say({"id": message.id, "room": room, "to": to, "at": time()})


async def _states(outbox: Outbox) -> dict[str, int]:
    states: dict[str, int] = {}
    for row in await outbox.rows():
        states[row.state] = states.get(row.state, 0) + 1
    return states


def _answered(database: sqlite3.Connection) -> int:
    found = database.execute("SELECT value FROM kept WHERE key = 'answered'").fetchone()
    return int(found[0]) if found else 0


def _say(value: object) -> None:
    print(json.dumps(value), flush=True)  # noqa: T201  its output


if __name__ == "__main__":
    main()
