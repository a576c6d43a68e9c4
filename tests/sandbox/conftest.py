"""Fixtures of the sandbox's own tests."""

import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from hangbot.sandbox import Dialect, Person, Sandbox, open_sandbox
from hangbot.sandbox.chat.rows import Json


@dataclass
class ChatBench:
    """A sandbox's chat with a group of its own, and clients for it."""

    sandbox: Sandbox
    http: aiohttp.ClientSession
    bot: Person
    alice: Person
    answers: list[aiohttp.ClientResponse] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.service, self.people, self.clock = self.sandbox.chat, self.sandbox.people, self.sandbox.clock
        self.faults, self.journal, self.url = self.sandbox.faults, self.sandbox.journal, self.sandbox.chat_url

    def headers(self, person: Person, **more: str) -> dict[str, str]:
        return {"authtoken": person.chat_token, "appId": self.service.app_id, **more}

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
        to = {"receiver": "room", "receiverType": "group", "category": "message", "type": "text"}
        body = {**to, "data": {"text": text}, **more}
        return await self.call("POST", "/v3.0/messages", by=by, json=body, headers=headers or {})

    @property
    def texts(self) -> list[Any]:
        return [message["data"].get("text") for message in self.service.world.store.messages()]


OpenBench = Callable[..., Coroutine[Any, Any, ChatBench]]


@pytest_asyncio.fixture
async def open_bench() -> AsyncIterator[OpenBench]:
    """Open chat services on demand; all are closed after the test."""
    async with AsyncExitStack() as stack:

        async def open_one(dialect: str | Dialect = "openchat", **kwargs: Json) -> ChatBench:
            sandbox = await stack.enter_async_context(open_sandbox(dialect=dialect, control=False, **kwargs))
            sandbox.chat.world.ensure_group("room", "Room")
            http = await stack.enter_async_context(aiohttp.ClientSession())
            bot, alice = sandbox.people.add("bot", role="bot"), sandbox.people.add("alice")
            return ChatBench(sandbox, http, bot, alice)

        yield open_one


@pytest_asyncio.fixture
async def bench(open_bench: OpenBench) -> ChatBench:
    """Open the OpenChat service that most tests want, without its 600 ms for direct history."""
    return await open_bench()


@pytest.fixture(params=["openchat", "cometchat"])
def either_dialect(request: pytest.FixtureRequest) -> str:
    """Both dialects, one after the other."""
    return str(request.param)


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """Make a certificate for 127.0.0.1 and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("makes its certificate with the program openssl")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    made = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    named = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    arguments = [*made.split(), *named, "-out", str(cert), "-keyout", str(key)]
    subprocess.run([openssl, *arguments], check=True, capture_output=True)  # noqa: S603  our own arguments
    return cert, key


@pytest.fixture
def tls(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    """Make a server's context."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    return context


@pytest.fixture
def trusting(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    """Make the context of a client that trusts it."""
    return ssl.create_default_context(cafile=certificate[0])
