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
from hangbot.errors import (
    AckTimeout,
    ConfigError,
    ConnectionLost,
    ServiceError,
    Unavailable,
    Unreachable,
)
from hangbot.hangfm.http import HttpClient
from hangbot.hangfm.http1 import Http1Transport
from hangbot.net import unverified
from tests.bounds import WITHIN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from hangbot.hangfm.http import HttpResponse
    from tests.conftest import OpenRaw

TOKEN = "a-token-of-no-known-shape"


@pytest_asyncio.fixture
async def http() -> AsyncIterator[Http1Transport]:
    async with Http1Transport(unverified()) as transport:
        yield transport


@pytest.fixture
def closed_port() -> Iterator[int]:
    with socket.socket() as held:  # held, so that nobody else gets it, but not listening
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


async def ask(transport: Http1Transport, base: str, *, within: float = WITHIN, **more: int) -> HttpResponse:
    client = HttpClient(transport, base, service="chat", clock=SystemClock(), timeout=within, **more)
    return await client.request("GET", "/v3.0/me", what="who I am", headers={"authToken": TOKEN})


async def test_an_answer_comes_whole_with_header_names_in_lower_case(
    http: Http1Transport, open_raw: OpenRaw
) -> None:
    base = await open_raw(b"HTTP/1.1 418 No\r\nRetry-AFTER: 7\r\nContent-Length: 5\r\n\r\nhello")

    answer = await ask(http, base)

    assert (answer.status, answer.body) == (418, b"hello")
    assert answer.headers["retry-after"] == "7"


async def test_a_refused_connection_means_that_nothing_was_sent(
    http: Http1Transport, closed_port: int
) -> None:
    with pytest.raises(Unreachable, match=rf"no connection to http://127.0.0.1:{closed_port} for who I am"):
        await ask(http, f"http://127.0.0.1:{closed_port}")


@pytest.mark.parametrize(
    "spoken",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", id="another protocol"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Le", id="half a head"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", id="half a body"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", id="a chunk too few"
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope", id="no gzip"
        ),
    ],
)
async def test_a_broken_answer_leaves_open_whether_it_was_done(
    spoken: bytes, http: Http1Transport, open_raw: OpenRaw
) -> None:
    base = await open_raw(spoken)

    with pytest.raises(ConnectionLost) as lost:
        await ask(http, base)

    assert lost.value.ambiguous
    assert lost.value.retryable


async def test_a_request_that_is_given_up_is_aborted_so_that_it_cannot_complete_later(
    http: Http1Transport, open_raw: OpenRaw
) -> None:
    hung_up = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionResetError):
            await reader.read()
        hung_up.set()

    base = await open_raw(silent)

    with pytest.raises(AckTimeout, match=r"to who I am in 0\.05 s"):
        await ask(http, base, within=0.05)

    async with asyncio.timeout(WITHIN):
        await hung_up.wait()


async def test_an_answer_that_does_not_end_is_cut_off(http: Http1Transport, open_raw: OpenRaw) -> None:

    async def endless(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 1000)
            await writer.drain()

    base = await open_raw(endless)

    with pytest.raises(Unavailable, match="with more than"):
        await ask(http, base, largest=1000)


async def test_a_packed_body_is_unpacked(http: Http1Transport, open_raw: OpenRaw) -> None:
    packed = gzip.compress(b"hello" * 1000)
    base = await open_raw(b"HTTP/1.1 200 OK\r\nContent-Encoding: GZip\r\n\r\n" + packed)

    answer = await ask(http, base)

    assert answer.body == b"hello" * 1000


async def test_a_packed_body_is_unpacked_no_further_than_is_safe(
    http: Http1Transport, open_raw: OpenRaw
) -> None:
    packed = gzip.compress(bytes(50_000_000))
    base = await open_raw(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + packed)

    tracemalloc.start()
    try:
        with pytest.raises(Unavailable, match="with more than"):
            await ask(http, base, largest=1000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 5_000_000


@pytest.mark.parametrize(("method", "length"), [("GET", None), ("DELETE", None), ("POST", "0"), ("PUT", "0")])
async def test_a_request_that_could_have_a_body_says_that_it_has_none(
    method: str, length: str | None
) -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200)

    endpoint = HttpClient(
        httpx.MockTransport(answer), "http://chat", service="chat", clock=SystemClock(), timeout=2
    )
    await endpoint.request(method, "/", what="it")

    assert asked[0].headers.get("Content-Length") == length


@pytest.mark.parametrize("base", ["http://xn--a", "ftp://127.0.0.1"])
async def test_an_address_that_is_none_is_a_fault_of_the_configuration(
    base: str, http: Http1Transport
) -> None:
    with pytest.raises(ConfigError, match="is no address of a chat service"):
        await ask(http, base)


async def test_no_error_shows_the_token(http: Http1Transport, open_raw: OpenRaw, closed_port: int) -> None:
    base = await open_raw(b"")
    errors: list[ServiceError] = []

    for address in (base, f"http://127.0.0.1:{closed_port}"):
        with pytest.raises(ServiceError) as caught:
            await ask(http, address)
        errors.append(caught.value)

    for error in errors:
        assert TOKEN not in f"{error} {error!r} {error.remedy} {vars(error)}"
        assert error.__suppress_context__, "the traceback would show httpx's error, and with it the request"


async def test_a_broken_answer_is_quoted_in_part_and_without_the_token(
    http: Http1Transport, open_raw: OpenRaw
) -> None:
    base = await open_raw(b"HTTP/1.1 200 OK\r\nyou said " + TOKEN.encode() + b"x" * 10_000 + b"\r\n\r\n")

    with pytest.raises(ConnectionLost, match="illegal header line") as lost:
        await ask(http, base)

    assert TOKEN not in str(lost.value)
    assert len(str(lost.value)) < 400
