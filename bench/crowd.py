"""A hundred real clients in one crowded room, and how long after a vote each of them knows it."""

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Final

from bench import usage
from bench.servers import fingerprint
from hangbot.config import Settings
from hangbot.factory import open_room
from hangbot.hangfm.room import RoomClient
from hangbot.hangfm.wire.events import RoomMessage

__all__ = ["Seen", "watch_votes"]

_SETTLE_WITHIN: Final = 10.0
_LOOK_EVERY: Final = 0.05


@dataclass(frozen=True, slots=True)
class Seen:
    """What the crowd saw.

    Attributes:
        joined_s: Until all of them had joined, one after another.
        lags_ms: For each vote and each client, from the vote to the patch applied.
        missing: Votes times clients that were not seen in time.
        client_ms: Processor time of all clients together for each vote.
        states: A fingerprint of each client's state at the end.
    """

    joined_s: float
    lags_ms: tuple[float, ...]
    missing: int
    client_ms: float
    states: tuple[str, ...]


class _Tally:
    """When each vote was cast, and when each client had applied it."""

    def __init__(self) -> None:
        self.cast: dict[str, float] = {}
        self.lags: list[float] = []

    def on_message(self, message: RoomMessage) -> None:
        if message.name != "votedOnSong" or message.patch is None:
            return
        # /allUserData/<uuid>/songVotes/...: who it was stands nowhere else
        voter = next((op["path"].split("/")[2] for op in message.patch if "/songVotes" in op["path"]), "")
        if voter in self.cast:
            self.lags.append((time.perf_counter() - self.cast[voter]) * 1000)


async def watch_votes(
    env: dict[str, str], clients: list[dict[str, Any]], *, votes: int, a_second: float
) -> Seen:
    """Join with every client, let one after another vote, and see what each of them makes of it.

    Args:
        env: The configuration of a bot in that room.
        clients: Their ``uid`` and ``token``.
        votes: How many, at most one a client; they are cast in time, however late the last ones are seen.
        a_second: How many of them a second.
    """
    tally = _Tally()
    async with AsyncExitStack() as stack:
        started = time.perf_counter()
        rooms = [await _join(stack, env, client["token"], tally) for client in clients]
        joined_s = time.perf_counter() - started
        cpu, started = usage.cpu_s(), time.perf_counter()
        async with asyncio.TaskGroup() as tasks:
            for number in range(votes):
                uid, room = clients[number]["uid"], rooms[number]
                tally.cast[uid] = time.perf_counter()
                tasks.create_task(
                    room.act("voteOnSong", songVotes={"like": True}), name=f"bench-vote-{number}"
                )
                await asyncio.sleep(started + (number + 1) / a_second - time.perf_counter())
        wanted = votes * len(rooms)
        deadline = time.perf_counter() + _SETTLE_WITHIN
        while len(tally.lags) < wanted and time.perf_counter() < deadline:  # noqa: ASYNC110  a bounded look, off the measured path
            await asyncio.sleep(_LOOK_EVERY)
        cpu = usage.cpu_s() - cpu
        states = tuple(fingerprint(room.state.data) if room.state else "" for room in rooms)
    return Seen(joined_s, tuple(tally.lags), wanted - len(tally.lags), cpu * 1000 / votes, states)


async def _join(stack: AsyncExitStack, env: dict[str, str], token: str, tally: _Tally) -> RoomClient:
    settings = Settings.from_env(env | {"BOT_USER_TOKEN": token})
    room = await stack.enter_async_context(open_room(settings, on_message=tally.on_message))
    await room.welcome(settings.welcome_timeout)
    await room.join()
    return room
