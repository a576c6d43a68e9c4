"""One connection to a service, layer by layer: name, TCP, proxy, TLS.

Each layer that fails has a line of its own. Nothing is sent but what TLS and a proxy need.
"""

import asyncio
import json
import os
import socket
import ssl
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote, urlsplit
from urllib.request import proxy_bypass

from hangbot.errors import Unreachable
from hangbot.hangfm.dial import dial
from hangbot.net import is_loopback, unverified, verified
from hangbot.preflight import diagnosis
from hangbot.preflight.diagnosis import SETTING, Cause
from hangbot.preflight.model import CheckContext, Finding, Service
from hangbot.proxies import named_proxies

__all__ = ["SPEC", "Proxy", "proxy_for", "reach", "room_spec"]

_PORTS: Final = {"http": 80, "ws": 80, "https": 443, "wss": 443}
_SECURE: Final = frozenset({"https", "wss"})
_LONGEST_HEAD: Final = 4096

SPEC: Final = "/primus/spec"
"""Where the room server describes itself."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy from the environment, and the variable that names it."""

    host: str
    port: int
    scheme: str
    variable: str
    login: str = field(default="", repr=False)
    """``user:password`` where the variable holds them."""

    @property
    def where(self) -> str:
        """Host and port, without the login that the variable may hold."""
        return f"{self.host}:{self.port}"

    @property
    def words(self) -> str:
        """What an error calls it."""
        return f"the proxy {self.where} ({self.variable})"


