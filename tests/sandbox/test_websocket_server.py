import asyncio

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from hangbot.sandbox import ServedSocket, serve_websocket
from tests.bounds import WITHIN


def dial(url: str, path: str = "/") -> connect:
    return connect(url.replace("http", "ws", 1) + path, proxy=None, ping_interval=None, open_timeout=WITHIN)


async def end_of(ws: ClientConnection) -> int | None:
    await asyncio.wait_for(ws.wait_closed(), WITHIN)
    return ws.close_code


async def test_each_client_is_served_by_its_path_and_its_texts_until_it_ends() -> None:
    ended: asyncio.Queue[tuple[str, list[str], int | None]] = asyncio.Queue()

    async def echo(client: ServedSocket) -> None:
        heard = []
        async for text in client:
            heard.append(text)
            client.send(text.upper())
        await client.wait_closed()
        ended.put_nowait((client.path, heard, client.close_code))

    async with serve_websocket(echo) as url:
        async with dial(url, "/a?b=c") as ws:
            await ws.send(b"no text")
            await ws.send("hello")
            answer = await asyncio.wait_for(ws.recv(), WITHIN)
            await ws.close(4001)

        assert answer == "HELLO"
        assert await asyncio.wait_for(ended.get(), WITHIN) == ("/a?b=c", ["hello"], 4001)


@pytest.mark.parametrize(("code", "seen"), [(4002, 4002), (None, 1005), (1006, 1006)])
async def test_a_client_is_ended_as_the_handler_says(code: int | None, seen: int) -> None:
    async def end(client: ServedSocket) -> None:
        client.end(code)

    async with serve_websocket(end) as url, dial(url) as ws:
        assert await end_of(ws) == seen


async def test_a_handshake_can_be_refused_and_whoever_is_left_is_cut_at_the_end() -> None:
    async def hold(client: ServedSocket) -> None:
        await client.wait_closed()

    async with serve_websocket(hold, refuse=lambda path: (503, "full") if path == "/full" else None) as url:
        with pytest.raises(InvalidStatus) as refused:
            async with dial(url, "/full"):
                pass
        left = await dial(url)

    assert (refused.value.response.status_code, refused.value.response.body) == (503, b"full")
    assert await end_of(left) == 1006


async def test_a_handler_that_fails_cuts_its_client_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(_client: ServedSocket) -> None:
        raise ValueError("broken")

    async with serve_websocket(fail) as url, dial(url, "/x?token=secret") as ws:
        assert await end_of(ws) == 1006

    assert "what serves /x failed" in caplog.text
    assert "secret" not in caplog.text
