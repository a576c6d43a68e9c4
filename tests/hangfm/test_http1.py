import asyncio
import gc
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import cast

import httpx
import pytest
import pytest_asyncio
import uvloop

from hangbot.clock import SystemClock
from hangbot.hangfm.http1 import Http1Transport
from hangbot.net import unverified
from tests.addresses import unanswering
from tests.bounds import WITHIN
from tests.cases import cases
from tests.conftest import OpenRaw

Http = httpx.AsyncClient
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
OTHER = ANSWER.replace(b"ok", b"no")
AT_ONCE = httpx.Timeout(5, connect=0.05)
NO_LINGER = b"\x01\x00\x00\x00\x00\x00\x00\x00"  # on, zero: closing sends a reset


@asynccontextmanager
async def opened(times: httpx.Timeout | None = None, **more: float) -> AsyncIterator[httpx.AsyncClient]:
    transport = Http1Transport(unverified(), SystemClock(), **more)
    async with httpx.AsyncClient(transport=transport, timeout=times or httpx.Timeout(5)) as client:
        yield client


@pytest_asyncio.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with opened() as client:
        yield client


class Server:
    """Answers each request on a connection, unless it says ``hold``, and keeps the pieces that it read.

    Args:
        answers: Requests until it hangs up.
        reply: Sent for each request.
        cut: Bytes of the reply that are sent apart from the rest.
    """

    def __init__(self, answers: int = 100, reply: bytes = ANSWER, cut: int = 0) -> None:
        self.reply = reply
        self.cut = cut
        self.pieces: list[bytes] = []
        self.answers = answers
        self.ended = asyncio.Event()
        self.open: list[asyncio.Transport] = []

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        loop = asyncio.get_running_loop()
        async with await loop.create_server(lambda: Answering(self), "127.0.0.1", 0) as listening:
            yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
            for transport in self.open:
                transport.abort()

    async def has_read(self, requests: int) -> None:
        async with asyncio.timeout(WITHIN):
            while len(self.pieces) < requests:  # noqa: ASYNC110  there is no event for it
                await asyncio.sleep(0.001)

    async def has_lost_one(self) -> None:
        await asyncio.wait_for(self.ended.wait(), WITHIN)
        self.ended.clear()


class Answering(asyncio.Protocol):
    def __init__(self, server: Server) -> None:
        self.server = server
        self.left = server.answers

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.server.open.append(self.transport)

    def data_received(self, data: bytes) -> None:
        self.server.pieces.append(data)
        if b"hold" not in data:
            self.left -= 1
            self.transport.write(self.server.reply[: self.server.cut])
            asyncio.get_running_loop().call_soon(self.rest)

    def rest(self) -> None:
        self.transport.write(self.server.reply[self.server.cut :])
        if not self.left:
            self.transport.close()

    def connection_lost(self, _exc: Exception | None) -> None:
        self.server.ended.set()


async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


