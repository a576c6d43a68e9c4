"""Each layer on the way to a service fails in its own words; proxies are asked as the clients ask them."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Protocol

import pytest
import trustme

from hangbot.preflight.probe import proxy_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.preflight.conftest import Bench, Json

NAME: Final = "chat.hangbot.test"
LIVE: Final = "https://chat.example"
VARIABLES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
DATES: Final = {
    "good": (2020, 2049),
    "untrusted": (2020, 2049),
    "expired": (2020, 2021),
    "future": (2048, 2049),
    "other": (2020, 2049),
}


@pytest.fixture(autouse=True)
def this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy is set, and names under hangbot.test are this machine, but for two that are not found."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    lookup = socket.getaddrinfo
    missing = {
        "silent.hangbot.test": socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
        "nowhere.hangbot.test": socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
    }

    def getaddrinfo(host: bytes | str, *args: object, **more: object) -> object:
        name = host.decode() if isinstance(host, bytes) else str(host)
        if name in missing:
            raise missing[name]
        return lookup("127.0.0.1" if name.endswith(".hangbot.test") else host, *args, **more)  # type: ignore[arg-type]  # passed on

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates of one authority: good, expired, not valid yet, and for another name."""
    folder, authority = tmp_path_factory.mktemp("certificates"), trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    for name, (start, end) in DATES.items():
        made = authority.issue_cert(
            "other.hangbot.test" if name == "other" else NAME,
            not_before=datetime(start, 1, 1, tzinfo=UTC),
            not_after=datetime(end, 1, 1, tzinfo=UTC),
        )
        made.private_key_and_cert_chain_pem.write_to_path(folder / f"{name}.pem")
    return folder


class Serve(Protocol):
    async def __call__(self, answer: bytes = b"", certificate: str = "") -> int: ...


@pytest.fixture
async def serve(certificates: Path) -> AsyncIterator[Serve]:
    """Open servers that give these bytes to whatever comes, and hang up."""
    servers: list[asyncio.Server] = []

    async def open_one(answer: bytes = b"", certificate: str = "") -> int:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(4096)
            writer.write(answer)
            writer.close()

        tls = None
        if certificate:
            tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            tls.load_cert_chain(certificates / f"{certificate}.pem")
        servers.append(await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls))
        return int(servers[-1].sockets[0].getsockname()[1])

    yield open_one
    for server in servers:
        server.close()


@pytest.fixture
def sockets() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def port(sockets: ExitStack, *, listen: int | None = None) -> int:
    """Bind a port that refuses; with ``listen`` one that takes connections and never answers."""
    bound = sockets.enter_context(socket.socket())
    bound.bind(("127.0.0.1", 0))
    if listen is not None:
        bound.listen(listen)
    return int(bound.getsockname()[1])


async def test_each_service_of_the_sandbox_is_reached(bench: Bench) -> None:
    found = [(await bench.check(f"{name}.reach")).message for name in ("gateway", "chat", "room")]

    chat, room = (url.removeprefix("http://") for url in (bench.sandbox.chat_url, bench.sandbox.room_url))
    assert found == [f"{chat} is reached", f"{chat} is reached", f"{room} is reached"]


@pytest.mark.parametrize(
    ("service", "setting"),
    [("gateway", "TTFM_GATEWAY_BASE_URL"), ("chat", "OPENCHAT_BASE_URL"), ("room", "SOCKET_SERVER_URL")],
)
async def test_a_name_that_does_not_exist_is_told_with_the_services_own_setting(
    service: str, setting: str, bench: Bench
) -> None:
    elsewhere: Json = {f"{service}_url": "https://nowhere.hangbot.test"}

    result = await bench.check(f"{service}.reach", **elsewhere)

    assert result.verdict == "cannot_tell"
    assert result.message == "nowhere.hangbot.test does not exist (DNS: Name or service not known)"
    assert result.remedy.startswith(f"Check {setting} for a typing error; `getent hosts nowhere.")


async def test_a_name_server_that_does_not_answer_is_told(bench: Bench) -> None:
    result = await bench.check("chat.reach", chat_url="https://silent.hangbot.test")

    assert result.message == "no name server answers the question for silent.hangbot.test (DNS)"


async def test_a_closed_port_and_one_that_drops_packets_differ(sockets: ExitStack, bench: Bench) -> None:
    closed, full = port(sockets), port(sockets, listen=0)
    for _ in range(4):
        waiting = sockets.enter_context(socket.socket())
        waiting.setblocking(False)  # noqa: FBT003  the library's own
        waiting.connect_ex(("127.0.0.1", full))

    refused = await bench.check("chat.reach", chat_url=f"http://127.0.0.1:{closed}")
    dropped = await bench.check("chat.reach", chat_url=f"http://127.0.0.1:{full}", connect_timeout=0.3)

    assert refused.message == f"127.0.0.1:{closed} refuses connections (TCP): nothing listens there"
    assert dropped.message == f"127.0.0.1:{full} does not answer (TCP) in 0.3 s"


