import asyncio
import gzip
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from itertools import pairwise

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from hangbot.web.http import Request, Response
from hangbot.web.serve import serve_http
from hangbot.web.server import Handler
from tests.bounds import WITHIN
from tests.cases import cases

Lines = list[bytes]
LARGEST = 100
GET = b"GET /a?b HTTP/1.1\r\nHost: x\r\n\r\n"


@dataclass(slots=True)
class Client:
    """A client that knows nothing of HTTP."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def says(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()

    async def hears(self, number: int = 1) -> list[tuple[int, dict[str, str], bytes]]:
        """Status, headers and body of so many answers."""
        async with asyncio.timeout(WITHIN):
            return [await self._hears() for _ in range(number)]

    async def _hears(self) -> tuple[int, dict[str, str], bytes]:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:-2])}
        body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        return int(head[0].split(" ")[1]), headers, body

    async def is_hung_up_on(self) -> bool:
        async with asyncio.timeout(WITHIN):
            return await self.reader.read() == b""


Connect = Callable[[Handler], Awaitable[Client]]


@asynccontextmanager
async def served(handler: Handler) -> AsyncIterator[Client]:
    """A client of a service that takes a hundred bytes."""
    async with AsyncExitStack() as stack:
        port = await serve_http(stack, handler, 0, largest_body=LARGEST, now_s=time.time)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            yield Client(reader, writer)
        finally:
            writer.transport.abort()


@pytest_asyncio.fixture
async def connect() -> AsyncIterator[Connect]:
    """Serve a handler and connect a client."""
    async with AsyncExitStack() as stack:
        yield lambda handler: stack.enter_async_context(served(handler))


async def mirror(request: Request) -> Response:
    """Tell what came."""
    body = None if request.body is None else request.body.decode("latin-1")
    told = [request.method, request.target, body, request.too_large]
    return Response(200, json.dumps(told).encode(), {"Content-Type": "application/json"})


def post(body: bytes, *headers: bytes) -> bytes:
    lines = [b"POST / HTTP/1.1", b"Host: x", b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


async def test_requests_on_one_connection_are_answered_in_their_order(connect: Connect) -> None:
    client = await connect(mirror)

    await client.says(GET + post(b"one") + post(b"two") + GET)

    told = [json.loads(body) for _, _, body in await client.hears(4)]
    get, one, two = ["GET", "/a?b", "", False], ["POST", "/", "one", False], ["POST", "/", "two", False]
    assert told == [get, one, two, get]


@given(cuts=st.sets(st.integers(min_value=1, max_value=160), max_size=12))
def test_however_the_network_cuts_requests_they_are_read_the_same(cuts: set[int]) -> None:
    head = b"POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunked = head + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    stream = post(b"one") + chunked + GET
    places = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]

    async def ask() -> list[tuple[int, dict[str, str], bytes]]:
        async with served(mirror) as client:
            await client.says(*(stream[a:b] for a, b in pairwise(places)))
            return await client.hears(3)

    told = [json.loads(body)[2] for _, _, body in asyncio.run(ask())]
    assert told == ["one", "abcde", ""]


@cases(
    "body headers told",
    ("the largest", b"x" * 100, [], ["x" * 100, False]),
    ("larger", b"x" * 101, [], ["", True]),
    ("packed", gzip.compress(b"x" * 100), [b"Content-Encoding: gzip"], ["x" * 100, False]),
    ("packed too small", gzip.compress(b"x" * 9999), [b"Content-Encoding: gzip"], ["", True]),
    ("not packed", b"x", [b"Content-Encoding: gzip"], [None, False]),
    ("not packed whole", gzip.compress(b"x" * 99)[:-5], [b"Content-Encoding: gzip"], [None, False]),
    ("packed in another way", b"x", [b"Content-Encoding: br"], ["x", False]),
)
async def test_what_a_body_is(connect: Connect, body: bytes, headers: Lines, told: list[object]) -> None:
    client = await connect(mirror)

    await client.says(post(body, *headers), GET)

    (_, _, first), (_, _, then) = await client.hears(2)
    assert json.loads(first)[2:] == told
    assert json.loads(then)[0] == "GET"


@cases(
    "asked told",
    ("as to a proxy", b"http://127.0.0.1:1/a?b", "/a?b"),
    ("another one behind", b"HTTPS://x/http://y", "/http://y"),
    ("an odd path", b"//a%2F%ff?%00", "//a%2F%ff?%00"),
    ("no path", b"*", "*"),
)
async def test_a_handler_is_told_the_path_as_it_was_sent(connect: Connect, asked: bytes, told: str) -> None:
    client = await connect(mirror)

    await client.says(b"GET " + asked + b" HTTP/1.1\r\nHost: x\r\n\r\n")

    assert json.loads((await client.hears())[0][2])[1] == told


async def test_who_asks_whether_to_go_on_is_told_so(connect: Connect) -> None:
    client = await connect(mirror)
    head, _, body = post(b"body", b"Expect: 100-continue").partition(b"\r\n\r\n")

    await client.says(head + b"\r\n\r\n")
    async with asyncio.timeout(WITHIN):
        go_on = await client.reader.readuntil(b"\r\n\r\n")
    await client.says(body)

    assert go_on.startswith(b"HTTP/1.1 100 ")
    assert json.loads((await client.hears())[0][2])[2] == "body"


@cases(
    "asked status",
    ("no HTTP", b"no HTTP at all\r\n\r\n", 400),
    ("no length", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
    ("a long path", b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    ("a head without end", b"GET / HTTP/1.1\r\nx: " + b"x" * 70_000, 431),
    ("a bad chunk", b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
)
async def test_what_cannot_be_read_is_refused_and_closed(connect: Connect, asked: bytes, status: int) -> None:
    client = await connect(mirror)

    await client.says(asked)

    assert [answer[0] for answer in await client.hears()] == [status]
    assert await client.is_hung_up_on()


@cases(
    "asked",
    ("HTTP/1.0", b"GET / HTTP/1.0\r\n\r\n"),
    ("its last", b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
)
async def test_after_its_last_answer_a_connection_is_closed(connect: Connect, asked: bytes) -> None:
    client = await connect(mirror)

    await client.says(asked + GET)

    [(status, headers, _)] = await client.hears()
    assert (status, headers["connection"]) == (200, "close")
    assert await client.is_hung_up_on()


async def test_an_answer_gets_its_length_its_kind_and_its_date(connect: Connect) -> None:
    async def answer(_request: Request) -> Response:
        return Response(299, b"body")

    client = await connect(answer)
    await client.says(GET)

    [(status, headers, body)] = await client.hears()
    assert (status, body, headers["content-type"]) == (299, b"body", "application/octet-stream")
    assert parsedate_to_datetime(headers["date"]).tzinfo is not None


@pytest.mark.parametrize(("method", "status"), [(b"HEAD", 200), (b"GET", 204), (b"GET", 304)])
async def test_an_answer_that_has_no_body_sends_none(connect: Connect, method: bytes, status: int) -> None:
    async def answer(request: Request) -> Response:
        return Response(status, b"body") if request.target == "/first" else Response(200, b"next")

    client = await connect(answer)
    await client.says(method + b" /first HTTP/1.1\r\nHost: x\r\n\r\n" + GET)

    async with asyncio.timeout(WITHIN):
        head = await client.reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert [body for _, _, body in await client.hears()] == [b"next"]


async def test_a_handler_that_fails_is_a_500(connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    async def answer(request: Request) -> Response:
        if request.method == "POST":
            raise RuntimeError("its fault")
        return Response(200)

    client = await connect(answer)
    await client.says(post(b"") + GET)

    assert [status for status, _, _ in await client.hears(2)] == [500, 200]
    assert "POST / failed" in caplog.text


async def test_a_late_failure_adds_no_answer(connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    async def answer(request: Request) -> None:
        request.answer(Response(200, request.method.encode()))
        if request.method == "POST":
            raise RuntimeError("its fault")

    client = await connect(answer)
    await client.says(post(b"") + GET)

    assert [body for _, _, body in await client.hears(2)] == [b"POST", b"GET"]
    assert "POST / failed" in caplog.text


async def test_an_answer_beyond_writing_is_a_500(connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    async def answer(_request: Request) -> Response:
        return Response(200, headers={"x": "\ud800"})

    client = await connect(answer)
    await client.says(GET)

    assert [status for status, _, _ in await client.hears()] == [500]
    assert "GET /a failed" in caplog.text


@cases(
    "status headers",
    ("shorter than said", 200, {"Content-Length": "3"}),
    ("longer than said", 200, {"content-length": "5"}),
    ("no chunk", 200, {"Transfer-Encoding": "chunked"}),
    ("not final", 103, {}),
    ("the last, it says", 200, {"Connection": "close"}),
)
async def test_an_answer_without_end_closes(connect: Connect, status: int, headers: dict[str, str]) -> None:
    async def answer(_request: Request) -> Response:
        return Response(status, b"body", headers)

    client = await connect(answer)
    await client.says(GET + GET)

    async with asyncio.timeout(WITHIN):
        heard = await client.reader.read()
    assert heard.count(b"HTTP/1.1 ") == 1
    assert b"close\r\n" in heard


@cases(
    "headers behind last",
    ("the last answer, with a request behind", {"Connection": "close"}, GET, b"x"),
    ("an answer, with no request behind", {}, b"no HTTP\r\n\r\n", b"\r\n"),
)
async def test_an_answer_that_waits_for_its_reader_ends_its_connection_in_peace(
    connect: Connect, headers: dict[str, str], behind: bytes, last: bytes
) -> None:
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))

    async def answer(_request: Request) -> Response:
        return Response(200, b"x" * 8_000_000, headers)

    client = await connect(answer)
    await client.says(GET + behind)
    async with asyncio.timeout(WITHIN):
        heard = await client.reader.read()
    await asyncio.sleep(0)  # whoever loses his connection a second time does it now

    assert len(heard) > 8_000_000
    assert heard.endswith(last)
    assert complaints == []


async def test_a_handler_is_cancelled_when_its_client_goes(connect: Connect) -> None:
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def wait(_request: Request) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    client = await connect(wait)
    await client.says(GET)
    async with asyncio.timeout(WITHIN):
        await begun.wait()
        client.writer.close()

        await cancelled.wait()


async def test_after_an_answer_a_handler_may_go_on_and_the_next_request_waits(connect: Connect) -> None:
    goes_on, over = asyncio.Event(), asyncio.Event()

    async def answer(request: Request) -> None:
        request.answer(Response(200, request.method.encode()))
        if request.method == "POST":
            await goes_on.wait()
            over.set()
        else:
            assert over.is_set()

    client = await connect(answer)
    await client.says(post(b""), GET)
    first = await client.hears()
    goes_on.set()

    assert [first[0][2], (await client.hears())[0][2]] == [b"POST", b"GET"]


async def test_another_protocol_gets_the_head_and_what_came_behind_it(connect: Connect) -> None:
    class Echo(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            self.transport.write(data)

    async def hand_over(request: Request) -> None:
        request.hand_over(Echo())

    client = await connect(hand_over)
    upgrade = b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n"
    await client.says(upgrade + b"behind")
    async with asyncio.timeout(WITHIN):
        early = await client.reader.readexactly(len(upgrade) + 6)
        await client.says(b"later")
        late = await client.reader.readexactly(5)

    assert (early, late) == (upgrade + b"behind", b"later")


async def test_while_a_handler_is_at_work_only_so_much_is_read_for_later(connect: Connect) -> None:
    begun, goes_on = asyncio.Event(), asyncio.Event()

    async def answer(_request: Request) -> Response:
        begun.set()
        await goes_on.wait()
        return Response(200)

    client = await connect(answer)
    long = b"GET / HTTP/1.1\r\nHost: x\r\nx: " + b"x" * 50_000 + b"\r\n\r\n"
    await client.says(long)
    async with asyncio.timeout(WITHIN):
        await begun.wait()
    sock = client.writer.get_extra_info("socket").dup()
    number, turns, rest = 1, 0, b""
    with sock:
        while turns < 100 and number < 1000:  # a server that reads does so at least every other turn
            try:
                rest = rest[sock.send(rest) :] if rest else long
                number, turns = number + (not rest), 0
            except BlockingIOError:
                await asyncio.sleep(0)
                turns += 1
    goes_on.set()
    await client.says(rest)

    assert turns == 100
    answers = await client.hears(number + bool(rest))
    assert {status for status, _, _ in answers} == {200}


async def test_who_does_not_read_is_not_read_either(connect: Connect) -> None:
    asked = 0

    async def answer(_request: Request) -> Response:
        nonlocal asked
        asked += 1
        return Response(200, bytes(4_000_000))

    client = await connect(answer)
    await client.says(GET * 10)
    answers = await client.hears()
    before = asked
    answers += await client.hears(9)

    assert before < 10
    assert [len(body) for _, _, body in answers] == [4_000_000] * 10
