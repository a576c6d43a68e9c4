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

from hangbot.hangfm.http1 import Http1Transport
from hangbot.net import unverified
from tests.addresses import unanswering
from tests.bounds import WITHIN
from tests.conftest import OpenRaw

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@asynccontextmanager
async def opened(times: httpx.Timeout) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=Http1Transport(unverified()), timeout=times) as client:
        yield client


@pytest_asyncio.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with opened(httpx.Timeout(5)) as client:
        yield client


class Server:
    """Answers each request on a connection, and remembers in what pieces they came."""

    def __init__(self, answers: int = 100, reply: bytes = ANSWER, cut: int = 0) -> None:
        self.reply = reply
        self.cut = cut
        self.pieces: list[bytes] = []
        self.connections = 0
        self.answers = answers
        self.ended = asyncio.Event()
        self.open: list[asyncio.Transport] = []

    def protocol(self) -> asyncio.Protocol:
        server = self

        class Answering(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                self.transport = cast("asyncio.Transport", transport)
                self.left = server.answers
                server.connections += 1
                server.open.append(self.transport)

            def data_received(self, data: bytes) -> None:
                server.pieces.append(data)
                if b"hold" not in data:
                    self.left -= 1
                    self.transport.write(server.reply[: server.cut])
                    asyncio.get_running_loop().call_soon(self.rest)

            def rest(self) -> None:
                self.transport.write(server.reply[server.cut :])
                if not self.left:
                    self.transport.close()

            def connection_lost(self, _exc: Exception | None) -> None:
                server.ended.set()

        return Answering()


@asynccontextmanager
async def serving(server: Server) -> AsyncIterator[str]:
    listening = await asyncio.get_running_loop().create_server(server.protocol, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        for transport in server.open:
            transport.abort()


async def test_head_and_body_leave_in_one_piece(http: httpx.AsyncClient) -> None:
    server = Server()
    async with serving(server) as url:
        answers = [await http.post(url, json={"number": number}) for number in range(3)]

    assert [answer.text for answer in answers] == ["ok"] * 3
    assert [piece.split(b"\r\n\r\n")[1] for piece in server.pieces] == [
        b'{"number":0}',
        b'{"number":1}',
        b'{"number":2}',
    ]
    assert server.connections == 1


async def test_a_large_body_arrives_whole(http: httpx.AsyncClient, open_raw: OpenRaw) -> None:
    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        body = await reader.readexactly(5_000_000)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n%d" % len(body))
        await writer.drain()

    answer = await http.post(await open_raw(count), content=b"x" * 5_000_000)

    assert answer.text == "5000000"


async def test_a_connection_that_the_server_closed_is_not_used_again(http: httpx.AsyncClient) -> None:
    server = Server(answers=1)
    async with serving(server) as url:
        for _ in range(3):
            await http.post(url, json={})
            await asyncio.wait_for(server.ended.wait(), WITHIN)
            server.ended.clear()

    assert server.connections == 3


async def test_a_request_that_is_given_up_ends_its_connection(http: httpx.AsyncClient) -> None:
    server = Server()
    async with serving(server) as url:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await http.post(url, json={"hold": True})
        await asyncio.wait_for(server.ended.wait(), WITHIN)
        again = await http.post(url, json={})

    assert again.text == "ok"
    assert server.connections == 2


async def test_a_connection_that_is_reset_is_an_error_of_httpx(
    http: httpx.AsyncClient, open_raw: OpenRaw
) -> None:
    async def reset(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"  # on, for no time: closing sends a reset
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()

    with pytest.raises(httpx.ReadError):
        await http.get(await open_raw(reset))


async def test_a_server_that_takes_no_connection_is_a_connect_time_out_of_httpx() -> None:
    with unanswering(9) as address:
        async with opened(httpx.Timeout(5, connect=0.05)) as http:
            with pytest.raises(httpx.ConnectTimeout):
                await http.get(f"http://{address}:9")


async def test_a_server_that_speaks_no_tls_is_a_connect_error_of_httpx(
    http: httpx.AsyncClient,
) -> None:
    async with serving(Server()) as url:
        with pytest.raises(httpx.ConnectError):
            await http.get(url.replace("http:", "https:"))


async def test_tls_that_is_never_answered_is_a_connect_time_out_of_httpx(open_raw: OpenRaw) -> None:
    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    url = await open_raw(silent)

    async with opened(httpx.Timeout(5, connect=0.05)) as http:
        with pytest.raises(httpx.ConnectTimeout):
            await asyncio.wait_for(http.get(url.replace("http:", "https:")), WITHIN)


async def test_tls_that_is_given_up_half_way_is_given_up_at_once(http: httpx.AsyncClient) -> None:
    begun = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        begun.set()
        await reader.read()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        asking = asyncio.create_task(http.get(f"https://127.0.0.1:{port}"), name="ask")
        await asyncio.wait_for(begun.wait(), WITHIN)
        asking.cancel()
        await asyncio.wait([asking], timeout=WITHIN)

    assert asking.cancelled()


async def test_an_answer_that_nobody_asked_for_is_not_taken_for_the_next(http: httpx.AsyncClient) -> None:
    server = Server()
    async with serving(server) as url:
        await http.post(url, json={})
        server.open[0].write(ANSWER.replace(b"ok", b"no"))
        await asyncio.wait_for(server.ended.wait(), WITHIN)
        again = await http.post(url, json={})

    assert again.text == "ok"
    assert server.connections == 2


async def test_an_answer_that_comes_twice_at_once_is_not_taken_for_the_next(http: httpx.AsyncClient) -> None:
    server = Server(reply=ANSWER + ANSWER.replace(b"ok", b"no"))
    async with serving(server) as url:
        answers = [await http.post(url, json={}) for _ in range(3)]

    assert [answer.text for answer in answers] == ["ok"] * 3
    assert server.connections == 3


async def test_a_connection_that_was_idle_for_long_is_not_used_again() -> None:
    server = Server()
    transport = Http1Transport(unverified(), idle_for=-1)
    async with serving(server) as url, httpx.AsyncClient(transport=transport) as http:
        await http.post(url, json={})
        await http.post(url, json={})

        assert server.connections == 2
        await asyncio.wait_for(server.ended.wait(), WITHIN)


@pytest.mark.parametrize(
    ("spoken", "body"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"hello", id="with its length"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
            b"hello",
            id="in chunks",
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\nhello", b"hello", id="to the end of the connection"),
        pytest.param(b"HTTP/1.0 200 OK\r\n\r\nhello", b"hello", id="by an old server"),
        pytest.param(b"HTTP/1.1 204 No Content\r\n\r\n", b"", id="without a body"),
        pytest.param(
            b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            b"hello",
            id="behind a hint",
        ),
    ],
)
async def test_an_answer_is_whole_wherever_it_is_cut(
    spoken: bytes, body: bytes, http: httpx.AsyncClient
) -> None:
    for cut in range(len(spoken)):
        server = Server(answers=1, reply=spoken, cut=cut)
        async with serving(server) as url:
            answer = await http.get(url)

        assert answer.content == body, cut


@pytest.mark.parametrize(
    "spoken",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", id="another protocol"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Le", id="half a head"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000, id="a head without end"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", id="half a body"),
        pytest.param(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", id="a switch"),
    ],
)
async def test_what_is_no_whole_answer_is_a_protocol_error_of_httpx(
    spoken: bytes, http: httpx.AsyncClient
) -> None:
    async with serving(Server(answers=1, reply=spoken)) as url:
        with pytest.raises(httpx.RemoteProtocolError):
            await asyncio.wait_for(http.get(url), WITHIN)


async def test_what_http_cannot_carry_is_refused_without_quoting_it(http: httpx.AsyncClient) -> None:
    async with serving(Server()) as url:
        with pytest.raises(httpx.LocalProtocolError) as refused:
            await http.get(url, headers={"authToken": "a-secret\nwith a line end"})

    assert "secret" not in str(refused.value)


async def test_a_body_that_is_not_taken_waits_at_the_server(
    http: httpx.AsyncClient, open_raw: OpenRaw
) -> None:
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
        received = 0
        async for chunk in answer.aiter_raw():
            received += len(chunk)

    assert not early
    assert received == size


async def test_a_body_that_is_given_up_ends_its_connection(
    http: httpx.AsyncClient, open_raw: OpenRaw
) -> None:
    hung_up = asyncio.Event()

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        with suppress(ConnectionResetError):
            await reader.read()
        hung_up.set()

    async with http.stream("GET", await open_raw(pour)):
        pass

    await asyncio.wait_for(hung_up.wait(), WITHIN)


async def test_closing_gives_up_what_is_on_its_way() -> None:
    server = Server()
    async with serving(server) as url, opened(httpx.Timeout(5)) as http:
        asking = asyncio.create_task(http.post(url, json={"hold": True}), name="ask")
        async with asyncio.timeout(WITHIN):
            while not server.pieces:  # noqa: ASYNC110  there is no event for it
                await asyncio.sleep(0.001)
        await http.aclose()
        with pytest.raises(httpx.ReadError):
            await asking


async def test_a_request_that_still_connects_when_all_is_closed_is_not_sent() -> None:
    server = Server()
    async with serving(server) as url, opened(httpx.Timeout(5)) as http:
        asking = asyncio.create_task(http.post(url, json={}), name="ask")
        await asyncio.sleep(0)
        await http.aclose()
        with pytest.raises(httpx.ConnectError):
            await asking

        assert server.pieces == []
        await asyncio.wait_for(server.ended.wait(), WITHIN)


async def test_what_the_system_still_had_to_send_of_a_given_up_request_is_not_sent_later(
    http: httpx.AsyncClient,
) -> None:
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


async def test_as_many_requests_are_on_their_way_as_httpx_would_have(http: httpx.AsyncClient) -> None:
    server = Server()
    async with serving(server) as url:
        asking = [asyncio.create_task(http.post(url, json={"hold": n}), name=f"ask {n}") for n in range(20)]
        async with asyncio.timeout(WITHIN):
            while len(server.pieces) < 20:  # noqa: ASYNC110  there is no event for it
                await asyncio.sleep(0.001)
        for task in asking:
            task.cancel()
        await asyncio.wait(asking)

    assert server.connections == 20


async def test_giving_up_at_any_moment_takes_no_connection_from_another(http: httpx.AsyncClient) -> None:
    async with serving(Server(answers=1000)) as url:
        for moment in range(60):
            await http.post(url, json={})
            given_up = asyncio.create_task(http.post(url, json={}), name="given up")
            for _ in range(moment // 2):
                await asyncio.sleep(0)
            given_up.cancel()
            answer = await http.post(url, json={})

            assert answer.text == "ok", moment


async def test_giving_up_at_any_moment_leaves_no_socket(recwarn: pytest.WarningsRecorder) -> None:
    async with serving(Server()) as url:
        for moment in range(60):
            async with opened(httpx.Timeout(5)) as http:
                asking = asyncio.create_task(http.post(url, json={}), name="ask")
                for _ in range(moment // 2):
                    await asyncio.sleep(0)
                asking.cancel()
                await asyncio.wait([asking])
    gc.collect()  # once: it takes its time after some thousand tests

    assert [warning for warning in recwarn if warning.category is ResourceWarning] == []


# -- over TLS


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


async def test_a_connection_that_ends_with_the_answer_is_not_used_again(
    http: httpx.AsyncClient, tls: ssl.SSLContext
) -> None:
    async with serving_tls(tls, b"HTTP/1.1 200 OK\r\n\r\nok") as url:
        answers = [await http.get(url) for _ in range(3)]

    assert [answer.text for answer in answers] == ["ok"] * 3


async def test_a_server_that_hangs_up_before_its_answer_is_taken_disturbs_nobody(
    http: httpx.AsyncClient, tls: ssl.SSLContext
) -> None:
    size, failed = 500_000, list[object]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failed.append(context))
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % size
    async with (
        serving_tls(tls, head + bytes(size)) as url,
        http.stream("GET", url) as answer,
    ):
        for _ in range(500):  # so many that all is here, and not taken
            await asyncio.sleep(0)
        body = await answer.aread()

    assert len(body) == size
    assert failed == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_it_asks_on_uvloop_too(host: str) -> None:
    server = Server()

    async def ask() -> list[str]:
        async with asyncio.timeout(WITHIN), serving(server) as url, opened(httpx.Timeout(WITHIN)) as client:
            return [(await client.get(url.replace("127.0.0.1", host))).text for _ in range(2)]

    answers = uvloop.run(ask())

    assert answers == ["ok", "ok"]
    assert server.connections == 1