async def test_a_handshake_that_is_swallowed_is_told(sockets: ExitStack, bench: Bench) -> None:
    silent = port(sockets, listen=9)

    result = await bench.check("chat.reach", chat_url=f"https://{NAME}:{silent}", connect_timeout=0.3)

    where = f"{NAME}:{silent}"
    assert result.message == f"{where} takes connections, but does not answer the TLS handshake in 0.3 s"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        pytest.param(b"HTTP/1.1 400 Bad Request" + bytes(9), "{} speaks no TLS", id="no TLS"),
        pytest.param(b"", "{} hangs up during the TLS handshake", id="cut"),
    ],
)
async def test_a_server_without_tls_is_told(answer: bytes, message: str, serve: Serve, bench: Bench) -> None:
    where = f"{NAME}:{await serve(answer)}"

    result = await bench.check("chat.reach", chat_url=f"https://{where}")

    assert result.message == message.format(where)


@pytest.mark.parametrize(
    ("certificate", "message"),
    [
        pytest.param("good", "{} is reached (TLSv1.3)", id="good"),
        pytest.param("expired", "the certificate of {} has expired (TLS)", id="expired"),
        pytest.param("future", "the certificate of {} is not valid yet (TLS)", id="not yet"),
        pytest.param("other", "the certificate of {} is for another name (TLS)", id="other name"),
        pytest.param("untrusted", "the certificate of {} has an issuer that this machine", id="unknown"),
    ],
)
async def test_a_certificate_is_told_by_what_is_wrong_with_it(
    certificate: str,
    message: str,
    serve: Serve,
    certificates: Path,
    monkeypatch: pytest.MonkeyPatch,
    bench: Bench,
) -> None:
    if certificate != "untrusted":
        monkeypatch.setenv("SSL_CERT_FILE", str(certificates / "ca.pem"))
    where = f"{NAME}:{await serve(certificate=certificate)}"

    result = await bench.check("chat.reach", chat_url=f"https://{where}")

    assert result.message.startswith(message.format(where))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        pytest.param(None, "the proxy {} (HTTPS_PROXY) refuses connections (TCP): nothing", id="away"),
        pytest.param(b"HTTP/1.1 407 P\r\n\r\n", "the proxy {} (HTTPS_PROXY) wants a user and a", id="login"),
        pytest.param(
            b"HTTP/1.1 403 Forbidden\r\n\r\n",
            f"the proxy {{}} (HTTPS_PROXY) does not connect to {NAME}:443 (status 403)",
            id="refuses",
        ),
        pytest.param(
            b"220 mail.example ESMTP\r\n\r\n",
            f"{{}} (HTTPS_PROXY) is in the way to {NAME}:443 and is no proxy",
            id="none",
        ),
    ],
)
async def test_a_proxy_that_does_not_help_is_told(
    answer: bytes | None,
    message: str,
    serve: Serve,
    sockets: ExitStack,
    monkeypatch: pytest.MonkeyPatch,
    bench: Bench,
) -> None:
    where = f"127.0.0.1:{port(sockets) if answer is None else await serve(answer)}"
    monkeypatch.setenv("HTTPS_PROXY", f"http://{where}")

    result = await bench.check("chat.reach", chat_url=f"https://{NAME}")

    assert result.message.startswith(message.format(where))


@pytest.mark.parametrize(
    ("url", "env", "where"),
    [
        pytest.param(LIVE, {}, None, id="none"),
        pytest.param(LIVE, {"HTTPS_PROXY": "http://p:3128"}, "the proxy p:3128 (HTTPS_PROXY)", id="https"),
        pytest.param(LIVE, {"ALL_PROXY": "p:3128"}, "the proxy p:3128 (ALL_PROXY)", id="all"),
        pytest.param("wss://room.x", {"HTTPS_PROXY": "http://p"}, "the proxy p:80 (HTTPS_PROXY)", id="wss"),
        pytest.param("http://chat.example", {"HTTPS_PROXY": "http://p"}, None, id="plain"),
        pytest.param(LIVE, {"HTTPS_PROXY": "http://p", "NO_PROXY": "chat.example"}, None, id="excepted"),
        pytest.param("https://127.0.0.1:1", {"HTTPS_PROXY": "http://p"}, None, id="loopback"),
        pytest.param(LIVE, {"HTTPS_PROXY": "http://u:pw@p:1"}, "the proxy p:1 (HTTPS_PROXY)", id="login"),
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


async def test_a_proxy_is_asked_with_its_user_and_password_and_never_shown_with_them(
    monkeypatch: pytest.MonkeyPatch, bench: Bench
) -> None:
    heads: list[str] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await reader.read(1)
        writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        where = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:pass%20word@{where}")
        result = await bench.check("chat.reach", chat_url=LIVE)

    assert heads[0].startswith("CONNECT chat.example:443 HTTP/1.1\r\n")
    assert "Proxy-Authorization: Basic bWU6cGFzcyB3b3Jk\r\n" in heads[0]
    assert "TLS" in result.message
    assert "pass" not in result.message
