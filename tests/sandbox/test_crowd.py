"""Many people at once, and many messages: states stay equal, memory stays flat."""

import asyncio
import gc
import json
import os
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import jsonpatch
import pytest
from websockets.asyncio.client import ClientConnection, connect

from hangbot.sandbox import RoomVariants, Sandbox, open_sandbox
from hangbot.sandbox.journal import KEPT_EVENTS
from tests.bounds import WITHIN

USERS = 2_000
CLIENTS = 100
VOTES_A_SECOND = 10
SECONDS = 6
MESSAGES = 100_000
MIB = 1024 * 1024
STATM = Path("/proc/self/statm")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


class Spectator:
    """A bare client in a large room: applies every patch strictly, counts what it hears."""

    def __init__(self, ws: ClientConnection, room: str) -> None:
        self.ws = ws
        self.room = room
        self.state: Any = None
        self.heard: list[str] = []

    async def ask(self, number: int, action: str, **params: Any) -> None:  # noqa: ANN401  any JSON value
        params = {"roomUuid": self.room, **params, "action": action}
        await self.ws.send(json.dumps({"event": "action", "params": params, "messageId": number}))

    async def answer(self, number: int) -> Any:  # noqa: ANN401  any JSON value
        """The response to a request; what comes before it is followed."""
        async with asyncio.timeout(5 * WITHIN):
            async for text in self.ws:
                frame = json.loads(text)
                if isinstance(frame, str):
                    await self.ws.send(json.dumps(frame.replace("ping", "pong", 1)))
                elif frame["context"] == "user":
                    self.follow(frame["message"])
                elif frame["context"] == "response":
                    self.state = frame.get("state", self.state)
                    if frame["messageId"] == number:
                        return frame
        raise AssertionError("the connection ended")

    def follow(self, message: dict[str, Any]) -> None:
        self.heard.append(message["name"])
        if "statePatch" in message:
            self.state = jsonpatch.apply_patch(self.state, message["statePatch"], in_place=True)

    async def vote(self, number: int) -> None:
        await self.ask(number, "voteOnSong", songVotes={"like": number % 3 > 0, "star": number % 2 > 0})
        assert "error" not in await self.answer(number)

    async def catch_up(self) -> None:
        await self.ws.send('{"event":"detailsView","messageId":"caught up"}')
        while (await self.answer("caught up")).get("status") != "OK":  # type: ignore[arg-type]  # any id will do
            pass


async def crowd(stack: AsyncExitStack, sandbox: Sandbox) -> list[Spectator]:
    """A room of two thousand, a hundred of them with a client."""
    actors = [sandbox.users.add(f"user-{number}") for number in range(USERS)]
    for actor in actors[CLIENTS:]:
        sandbox.server.broadcaster.broadcast(sandbox.room, sandbox.room.presence.enter(actor.person, "actor"))
    base = f"{sandbox.room_url.replace('http', 'ws', 1)}/primus?token="
    spectators = []
    for actor in actors[:CLIENTS]:
        ws = await stack.enter_async_context(
            connect(base + actor.token, proxy=None, ping_interval=None, max_size=2**24, max_queue=None)
        )
        spectator = Spectator(ws, sandbox.room_uuid)
        await spectator.ask(1, "joinRoom")
        await spectator.answer(1)
        spectators.append(spectator)
    return spectators


async def test_in_a_room_of_two_thousand_a_hundred_clients_keep_the_servers_state() -> None:
    # No heartbeat: who has nothing to ask does not read, and on a busy machine would be taken for gone.
    # Profiles at once: a strict client cannot follow a vote of somebody whose profile it has yet to get.
    variants = RoomVariants(ping_interval_s=3600, profiles_ms=0)
    async with open_sandbox(control=False, variants=variants) as sandbox, AsyncExitStack() as stack:
        spectators = await crowd(stack, sandbox)
        await spectators[0].ask(2, "addDj", song={"trackName": "T", "musicProviders": {"youtube": "x"}})
        await spectators[0].answer(2)

        for number in range(SECONDS * VOTES_A_SECOND):
            await spectators[number * 7 % CLIENTS].vote(100 + number)
            if number % VOTES_A_SECOND == VOTES_A_SECOND - 1:
                sandbox.clock.advance(1)
        gone = spectators.pop()
        await gone.ws.close()
        sandbox.clock.advance(20)
        await asyncio.gather(*(spectator.catch_up() for spectator in spectators))

        state = sandbox.state
        assert len(state["allUsers"]) >= USERS - 1
        assert sum(state["voteCounts"].values()) >= SECONDS * VOTES_A_SECOND // 2
        assert spectators[1].heard.count("votedOnSong") == SECONDS * VOTES_A_SECOND
        assert [spectator.state == state for spectator in spectators] == [True] * (CLIENTS - 1)


def resident_bytes() -> int:
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not STATM.exists(), reason="reads its own size from /proc")
async def test_memory_stays_flat_over_a_hundred_thousand_messages() -> None:
    async with (
        open_sandbox(control=False, history=200) as sandbox,
        aiohttp.ClientSession() as http,
        http.ws_connect(sandbox.chat_url) as ears,
    ):
        alice = sandbox.users.add("alice")
        await sandbox.chat.join(sandbox.bot, sandbox.room_uuid)
        await alice.join()
        await ears.send_json({"type": "auth", "body": {"auth": sandbox.bot.chat_token}})
        assert (await ears.receive_json(timeout=WITHIN))["type"] == "auth"

        async def say(count: int) -> int:
            for _ in range(count // 500):
                for number in range(500):
                    await alice.say(f"message {number}, and some words more")
                    await alice.jump()
                heard = [await ears.receive_json(timeout=WITHIN) for _ in range(500)]
                assert {frame["type"] for frame in heard} == {"message"}
            gc.collect()
            return resident_bytes()

        before = await say(2 * KEPT_EVENTS)
        after = await say(MESSAGES - 2 * KEPT_EVENTS)

        assert len(sandbox.messages) == 200
        assert len(sandbox.journal) == KEPT_EVENTS
        assert after - before < 12 * MIB  # a leak of 200 bytes a message would be 16
