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
    sandbox: Sandbox
    room: str = ""
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
        await self.ask(action, mine, **params)
        return await self.response(mine)

    async def ask(self, action: str, number: int, **params: Any) -> None:  # noqa: ANN401  any JSON value
        """Run an action without waiting."""
        params = {"roomUuid": self.room or self.sandbox.room_uuid, **params, "action": action}
        await self.send({"event": "action", "params": params, "messageId": number})

    async def verb(self, event: str, **fields: Any) -> Any:  # noqa: ANN401  any JSON value
        """The answer to a verb."""
        self.ids += 1
        mine = f"verb {self.ids}"
        await self.send({"event": event, **fields, "messageId": mine})
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
async def open_client(sandbox: Sandbox) -> AsyncIterator[OpenClient]:
    """Connect clients on demand, of the bot or of a new user; all are closed after the test.

    With variants a client has a sandbox of its own, with those.
    """
    async with AsyncExitStack() as stack:

        async def open_one(
            user: str = "",
            role: str = "user",
            *,
            token: str = "",
            path: str = "",
            welcome_read: bool = True,
            joined: bool = False,
            at: Sandbox = sandbox,
            max_size: int = 2**24,
            **variants: Any,  # noqa: ANN401  passed on
        ) -> Client:
            if variants:
                opening = open_sandbox(control=False, variants=RoomVariants(**variants))
                at = await stack.enter_async_context(opening)
            token = token or (at.users.add(user, role).token if user else at.bot.token)
            url = at.room_url.replace("http", "ws", 1) + (path or f"/primus?token={token}&_primuscb=Q82yMyf")
            connecting = connect(url, proxy=None, ping_interval=None, max_size=max_size, close_timeout=1)
            ws = await stack.enter_async_context(connecting)
            client = Client(ws, at)
            if welcome_read:
                assert (await client.next())["context"] == "api"
            if joined:
                await client.join()
            return client

        yield open_one


@pytest_asyncio.fixture
async def client(open_client: OpenClient) -> Client:
    """Connect the bot."""
    return await open_client()


@pytest_asyncio.fixture
async def joined(open_client: OpenClient) -> Client:
    """Connect the bot, and join the room."""
    return await open_client(joined=True)


@pytest.fixture(scope="session")
def client_type() -> type[Client]:
    """Give the class of the clients, for tests that connect by themselves."""
    return Client
