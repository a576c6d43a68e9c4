"""Each cause that the protocol can tell apart: its line, its remedy, its verdict and the exit code."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import ssl
import subprocess
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

import pytest

from hangbot.cli import main
from hangbot.clock import SystemClock
from tests.bounds import WITHIN

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping
    from pathlib import Path

    from hangbot.preflight import Verdict
    from hangbot.sandbox import Sandbox
    from tests.cli.conftest import Live

T = TypeVar("T")

NAME: Final = "chat.hangbot.test"
MARKS: Final[Mapping[str, str]] = {
    "rejected": "[FAIL]",
    "cannot_tell": "[????]",
    "warn": "[WARN]",
    "ok": "[OK]  ",
}
NEVER: Final = {"times": 0}
UPDATE: Final = "Update hangbot (`pip install --upgrade hangbot`); if that is the newest, report this line."
IN_ITS_PLACE: Final = "if it is right, a proxy, a firewall or a login page answers in its place."
SLOW: Final = "Raise SOCKET_TIMEOUT_MS when the service is merely slow."
CLOCK: Final = "Set the clock (`timedatectl set-ntp true`): tokens and song ends are judged by it."
RENEW: Final = "Renew BOT_USER_TOKEN (and remove COMETCHAT_AUTH, so that a new one is exchanged for it)."
LIFT: Final = "Ask a moderator of the room to lift the ban; do not try again before."
WORDS: Final = "Ask the room's moderators: the server's own words stand in the line."
BY_SLUG: Final = "Correct ROOM_UUID; `hangbot init --room SLUG` finds it by the room's name in its address."

CA: Final = """
[ca]
default_ca = test
[test]
database = index.txt
serial = serial
new_certs_dir = .
default_md = sha256
policy = any
x509_extensions = ext
unique_subject = no
[any]
commonName = supplied
[ext]
subjectAltName = DNS:{name}
[req]
distinguished_name = dn
[dn]
"""


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Self-signed certificates of one key: good, expired, not valid yet, and for another name."""
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*args: str) -> None:
        subprocess.run(["openssl", *args], cwd=folder, check=True, capture_output=True)  # noqa: S603, S607  our own words

    (folder / "index.txt").touch()
    (folder / "serial").write_text("01\n")
    (folder / "ca.cnf").write_text(CA.format(name=NAME))
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "key.pem")
    openssl("req", "-new", "-key", "key.pem", "-subj", f"/CN={NAME}", "-config", "ca.cnf", "-out", "csr.pem")
    for name, start, end, host in (
        ("good", "200101000000Z", "491231000000Z", NAME),
        ("expired", "200101000000Z", "210101000000Z", NAME),
        ("future", "480101000000Z", "491231000000Z", NAME),
        ("other", "200101000000Z", "491231000000Z", "other.hangbot.test"),
    ):
        (folder / "ca.cnf").write_text(CA.format(name=host))
        dates = ("-startdate", start, "-enddate", end)
        signed = ("-selfsign", "-keyfile", "key.pem", "-in", "csr.pem", "-out", f"{name}.pem", "-notext")
        openssl("ca", "-batch", "-config", "ca.cnf", *dates, *signed)
    return folder


class World:
    """A sandbox, servers that are none of Hang.fm's, and a configuration that names one or the other."""

    def __init__(self, live: Live, certificates: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.live = live
        self.sandbox = live.sandbox
        self.bot = live.sandbox.bot
        self.chat = live.env["OPENCHAT_BASE_URL"].removeprefix("http://")
        self.room = live.env["SOCKET_SERVER_URL"].removeprefix("http://")
        self.odd = ""
        """Host and port of the odd server in place, and of a proxy."""
        self.certificates = certificates
        self.monkeypatch = monkeypatch
        self._changes: dict[str, str] = {}
        self._sockets: list[socket.socket] = []
        self._servers: list[asyncio.Server] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="odd-servers")
        self._thread.start()

    def configure(self, **changes: str) -> None:
        """Write the configuration with these changes."""
        self._changes |= changes
        self.live.configure(**self._changes)

    def fault(self, on: str, do: str, **more: Any) -> None:  # noqa: ANN401  as the sandbox takes it
        """Let something go wrong in the sandbox, for ever."""
        self.sandbox.faults.add(on, do, **(NEVER | more))

    def chat_at(self, host: str, scheme: str = "https") -> None:
        """Configure another chat."""
        self.odd = host
        self.configure(OPENCHAT_BASE_URL=f"{scheme}://{host}")

    def port(self, *, listen: int | None = None) -> int:
        """Bind a port that refuses; with ``listen`` one that takes connections and never answers."""
        bound = socket.socket()
        self._sockets.append(bound)
        bound.bind(("127.0.0.1", 0))
        if listen is not None:
            bound.listen(listen)
        return int(bound.getsockname()[1])

    def full_port(self) -> int:
        """Bind a port whose queue is full: a connection is not even refused."""
        port = self.port(listen=0)
        for _ in range(4):
            waiting = socket.socket()
            waiting.setblocking(False)  # noqa: FBT003  the library's own
            self._sockets.append(waiting)
            waiting.connect_ex(("127.0.0.1", port))
        return port

    def serve(self, answer: bytes, certificate: str | None = None) -> int:
        """Open a server that gives these bytes to whatever it is asked, and hangs up."""
        context = None
        if certificate:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(self.certificates / f"{certificate}.pem", self.certificates / "key.pem")

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(4096)
            writer.write(answer)
            writer.close()

        async def open_one() -> int:
            server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context)
            self._servers.append(server)
            return int(server.sockets[0].getsockname()[1])

        return asyncio.run_coroutine_threadsafe(open_one(), self._loop).result(WITHIN)

    def trust(self, certificate: str) -> None:
        """Let this process trust a certificate."""
        self.monkeypatch.setenv("SSL_CERT_FILE", str(self.certificates / f"{certificate}.pem"))

    def proxy(self, port: int) -> None:
        """Put a proxy in the way to a chat that is not on this machine."""
        self.monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        self.configure(OPENCHAT_BASE_URL=f"https://{NAME}")
        self.odd = f"127.0.0.1:{port}"

    def words(self, template: str) -> str:
        """Fill in what only this run knows."""
        bot, other = self.bot.uid, self.sandbox.users.add("other").uid if "{other}" in template else ""
        return template.format(
            chat=self.chat,
            room=self.room,
            odd=self.odd,
            name=NAME,
            bot=bot,
            other=other,
            uuid=self.sandbox.room_uuid,
        )

    def close(self) -> None:
        """End the servers."""
        for bound in self._sockets:
            bound.close()
        asyncio.run_coroutine_threadsafe(self._close_servers(), self._loop).result(WITHIN)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(WITHIN)
        self._loop.close()

    async def _close_servers(self) -> None:
        for server in self._servers:
            server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


