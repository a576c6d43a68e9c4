from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from hangbot.factory import open_subject
from hangbot.preflight import chat_reach, gateway_reach, room_reach
from hangbot.preflight.probe import proxy_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hangbot.config import Settings
    from hangbot.sandbox import Sandbox

LIVE = "https://chat.example"
VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


async def test_each_service_of_the_sandbox_is_reached(
    hangfm_sandbox: Sandbox, hangfm_settings: Settings
) -> None:
    async with open_subject(hangfm_settings) as subject:
        found = [(await ask(subject)).message for ask in (gateway_reach, chat_reach, room_reach)]

    chat, room = (url.removeprefix("http://") for url in (hangfm_sandbox.chat_url, hangfm_sandbox.room_url))
    assert found == [f"{chat} is reached", f"{chat} is reached", f"{room} is reached"]


@pytest.mark.parametrize(
    ("url", "env", "where"),
    [
        pytest.param(LIVE, {}, None, id="none"),
        pytest.param(LIVE, {"HTTPS_PROXY": "http://p:3128"}, "the proxy p:3128 (HTTPS_PROXY)", id="https"),
        pytest.param(LIVE, {"ALL_PROXY": "p:3128"}, "the proxy p:3128 (ALL_PROXY)", id="all"),
        pytest.param(
            "wss://room.example", {"HTTPS_PROXY": "http://p"}, "the proxy p:80 (HTTPS_PROXY)", id="wss"
        ),
        pytest.param("http://chat.example", {"HTTPS_PROXY": "http://p"}, None, id="plain"),
        pytest.param(LIVE, {"HTTPS_PROXY": "http://p", "NO_PROXY": "chat.example"}, None, id="excepted"),
        pytest.param("https://127.0.0.1:1", {"HTTPS_PROXY": "http://p"}, None, id="loopback"),
        pytest.param(
            LIVE, {"HTTPS_PROXY": "http://u:pw@p:1"}, "the proxy p:1 (HTTPS_PROXY)", id="with a login"
        ),
        pytest.param(LIVE, {"HTTPS_PROXY": "http://p:port"}, None, id="nonsense"),
    ],
)
def test_the_environments_proxy_is_found_as_the_clients_find_it(
    url: str, env: dict[str, str], where: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in env.items():
        monkeypatch.setenv(name, value)

    found = proxy_for(url)

    assert (found and found.words) == where
    assert "pw" not in repr(found)


@asynccontextmanager
async def proxy(to: str, heads: list[str]) -> AsyncIterator[str]:
    """A proxy that leads every connection to one place, keeps what it was asked, and then hangs up."""
    host, _, port = to.partition(":")

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        _, onward = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await writer.drain()
        await reader.read(1)
        onward.close()
        writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_a_proxy_is_asked_with_its_user_and_password_and_never_shown_with_them(
    hangfm_sandbox: Sandbox, hangfm_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    heads: list[str] = []
    async with proxy(hangfm_sandbox.chat_url.removeprefix("http://"), heads) as where:
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:pass%20word@{where}")
        settings = hangfm_settings.with_changes(chat_url=LIVE)
        async with open_subject(settings) as subject:
            with pytest.raises(Exception, match="TLS") as caught:
                await chat_reach(subject)

    assert heads[0].startswith("CONNECT chat.example:443 HTTP/1.1\r\n")
    assert "Proxy-Authorization: Basic bWU6cGFzcyB3b3Jk\r\n" in heads[0]
    assert "pass" not in str(caught.value)
