"""What answers at the room's address in the room's place, and addresses of a name that are dead."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import pytest

from hangbot.errors import ServiceError, TokenRejected, Unavailable, Unreachable
from hangbot.factory import open_room, open_subject
from hangbot.hangfm import dial
from hangbot.preflight import CHECKS, run_check
from tests.addresses import unanswering
from tests.bounds import WITHIN

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Iterator

    from hangbot.config import Settings

NAME: Final = "room.example"
PAGE: Final = b"<html><body>Sign in to the network</body></html>"


def http(head: str, body: bytes = b"", *more: str) -> bytes:
    lines = [f"HTTP/1.1 {head}", f"Content-Length: {len(body)}", *more, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


UPGRADE: Final = "101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade"


@asynccontextmanager
async def answering(
    *answers: bytes, tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Serve answers that were written by hand, one after the other; yield the port and what was asked."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            asked.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(answers[min(len(asked), len(answers)) - 1])
            await writer.drain()
        except (OSError, EOFError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1], asked


class Resolver:
    """Names that only this test knows."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._asks = socket.getaddrinfo
        self._known: dict[str, list[str]] = {}
        monkeypatch.setattr(socket, "getaddrinfo", self._ask)
        monkeypatch.setattr(dial, "_answered", {})

    def know(self, name: str, *addresses: str) -> None:
        self._known[name] = list(addresses)

    def _ask(self, host: Any, port: Any, *args: Any, **more: Any) -> list[Any]:  # noqa: ANN401  as `socket` has it
        return [
            row
            for address in self._known.get(host, [host])
            for row in self._asks(address, port, *args, **more)
        ]


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    return Resolver(monkeypatch)


@pytest.fixture
def dead(hangfm_settings: Settings) -> Iterator[str]:
    """An address on which nobody answers, on the port of the sandbox's room."""
    with unanswering(urlsplit(hangfm_settings.room_url).port or 0) as address:
        yield address


# -- somebody answers in the room's place


@pytest.mark.parametrize(
    ("said", "kind", "words"),
    [
        pytest.param(
            http("302 Found", b"", "Location: https://login.example/?next=/primus"),
            Unavailable,
            "status 302, a redirect to login.example",
            id="a redirect to a login",
        ),
        pytest.param(
            http("302 Found", b"", "Location: https://[::1"), Unavailable, "redirect", id="to no address"
        ),
        pytest.param(
            http("307 Temporary Redirect", b"", "Location: /login", "Location: /other"),
            Unavailable,
            "a redirect",
            id="to two places",
        ),
        pytest.param(
            http("200 OK", PAGE, "Content-Type: text/html"), Unavailable, "200, a web page", id="a page"
        ),
        pytest.param(
            http("403 Forbidden", PAGE, "Content-Type: text/html"),
            Unavailable,
            "a web page",
            id="a 403's page",
        ),
        pytest.param(http("401 Unauthorized", PAGE), Unavailable, "a web page", id="a 401's page, untyped"),
        pytest.param(http("403 Forbidden"), TokenRejected, "status 403", id="the room's own 403"),
        pytest.param(
            http("401 Unauthorized", b"Unauthorized"), TokenRejected, "401", id="the room's own 401"
        ),
        pytest.param(http("503 Service Unavailable"), Unavailable, "status 503", id="in trouble"),
        pytest.param(b"SSH-2.0-OpenSSH_9.6\r\n", Unavailable, "InvalidMessage", id="another protocol"),
        pytest.param(b"\x00\xff" * 50_000, Unavailable, "does not speak websocket", id="noise"),
        pytest.param(b"", Unavailable, "InvalidMessage", id="nothing"),
        pytest.param(
            b"HTTP/1.1 101 Switching Protocols\r\n\r\n", Unavailable, "Invalid", id="half an upgrade"
        ),
        pytest.param(
            f"HTTP/1.1 {UPGRADE}\r\nSec-WebSocket-Accept: d3Jvbmc=\r\n\r\n".encode(),
            Unavailable,
            "Invalid",
            id="a wrong key",
        ),
    ],
)
async def test_whatever_answers_is_no_fault_of_the_configuration(
    said: bytes, kind: type[ServiceError], words: str, hangfm_settings: Settings
) -> None:
    async with answering(said) as (port, asked):
        settings = hangfm_settings.with_changes(room_url=f"http://127.0.0.1:{port}")
        with pytest.raises(ServiceError, match=words) as met:
            async with open_room(settings):
                pass

    assert type(met.value) is kind
    assert len(asked) == 1, "a redirect is not followed"
    assert settings.ttfm_api_token.get_secret_value() not in f"{met.value!r} {met.value.remedy}"
    if kind is Unavailable and met.value.status != 503:
        assert "Check SOCKET_SERVER_URL; if it is right, something on the way" in met.value.remedy


async def test_a_certificate_that_is_refused_is_no_fault_of_the_configuration(
    tls: ssl.SSLContext, hangfm_settings: Settings, resolver: Resolver
) -> None:
    resolver.know(NAME, "127.0.0.1")

    async with answering(b"", tls=tls) as (port, _):
        with pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
            async with open_room(hangfm_settings.with_changes(room_url=f"https://{NAME}:{port}")):
                pass


@pytest.mark.parametrize("location", ["mailto:somebody", "https://[::1", "\x00", "https://login.example/"])
async def test_nor_is_a_redirect_of_a_proxy(
    location: str, hangfm_settings: Settings, resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolver.know(NAME, "127.0.0.1")

    async with answering(http("302 Found", b"", f"Location: {location}")) as (port, _):
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
        settings = hangfm_settings.with_changes(gateway_url=f"http://{NAME}", chat_url=f"http://{NAME}")
        async with open_subject(settings) as subject:
            with pytest.raises(ServiceError) as met:
                await subject.gateway.exchange_token()

    assert met.value.exit_code == 3


# -- a name with several addresses


@pytest.mark.parametrize("first", ["dead", "live"])
async def test_a_room_with_a_dead_address_is_joined_at_its_live_one_as_preflight_says(
    first: str, dead: str, hangfm_settings: Settings, resolver: Resolver
) -> None:
    addresses = [dead, "127.0.0.1"] if first == "dead" else ["127.0.0.1", dead]
    resolver.know(NAME, *addresses)
    settings = hangfm_settings.with_changes(
        room_url=f"http://{NAME}:{urlsplit(hangfm_settings.room_url).port}", connect_timeout=WITHIN
    )
    began = time.monotonic()

    async with open_room(settings) as room:
        await room.welcome(WITHIN)
        await room.join()
    took = time.monotonic() - began
    async with open_subject(settings) as subject:
        reach = next(question for question in CHECKS if question.id == "room.reach")
        found = await run_check(reach, subject)

    assert took < 2.0
    assert (found.verdict, found.message) == ("ok", f"{NAME}:{urlsplit(settings.room_url).port} is reached")


async def test_where_all_addresses_refuse_the_cause_is_told_as_of_one(
    hangfm_settings: Settings, resolver: Resolver
) -> None:
    resolver.know(NAME, "127.0.0.8", "127.0.0.9")

    async with open_subject(hangfm_settings.with_changes(room_url=f"http://{NAME}:9")) as subject:
        reach = next(question for question in CHECKS if question.id == "room.reach")
        found = await run_check(reach, subject)

    assert (found.verdict, found.message) == (
        "cannot_tell",
        f"{NAME}:9 refuses connections (TCP): nothing listens there",
    )