@pytest.fixture
def world(live: Live, certificates: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A world in which names under hangbot.test are this machine."""
    lookup = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **more: Any) -> Any:  # noqa: ANN401  as the original
        name = host.decode() if isinstance(host, bytes) else host
        if name == "silent.hangbot.test":
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        if name == "nowhere.hangbot.test":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return lookup("127.0.0.1" if str(name).endswith(".hangbot.test") else host, *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    made = World(live, certificates, monkeypatch)
    yield made
    made.close()


@dataclass(frozen=True, slots=True)
class Cause:
    """A row of the table; in the texts stand ``{chat}`` and other names that `World.words` fills in."""

    arrange: Callable[[World], object]
    check: str
    verdict: Verdict
    line: str
    remedy: str
    code: int


def nobody(w: World) -> None:
    w.chat_at("nowhere.hangbot.test")


def no_name_server(w: World) -> None:
    w.chat_at("silent.hangbot.test")


def no_gateway_name(w: World) -> None:
    w.configure(TTFM_GATEWAY_BASE_URL="https://nowhere.hangbot.test")


def no_room_name(w: World) -> None:
    w.configure(SOCKET_SERVER_URL="https://nowhere.hangbot.test")


def closed_port(w: World) -> None:
    w.chat_at(f"127.0.0.1:{w.port()}", "http")


def dropped(w: World) -> None:
    w.chat_at(f"127.0.0.1:{w.full_port()}", "http")


def swallowed(w: World) -> None:
    w.chat_at(f"{NAME}:{w.port(listen=9)}")


def no_tls(w: World) -> None:
    w.chat_at(f"{NAME}:{w.serve(b'HTTP/1.1 400 Bad Request' + bytes(9))}")


def cut_tls(w: World) -> None:
    w.chat_at(f"{NAME}:{w.serve(b'')}")


def certified(certificate: str, *, trusted: bool = True) -> Callable[[World], None]:
    def arrange(w: World) -> None:
        w.chat_at(f"{NAME}:{w.serve(b'', certificate)}")
        if trusted:
            w.trust(certificate)

    return arrange


def no_proxy(w: World) -> None:
    w.proxy(w.port())


def proxy_says(answer: bytes) -> Callable[[World], None]:
    return lambda w: w.proxy(w.serve(answer))


def chat_says(answer: bytes) -> Callable[[World], None]:
    return lambda w: w.chat_at(f"127.0.0.1:{w.serve(answer)}", "http")


def http(status: str, kind: str, body: str) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


PAGE: Final = http("200 OK", "text/html", "<!doctype html><title>Please log in</title>")
GATEWAY: Final = http("404 Not Found", "application/json", '{"statusCode":404,"message":"Cannot GET"}')
OTHER_JSON: Final = http("200 OK", "application/json", '{"ok":true}')
IN_TROUBLE: Final = http("503 Service Unavailable", "text/plain", "no server is available")
NO_ROUTE: Final = http(
    "404 Not Found", "application/json", '{"error":{"code":"ERR_ROUTE_NOT_FOUND","message":"?"}}'
)


def silent_chat(w: World) -> None:
    w.chat_at(f"127.0.0.1:{w.port(listen=9)}", "http")


def fault(on: str, do: str = "status", **more: Any) -> Callable[[World], None]:  # noqa: ANN401  any
    return lambda w: w.fault(on, do, **more)


def soon(arrange: Callable[[World], None]) -> Callable[[World], None]:
    """Have the bot wait for no answer longer than 0.3 s: for causes that are its waiting in vain.

    Counted in turns of its loop and of the sandbox's: on a machine that stalls they take longer, and
    everybody else still has time to answer.
    """

    def arrange_and_hurry(w: World) -> None:
        async def wait_for(_clock: SystemClock, awaitable: Awaitable[T], seconds: float) -> T:
            waiting = asyncio.ensure_future(awaitable)
            try:
                for _ in range(30):
                    await asyncio.wait({waiting}, timeout=seconds / 30)
                    if waiting.done():
                        return waiting.result()
                    await w.live.turn()
                raise TimeoutError
            finally:
                waiting.cancel()
                await asyncio.gather(waiting, return_exceptions=True)

        w.monkeypatch.setattr(SystemClock, "wait_for", wait_for)
        w.configure(SOCKET_TIMEOUT_MS="300")
        arrange(w)

    return arrange_and_hurry


def refusal(code: str, words: str, status: int = 400) -> dict[str, Any]:
    return {"status": status, "body": {"error": {"code": code, "message": words}}}


def old_token(w: World) -> None:
    w.configure(COMETCHAT_AUTH=f"{w.bot.uid}_1712345678{'0a' * 12}")


def dead_token(w: World) -> None:
    w.configure(COMETCHAT_AUTH=f"auth_{'x' * 43}")


def token_of_another(w: World) -> None:
    w.configure(COMETCHAT_AUTH=w.sandbox.users.add("else", uid="else").chat_token)


def uid_of_another(w: World) -> None:
    w.configure(COMETCHAT_UID="else")


def expired(w: World) -> None:
    w.configure(BOT_USER_TOKEN=w.sandbox.people.issue(w.bot.uid, lifetime_s=-2 * 86_400))


def expiring(w: World) -> None:
    w.configure(BOT_USER_TOKEN=w.sandbox.people.issue(w.bot.uid, lifetime_s=3 * 86_400 + 600))


def chat_token_as_bot_token(w: World) -> None:
    w.configure(BOT_USER_TOKEN=w.bot.chat_token)


def clock_years_ahead(w: World) -> None:
    w.monkeypatch.setattr(SystemClock, "wall", lambda _: time.time() + 4000 * 86_400)


def clock_days_behind(w: World) -> None:
    w.monkeypatch.setattr(SystemClock, "wall", lambda _: time.time() - 30 * 86_400)


def clock_a_minute_ahead(w: World) -> None:
    w.monkeypatch.setattr(SystemClock, "wall", lambda _: time.time() + 50)


def unknown_room(w: World) -> None:
    w.configure(ROOM_UUID="00000000-0000-4000-8000-000000000000")


def slug_for_uuid(w: World) -> None:
    w.configure(ROOM_UUID=w.sandbox.room_slug)


def wrong_receiver(w: World) -> None:
    w.configure(COMETCHAT_RECEIVER="no-such-group")


def no_chat_of_the_room(w: World) -> None:
    del w.sandbox.chat.world.groups[w.sandbox.room_uuid]


def banned_from_chat(w: World) -> None:
    w.live.do(lambda sandbox: sandbox.chat.ban(w.bot.uid, sandbox.room_uuid))


def private_chat(w: World) -> None:
    w.sandbox.chat.world.groups[w.sandbox.room_uuid].type = "private"


def forbidden_for_unknown_reasons(w: World) -> None:
    w.fault("chat.join", "status", **refusal("ERR_FORBIDDEN", "No."))
    w.fault("chat.group", "status", status=200, body={"data": {"guid": "g", "type": "hidden", "name": "G"}})


def banned_from_room(w: World) -> None:
    async def ban(sandbox: Sandbox) -> None:
        sandbox.server.endings.remove_user(sandbox.room, sandbox.bot.uid, ban=True)

    w.live.do(ban)


def room_with_password(w: World) -> None:
    w.sandbox.room.presence.password = "secret"
    w.sandbox.room.state["settings"]["isPasswordProtected"] = True


def room_unknown_to_all_but_the_chat(w: World) -> None:
    group = "11111111-0000-4000-8000-000000000000"
    w.configure(ROOM_UUID=group)
    w.sandbox.chat.world.ensure_group(group, "Ghost")


def room_token_of_another(w: World) -> None:
    w.configure(TTFM_API_TOKEN=w.sandbox.users.add("else", uid="else").token)


def heartbeat(seconds: float) -> Callable[[World], None]:
    def arrange(w: World) -> None:
        w.sandbox.rooms.variants = replace(w.sandbox.rooms.variants, ping_interval_s=seconds)

    return arrange


def joined(**changes: Any) -> Callable[[World], None]:  # noqa: ANN401  any JSON
    def arrange(w: World) -> None:
        users = [{"uuid": w.bot.uid, "tokenRole": "bot", "canDj": True}]
        state: dict[str, Any] = {"allUsers": users, "allUserData": {}, "djs": []} | changes
        w.fault("room.joinRoom", "status", body={"state": state, "serverTime": int(time.time() * 1000)})

    return arrange


def no_outbox(w: World) -> None:
    w.configure(HANGBOT_OUTBOX="/dev/null/outbox.sqlite3")


TIMED_OUT: Final = {"TLS swallowed", "chat silent", "gateway silent", "packets dropped"}
"""Causes that show only when a time-out has run out: a second or two each."""
CAUSES: Final[Mapping[str, Cause]] = {
    "config incomplete": Cause(
        lambda w: w.configure(ROOM_UUID=""),
        "config",
        "rejected",
        "Configuration is complete: ROOM_UUID (hang-fm-config.env line 2): required, and empty",
        "Correct that in hang-fm-config.env or in the environment; "
        "a file that `hangbot init` writes explains each name, docs/bot-token.md where a token comes from.",
        2,
    ),
    "expired": Cause(
        expired,
        "token.expiry",
        "rejected",
        "Bot token is not about to expire: BOT_USER_TOKEN expired 2.0 days ago",
        RENEW,
        1,
    ),
    "expiring": Cause(
        expiring,
        "token.expiry",
        "warn",
        "Bot token is not about to expire: BOT_USER_TOKEN expires in 3.0 days",
        "Renew BOT_USER_TOKEN before then.",
        0,
    ),
    "chat token in its place": Cause(
        chat_token_as_bot_token,
        "token.expiry",
        "rejected",
        "Bot token is not about to expire: BOT_USER_TOKEN holds a chat token, not the bot's own "
        "(a JWT, which begins with eyJ)",
        "Put the bot's own token into BOT_USER_TOKEN; the chat token is exchanged for it.",
        1,
    ),
    "clock years ahead": Cause(
        clock_years_ahead,
        "token.expiry",
        "warn",
        "Bot token is not about to expire: this machine's clock is 4000 days ahead; "
        "by the services' BOT_USER_TOKEN is valid for another 3650 days",
        CLOCK,
        0,
    ),
    "clock days behind": Cause(
        clock_days_behind,
        "token.expiry",
        "warn",
        "Bot token is not about to expire: this machine's clock is 30 days behind; "
        "by the services' BOT_USER_TOKEN is valid for another 3650 days",
        CLOCK,
        0,
    ),
    "no such name": Cause(
        nobody,
        "chat.reach",
        "cannot_tell",
        "Chat can be reached: nowhere.hangbot.test does not exist (DNS: Name or service not known)",
        "Check OPENCHAT_BASE_URL for a typing error; `getent hosts nowhere.hangbot.test` asks the same.",
        3,
    ),
    "no such gateway": Cause(
        no_gateway_name,
        "gateway.reach",
        "cannot_tell",
        "Gateway can be reached: nowhere.hangbot.test does not exist (DNS: Name or service not known)",
        "Check TTFM_GATEWAY_BASE_URL for a typing error; `getent hosts nowhere.hangbot.test` asks the same.",
        3,
    ),
    "no such room server": Cause(
        no_room_name,
        "room.reach",
        "cannot_tell",
        "Room socket can be reached: nowhere.hangbot.test does not exist (DNS: Name or service not known)",
        "Check SOCKET_SERVER_URL for a typing error; `getent hosts nowhere.hangbot.test` asks the same.",
        3,
    ),
    "no name server": Cause(
        no_name_server,
        "chat.reach",
        "cannot_tell",
        "Chat can be reached: no name server answers the question for silent.hangbot.test (DNS)",
        "Check this machine's network, and its name servers in /etc/resolv.conf.",
        3,
    ),
    "port closed": Cause(
        closed_port,
        "chat.reach",
        "cannot_tell",
        "Chat can be reached: {odd} refuses connections (TCP): nothing listens there",
        "Check the port in OPENCHAT_BASE_URL; the service may be down.",
        3,
    ),
    "packets dropped": Cause(
        soon(dropped),
        "chat.reach",
        "cannot_tell",
        "Chat can be reached: {odd} does not answer (TCP) in 0.3 s",
        "A firewall may drop what goes out: let this machine connect there, or name a proxy in HTTPS_PROXY; "
        "else check OPENCHAT_BASE_URL.",
        3,
    ),
    "TLS swallowed": Cause(
        soon(swallowed),
        "chat.reach",
        "cannot_tell",
        "Chat can be reached: {odd} takes connections, but does not answer the TLS handshake in 0.3 s",
        "Check OPENCHAT_BASE_URL: what listens there may speak no TLS, or a firewall swallows it.",
        3,
    ),
    "no TLS": Cause(
        no_tls,
        "chat.reach",
        "cannot_tell",
        "Chat can be reached: {odd} speaks no TLS",
        "Check OPENCHAT_BASE_URL: https:// (or wss://) where http:// (or ws://) is meant, or a wrong port.",
        3,
    ),
    "TLS cut": Cause(
        cut_tls,
        "chat.reach",
        "cannot_tell",
        "Chat can be reached: {odd} hangs up during the TLS handshake",
        "A firewall may cut TLS, or what listens there speaks none: check OPENCHAT_BASE_URL.",
        3,
    ),
    "certificate expired": Cause(
        certified("expired"),
        "chat.reach",
        "cannot_tell",
        "Chat can be reached: the certificate of {odd} has expired (TLS)",
        "Check this machine's date (`date`); if it is right, tell whoever runs the service.",
        3,
    ),
    "certificate of the future": Cause(
        certified("future"),
        "chat.reach",
        "cannot_tell",
        "Chat can be reached: the certificate of {odd} is not valid yet (TLS)",
        "Set this machine's clock (`timedatectl set-ntp true`): it is most likely behind.",
        3,
    ),
    "certificate for another name": Cause(
        certified("other"),
        "chat.reach",
        "cannot_tell",
        "Chat can be reached: the certificate of {odd} is for another name (TLS)",
        "Check OPENCHAT_BASE_URL: another machine, or a proxy, answers in its place.",
        3,
    ),
    "certificate self-signed": Cause(
        certified("good", trusted=False),
        "chat.reach",
        "cannot_tell",
        "Chat can be reached: the certificate of {odd} is self-signed (TLS)",
        "A proxy may open TLS on the way: put its certificate into SSL_CERT_FILE if it is trusted; "
        "else check OPENCHAT_BASE_URL.",
        3,
    ),
    "proxy away": Cause(
        no_proxy,
        "chat.reach",
        "cannot_tell",
        "Chat can be reached: the proxy {odd} (HTTPS_PROXY) refuses connections (TCP): nothing listens there",
        "Check the port in HTTPS_PROXY; the proxy may be down.",
        3,
    ),
    "proxy wants a login": Cause(
        proxy_says(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"),
        "chat.reach",
        "cannot_tell",
        "Chat can be reached: the proxy {odd} (HTTPS_PROXY) wants a user and a password (status 407)",
        "Put the two before the host in HTTPS_PROXY.",
        3,
    ),
    "proxy refuses": Cause(
        proxy_says(b"HTTP/1.1 403 Forbidden\r\n\r\n"),
        "chat.reach",
        "cannot_tell",
        "Chat can be reached: the proxy {odd} (HTTPS_PROXY) does not connect to {name}:443 (status 403)",
        "Ask whoever runs the proxy to let {name}:443 through, or name it in NO_PROXY.",
        3,
    ),
    "proxy is none": Cause(
        proxy_says(b"220 mail.example ESMTP\r\n\r\n"),
        "chat.reach",
        "cannot_tell",
        "Chat can be reached: {odd} (HTTPS_PROXY) is in the way to {name}:443 "
        "and is no proxy that can be understood",
        "Correct HTTPS_PROXY, or unset it.",
        3,
    ),
    "gateway refuses the token": Cause(
        fault("gateway.token", status=401, body={"statusCode": 401, "message": "No."}),
        "gateway.token",
        "rejected",
        "Gateway accepts the bot token: the gateway refused the token exchange (status 401: No.); "
        "BOT_USER_TOKEN is valid for another 3650 days by its own words",
        RENEW,
        1,
    ),
    "gateway in trouble": Cause(
        fault("gateway.token", status=503),
        "gateway.token",
        "cannot_tell",
        "Gateway accepts the bot token: the gateway answered the token exchange with status 503",
        "The gateway, or a proxy before it, is in trouble: wait; else check TTFM_GATEWAY_BASE_URL.",
        3,
    ),
    "gateway is none": Cause(
        fault("gateway.token", "garbage"),
        "gateway.token",
        "cannot_tell",
        "Gateway accepts the bot token: the gateway answered the token exchange with something "
        "that is no JSON object",
        "Check TTFM_GATEWAY_BASE_URL: what answers there is no gateway, or a proxy before it.",
        3,
    ),
    "gateway has changed": Cause(
        fault("gateway.token", status=200, body={"token": "?"}),
        "gateway.token",
        "cannot_tell",
        "Gateway accepts the bot token: the gateway answered the token exchange "
        "without a usable `cometAuthToken`",
        "Check TTFM_GATEWAY_BASE_URL; the gateway may have changed its answer.",
        3,
    ),
    "gateway silent": Cause(
        soon(fault("gateway.token", "hang")),
        "gateway.token",
        "cannot_tell",
        "Gateway accepts the bot token: no answer from http://{chat} to the token exchange in 0.3 s",
        f"The host is there, its answer is not: check TTFM_GATEWAY_BASE_URL; {IN_ITS_PLACE} {SLOW}",
        3,
    ),
    "chat is a web page": Cause(
        chat_says(PAGE),
        "chat.server",
        "cannot_tell",
        "Chat host is a chat server: http://{odd} is no chat server: "
        "it answers /v3.0/settings with a web page (status 200)",
        f"Check OPENCHAT_BASE_URL: it is the chat's address, without /v3.0; {IN_ITS_PLACE}",
        3,
    ),
    "chat is a gateway": Cause(
        chat_says(GATEWAY),
        "chat.server",
        "cannot_tell",
        "Chat host is a chat server: http://{odd} is no chat server: "
        "it answers /v3.0/settings with the words of another service "
        "(a gateway speaks like that) (status 404)",
        f"Check OPENCHAT_BASE_URL: it is the chat's address, without /v3.0; {IN_ITS_PLACE}",
        3,
    ),
    "chat is something else": Cause(
        chat_says(OTHER_JSON),
        "chat.server",
        "cannot_tell",
        "Chat host is a chat server: http://{odd} is no chat server: it answers /v3.0/settings with "
        "JSON of another kind (status 200)",
        f"Check OPENCHAT_BASE_URL: it is the chat's address, without /v3.0; {IN_ITS_PLACE}",
        3,
    ),
    "chat in trouble": Cause(
        chat_says(IN_TROUBLE),
        "chat.server",
        "cannot_tell",
        "Chat host is a chat server: http://{odd} answers its settings with status 503; "
        "its /health answers 503",
        "The chat, or a proxy before it, is in trouble: wait; else check OPENCHAT_BASE_URL.",
        3,
    ),
    "chat has no such route": Cause(
        chat_says(NO_ROUTE),
        "chat.server",
        "rejected",
        "Chat host is a chat server: chat refused its settings (ERR_ROUTE_NOT_FOUND: ?)",
        "Check OPENCHAT_BASE_URL: it must end before /v3.0.",
        1,
    ),
    "chat silent": Cause(
        soon(silent_chat),
        "chat.server",
        "cannot_tell",
        "Chat host is a chat server: no answer from http://{odd} to its settings in 0.3 s",
        f"What listens there may be no chat server: check OPENCHAT_BASE_URL; {IN_ITS_PLACE} {SLOW}",
        3,
    ),
    "old CometChat token": Cause(
        old_token,
        "chat.token",
        "warn",
        "Chat token is accepted: COMETCHAT_AUTH is an old CometChat token, "
        "and this is OpenChat (ERR_NO_AUTH); a new one was exchanged and is accepted, for hangbot",
        "Remove COMETCHAT_AUTH: the bot exchanges a fresh token by itself.",
        0,
    ),
    "dead chat token": Cause(
        dead_token,
        "chat.token",
        "warn",
        "Chat token is accepted: COMETCHAT_AUTH is dead or never was a token of this server (ERR_NO_AUTH); "
        "a new one was exchanged and is accepted, for hangbot",
        "Remove COMETCHAT_AUTH: the bot exchanges a fresh token by itself.",
        0,
    ),
    "chat refuses its own gateway's token": Cause(
        fault("chat.me", **refusal("ERR_NO_AUTH", "A valid authToken is required.", 401)),
        "chat.token",
        "rejected",
        "Chat token is accepted: chat refused who the token belongs to "
        "(ERR_NO_AUTH: A valid authToken is required.)",
        RENEW,
        1,
    ),
    "chat token of another": Cause(
        token_of_another,
        "chat.uid",
        "rejected",
        "Chat token is the bot's own: the chat token COMETCHAT_AUTH belongs to else, BOT_USER_TOKEN to {bot}",
        "Remove COMETCHAT_AUTH: the bot exchanges its own token by itself.",
        1,
    ),
    "uid of another": Cause(
        uid_of_another,
        "chat.uid",
        "rejected",
        "Chat token is the bot's own: the chat token belongs to {bot} like BOT_USER_TOKEN, "
        "COMETCHAT_UID says else",
        "Remove COMETCHAT_UID: it is derived from BOT_USER_TOKEN.",
        1,
    ),
    "unknown room": Cause(
        unknown_room,
        "chat.group",
        "rejected",
        "Chat group exists: chat refused group 00000000-0000-4000-8000-000000000000 (ERR_GUID_NOT_FOUND: "
        "Group 00000000-0000-4000-8000-000000000000 was not found.); the gateway knows no such room either",
        BY_SLUG,
        1,
    ),
    "slug for uuid": Cause(
        slug_for_uuid,
        "chat.group",
        "rejected",
        "Chat group exists: chat refused group sandbox (ERR_GUID_NOT_FOUND: Group sandbox was not found.); "
        "ROOM_UUID is the room's name in its address, not its uuid",
        "Set ROOM_UUID={uuid}.",
        1,
    ),
    "wrong receiver": Cause(
        wrong_receiver,
        "chat.group",
        "rejected",
        "Chat group exists: chat refused group no-such-group (ERR_GUID_NOT_FOUND: "
        "Group no-such-group was not found.); COMETCHAT_RECEIVER is another than ROOM_UUID",
        "Check COMETCHAT_RECEIVER; best remove it: it is derived from ROOM_UUID.",
        1,
    ),
    "chat of another Hang.fm": Cause(
        no_chat_of_the_room,
        "chat.group",
        "rejected",
        "Chat group exists: chat refused group {uuid} (ERR_GUID_NOT_FOUND: Group {uuid} was not found.); "
        "the gateway knows the room, so its chat is not set up or the chat is another's",
        "Check OPENCHAT_BASE_URL and TTFM_GATEWAY_BASE_URL: both must be of the same Hang.fm.",
        1,
    ),
    "banned from the chat": Cause(
        banned_from_chat,
        "chat.member",
        "rejected",
        "Bot is in the chat group: the bot is banned from the group (it is public): "
        "chat refused joining group {uuid} (ERR_FORBIDDEN: You are banned from this group.)",
        LIFT,
        1,
    ),
    "banned, by its code": Cause(
        fault("chat.join", **refusal("ERR_BANNED_GROUPMEMBER", "No.")),
        "chat.member",
        "rejected",
        "Bot is in the chat group: the bot is banned from the group: "
        "chat refused joining group {uuid} (ERR_BANNED_GROUPMEMBER: No.)",
        LIFT,
        1,
    ),
    "chat private": Cause(
        private_chat,
        "chat.member",
        "rejected",
        "Bot is in the chat group: the group is private, and the bot is not in it: "
        "chat refused joining group {uuid} (ERR_FORBIDDEN: Private groups must add members server-side.)",
        "Ask the room's owner to add the bot to the group.",
        1,
    ),
    "chat full": Cause(
        fault("chat.join", **refusal("ERR_LIMIT_EXCEEDED", "Full.")),
        "chat.member",
        "rejected",
        "Bot is in the chat group: chat refused joining group {uuid} (ERR_LIMIT_EXCEEDED: Full.)",
        "The group is full: try later.",
        1,
    ),
    "chat forbidden": Cause(
        forbidden_for_unknown_reasons,
        "chat.member",
        "rejected",
        "Bot is in the chat group: chat refused joining group {uuid} (ERR_FORBIDDEN: No.); "
        "whether it is banned or the group private cannot be told",
        WORDS,
        1,
    ),
    "chat refuses in unknown words": Cause(
        fault("chat.join", **refusal("ERR_FULL_MOON", "Not tonight.")),
        "chat.member",
        "rejected",
        "Bot is in the chat group: chat refused joining group {uuid} (ERR_FULL_MOON: Not tonight.); "
        "these are the server's own words, and no cause is known for them",
        WORDS,
        1,
    ),
    "chat refuses the token at the join": Cause(
        fault("chat.join", **refusal("ERR_NO_AUTH", "Who?", 401)),
        "chat.member",
        "rejected",
        "Bot is in the chat group: chat refused joining group {uuid} (ERR_NO_AUTH: Who?)",
        RENEW,
        1,
    ),
    "history unreadable": Cause(
        fault("chat.history", **refusal("ERR_NOT_A_MEMBER", "No.")),
        "chat.history",
        "rejected",
        "Chat history is readable: chat refused the messages of {uuid} (ERR_NOT_A_MEMBER: No.)",
        "Join the group: check COMETCHAT_RECEIVER, and that the bot is not banned.",
        1,
    ),
    "room refuses the token": Cause(
        fault("room.connect", status=401),
        "room.connect",
        "rejected",
        "Room socket connects: http://{room} refused the connection with status 401",
        "Renew BOT_USER_TOKEN (or TTFM_API_TOKEN, where it is set): the room socket refuses it.",
        1,
    ),
    "room in trouble": Cause(
        fault("room.connect", status=502),
        "room.connect",
        "cannot_tell",
        "Room socket connects: http://{room} answered the connection with status 502",
        "The room server, or a proxy before it, is in trouble: wait, and look at its status.",
        3,
    ),
    "room is none": Cause(
        fault("room.connect", status=404),
        "room.connect",
        "cannot_tell",
        "Room socket connects: http://{room} answered the connection with status 404",
        "Check SOCKET_SERVER_URL; if it is right, something on the way answers in the room's place: "
        "a proxy, a firewall or a login page.",
        3,
    ),
    "room hangs up": Cause(
        fault("room.welcome", "abort"),
        "room.connect",
        "cannot_tell",
        "Room socket connects: the room connection ended: lost (close code 1006)",
        "The bot connects again by itself; check the network when this is frequent.",
        3,
    ),
    "heartbeat off": Cause(
        heartbeat(0),
        "room.heartbeat",
        "warn",
        "Room socket has a heartbeat: the room server sends no heartbeat (/primus/spec: pingInterval 0)",
        "Ask whoever runs the room server to set pingInterval: the bot connects anew after 45 s of silence.",
        0,
    ),
    "heartbeat slow": Cause(
        heartbeat(60),
        "room.heartbeat",
        "warn",
        "Room socket has a heartbeat: the room server sends a heartbeat every 60 s only, "
        "and after 45 s of silence a connection counts as dead",
        "Ask whoever runs the room server to lower pingInterval: the official client waits 45 s as well.",
        0,
    ),
    "room unknown": Cause(
        room_unknown_to_all_but_the_chat,
        "room.joined",
        "rejected",
        "Bot is in the room: no such room: the room refused joinRoom (The room does not exist.); "
        "the gateway knows none of ROOM_UUID",
        BY_SLUG,
        1,
    ),
    "banned from the room": Cause(
        banned_from_room,
        "room.joined",
        "rejected",
        "Bot is in the room: the bot is banned from the room: "
        "the room refused joinRoom (You are banned from this room.)",
        LIFT,
        1,
    ),
    "room with a password": Cause(
        room_with_password,
        "room.joined",
        "rejected",
        "Bot is in the room: the room has a password: the room refused joinRoom (The password is wrong.)",
        "Ask the room's owner to open it: hangbot joins rooms without a password.",
        1,
    ),
    "room says no": Cause(
        fault("room.joinRoom", body="not today"),
        "room.joined",
        "rejected",
        "Bot is in the room: the room refused joinRoom (not today); "
        "these are the server's own words, and the gateway tells no cause",
        "Check ROOM_UUID, and ask the room's owner whether the bot is banned or the room full.",
        1,
    ),
    "room does not answer": Cause(
        soon(fault("room.joinRoom", "hang")),
        "room.joined",
        "cannot_tell",
        "Bot is in the room: no acknowledgement of joinRoom from the room in 0.3 s",
        "The room server hears nothing or is slow: try again; raise SOCKET_TIMEOUT_MS if it is.",
        3,
    ),
    "room token of another": Cause(
        room_token_of_another,
        "room.joined",
        "rejected",
        "Bot is in the room: TTFM_API_TOKEN belongs to else, BOT_USER_TOKEN to {bot}",
        "Remove TTFM_API_TOKEN: BOT_USER_TOKEN opens the room socket as well.",
        1,
    ),
    "clock ahead": Cause(
        clock_a_minute_ahead,
        "clock",
        "warn",
        "Clock agrees with the server: this machine's clock is 50 s ahead of the room server's",
        CLOCK,
        0,
    ),
    "a field changed": Cause(
        joined(nowPlaying="a song"),
        "drift",
        "warn",
        "Services speak as hangbot knows them: the services speak otherwise than hangbot knows: "
        "changed: joinRoom.state.nowPlaying (text, not object or null)",
        UPDATE,
        0,
    ),
    "a field gone": Cause(
        joined(nowPlaying={"song": {}, "startTime": 1}),
        "drift",
        "warn",
        "Services speak as hangbot knows them: the services speak otherwise than hangbot knows: "
        "gone: joinRoom.state.nowPlaying.endTime",
        UPDATE,
        0,
    ),
    "a field new": Cause(
        joined(mood="blue"),
        "drift",
        "ok",
        "Services speak as hangbot knows them: me, group, messages, joinRoom, spec as hangbot knows them; "
        "new, and not read: joinRoom.state.mood",
        "",
        0,
    ),
    "no outbox": Cause(
        no_outbox,
        "outbox",
        "rejected",
        "Outbox is writable: the outbox /dev/null/outbox.sqlite3 cannot be made: its folder does not exist",
        "Check HANGBOT_OUTBOX: its folder must exist and be writable, and the file must be an outbox.",
        1,
    ),
}


@pytest.mark.parametrize(
    "cause",
    [
        pytest.param(cause, id=name, marks=pytest.mark.slow if name in TIMED_OUT else ())
        for name, cause in CAUSES.items()
    ],
)
def test_each_cause_has_its_line_its_remedy_its_verdict_and_its_exit_code(
    cause: Cause, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.configure()
    cause.arrange(world)

    code = main(["preflight", "--json"])

    told = json.loads(capsys.readouterr().out)
    passed = {"ok", "skipped"} | ({"warn"} if cause.code else set())
    bad = [check for check in told["checks"] if check["verdict"] not in passed]
    (found,) = [check for check in told["checks"] if check["id"] == cause.check]
    assert f"{found['title']}: {found['message']}" == world.words(cause.line)
    assert found["remedy"] == world.words(cause.remedy)
    assert (found["verdict"], code) == (cause.verdict, cause.code), bad
    assert told["verdict"] == {0: "ready", 1: "not_ready", 2: "not_ready", 3: "cannot_tell"}[code]
    assert not bad or bad[0] is found, "the first bad line is the one to act on"


@pytest.mark.parametrize(
    "name", ["no such name", "banned from the chat", "expiring", "a field new", "room says no"]
)
def test_the_lines_and_the_json_say_the_same(
    name: str, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    cause = CAUSES[name]
    world.configure()
    cause.arrange(world)

    code = main(["preflight"])

    out = capsys.readouterr().out.splitlines()
    place = out.index(f"{MARKS[cause.verdict]} {world.words(cause.line)}")
    assert not cause.remedy or out[place + 1] == f"       -> {world.words(cause.remedy)}"
    assert code == cause.code


def test_the_servers_own_words_are_shown_without_the_token_they_repeat(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.configure()
    world.fault("room.joinRoom", "status", body=f"not with {world.bot.token}")

    code = main(["preflight"])

    out = capsys.readouterr().out
    assert "[FAIL] Bot is in the room: the room refused joinRoom (not with <masked>); these are" in out
    assert world.bot.token not in out
    assert out.splitlines()[-1].startswith("NOT READY: ")
    assert code == 1


def test_no_two_causes_have_the_same_line() -> None:
    lines = [cause.line for cause in CAUSES.values()]

    assert len(set(lines)) == len(lines)


def test_what_depends_on_the_cause_is_skipped_because_of_it(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.configure()
    nobody(world)

    main(["preflight", "--json"])

    checks = json.loads(capsys.readouterr().out)["checks"]
    skipped = {check["id"]: check["message"] for check in checks if check["verdict"] == "skipped"}
    assert skipped.keys() == {
        "chat.server",
        "chat.token",
        "chat.uid",
        "chat.group",
        "chat.member",
        "chat.history",
    }
    assert set(skipped.values()) == {'because of "Chat can be reached"'}


@pytest.mark.parametrize("name", ["a token that both refuse", "expired", "unknown room", "slug"])
def test_a_consequence_is_no_second_cause(
    name: str, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.configure()
    SHARED[name](world)

    code = main(["preflight", "--json"])

    checks = json.loads(capsys.readouterr().out)["checks"]
    assert code == 1
    assert [check["verdict"] for check in checks].count("rejected") == 1
    (joined,) = [check for check in checks if check["id"] == "room.joined"]
    (cause,) = [check for check in checks if check["verdict"] == "rejected"]
    assert joined["message"] == f'because of "{cause["title"]}"'


def test_a_token_of_the_rooms_own_is_tried_although_the_bots_is_refused(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.configure(BOT_USER_TOKEN=jwt_of(world.bot.uid), TTFM_API_TOKEN=world.bot.token)

    main(["preflight", "--json"])

    verdicts = {check["id"]: check["verdict"] for check in json.loads(capsys.readouterr().out)["checks"]}
    assert (verdicts["gateway.token"], verdicts["room.connect"]) == ("rejected", "ok")


def jwt_of(uid: str) -> str:
    claims = json.dumps({"sub": uid, "role": "bot", "exp": 4_000_000_000}).encode()
    return f"eyJhbGciOiJIUzI1NiJ9.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.c2lnbmF0dXJl"


def refused_by_both(w: World) -> None:
    w.configure(BOT_USER_TOKEN=jwt_of(w.bot.uid))


SHARED: Final[Mapping[str, Callable[[World], None]]] = {
    "a token that both refuse": refused_by_both,
    "expired": expired,
    "unknown room": unknown_room,
    "slug": slug_for_uuid,
}


def test_a_good_certificate_and_a_good_proxy_are_reached(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.chat_at(f"{NAME}:{world.serve(b'', 'good')}")
    world.trust("good")

    main(["preflight"])

    assert f"[OK]   Chat can be reached: {world.odd} is reached (TLSv1.3)" in capsys.readouterr().out
