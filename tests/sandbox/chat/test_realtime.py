"""The real-time connection over real sockets."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import WSMsgType
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hangbot.sandbox.chat.dialects import OPENCHAT
from hangbot.sandbox.chat.realtime_rules import SocketRules, may_open_socket
from hangbot.sandbox.chat.rows import Json
from hangbot.sandbox.chat.socket_token import SocketTokens
from hangbot.sandbox.clock import SandboxClock
from hangbot.sandbox.ids import Ids
from hangbot.sandbox.people import Person
from tests.bounds import WITHIN
from tests.sandbox.chat.api_bench import ApiBench

if TYPE_CHECKING:
    from tests.sandbox.conftest import ChatBench, OpenBench

Socket = aiohttp.ClientWebSocketResponse
OpenSocket = Callable[..., Coroutine[Json, Json, Socket]]


@pytest_asyncio.fixture
async def open_socket() -> AsyncIterator[OpenSocket]:
    """Open sockets, authenticated for somebody or not at all; all are closed after the test."""
    async with AsyncExitStack() as stack:

        async def open_one(
            bench: "ChatBench",
            person: Person | None = None,
            *,
            path: str = "/",
            device: str = "device",
            **headers: str,
        ) -> Socket:
            ws = await bench.http.ws_connect(bench.url + path, headers=headers, autoping=False)
            stack.push_async_callback(ws.close)
            if person is not None:
                await authenticate(bench, ws, person, device)
                assert (await hear(ws))["body"] == {"status": "OK", "code": "200"}
            return ws

        yield open_one


async def authenticate(bench: "ChatBench", ws: Socket, person: Person, device: str = "device") -> None:
    _, me = await bench.call("PUT", "/v3.0/me", by=person, json={})
    frame = {"appId": "a", "deviceId": device, "type": "auth", "sender": person.uid}
    await ws.send_json(frame | {"body": {"auth": me["data"]["jwt"], "deviceId": device}})


async def hear(ws: Socket) -> Json:
    async with asyncio.timeout(WITHIN):
        while (message := await ws.receive()).type is WSMsgType.PING:
            pass
        return json.loads(message.data)


async def ping(ws: Socket) -> Json:
    """What comes before the pong, as far as one frame goes: the pong itself when there is nothing."""
    await ws.send_str('{"action":"ping","ack":"true"}')
    return await hear(ws)


@pytest.mark.parametrize("path", ["/", "/ws", "/socket", "//ws/", "/socket/"])
async def test_every_path_authenticates_with_a_code_that_is_text(
    bench: "ChatBench", open_socket: OpenSocket, path: str
) -> None:
    ws = await open_socket(bench, path=path)

    await authenticate(bench, ws, bench.bot, "my-device")

    assert await hear(ws) == {
        "appId": "a",
        "receiver": "",
        "receiverType": "",
        "deviceId": "my-device",
        "type": "auth",
        "sender": bench.bot.uid,
        "body": {"status": "OK", "code": "200"},
    }


async def test_cometchat_meets_a_wrong_auth_and_the_auth_token_with_silence(
    open_bench: "OpenBench", open_socket: OpenSocket
) -> None:
    bench = await open_bench("cometchat")
    ws = await open_socket(bench)

    await ws.send_json({"type": "auth", "body": {"auth": "wrong"}})
    await ws.send_json({"type": "auth", "body": {"auth": bench.bot.chat_token}})

    assert await ping(ws) == {"action": "pong"}


async def test_a_jwt_expires_after_a_day_and_outlives_its_auth_token(
    bench: "ChatBench", open_socket: OpenSocket
) -> None:
    _, me = await bench.call("GET", "/v3.0/me")
    frame = {"type": "auth", "body": {"auth": me["data"]["jwt"]}}
    bench.people.revoke(bench.bot.chat_token)
    one = await open_socket(bench)

    await one.send_json(frame)
    alive = await hear(one)
    bench.clock.advance(24 * 3600)
    other = await open_socket(bench)
    await other.send_json(frame)
    expired = await hear(other)

    assert (alive["body"]["status"], expired["body"]["status"]) == ("OK", "ERROR")


async def test_on_srechat_the_jwt_dies_with_its_auth_token(
    open_bench: "OpenBench", open_socket: OpenSocket
) -> None:
    bench = await open_bench("srechat")
    ws = await open_socket(bench, bench.bot)
    _, me = await bench.call("GET", "/v3.0/me")

    bench.people.revoke(bench.bot.chat_token)
    await ws.send_json({"type": "auth", "body": {"auth": me["data"]["jwt"]}})

    assert (await hear(ws))["body"]["status"] == "ERROR"


async def test_a_socket_that_never_authenticates_is_closed_after_30_s_and_pinged_after_25(
    bench: "ChatBench", open_socket: OpenSocket
) -> None:
    silent, known = await open_socket(bench), await open_socket(bench, bench.bot)

    bench.clock.advance(25)
    pings = [(await ws.receive()).type for ws in (silent, known)]
    bench.clock.advance(5)
    async with asyncio.timeout(WITHIN):
        closing = await silent.receive()
    still_open = await ping(known)

    assert pings == [WSMsgType.PING] * 2
    assert (closing.type, silent.close_code) == (WSMsgType.CLOSE, 1000)
    assert still_open == {"action": "pong"}


@pytest.mark.parametrize(
    ("dialect", "order"),
    [
        pytest.param("openchat", ["in http", "out frame", "out http"], id="openchat: before it"),
        pytest.param("cometchat", ["in http", "out http", "out frame"], id="cometchat: after it"),
    ],
)
async def test_a_frame_comes_before_or_after_the_http_answer(
    open_bench: "OpenBench", open_socket: OpenSocket, dialect: str, order: list[str]
) -> None:
    bench = await open_bench(dialect)
    await bench.service.join(bench.bot, "room")
    ws = await open_socket(bench, bench.bot)

    await bench.send("hello")
    heard = await hear(ws)

    assert heard["body"]["data"]["text"] == "hello"
    assert [f"{e['dir']} {e['kind']}" for e in bench.journal.since(0)[0][-3:]] == order


async def test_receipts_are_passed_on_and_typing_only_on_cometchat(
    either_dialect: str, open_bench: "OpenBench", open_socket: OpenSocket
) -> None:
    bench = await open_bench(either_dialect)
    for person in (bench.bot, bench.alice):
        await bench.service.join(person, "room")
    said = await bench.service.say(bench.alice, "room", "read me")
    mine, hers = await open_socket(bench, bench.bot), await open_socket(bench, bench.alice)
    group = {"receiver": "room", "receiverType": "group", "deviceId": "d"}
    direct = {"receiver": bench.alice.uid, "receiverType": "user", "deviceId": "d"}

    await mine.send_json({**group, "type": "typing_indicator", "body": {"action": "started"}})
    await mine.send_json({**direct, "type": "typing_indicator", "body": {"action": "started"}})
    await mine.send_json({**group, "type": "transient_message", "body": {"data": {"a": 1}}})
    await mine.send_json(
        {**group, "type": "receipts", "body": {"action": "read", "messageId": str(said["id"])}}
    )
    heard = [await hear(hers)]
    while heard[-1]["type"] != "receipts":
        heard.append(await hear(hers))

    typing = (
        ["typing_indicator", "typing_indicator", "transient_message"] if either_dialect == "cometchat" else []
    )
    assert [frame["type"] for frame in heard] == [*typing, "receipts"]
    assert heard[-1]["body"]["messageId"] == str(said["id"])


async def test_cometchat_says_who_comes_and_goes_to_those_who_asked(
    open_bench: "OpenBench", open_socket: OpenSocket
) -> None:
    bench = await open_bench("cometchat")
    asking = await open_socket(bench)
    _, me = await bench.call("PUT", "/v3.0/me", json={})
    body = {"auth": me["data"]["jwt"], "presenceSubscription": "ALL_USERS"}
    await asking.send_json({"type": "auth", "body": body})
    await hear(asking)

    hers = await open_socket(bench, bench.alice)
    came = await hear(asking)
    await hers.close()
    went = await hear(asking)

    assert [frame["type"] for frame in (came, went)] == ["presence"] * 2
    assert [frame["body"]["action"] for frame in (came, went)] == ["online", "offline"]
    assert came["sender"] == bench.alice.uid


async def test_a_socket_outlives_its_users_logout_and_not_a_reset(
    bench: "ChatBench", open_socket: OpenSocket
) -> None:
    ws = await open_socket(bench, bench.bot)

    await bench.call("DELETE", "/v3.0/me")
    alive = await ping(ws)
    bench.service.reset()
    async with asyncio.timeout(WITHIN):
        dropped = await ws.receive()

    assert alive == {"action": "pong"}
    assert dropped.type in (WSMsgType.CLOSED, WSMsgType.CLOSING, WSMsgType.ERROR)


@pytest.mark.parametrize(
    ("origin", "welcome"),
    [
        pytest.param(None, True, id="no header"),
        pytest.param("https://tt.live", True, id="the web client"),
        pytest.param("https://hang.fm", True, id="its new name"),
        pytest.param("http://127.0.0.1:8000", True, id="loopback"),
        pytest.param("null", True, id="a file"),
        pytest.param("https://evil.example", False, id="another page"),
        pytest.param("https://not-tt.live", False, id="a name that only ends alike"),
        pytest.param("http://[broken", False, id="no address"),
    ],
)
def test_a_page_of_a_foreign_origin_opens_no_socket(origin: str | None, *, welcome: bool) -> None:
    hosts = ("127.0.0.1", "tt.live", "hang.fm")

    assert may_open_socket(origin, hosts) is welcome
    assert may_open_socket(origin, None) is True


TO_ALICE = {"type": "receipts", "receiver": "alice", "receiverType": "user"}
TO_ROOM = {"type": "receipts", "receiver": "room", "receiverType": "group"}


@pytest.mark.parametrize(
    ("frame", "action"),
    [
        pytest.param({**TO_ALICE, "body": {}}, "read", id="read, and the newest, by themselves"),
        pytest.param({**TO_ALICE, "body": {"action": "delivered", "messageId": 3}}, "delivered", id="named"),
        pytest.param({**TO_ALICE, "body": {"messageId": 2}}, None, id="a message of another conversation"),
        pytest.param({**TO_ALICE, "body": {"messageId": 999}}, None, id="no message"),
        pytest.param({**TO_ALICE, "body": {"action": "nonsense"}}, None, id="no action"),
        pytest.param({**TO_ALICE, "receiver": None, "body": {}}, None, id="no receiver"),
        pytest.param({**TO_ALICE, "body": "text"}, None, id="no body"),
        pytest.param(
            {**TO_ALICE, "receiverType": "group", "receiver": "room", "body": {}}, None, id="outside"
        ),
        pytest.param({**TO_ALICE, "type": ["receipts"], "body": {}}, None, id="no type"),
    ],
)
def test_a_receipt_marks_a_conversation_and_a_wrong_one_is_dropped(
    frame: dict[str, Json], action: str | None
) -> None:
    chat = ApiBench()
    chat.joined(chat.alice).send(by=chat.alice)
    chat.send(by=chat.alice, receiver="bot", receiverType="user")
    rules = SocketRules(chat.people, SocketTokens(Ids()), chat.dialect, SandboxClock(), chat.world)

    pushes = list(rules.frame("bot", frame))

    assert [(push.to, push.body["action"]) for push in pushes] == ([(("alice",), action)] if action else [])


async def test_whose_pages_may_open_a_socket_is_a_variant(
    bench: "ChatBench", open_bench: "OpenBench"
) -> None:
    strict = await open_bench(replace(OPENCHAT, socket_origins=frozenset({"hang.fm"})))

    await (await bench.http.ws_connect(bench.url + "/", headers={"Origin": "https://evil.example"})).close()
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await bench.http.ws_connect(strict.url + "/", headers={"Origin": "https://evil.example"})

    assert refused.value.status == 403


# -- faults: what each kind does to a frame is in test_websocket.py and test_injector.py


@pytest.mark.parametrize(
    ("fault", "heard"),
    [
        pytest.param({"do": "drop"}, ["two", "three"], id="drop"),
        pytest.param({"do": "duplicate"}, ["one", "one", "two", "three"], id="duplicate"),
        pytest.param({"do": "reorder"}, ["two", "one", "three"], id="reorder"),
        pytest.param({"do": "delay", "ms": 60_000}, ["one", "two", "three"], id="delay: the others wait"),
        pytest.param({"do": "garbage"}, ["<html>no frame</html>", "two", "three"], id="garbage"),
        pytest.param({"do": "garbage", "body": "no json"}, ["no json", "two", "three"], id="a text"),
        pytest.param({"do": "garbage", "body": {"a": 1}}, ['{"a":1}', "two", "three"], id="another frame"),
    ],
)
async def test_a_frame_comes_as_the_fault_says(
    bench: "ChatBench", open_socket: OpenSocket, fault: dict[str, Json], heard: list[str]
) -> None:
    ws = await open_socket(bench, bench.bot)
    armed = bench.faults.add("chat.ws", **fault)

    for text in ("one", "two", "three"):
        await bench.send(text)
    bench.clock.advance(60)
    frames: list[str] = []
    async with asyncio.timeout(WITHIN):
        while len(frames) < len(heard):
            message = await ws.receive()
            frames += [message.data] if message.type is WSMsgType.TEXT else []

    texts = [json.loads(f)["body"]["data"]["text"] if f.startswith('{"appId"') else f for f in frames]
    assert texts == heard
    (hit,) = bench.journal.events(fault=armed.id, deed=fault["do"])
    assert json.loads(hit["frame"])["body"]["data"]["text"] == "one"


async def test_an_upgrade_can_be_refused_answered_otherwise_or_cut(bench: "ChatBench") -> None:
    bench.faults.add("chat.ws", "status", status=503)
    bench.faults.add("chat.ws", "refuse", times=0)  # aiohttp tries a GET twice

    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await bench.http.ws_connect(bench.url + "/")
    with pytest.raises(aiohttp.ClientConnectionError):
        await bench.http.ws_connect(bench.url + "/")

    assert refused.value.status == 503
    assert bench.faults.leftovers() == ()


async def test_upgrade_faults_and_frame_faults_wait_for_their_own_kind_in_any_order(
    bench: "ChatBench", open_socket: OpenSocket
) -> None:
    ws = await open_socket(bench)
    refused = bench.faults.add("chat.ws", "status", status=503)
    dropped = bench.faults.add("chat.ws", "drop")
    cut = bench.faults.add("chat.ws", "status", status=502, after=1)
    doubled = bench.faults.add("chat.ws", "duplicate", after=1)

    for _ in range(3):
        await ws.send_str('{"action":"ping"}')
    pongs = [await hear(ws) for _ in range(3)]  # the first is dropped, the third comes twice
    statuses = []
    for _ in range(3):
        try:
            await (await bench.http.ws_connect(bench.url + "/")).close()
            statuses.append(101)
        except aiohttp.WSServerHandshakeError as error:
            statuses.append(error.status)

    assert pongs == [{"action": "pong"}] * 3
    assert statuses == [503, 101, 502]
    assert [bench.faults.hits(fault.id) for fault in (refused, dropped, cut, doubled)] == [1, 1, 1, 1]


async def test_a_fault_on_every_request_hits_the_upgrade_and_no_frame(
    bench: "ChatBench", open_socket: OpenSocket
) -> None:
    ws = await open_socket(bench)
    fault = bench.faults.add("chat.*", "status", status=503)

    answer = await ping(ws)
    hits_before = bench.faults.hits(fault.id)
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await bench.http.ws_connect(bench.url + "/")

    assert (answer, hits_before) == ({"action": "pong"}, 0)
    assert refused.value.status == 503


@pytest.mark.parametrize("echoes", [True, False])
async def test_whether_a_device_hears_itself_is_a_variant(
    open_bench: "OpenBench",
    open_socket: OpenSocket,
    echoes: bool,  # noqa: FBT001  a table's column
) -> None:
    bench = await open_bench(replace(OPENCHAT, echoes=echoes))
    mine, another = (
        await open_socket(bench, bench.bot),
        await open_socket(bench, bench.bot, device="elsewhere"),
    )

    await bench.send("hello", headers={"resource": "device"})

    first = await ping(mine)
    assert (first.get("type") == "message") is echoes
    assert (await hear(another))["body"]["data"]["text"] == "hello"


@pytest.mark.parametrize(
    ("deed", "code"),
    [
        pytest.param("close", 0, id="without a code"),
        pytest.param("abort", None, id="without a close frame"),
        pytest.param("close_deliberate", 1000, id="as the server closes on purpose"),
    ],
)
async def test_a_socket_ends_as_the_fault_says(
    bench: "ChatBench", open_socket: OpenSocket, deed: str, code: int | None
) -> None:
    ws = await open_socket(bench, bench.bot)
    bench.faults.add("chat.ws", deed)

    await bench.send("the end")
    async with asyncio.timeout(WITHIN):
        ended = await ws.receive()
    closed = await bench.journal.wait_for(lambda e: e["kind"] == "close" and e["dir"] == "in")

    assert ended.data == code
    assert closed["uid"] == bench.bot.uid
    assert not bench.service.realtime.online(bench.bot.uid)


# -- whatever a client sends


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
FRAME = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["auth", "receipts", "typing_indicator", "message", "ping"]) | ANY_JSON,
        # Text there is another matter, see the next test.
        "body": ANY_JSON.filter(lambda body: not isinstance(body, str))
        | st.fixed_dictionaries({"action": st.just("read"), "messageId": ANY_JSON}),
        "deviceId": ANY_JSON,
        "sender": ANY_JSON,
        "receiver": ANY_JSON,
        "receiverType": ANY_JSON,
        "action": ANY_JSON,
    },
)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    frames=st.lists(FRAME | ANY_JSON, max_size=4), noise=st.text(max_size=20), bytes_=st.binary(max_size=20)
)
async def test_no_frame_ends_a_connection(
    either_dialect: str, open_bench: "OpenBench", frames: list[Json], noise: str, bytes_: bytes
) -> None:
    bench = await open_bench(either_dialect)
    async with bench.http.ws_connect(bench.url + "/") as ws:
        await authenticate(bench, ws, bench.bot)
        await hear(ws)

        for frame in frames:
            await ws.send_json(frame)
        await ws.send_str(noise)
        await ws.send_bytes(bytes_)
        await ws.send_str('{"action":"ping"}')
        answer = await hear(ws)
        while answer != {"action": "pong"}:
            answer = await hear(ws)

        assert not ws.closed


@pytest.mark.parametrize("kind", ["auth", "receipts"])
async def test_openchat_falls_over_a_text_in_the_place_of_a_body(
    bench: "ChatBench", open_socket: OpenSocket, kind: str
) -> None:
    ws = await open_socket(bench)

    await ws.send_json({"type": kind, "body": "text"})
    async with asyncio.timeout(WITHIN):
        ended = await ws.receive()

    assert (ended.type, ended.data) == (WSMsgType.CLOSE, 1011)


async def test_a_reader_who_never_reads_holds_nobody_up(
    bench: "ChatBench",
) -> None:
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.connect(("127.0.0.1", int(bench.url.rpartition(":")[2])))
    reader, writer = await asyncio.open_connection(sock=slow, limit=1)
    body = json.dumps({"type": "auth", "body": {"auth": bench.bot.chat_token}}).encode()
    writer.write(
        b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        b"\x81\xfe" + len(body).to_bytes(2) + bytes(4) + body
    )
    await bench.journal.wait_for(lambda e: e["kind"] == "frame" and e["dir"] == "out")

    statuses = [(await bench.send("x" * 400_000))[0] for _ in range(40)]
    dropped = await bench.journal.wait_for(lambda e: e["kind"] == "close", within=WITHIN)

    assert statuses == [201] * 40
    assert dropped["uid"] == bench.bot.uid
    assert not reader.at_eof()
    writer.close()
    await asyncio.gather(writer.wait_closed(), return_exceptions=True)
