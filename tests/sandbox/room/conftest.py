"""A client of the room socket that knows nothing of the server."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import jsonpatch
import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection, connect

from hangbot.sandbox import RoomVariants, Sandbox, open_sandbox
from tests.bounds import WITHIN


@dataclass(slots=True)
class Client:
    """A room client: sends, receives, keeps a state by strict patches."""

    ws: ClientConnection
    room: str
    state: Any = None
    heard: list[Any] = field(default_factory=list)
    ids: int = 0

    async def send(self, value: Any) -> None:  # noqa: ANN401  any JSON value
        await self.ws.send(value if isinstance(value, str | bytes) else json.dumps(value))

    async def next(self) -> Any:  # noqa: ANN401  any JSON value
        frame = json.loads(await asyncio.wait_for(self.ws.recv(), WITHIN))
        self.heard.append(frame)
        if isinstance(frame, dict) and frame.get("context") == "user" and self.state is not None:
            patch = frame["message"].get("statePatch") if isinstance(frame["message"], dict) else None
            if patch is not None:
                self.state = jsonpatch.apply_patch(self.state, patch, in_place=True)
        if isinstance(frame, dict) and "state" in frame:
            self.state = frame["state"]
        return frame

    async def until(self, name: str) -> Any:  # noqa: ANN401  any JSON value
        """The next room message of that name."""
        while True:
            frame = await self.next()
            if isinstance(frame, dict) and isinstance(frame.get("message"), dict):
                if frame["message"]["name"] == name:
                    return frame["message"]
            elif frame == name:
                return frame

    async def act(self, action: str, **params: Any) -> Any:  # noqa: ANN401  any JSON value
        """The response to an action."""
        self.ids += 1
        mine = self.ids
        params = {"roomUuid": self.room, **params, "action": action}
        await self.send({"event": "action", "params": params, "messageId": mine})
        return await self.response(mine)

    async def response(self, to: object) -> Any:  # noqa: ANN401  any JSON value
        while True:
            frame = await self.next()
            if isinstance(frame, dict) and frame.get("context") == "response" and frame["messageId"] == to:
                return frame

    async def join(self) -> Any:  # noqa: ANN401  any JSON value
        answer = await self.act("joinRoom")
        if "error" not in answer:
            await self.until("updatedUserData")
        return answer

    async def end(self) -> int | None:
        """The code with which the server ended the connection (1005 = none)."""
        await asyncio.wait_for(self.ws.wait_closed(), WITHIN)
        return self.ws.close_code

    async def quiet(self) -> bool:
        """Whether nothing came before the answer to a question asked now."""
        before = len(self.heard)
        await self.act("nope")
        return len(self.heard) == before + 1


OpenClient = Callable[..., Coroutine[Any, Any, Client]]


@pytest_asyncio.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """Open a sandbox without its control API; the strict clients here want profiles at once."""
    async with open_sandbox(control=False, variants=RoomVariants(profiles_ms=0)) as opened:
        yield opened


@pytest_asyncio.fixture
async def open_client() -> AsyncIterator[OpenClient]:
    """Connect clients on demand; all are closed after the test."""
    async with AsyncExitStack() as stack:

        async def open_one(
            sandbox: Sandbox, token: str | None = None, path: str | None = None, *, welcome: bool = True
        ) -> Client:
            token = sandbox.bot.token if token is None else token
            path = path or f"/primus?token={token}&_primuscb=Q82yMyf"
            url = sandbox.room_url.replace("http", "ws", 1) + path
            ws = await stack.enter_async_context(
                connect(url, proxy=None, ping_interval=None, max_size=2**24, close_timeout=1)
            )
            client = Client(ws, sandbox.room_uuid)
            if welcome:
                assert (await client.next())["context"] == "api"
            return client

        yield open_one


@pytest.fixture(scope="session")
def client_type() -> type[Client]:
    """Give the class of the clients, for tests that connect by themselves."""
    return Client
