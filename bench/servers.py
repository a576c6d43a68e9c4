"""Servers to measure against, each a process of its own: ``python -m bench.servers KIND``.

``sandbox`` is the one that is measured; ``echo`` is what the bare libraries do with the same
requests. The first request opens them, the others are questions.
"""

import asyncio
import hashlib
import json
import random
import sys
from contextlib import AsyncExitStack, suppress
from typing import Any, Final, Literal

from aiohttp import web
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from bench import usage
from bench.busy import BusyRoom
from bench.faulty import FaultyRoom
from bench.lines import answer_lines
from bench.trouble import Trouble
from hangbot.sandbox import Room, Sandbox, open_sandbox

__all__ = ["fingerprint", "long_song"]

_HOST: Final = "127.0.0.1"


def long_song(name: str) -> dict[str, Any]:
    """Make a song that does not end while anything is measured."""
    return {
        "artistName": "The Benchmark",
        "trackName": name,
        "genre": None,
        "duration": 36_000,
        "isrc": None,
        "musicProviders": {"youtube": "bench"},
        "playbackToken": None,
        "thumbnails": {},
    }


def fingerprint(state: object) -> str:
    """Return what two equal room states have in common and no two others."""
    return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()


class _SandboxServer:
    """A sandbox with as many rooms and people as a measurement wants."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self._sandbox: Sandbox | None = None
        self._rooms: list[Room] = []
        self._busy: dict[int, BusyRoom] = {}
        self._faulty: FaultyRoom | None = None
        self._trouble: Trouble | None = None

    async def handle(self, request: dict[str, Any]) -> object:
        """Answer one request of the parent."""
        if self._sandbox is None:
            return await self._open(**request)
        match request["do"]:
            case "usage":
                return {"resident_mb": usage.resident_mb(), "cpu_s": usage.cpu_s()}
            case "state" | "delivered" | "requests" as what:
                return _seen(self._sandbox, what)
            case "traffic":
                return await _vote(self._sandbox, request["rate"], request["seconds"])
            case "busy":
                room = await self._busy_room(self._sandbox, request["room"])
                return await room.happen(request["number"], request["seed"], request["rate"])
            case "settled":
                return await asyncio.gather(*(room.settled() for room in self._busy.values()))
            case "trouble":
                return await self._trouble.turn(request["kind"]) if self._trouble else None
            case "faulty":
                return self._faulty.report() if self._faulty else None
        raise ValueError(f"no such request: {request}")

    async def _busy_room(self, sandbox: Sandbox, at: int) -> BusyRoom:
        if at not in self._busy:
            self._busy[at] = BusyRoom(sandbox, self._rooms[at])
            await self._busy[at].open()
        return self._busy[at]

    async def _open(
        self,
        *,
        rooms: int = 1,
        crowd: int = 0,
        clients: int = 0,
        bots: int = 0,
        faulty: int | None = None,
    ) -> dict[str, Any]:
        """Open it.

        Args:
            rooms: Rooms, each with a DJ who plays, so that votes can be cast.
            crowd: People in each room who have no client.
            clients: People with tokens, for clients and as receivers.
            bots: Bots with tokens, each for a room of its own.
            faulty: The seed of a faulty network in front of the room socket, or ``None``.
        """
        sandbox = self._sandbox = await self._stack.enter_async_context(open_sandbox(control=False))
        self._trouble = Trouble(sandbox)
        await sandbox.users.get(sandbox.bot.uid).join()
        every = [sandbox.room, *(sandbox.add_room(f"bench-{number}") for number in range(1, rooms))]
        self._rooms = every
        for room in every:
            room.moderation.update_settings({"roomSize": crowd + clients + 10})
            dj = sandbox.users.add("dj")
            await dj.join(room)
            await dj.dj(long_song("first"), room)
            for number in range(crowd):
                # Into the room alone: a chat group does not take as many.
                room.presence.enter(sandbox.people.add(f"listener {number}"), "crowd")
        people = [sandbox.users.add(f"client {number}") for number in range(clients)]
        env = sandbox.env()
        if faulty is not None:
            self._faulty = FaultyRoom(sandbox.room_url, random.Random(faulty))  # noqa: S311  faults, not secrets
            env["SOCKET_SERVER_URL"] = await self._stack.enter_async_context(self._faulty.serving())
        return {
            "env": env,
            "chat_url": sandbox.chat_url,
            "chat_token": sandbox.bot.chat_token,
            "room_url": sandbox.room_url,
            "rooms": [room.uuid for room in every],
            "bots": [
                env | {"ROOM_UUID": room.uuid, "BOT_USER_TOKEN": sandbox.users.add("bot", "bot").token}
                for room in every[:bots]
            ],
            "clients": [{"uid": person.uid, "token": person.token} for person in people],
        }


def _seen(sandbox: Sandbox, what: Literal["state", "delivered", "requests"]) -> str | int:
    match what:
        case "state":
            return fingerprint(sandbox.state)
        case "delivered":
            return len(sandbox.messages)
        case "requests":
            return len(sandbox.journal.events(service="chat", dir="in", kind="http"))


async def _vote(sandbox: Sandbox, rate: float, seconds: float) -> int:
    """Have a user who comes for that vote so often a second, to and fro; return how often."""
    user = sandbox.users.add("voter")
    await user.join()
    loop = asyncio.get_running_loop()
    began, number = loop.time(), 0
    while (at := loop.time() - began) < seconds:
        if number <= at * rate:
            await user.vote(like=number % 2 == 0)
            number += 1
        else:
            await asyncio.sleep(1 / rate / 4)
    await user.leave()
    return number


class _EchoServer:
    """What ``websockets`` and ``aiohttp`` do when they only send back what came."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack

    async def handle(self, request: dict[str, Any]) -> object:
        """Open both; there is nothing else to ask."""
        if request:
            raise ValueError(f"no such request: {request}")
        sockets = await self._stack.enter_async_context(serve(_echo_frames, _HOST, 0, compression=None))
        app = web.Application()
        app.router.add_post("/{path:.*}", _echo_body)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, _HOST, 0)
        await site.start()
        frames, posts = sockets.sockets[0].getsockname()[1], runner.addresses[0][1]
        return {"room_url": f"http://{_HOST}:{frames}", "chat_url": f"http://{_HOST}:{posts}"}


async def _echo_frames(connection: ServerConnection) -> None:
    with suppress(ConnectionClosed):
        async for frame in connection:
            await connection.send(frame)


async def _echo_body(request: web.Request) -> web.Response:
    return web.Response(body=await request.read(), content_type="application/json")


async def _main(kind: str) -> None:
    async with AsyncExitStack() as stack:
        server = _SandboxServer(stack) if kind == "sandbox" else _EchoServer(stack)
        await answer_lines(server.handle)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1]))