def proxy_for(url: str, environ: Mapping[str, str] = os.environ) -> Proxy | None:
    """Return the proxy that the clients use for an address; loopback has none.

    httpx looks at the scheme's own variable and ``ALL_PROXY``, websockets at ``HTTPS_PROXY``
    as well for ``wss://``; both skip what ``NO_PROXY`` names.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if is_loopback(url) or proxy_bypass(f"{host}:{parts.port or _PORTS.get(parts.scheme, 0)}"):
        return None
    known = {named.scheme: named for named in named_proxies(environ)}
    own = "https" if parts.scheme in _SECURE else "http"
    named = known.get(own) or known.get("all")
    if named is None:
        return None
    try:
        spelt = urlsplit(named.url)
        port = spelt.port or _PORTS.get(spelt.scheme, 1080)
    except ValueError:
        return None  # `check_proxies` says what is wrong with it
    login = unquote(spelt.netloc.rpartition("@")[0])
    return Proxy(spelt.hostname or "", port, spelt.scheme, named.variable, login)


async def reach(context: CheckContext, service: Service, url: str) -> Finding:
    """Connect to a service and close the connection.

    Raises:
        Unreachable: With the layer that failed, and why.
    """
    limit = min(context.settings.connect_timeout, context.settings.ack_timeout)
    probe = _Probe(context, service, url, limit)
    try:
        how = await probe.run()
    finally:
        await probe.close()
    return Finding(f"{probe.where} is reached{how}")


async def room_spec(context: CheckContext) -> Mapping[str, Any] | None:
    """Return what the room server's ``/primus/spec`` answers; ``None`` where it is switched off.

    Raises:
        ServiceError: As `hangbot.hangfm.http.HttpClient.request` does.
    """
    async with context.open_http("room") as http:
        answer = await http.request("GET", SPEC, what=SPEC)
    try:
        spec = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    return spec if answer.status == 200 and isinstance(spec, dict) and "pathname" in spec else None  # noqa: PLR2004  OK


class _Probe:
    """One connection to one service."""

    def __init__(self, context: CheckContext, service: Service, url: str, limit: float) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._port = parts.port or _PORTS.get(parts.scheme, 0)
        self._secure = parts.scheme in _SECURE
        self._local = is_loopback(url)
        self._proxy = proxy_for(url)
        self._clock = context.clock
        self._service = service
        self._limit = limit
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.where = f"{self._host}:{self._port}"

    async def run(self) -> str:
        """Go through the layers, and say how the service was reached."""
        proxy, setting = self._proxy, SETTING[self._service]
        if proxy is None:
            reader, writer = await self._connect(self._host, self._port, setting)
            how = ""
        else:
            reader, writer = await self._connect(proxy.host, proxy.port, proxy.variable, proxy.words)
            how = f" through {proxy.words}"
            if self._secure and proxy.scheme in _PORTS:
                await self._tunnel(reader, writer, proxy)
        if self._secure and (proxy is None or proxy.scheme in _PORTS):
            version = await self._encrypt(writer, setting)
            how = f" ({version}){how}"
        return how

    async def close(self) -> None:
        """Close the connection, if there is one."""
        if self._streams is not None:
            writer = self._streams[1]
            writer.close()
            with suppress(OSError, TimeoutError):
                await self._clock.wait_for(writer.wait_closed(), 1.0)

    def _cannot(self, cause: Cause) -> Unreachable:
        return Unreachable(cause.message, service=self._service, remedy=cause.remedy)

    async def _connect(
        self, host: str, port: int, setting: str, where: str = ""
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        loop, where = asyncio.get_running_loop(), where or f"{host}:{port}"
        try:
            found = await self._clock.wait_for(
                loop.getaddrinfo(host, port, type=socket.SOCK_STREAM), self._limit
            )
        except socket.gaierror as exc:
            raise self._cannot(diagnosis.of_lookup(exc, host, setting)) from None
        except UnicodeError:
            nameless = socket.gaierror(socket.EAI_NONAME, "no such name")
            raise self._cannot(diagnosis.of_lookup(nameless, host, setting)) from None
        except TimeoutError:
            silent = socket.gaierror(socket.EAI_AGAIN, "no answer")
            raise self._cannot(diagnosis.of_lookup(silent, host, setting)) from None
        try:
            return await self._open(host, port)
        except OSError as exc:
            why = exc
        if why.errno is None and not isinstance(why, TimeoutError):  # several addresses, each with its own
            try:
                return await self._open(str(found[0][4][0]), port)
            except OSError as exc:
                why = exc
        raise self._cannot(diagnosis.of_connect(why, where, setting, self._limit)) from None

    async def _open(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect as the clients do."""
        connected = await self._clock.wait_for(dial(host, port), self._limit)
        self._streams = await asyncio.open_connection(sock=connected)
        return self._streams

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, proxy: Proxy) -> None:
        """Ask a proxy for a tunnel to the service, as the clients do."""
        lines = [f"CONNECT {self.where} HTTP/1.1", f"Host: {self.where}"]
        if proxy.login:
            lines.append(f"Proxy-Authorization: Basic {b64encode(proxy.login.encode()).decode()}")
        writer.write("\r\n".join([*lines, "", ""]).encode())
        status: int | None = None
        with suppress(OSError, TimeoutError, EOFError, ValueError, asyncio.LimitOverrunError):
            head = await self._clock.wait_for(reader.readuntil(b"\r\n\r\n"), self._limit)
            version, code, *_ = head[:_LONGEST_HEAD].split(maxsplit=2)
            status = int(code) if version.startswith(b"HTTP/") else None
        if status is None or not 200 <= status < 300:  # noqa: PLR2004  the 2xx of HTTP
            raise self._cannot(diagnosis.of_proxy(status, self.where, proxy.where, proxy.variable))

    async def _encrypt(self, writer: asyncio.StreamWriter, setting: str) -> str:
        try:
            await self._clock.wait_for(
                writer.start_tls(self._context(), server_hostname=self._host), self._limit
            )
        except (OSError, EOFError) as exc:
            raise self._cannot(diagnosis.of_tls(exc, self.where, setting, self._limit)) from None
        found = writer.get_extra_info("ssl_object")
        return str(found.version()) if found else "TLS"

    def _context(self) -> ssl.SSLContext:
        """Return a context that trusts what the service's client trusts."""
        if self._local:
            return unverified()
        return ssl.create_default_context() if self._service == "room" else verified()
