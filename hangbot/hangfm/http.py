"""One HTTP request, with httpx's many ways to fail sorted by what may have happened.

`hangbot.hangfm.http1` raises httpx's exceptions, and only this module reads them: without a connection
nothing was sent, after any later failure the request may have been carried out.
"""

import json
import zlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Final

import httpx

from hangbot.clock import Clock
from hangbot.errors import AckTimeout, ConfigError, ConnectionLost, Unavailable, Unreachable
from hangbot.hangfm.http1 import MAY_LEAVE, Http1Transport
from hangbot.hangfm.permit import ALWAYS, Permit, is_act
from hangbot.hangfm.wire.answers import http_date
from hangbot.journal import SILENT, Journal
from hangbot.net import Proxied, check_environment, has_proxy, is_loopback, unverified, verified
from hangbot.proxies import unusable_environment
from hangbot.redact import Redactor
from hangbot.text import quote_server_text

__all__ = ["TOO_LARGE", "HttpClient", "HttpResponse", "open_transport"]

_CONNECT_SHARE: Final = 0.8
"""The share of the time-out in which a connection must be made: otherwise nothing was sent."""
_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
"""Some servers refuse these without a length, be it 0."""
TOO_LARGE: Final = "TooLarge"
"""How an exchange failed whose answer was larger than is safe, in the journal."""
_GZIP: Final = 16 + zlib.MAX_WBITS
_HEADERS: Final = {"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": "hangbot"}


