"""Fixtures of the sandbox's own tests."""

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from hangbot.redact import Redactor
from hangbot.sandbox.chat.dialects import Dialect
from hangbot.sandbox.chat.request import LARGEST_BODY
from hangbot.sandbox.chat.rows import Json
from hangbot.sandbox.chat.server import ChatService
from hangbot.sandbox.clock import SandboxClock
from hangbot.sandbox.faults import Faults
from hangbot.sandbox.http_server import serve_http
from hangbot.sandbox.journal import Journal
from hangbot.sandbox.people import People, Person

APP_ID = "0123456789abcdef"


@dataclass(slots=True)
class ChatBench:
    """A chat service on loopback, and clients for it."""

    service: ChatService
    people: People
    faults: Faults
    journal: Journal
    clock: SandboxClock
    http: aiohttp.ClientSession
    url: str
    bot: Person
    alice: Person
    answers: list[aiohttp.ClientResponse] = field(default_factory=list)

    def headers(self, person: Person, **more: str) -> dict[str, str]:
        return {"authtoken": person.chat_token, "appId": APP_ID, **more}

    async def call(
        self, method: str, path: str, *, by: Person | None = None, **kwargs: Json
    ) -> tuple[int, Any]:
        """Status and body of a call by the bot, or by somebody else."""
        headers = self.headers(by or self.bot) | kwargs.pop("headers", {})
        async with self.http.request(method, self.url + path, headers=headers, **kwargs) as response:
            self.answers.append(response)
            kind = response.headers.get("Content-Type", "")
            return response.status, await response.json() if "json" in kind else await response.text()

    async def send(
        self, text: str, *, by: Person | None = None, headers: dict[str, str] | None = None, **more: Json
    ) -> tuple[int, Any]:
        body = {
            "receiver": "room",
            "receiverType": "group",
            "category": "message",
            "type": "text",
            "data": {"text": text},
            **more,
        }
        return await self.call("POST", "/v3.0/messages", by=by, json=body, headers=headers or {})

    @property
    def texts(self) -> list[Any]:
        return [message["data"].get("text") for message in self.service.world.messages()]


OpenBench = Callable[..., Coroutine[Any, Any, ChatBench]]


@pytest_asyncio.fixture
async def open_bench() -> AsyncIterator[OpenBench]:
    """Open chat services on demand; all are closed after the test."""
    async with AsyncExitStack() as stack:

        async def open_one(dialect: str | Dialect = "openchat", **kwargs: Json) -> ChatBench:
            clock = SandboxClock()
            redactor = Redactor()
            people, faults = People(clock.now_s, redactor.add), Faults()
            journal = Journal(clock.now_ms, redactor)
            service = ChatService(people, faults, journal, clock, dialect=dialect, app_id=APP_ID, **kwargs)
            service.world.ensure_group("room", "Room")
            stack.callback(clock.close)
            port = await serve_http(stack, service.handle, 0, largest_body=LARGEST_BODY)
            stack.callback(service.close)
            url = f"http://127.0.0.1:{port}"
            http = await stack.enter_async_context(aiohttp.ClientSession())
            bot, alice = people.add("bot", role="bot"), people.add("alice")
            return ChatBench(service, people, faults, journal, clock, http, url, bot, alice)

        yield open_one


@pytest_asyncio.fixture
async def bench(open_bench: OpenBench) -> ChatBench:
    """Open the OpenChat service that most tests want, without its 600 ms for direct history."""
    return await open_bench()


@pytest.fixture(params=["openchat", "cometchat"])
def either_dialect(request: pytest.FixtureRequest) -> str:
    """Both dialects, one after the other."""
    return str(request.param)