async def reset(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
    writer.transport.abort()


# -- requests, and which connection they take


async def test_head_and_body_leave_in_one_piece_on_one_connection(http: Http) -> None:
    server = Server()
    async with server.serving() as url:
        answers = [await http.post(url, json={"number": number}) for number in range(3)]

    assert [answer.text for answer in answers] == ["ok"] * 3
    bodies = [piece.split(b"\r\n\r\n")[1] for piece in server.pieces]
    assert bodies == [b'{"number":0}', b'{"number":1}', b'{"number":2}']
    assert len(server.open) == 1


async def test_a_large_body_arrives_whole(http: Http, open_raw: OpenRaw) -> None:
    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        body = await reader.readexactly(5_000_000)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n%d" % len(body))
        await writer.drain()

    answer = await http.post(await open_raw(count), content=b"x" * 5_000_000)

    assert answer.text == "5000000"


@cases(
    "server", ("the server closed it", {"answers": 1}), ("an answer came twice", {"reply": ANSWER + OTHER})
)
async def test_a_spent_connection_is_not_used_again(server: dict[str, int | bytes], http: Http) -> None:
    spending = Server(**server)  # type: ignore[arg-type]  # a row of the table
    async with spending.serving() as url:
        for _ in range(3):
            assert (await http.post(url, json={})).text == "ok"
            await spending.has_lost_one()

    assert len(spending.open) == 3


async def test_a_connection_that_was_idle_for_long_is_not_used_again() -> None:
    server = Server()
    async with server.serving() as url, opened(idle_for=-1) as http:
        for _ in range(2):
            await http.post(url, json={})

        assert len(server.open) == 2
        await server.has_lost_one()


async def test_an_answer_that_was_not_asked_for_is_not_taken_for_the_next(http: Http) -> None:
    server = Server()
    async with server.serving() as url:
        await http.post(url, json={})
        server.open[0].write(OTHER)
        await server.has_lost_one()
        again = await http.post(url, json={})

    assert (again.text, len(server.open)) == ("ok", 2)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_it_asks_on_uvloop_too(host: str) -> None:
    server = Server()

    async def ask() -> list[str]:
        async with asyncio.timeout(WITHIN), server.serving() as url, opened(httpx.Timeout(WITHIN)) as client:
            return [(await client.get(url.replace("127.0.0.1", host))).text for _ in range(2)]

    assert uvloop.run(ask()) == ["ok", "ok"]
    assert len(server.open) == 1


# -- requests that are given up


async def test_a_request_that_is_given_up_ends_its_connection(http: Http) -> None:
    server = Server()
    async with server.serving() as url:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await http.post(url, json={"hold": True})
        await server.has_lost_one()
        again = await http.post(url, json={})

    assert (again.text, len(server.open)) == ("ok", 2)


async def test_a_body_that_is_given_up_ends_its_connection(http: Http, open_raw: OpenRaw) -> None:
    hung_up = asyncio.Event()

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        with suppress(ConnectionResetError):
            await reader.read()
        hung_up.set()

    async with http.stream("GET", await open_raw(pour)):
        pass

    await asyncio.wait_for(hung_up.wait(), WITHIN)


async def test_what_the_system_still_had_to_send_of_a_given_up_request_is_not_sent_later(http: Http) -> None:
    loop = asyncio.get_running_loop()
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        listening.settimeout(0)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        asking = asyncio.create_task(http.post(url, content=bytes(200_000)), name="ask")
        accepted, _ = await asyncio.wait_for(loop.sock_accept(listening), WITHIN)
    with accepted:
        await asyncio.wait_for(loop.sock_recv(accepted, 1), WITHIN)
        asking.cancel()
        await asyncio.wait([asking])

        accepted.settimeout(WITHIN)
        with pytest.raises(ConnectionResetError):
            list(iter(lambda: accepted.recv(4096), b""))


async def test_tls_that_is_given_up_half_way_is_given_up_at_once(http: Http) -> None:
    begun = asyncio.Event()

    async def silent_from_then(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        begun.set()
        await reader.read()
        writer.close()

    async with await asyncio.start_server(silent_from_then, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        asking = asyncio.create_task(http.get(f"https://127.0.0.1:{port}"), name="ask")
        await asyncio.wait_for(begun.wait(), WITHIN)
        asking.cancel()
        await asyncio.wait([asking], timeout=WITHIN)

    assert asking.cancelled()


async def test_giving_up_costs_no_other_and_no_socket(recwarn: pytest.WarningsRecorder) -> None:
    async with Server(answers=1000).serving() as url, opened() as shared:
        for moment in range(60):
            await shared.post(url, json={})
            async with opened() as own:
                asking = [client.post(url, json={}) for client in (shared, own)]
                given_up = [asyncio.create_task(each, name="given up") for each in asking]
                for _ in range(moment // 2):
                    await asyncio.sleep(0)
                for task in given_up:
                    task.cancel()
                await asyncio.wait(given_up)
            answer = await shared.post(url, json={})

            assert answer.text == "ok", moment
    gc.collect()  # once: it takes its time after some thousand tests

    assert [warning for warning in recwarn if warning.category is ResourceWarning] == []


async def test_closing_gives_up_what_is_on_its_way() -> None:
    server = Server()
    async with server.serving() as url, opened() as http:
        asking = asyncio.create_task(http.post(url, json={"hold": True}), name="ask")
        await server.has_read(1)
        await http.aclose()
        with pytest.raises(httpx.ReadError):
            await asking


async def test_a_request_that_still_connects_when_all_is_closed_is_not_sent() -> None:
    server = Server()
    async with server.serving() as url, opened() as http:
        asking = asyncio.create_task(http.post(url, json={}), name="ask")
        await asyncio.sleep(0)
        await http.aclose()
        with pytest.raises(httpx.ConnectError):
            await asking

        assert server.pieces == []
        await server.has_lost_one()


async def test_as_many_requests_are_on_their_way_as_httpx_would_have(http: Http) -> None:
    server = Server()
    async with server.serving() as url:
        asking = [asyncio.create_task(http.post(url, json={"hold": n}), name=f"ask {n}") for n in range(20)]
        await server.has_read(20)
        for task in asking:
            task.cancel()
        await asyncio.wait(asking)

    assert len(server.open) == 20


# -- answers, and what is none


CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"


@cases(
    "spoken body",
    ("with its length", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
    ("in chunks", CHUNKS, b"hello"),
    ("to the end of the connection", b"HTTP/1.1 200 OK\r\n\r\nhello", b"hello"),
    ("by an old server", b"HTTP/1.0 200 OK\r\n\r\nhello", b"hello"),
    ("without a body", b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    ("behind a hint", b"HTTP/1.1 103 Early Hints\r\n\r\n" + ANSWER, b"ok"),
)
async def test_an_answer_is_whole_wherever_it_is_cut(spoken: bytes, body: bytes, http: Http) -> None:
    for cut in range(len(spoken)):
        async with Server(answers=1, reply=spoken, cut=cut).serving() as url:
            answer = await http.get(url)

        assert answer.content == body, cut


@cases(
    "spoken",
    ("nothing", b""),
    ("another protocol", b"SSH-2.0-OpenSSH_9.2\r\n"),
    ("half a head", b"HTTP/1.1 200 OK\r\nContent-Le"),
    ("a head without end", b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000),
    ("half a body", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
    ("a switch", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"),
)
async def test_what_is_no_whole_answer_is_a_protocol_error_of_httpx(spoken: bytes, http: Http) -> None:
    async with Server(answers=1, reply=spoken).serving() as url:
        with pytest.raises(httpx.RemoteProtocolError):
            await asyncio.wait_for(http.get(url), WITHIN)


async def test_a_connection_that_fails_is_an_error_of_httpx(open_raw: OpenRaw) -> None:
    secret = {"authToken": "a-secret\nwith a line end"}
    async with Server().serving() as url, opened() as http, opened(AT_ONCE) as hasty:
        with pytest.raises(httpx.ReadError):
            await http.get(await open_raw(reset))
        with pytest.raises(httpx.ConnectError):
            await http.get(url.replace("http:", "https:"))
        with pytest.raises(httpx.ConnectTimeout):
            await asyncio.wait_for(hasty.get((await open_raw(silent)).replace("http:", "https:")), WITHIN)
        with unanswering(9) as address, pytest.raises(httpx.ConnectTimeout):
            await hasty.get(f"http://{address}:9")
        with pytest.raises(httpx.LocalProtocolError) as refused:
            await http.get(url, headers=secret)

    assert "secret" not in str(refused.value)


async def test_a_body_that_is_not_taken_waits_at_the_server(http: Http, open_raw: OpenRaw) -> None:
    size, written = 50_000_000, asyncio.Event()

    async def pour(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(50):
            writer.write(b"x" * (size // 50))
            await writer.drain()
        written.set()

    async with http.stream("GET", await open_raw(pour)) as answer:
        for _ in range(2_000):  # without holding back, some hundred are enough
            await asyncio.sleep(0)
        early = written.is_set()
        received = sum([len(chunk) async for chunk in answer.aiter_raw()])

    assert not early
    assert received == size


@asynccontextmanager
async def serving_tls(tls: ssl.SSLContext, reply: bytes) -> AsyncIterator[str]:
    """Answer once and hang up as a server that is killed: without a word in TLS."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(reply)
            await writer.drain()
            writer.get_extra_info("socket").shutdown(socket.SHUT_WR)
            await reader.read()
        writer.transport.abort()

    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls) as listening:
        yield f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}"


async def test_over_tls_what_ends_with_its_answer_is_not_used_again(http: Http, tls: ssl.SSLContext) -> None:
    async with serving_tls(tls, b"HTTP/1.1 200 OK\r\n\r\nok") as url:
        answers = [await http.get(url) for _ in range(3)]

    assert [answer.text for answer in answers] == ["ok"] * 3


async def test_a_hang_up_before_the_answer_is_taken_is_harmless(http: Http, tls: ssl.SSLContext) -> None:
    size, failed = 500_000, list[object]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failed.append(context))
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % size
    async with serving_tls(tls, head + bytes(size)) as url, http.stream("GET", url) as answer:
        for _ in range(500):  # so many that all is here, and not taken
            await asyncio.sleep(0)
        body = await answer.aread()

    assert (len(body), failed) == (size, [])