@asynccontextmanager
async def open_transport(*urls: str, clock: Clock) -> AsyncIterator[httpx.AsyncBaseTransport]:
    """Open what carries requests to some addresses.

    Raises:
        ConfigError: A proxy or certificate file of the environment cannot be used.
    """
    local = [url for url in urls if is_loopback(url)]
    world = len(local) < len(urls)
    check_environment(*urls)
    try:
        context = verified() if world else unverified()
        transport = Proxied(context, past=local) if world and has_proxy() else Http1Transport(context, clock)
    except (ImportError, OSError, ValueError, httpx.InvalidURL) as exc:
        raise unusable_environment(exc) from None
    async with transport as http:
        yield http


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A whole HTTP answer; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class HttpClient:
    """A service's address over a borrowed client.

    Args:
        transport: Carries the requests; borrowed.
        base: Scheme, host and port, and a path where the service has one; no slash at the end.
        service: ``gateway`` or ``chat``, for the errors.
        clock: Bounds each exchange.
        timeout: Seconds until an answer counts as lost.
        journal: Keeps each exchange.
        permit: Holds while requests that change anything may leave.
        largest: Bytes that an answer may have; a page of a hundred messages has some hundred thousand.
    """

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport,
        base: str,
        *,
        service: str,
        clock: Clock,
        timeout: float,
        journal: Journal = SILENT,
        permit: Permit = ALWAYS,
        largest: int = 32 * 2**20,
    ) -> None:
        self.base = base
        self.clock = clock
        self._journal = journal
        self._transport = transport
        self._permit = permit
        self._extensions = {"timeout": httpx.Timeout(None, connect=timeout * _CONNECT_SHARE).as_dict()}
        self._of_acts = {**self._extensions, MAY_LEAVE: permit.holds}
        self._service = service
        self._timeout = timeout
        self._largest = largest
        self._date = ""
        self._ahead: float | None = None
        """What to add to the monotonic time for the time of the server."""

    def server_time(self) -> float:
        """Return the time since the epoch by the server's last ``Date``, or the machine's own without one."""
        return self.clock.wall() if self._ahead is None else self.clock.now() + self._ahead

    def _learn_time(self, date: str) -> None:
        """Take the time of an answer; the first one of each second is the most exact."""
        if date != self._date:
            self._date = date
            if (at := http_date(date)) is not None:
                self._ahead = at - self.clock.now()

    async def request(
        self,
        method: str,
        path: str,
        *,
        what: str,
        headers: Mapping[str, str] = MappingProxyType({}),
        params: Mapping[str, str | int] | None = None,
        body: object = None,
    ) -> HttpResponse:
        """Make a request once. One that is given up is aborted, so that it cannot complete later.

        Raises:
            Unreachable: No connection, or no permit; nothing was sent.
            AckTimeout: No answer in time.
            ConnectionLost: The connection went before the answer was whole.
            Unavailable: The answer is larger than any that this service gives.
            ConfigError: The address is none.
        """
        # Every `from None`: httpx's exceptions hold the request, and with it the tokens in its headers.
        try:
            request = self._request(method, path, params, body, headers)
        except (httpx.InvalidURL, UnicodeError) as exc:
            raise self._no_address(exc) from None
        try:
            answer = await self._permitted(request, what)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as exc:
            raise Unreachable(
                f"no connection to {self.base} for {what}: {_cause(exc, headers)}", service=self._service
            ) from None
        except (TimeoutError, httpx.TimeoutException):
            raise AckTimeout(
                f"no answer from {self.base} to {what} in {self._timeout:g} s", service=self._service
            ) from None
        except (httpx.UnsupportedProtocol, UnicodeError) as exc:  # the second of a name that none can have
            raise self._no_address(exc) from None
        except httpx.HTTPError as exc:
            raise ConnectionLost(
                f"the connection to {self.base} went while {what} was on its way: {_cause(exc, headers)}",
                service=self._service,
            ) from None
        if answer is None:
            raise Unavailable(
                f"{self.base} answered {what} with more than {self._largest // 2**20} MiB",
                service=self._service,
            )
        self._learn_time(answer.headers.get("date", ""))
        return answer

    def _no_address(self, why: Exception) -> ConfigError:
        return ConfigError(f"{self.base} is no address of a {self._service} service: {why}")

    async def _permitted(self, request: httpx.Request, what: str) -> HttpResponse | None:
        """Make an exchange; one that may change anything only while that is permitted."""
        if not is_act(request.method):
            return await self._exchange(request)
        self._permit.check(what, service=self._service)
        return await self._permit.run(self._exchange(request), what, service=self._service)

    async def _exchange(self, request: httpx.Request) -> HttpResponse | None:
        """Send a request and read its answer in time, and keep both."""
        journal, number = self._journal, self._journal.number()
        journal.add("request", number, self._service, request.method, request.url.raw_path, request.read())
        try:
            answer = await self.clock.wait_for(self._read_body(request), self._timeout)
        except BaseException as exc:
            journal.add("failed", number, type(exc).__name__)
            raise
        if answer is None:
            journal.add("failed", number, TOO_LARGE)
        else:
            journal.add("answer", number, answer.status, answer.headers, answer.body)
        return answer

    async def _read_body(self, request: httpx.Request) -> HttpResponse | None:
        """Read an answer to its end; ``None`` for one that is larger than is safe."""
        answer = await self._transport.handle_async_request(request)
        try:
            names = {
                name.lower().decode("latin-1"): value.decode("latin-1") for name, value in answer.headers.raw
            }
            gzipped = names.get("content-encoding", "").lower() in {"gzip", "x-gzip"}
            decoder = zlib.decompressobj(_GZIP) if gzipped else None
            received = bytearray()
            assert isinstance(answer.stream, httpx.AsyncByteStream)  # noqa: S101  of an `AsyncBaseTransport`
            async for chunk in answer.stream:  # httpx would unpack a chunk whole, a thousand times its size
                left = self._largest + 1 - len(received)
                received += decoder.decompress(chunk, left) if decoder else chunk
                if len(received) > self._largest:
                    return None
            return HttpResponse(answer.status_code, names, bytes(received))
        except zlib.error as exc:
            raise httpx.DecodingError(str(exc)) from None
        finally:
            await answer.aclose()

    def _request(
        self,
        method: str,
        path: str,
        params: Mapping[str, str | int] | None,
        body: object,
        headers: Mapping[str, str],
    ) -> httpx.Request:
        """Build a request with all its headers: letting httpx add some takes three times as long."""
        url, content, own = _url(self.base + path), b"", {**_HEADERS, **headers}
        own["Host"] = url.netloc.decode("ascii")
        if body is not None:
            content = json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
            own["Content-Type"] = "application/json"
        if content or method in _WITH_BODY:
            own["Content-Length"] = str(len(content))
        return httpx.Request(
            method,
            url,
            params=params,
            headers=own,
            stream=httpx.ByteStream(content),
            extensions=self._of_acts if is_act(method) else self._extensions,
        )


_url: Final = lru_cache(maxsize=64)(httpx.URL)
"""Most requests go to the same few addresses, and reading one takes a while."""


def _cause(error: Exception, headers: Mapping[str, str]) -> str:
    """Show what httpx says, which may quote the server, which may quote the request."""
    secrets = (value.rpartition(" ")[2] for value in headers.values())
    return quote_server_text(str(error) or type(error).__name__, Redactor(filter(None, secrets)).text)
