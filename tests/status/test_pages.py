import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from hangbot.clock import SystemClock
from hangbot.status.pages import LARGEST_BODY, Pages
from hangbot.web.server import HttpServer
from tests.bounds import WITHIN

WELL = {"live": True, "ready": True, "red": [], "waits": [], "parts": []}
ILL = WELL | {"ready": False, "red": ["chat"]}
REQUEST = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@asynccontextmanager
async def served(row: Mapping[str, Any], most: float = 64) -> AsyncIterator[HttpServer]:
    server = HttpServer(
        Pages(lambda: row).handle, 0, largest_body=LARGEST_BODY, now_s=SystemClock().wall, most=most
    )
    try:
        await server.listen()
        yield server
    finally:
        await server.close()


@pytest.mark.parametrize(("row", "not_ready"), [(WELL, 200), (ILL, 503)])
async def test_each_page_has_its_status(row: dict[str, Any], not_ready: int) -> None:
    seen, heads = [], []
    async with served(row) as server, aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as http:
        for page in ("/livez", "/readyz", "/healthz?x=1"):
            async with http.get(page) as answer:
                seen.append((answer.status, await answer.json()))
            async with http.head(page) as answer:
                heads.append((answer.status, await answer.read()))

    assert seen == [
        (200, {"live": True}),
        (not_ready, {"ready": row["ready"], "red": row["red"], "waits": []}),
        (not_ready, row),
    ]
    assert heads == [(200, b""), (not_ready, b""), (not_ready, b"")]


@pytest.mark.parametrize(
    ("method", "path", "status", "said"),
    [
        ("POST", "/healthz", 405, "only GET and HEAD are answered here"),
        ("GET", "/", 404, "there is no such page"),
        ("POST", "/look", 404, "there is no such page"),
    ],
)
async def test_what_is_no_page_says_so(method: str, path: str, status: int, said: str) -> None:
    async with (
        served(WELL) as server,
        aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as http,
        http.request(method, path) as answer,
    ):
        body = await answer.json()

    assert (answer.status, body["error"]) == (status, said)
    assert answer.headers.get("Allow") == ("GET, HEAD" if status == 405 else None)


async def test_half_a_request_is_cut_at_the_second_sweep() -> None:
    async with served(WELL) as server:
        half, whole = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(2)]
        half[1].write(b"GET /livez HT")
        whole[1].write(REQUEST)
        answer = await asyncio.wait_for(whole[0].read(), WITHIN)

        for _ in range(2):
            server.sweep()

        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await asyncio.wait_for(half[0].readexactly(1), WITHIN)
        for _, writer in (half, whole):
            writer.transport.abort()

    assert json.loads(answer.partition(b"\r\n\r\n")[2]) == {"live": True}


async def test_one_connection_too_many_is_cut_and_the_others_are_served() -> None:
    ends = []
    async with served(WELL, most=2) as server:
        opened = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(3)]
        for reader, writer in reversed(opened):
            try:
                writer.write(REQUEST)
                ends.append((await asyncio.wait_for(reader.read(), WITHIN))[:15])
            except ConnectionError:
                ends.append(b"")
            writer.transport.abort()

    assert ends == [b"", b"HTTP/1.1 200 OK", b"HTTP/1.1 200 OK"]


async def test_a_head_without_end_is_refused() -> None:
    async with served(WELL) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /livez HTTP/1.1\r\nX: " + b"x" * 70_000)
        answer = await asyncio.wait_for(reader.readline(), WITHIN)
        writer.transport.abort()

    assert answer.startswith(b"HTTP/1.1 431")
