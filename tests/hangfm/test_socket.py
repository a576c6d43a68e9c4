"""What answers at the room's address in the room's place, and addresses of a name that are dead."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import pytest

from hangbot.errors import ServiceError, TokenRejected, Unavailable, Unreachable
from hangbot.factory import open_room, open_subject
from hangbot.preflight import CHECKS, run_check
from tests.addresses import know, unanswering
from tests.bounds import WITHIN
from tests.cases import cases

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from ssl import SSLContext

    from hangbot.config import Settings
    from hangbot.sandbox import Sandbox

NAME: Final = "room.example"
PAGE: Final = b"<html><body>Sign in to the network</body></html>"


def http(head: str, body: bytes = b"", *more: str) -> bytes:
    lines = [f"HTTP/1.1 {head}", f"Content-Length: {len(body)}", *more, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


UPGRADE: Final = "101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade"


@asynccontextmanager
async def answering(*answers: bytes, tls: SSLContext | None = None) -> AsyncIterator[tuple[int, list[bytes]]]:
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


@pytest.fixture
def patch(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Without a proxy of the environment."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.fixture
def dead(hangfm_settings: Settings) -> Iterator[str]:
    """An address that does not answer on the port of the sandbox's room."""
    with unanswering(urlsplit(hangfm_settings.room_url).port or 0) as address:
        yield address


# -- another answers in the room's place


HTML: Final = "Content-Type: text/html"
LOGIN: Final = "Location: https://login.example/?next=/primus"
WRONG_KEY: Final = f"HTTP/1.1 {UPGRADE}\r\nSec-WebSocket-Accept: d3Jvbmc=\r\n\r\n".encode()


@cases(
    "said words",
    ("a redirect to a login", http("302 Found", b"", LOGIN), "status 302, a redirect to login.example"),
    ("a redirect to no address", http("302 Found", b"", "Location: https://[::1"), "a redirect"),
    ("a redirect to two", http("307 Temporary Redirect", b"", "Location: /a", "Location: /b"), "a redirect"),
    ("a page", http("200 OK", PAGE, HTML), "status 200, a web page"),
    ("a 403's page", http("403 Forbidden", PAGE, HTML), "status 403, a web page"),
    ("a 401's page, untyped", http("401 Unauthorized", PAGE), "status 401, a web page"),
    ("the room's own 403", http("403 Forbidden"), "refused the connection with status 403"),
    ("its own 401", http("401 Unauthorized", b"Unauthorized"), "refused the connection with status 401"),
    ("in trouble", http("503 Service Unavailable"), "status 503"),
    ("another protocol", b"SSH-2.0-OpenSSH_9.6\r\n", "InvalidMessage"),
    ("noise", b"\x00\xff" * 50_000, "does not speak websocket"),
    ("nothing", b"", "InvalidMessage"),
    ("half an upgrade", b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "Invalid"),
    ("a wrong key", WRONG_KEY, "Invalid"),
)
async def test_answers_are_no_settings_fault(said: bytes, words: str, hangfm_settings: Settings) -> None:
    kind = TokenRejected if words.startswith("refused") else Unavailable
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


@cases(
    "deed kind says",
    ("cut off", "refuse", Unavailable, "does not speak websocket"),
    ("hanging", "hang", Unreachable, r"no connection to http://.* in 0\.3 s"),
    ("refused", None, Unreachable, "no connection to http://127.0.0.8:9: Connect"),
)
async def test_a_connection_that_is_not_made_says_why_and_may_be_tried_again(
    deed: str | None, kind: type[ServiceError], says: str, hangfm_sandbox: Sandbox, hangfm_settings: Settings
) -> None:
    settings = hangfm_settings.with_changes(connect_timeout=0.3 if deed == "hang" else WITHIN)
    if deed:
        hangfm_sandbox.faults.add("room.connect", deed)
    else:
        settings = settings.with_changes(room_url="http://127.0.0.8:9")

    with pytest.raises(kind, match=says) as failed:
        async with open_room(settings):
            pass

    assert failed.value.retryable


async def test_nor_is_a_certificate(
    tls: SSLContext, hangfm_settings: Settings, patch: pytest.MonkeyPatch
) -> None:
    know(patch, NAME, "127.0.0.1")

    async with answering(b"", tls=tls) as (port, _):
        with pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
            async with open_room(hangfm_settings.with_changes(room_url=f"https://{NAME}:{port}")):
                pass


@pytest.mark.parametrize("location", ["mailto:somebody", "https://[::1", "\x00", "https://login.example/"])
async def test_nor_is_a_redirect(location: str, hangfm_settings: Settings, patch: pytest.MonkeyPatch) -> None:
    know(patch, NAME, "127.0.0.1")

    async with answering(http("302 Found", b"", f"Location: {location}")) as (port, _):
        patch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
        settings = hangfm_settings.with_changes(gateway_url=f"http://{NAME}", chat_url=f"http://{NAME}")
        async with open_subject(settings) as subject:
            with pytest.raises(ServiceError) as met:
                await subject.gateway.exchange_token()

    assert met.value.exit_code == 3


# -- a name with several addresses


@pytest.mark.parametrize("first", ["dead", "live"])
async def test_a_room_with_a_dead_address_is_joined_at_its_live_one_as_preflight_says(
    first: str, dead: str, hangfm_settings: Settings, patch: pytest.MonkeyPatch
) -> None:
    addresses = [dead, "127.0.0.1"] if first == "dead" else ["127.0.0.1", dead]
    know(patch, NAME, *addresses)
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

    assert took < WITHIN / 2  # and not until the connection to the dead one is given up
    assert (found.verdict, found.message) == ("ok", f"{NAME}:{urlsplit(settings.room_url).port} is reached")


async def test_one_cause_is_told_if_all_refuse(hangfm_settings: Settings, patch: pytest.MonkeyPatch) -> None:
    know(patch, NAME, "127.0.0.8", "127.0.0.9")

    async with open_subject(hangfm_settings.with_changes(room_url=f"http://{NAME}:9")) as subject:
        reach = next(question for question in CHECKS if question.id == "room.reach")
        found = await run_check(reach, subject)

    says = f"{NAME}:9 refuses connections (TCP): nothing listens there"
    assert (found.verdict, found.message) == ("cannot_tell", says)
