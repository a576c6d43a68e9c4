"""A room's end of a connection, as a test writes it."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any

from websockets.exceptions import ConnectionClosed, ConnectionClosedError, ConnectionClosedOK
from websockets.frames import Close

from hangbot.bot.ports import Disconnect
from hangbot.hangfm.room import RoomClient
from pytest_hangfm.manual_clock import ManualClock
from tests.bounds import WITHIN

ME = "me"
Frame = str | bytes | dict[str, Any]


def state(*others: str, **parts: object) -> dict[str, Any]:
    """A room with the bot and some others."""
    return {"allUsers": [{"uuid": uuid} for uuid in (ME, *others)], "allUserData": {}, **parts}


def message(name: str, *patch: object) -> dict[str, Any]:
    return {"context": "user", "message": {"name": name} | ({"statePatch": list(patch)} if patch else {})}


def came(uuid: str) -> dict[str, Any]:
    return message("userJoined", {"op": "add", "path": "/allUsers/-", "value": {"uuid": uuid}})


class ScriptedRoom:
    """A websocket whose peer answers each action as ``answers`` says; ``None``: not at all.

    What stands under an action's name is the answer without its envelope, or whole frames in a list.
    """

    def __init__(self, **answers: object) -> None:
        self.answers: dict[str, Any] = {"joinRoom": {"state": state()}} | answers
        self.sent: list[str] = []
        self.reads = True
        """Whether it reads, and so answers pings and lets anything be sent."""
        self._frames: asyncio.Queue[str | bytes | ConnectionClosed] = asyncio.Queue()
        self._closed = asyncio.Event()

    def say(self, *frames: Frame) -> None:
        for frame in frames:
            self._frames.put_nowait(json.dumps(frame) if isinstance(frame, dict) else frame)

    def hang_up(self, code: int | None = None) -> None:
        """Close without a code as Primus does, or fail with one."""
        end = ConnectionClosedError(Close(code, ""), None) if code else ConnectionClosedOK(None, None)
        self._frames.put_nowait(end)

    def actions(self) -> list[str]:
        return [json.loads(frame)["params"]["action"] for frame in self.sent if '"params"' in frame]

    async def send(self, message: str) -> None:
        if not self.reads:
            await self._end()
        self.sent.append(message)
        frame = json.loads(message)
        if isinstance(frame, dict):
            answer = self.answers.get(frame["params"]["action"], {})
            if isinstance(answer, list):
                self.say(*answer)
            elif answer is not None:
                self.say({"context": "response", "messageId": frame["messageId"], **answer})

    async def recv(self) -> str | bytes:
        frame = await self._frames.get()
        if isinstance(frame, ConnectionClosed):
            raise frame
        return frame

    async def ping(self) -> Awaitable[float]:
        if not self.reads:
            await self._end()
        pong: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        pong.set_result(0.0)
        return pong

    async def close(self) -> None:
        self._closed.set()
        self.hang_up()
        await settle()

    async def _end(self) -> None:
        await self._closed.wait()
        raise ConnectionClosedOK(None, None)

    @asynccontextmanager
    async def connected(self, clock: ManualClock | None = None, **more: Any) -> AsyncIterator[RoomClient]:  # noqa: ANN401  arguments passed on
        """Be connected with, by a client that has ten seconds of patience."""
        options = {"ack_timeout": 10.0, "me": ME, **more}
        async with RoomClient(self, "room", clock=clock or ManualClock(), **options).listening() as room:
            yield room

    @asynccontextmanager
    async def joined(self, clock: ManualClock | None = None, **more: Any) -> AsyncIterator[RoomClient]:  # noqa: ANN401  arguments passed on
        async with self.connected(clock, **more) as room:
            await room.join()
            yield room


async def end_of(room: RoomClient) -> Disconnect:
    async with asyncio.timeout(WITHIN):
        return await asyncio.shield(room.ended)


async def settle() -> None:
    """Let everything that can go on go on; nothing here waits for a network."""
    for _ in range(20):
        await asyncio.sleep(0)
