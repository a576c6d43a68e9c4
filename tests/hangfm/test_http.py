from __future__ import annotations

import asyncio
import gzip
import socket
import tracemalloc
from contextlib import suppress
from typing import TYPE_CHECKING

import httpx
import pytest
import pytest_asyncio

from hangbot.clock import SystemClock
from hangbot.errors import AckTimeout, ConfigError, ConnectionLost, Unavailable, Unreachable
from hangbot.hangfm.http import HttpClient
from hangbot.hangfm.http1 import Http1Transport
from hangbot.net import unverified
from tests.bounds import WITHIN
from tests.cases import cases

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from hangbot.hangfm.http import HttpResponse
    from tests.conftest import OpenRaw

Http = Http1Transport
TOKEN = "a-token-of-no-known-shape"
OK = b"HTTP/1.1 200 OK\r\n"


@pytest_asyncio.fixture
async def http() -> AsyncIterator[Http1Transport]:
    async with Http1Transport(unverified(), SystemClock()) as transport:
        yield transport


@pytest.fixture
def closed_url() -> Iterator[str]:
    with socket.socket() as held:  # held, so that no other program gets it, but not listening
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


async def ask(transport: Http, base: str, *, within: float = WITHIN, largest: int = 2**20) -> HttpResponse:
    client = HttpClient(transport, base, service="chat", clock=SystemClock(), timeout=within, largest=largest)
    return await client.request("GET", "/v3.0/me", what="who I am", headers={"authToken": TOKEN})


@cases(
    "head body",
    ("plain", b"HTTP/1.1 418 No\r\nRetry-AFTER: 7\r\nContent-Length: 5\r\n\r\n", b"hello"),
    ("packed", b"HTTP/1.1 418 No\r\nRetry-after: 7\r\nContent-Encoding: GZip\r\n\r\n", None),
)
async def test_an_answer_comes_whole(head: bytes, body: bytes | None, http: Http, open_raw: OpenRaw) -> None:
    base = await open_raw(head + (body or gzip.compress(b"hello" * 1000)))

    answer = await ask(http, base)

    assert (answer.status, answer.headers["retry-after"]) == (418, "7")
    assert answer.body == (body or b"hello" * 1000)


async def test_a_refused_connection_means_that_nothing_was_sent(http: Http, closed_url: str) -> None:
    with pytest.raises(Unreachable, match=f"no connection to {closed_url} for who I am") as unsent:
        await ask(http, closed_url)

    assert_hides_the_token(unsent.value)


@cases(
    "spoken",
    ("nothing", b""),
    ("half a body", OK + b"Content-Length: 100\r\n\r\nhalf"),
    ("a chunk too few", OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"),
    ("no gzip", OK + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope"),
    ("the token echoed", OK + b"you said " + TOKEN.encode() + b"x" * 10_000 + b"\r\n\r\n"),
)
async def test_a_broken_answer_tells_no_token(spoken: bytes, http: Http, open_raw: OpenRaw) -> None:
    with pytest.raises(ConnectionLost) as lost:
        await ask(http, await open_raw(spoken))

    assert lost.value.ambiguous
    assert lost.value.retryable
    assert len(str(lost.value)) < 400
    assert_hides_the_token(lost.value)


def assert_hides_the_token(error: Exception) -> None:
    assert TOKEN not in f"{error} {error!r} {vars(error)}"
    assert error.__suppress_context__, "the traceback would show httpx's error, and with it the request"


async def test_a_request_that_is_given_up_is_aborted_for_good(http: Http, open_raw: OpenRaw) -> None:
    hung_up = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionResetError):
            await reader.read()
        hung_up.set()

    with pytest.raises(AckTimeout, match=r"to who I am in 0\.05 s"):
        await ask(http, await open_raw(silent), within=0.05)

    async with asyncio.timeout(WITHIN):
        await hung_up.wait()


async def test_an_answer_that_does_not_end_is_cut_off(http: Http, open_raw: OpenRaw) -> None:
    async def endless(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"\r\n")
        while True:
            writer.write(b"x" * 1000)
            await writer.drain()

    with pytest.raises(Unavailable, match="with more than"):
        await ask(http, await open_raw(endless), largest=1000)


async def test_a_packed_body_is_unpacked_no_further_than_is_safe(http: Http, open_raw: OpenRaw) -> None:
    base = await open_raw(OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(bytes(50_000_000)))

    tracemalloc.start()
    try:
        with pytest.raises(Unavailable, match="with more than"):
            await ask(http, base, largest=1000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 5_000_000


@pytest.mark.parametrize(("method", "length"), [("GET", None), ("DELETE", None), ("POST", "0"), ("PUT", "0")])
async def test_a_request_that_could_have_a_body_says_it_has_none(method: str, length: str | None) -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200)

    transport = httpx.MockTransport(answer)
    client = HttpClient(transport, "http://chat", service="chat", clock=SystemClock(), timeout=2)
    await client.request(method, "/", what="it")

    assert asked[0].headers.get("Content-Length") == length


@pytest.mark.parametrize("base", ["http://xn--a", "ftp://127.0.0.1"])
async def test_an_address_that_is_none_is_a_fault_of_the_configuration(base: str, http: Http) -> None:
    with pytest.raises(ConfigError, match="is no address of a chat service"):
        await ask(http, base)
