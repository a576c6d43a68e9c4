"""Which service is up, and what the journal says of every request that came."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from websockets.asyncio.client import connect

from hangbot.sandbox import Sandbox, open_sandbox
from tests.bounds import WITHIN
from tests.cases import cases

SPEC, ME, EXCHANGE = "/primus/spec", "/v3.0/me", "/api/user-service/comet-chat/user-token"


@pytest_asyncio.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with open_sandbox() as opened:
        yield opened


async def answers(sandbox: Sandbox) -> tuple[object, object, object]:
    """Status of room, chat and gateway, or how a connection fails there."""
    urls = (sandbox.room_url + SPEC, sandbox.chat_url + ME, sandbox.gateway_url + EXCHANGE)
    said: list[object] = []
    async with aiohttp.ClientSession() as http:
        for url in urls:
            try:
                async with http.get(url) as answer:
                    said.append(answer.status)
            except aiohttp.ClientConnectorError:
                said.append("refused")
            except aiohttp.ClientError:
                said.append("cut")
    return said[0], said[1], said[2]


UP = (200, 401, 401)


async def until(
    sandbox: Sandbox, fits: Callable[[tuple[object, object, object]], bool]
) -> tuple[object, object, object]:
    """Ask all three until the answers fit: nothing tells a client that a service is up."""
    async with asyncio.timeout(WITHIN):
        while not fits(said := await answers(sandbox)):
            pass
    return said


# -- restarts


@cases(
    "services down",
    ("all", None, ("refused", "refused", "refused")),
    ("the room", ["room"], ("refused", 401, 401)),
    ("the chat", ["chat"], (200, "cut", 401)),
    ("the gateway", ["gateway"], (200, 401, "cut")),
    ("all on one port", ["gateway", "chat", "chat"], (200, "refused", "refused")),
)
async def test_what_is_down_is_down_until_the_loop_says_so_and_whatever_the_own_clock_says(
    sandbox: Sandbox, services: list[str] | None, down: tuple[object, ...]
) -> None:
    control = sandbox.control_url
    body: dict[str, Any] = {} if services is None else {"services": services}
    async with aiohttp.ClientSession() as http:
        async with http.post(control + "/restart", json={"down_ms": 3_600_000, **body}) as answer:
            assert (answer.status, await answer.json()) == (200, {})
        before = await answers(sandbox)
        async with http.post(control + "/clock", json={"advance_s": 7200}) as answer:
            assert answer.status == 200
        later = await answers(sandbox)
        async with http.post(control + "/restart", json={"down_ms": 1, **body}) as answer:
            assert answer.status == 200

    assert before == later == down
    assert await until(sandbox, lambda said: said == UP) == UP


async def test_the_last_restart_says_when_a_service_is_up_again(sandbox: Sandbox) -> None:
    await sandbox.restart(down_ms=1)
    await sandbox.restart(down_ms=3_600_000, services=["room"])
    alone = await until(sandbox, lambda said: said[1:] == UP[1:])

    await sandbox.restart()

    assert alone == ("refused", 401, 401)
    assert await answers(sandbox) == UP


async def test_a_restart_cuts_the_sockets_of_its_services_and_no_others(sandbox: Sandbox) -> None:
    room = f"{sandbox.room_url.replace('http', 'ws', 1)}/primus?token={sandbox.bot.token}"
    async with (
        connect(room, proxy=None) as in_room,
        connect(sandbox.chat_url.replace("http", "ws", 1), proxy=None) as in_chat,
    ):
        await sandbox.restart(services=["gateway"])
        untouched = (in_room.close_code, in_chat.close_code)
        await sandbox.restart(services=["chat"])
        await asyncio.wait_for(in_chat.wait_closed(), WITHIN)
        still = in_room.close_code
        await sandbox.restart(services=["room"])
        await asyncio.wait_for(in_room.wait_closed(), WITHIN)

    assert (untouched, still) == ((None, None), None)
    assert (in_chat.close_code, in_room.close_code) == (1006, 1006)


async def test_what_the_services_know_survives_a_restart(sandbox: Sandbox) -> None:
    alice = sandbox.users.add("alice")
    await alice.join()
    await alice.say("before")

    await sandbox.restart()

    assert [row["data"]["text"] for row in sandbox.messages] == ["before"]
    assert [user["uuid"] for user in sandbox.state["allUsers"]] == [alice.uid]


async def test_a_sandbox_closes_while_a_service_is_down() -> None:
    async with asyncio.timeout(WITHIN), open_sandbox() as sandbox:
        await sandbox.restart(down_ms=3_600_000, services=["room", "chat"])


async def test_a_bad_restart_restarts_nothing(sandbox: Sandbox) -> None:
    url = f"{sandbox.room_url.replace('http', 'ws', 1)}/primus?token={sandbox.bot.token}"
    async with aiohttp.ClientSession() as http, connect(url, proxy=None) as ws:
        body = {"services": ["room", "radio"]}
        async with http.post(sandbox.control_url + "/restart", json=body) as answer:
            status = answer.status

        assert (status, ws.close_code) == (400, None)


# -- the journal

Ask = Callable[..., Awaitable[dict[str, Any]]]


def head(method: str, target: str, *more: str, version: str = "1.1") -> bytes:
    return "\r\n".join((f"{method} {target} HTTP/{version}", "Host: x", *more, "", "")).encode()


def came(line: str, **more: object) -> dict[str, object]:
    """What is noted of a request, beside the rest."""
    method, path = line.split()
    return {"method": method, "path": path, **more}


JSON, CHUNKED = "Content-Type: application/json", "Transfer-Encoding: chunked"
TWO = b"2\r\n[1\r\n2\r\n,2\r\n1\r\n]\r\n0\r\n\r\n"
THREE, LARGE, LENGTH = "Content-Length: 3", "Content-Length: 10000001", {"malformed": "bad Content-Length"}
KEY = "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg=="
UPGRADE = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", KEY)


def is_request(row: dict[str, Any]) -> bool:
    return (row["kind"], row["dir"]) == ("http", "in")


@pytest.fixture(params=["room", "chat", "gateway"])
def ask(request: pytest.FixtureRequest, sandbox: Sandbox) -> Ask:
    """Send bytes to a service, perhaps hang up in the middle, and give the row of what it says came in."""

    async def asked(raw: bytes, *, hang_up: bool = False) -> dict[str, Any]:
        home = {"room": "/primus", "chat": "/v3.0/x", "gateway": "/api/x"}[request.param]
        port = sandbox.room_port if request.param == "room" else sandbox.http_port
        since = sandbox.journal.last_n
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(raw.replace(b"HOME", home.encode()))
        await writer.drain()
        if hang_up:
            writer.close()
        row = await sandbox.journal.wait_for(is_request, since=since, within=WITHIN)
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)
        assert len(sandbox.journal.events(since=since, dir="in", kind="http")) == 1
        assert row["service"] in {request.param, "chat"}
        return {k: v.replace(home, "HOME") if isinstance(v, str) else v for k, v in row.items()}

    return asked


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "BREW"])
@cases(
    "kind sent shown",
    ("JSON", "application/json", b'{"a": [1]}', {"a": [1]}),
    ("no JSON", "application/json", b'{"a": NaN}', '{"a": NaN}'),
    ("a form", "application/x-www-form-urlencoded", b"a=1", "a=1"),
    ("text", "text/plain", "grün".encode(), "grün"),
    ("of no kind", "", b"{}", "{}"),
    ("bytes", "image/png", b"\x89PNG", "<4 bytes>"),
    ("no body", "", b"", None),
)
async def test_every_request_is_noted(ask: Ask, method: str, kind: str, sent: bytes, shown: object) -> None:
    headers = ([f"Content-Type: {kind}"] if kind else []) + ([f"Content-Length: {len(sent)}"] if sent else [])

    row = await ask(head(method, "HOME/spec?a=%41", *headers) + sent)

    assert (row["method"], row["path"], row["body"]) == (method, "HOME/spec?a=%41", shown)


@cases(
    "raw shown",
    ("a host", head("GET", "http://x:80HOME?x"), came("GET HOME?x", target="http://x:80HOME?x")),
    ("a target for the server", head("OPTIONS", "*"), {"method": "OPTIONS", "path": "*"}),
    ("HTTP/1.0", head("GET", "HOME", version="1.0"), {"path": "HOME", "http": "1.0"}),
    ("in chunks", head("POST", "HOME", JSON, CHUNKED) + TWO, came("POST HOME", body=[1, 2])),
    (
        "an upgrade that is no GET",
        head("POST", "HOME", *UPGRADE, THREE) + b"abc",
        came("POST HOME", body="abc"),
    ),
    ("an upgrade with a body", head("GET", "HOME", *UPGRADE, THREE) + b"abc", came("GET HOME", body="abc")),
    ("too much", head("POST", "HOME", LARGE) + bytes(10_000_001), came("POST HOME", body="<10000001 bytes>")),
    (
        "no length",
        head("POST", "HOME", "Content-Length: x") + b"abc",
        came("POST HOME", body="abc", **LENGTH),
    ),
    ("no host", b"GET HOME HTTP/1.1\r\n\r\n", came("GET HOME", malformed="Missing mandatory Host: header")),
    ("no chunk", head("POST", "HOME", CHUNKED) + b"3\r\nabc\r\nzz\r\n", came("POST HOME", body="abc")),
    ("no HTTP", b"hello\r\n\r\n", {"method": "hello", "path": ""}),
)
async def test_odd_requests_are_noted(ask: Ask, sandbox: Sandbox, raw: bytes, shown: dict[str, Any]) -> None:
    row = await ask(raw)

    assert row | shown == row
    if "malformed" in row:
        (answer,) = sandbox.journal.events(dir="out", kind="http")
        assert (answer["status"], answer["method"]) == (400, row["method"])


@cases(
    "raw shown",
    ("in its body", head("POST", "HOME", "Content-Length: 9") + b"four", came("POST HOME", body="four")),
    ("in its head", head("GET", "HOME?token=secret")[:-2], came("GET HOME?token=<masked>", body=None)),
    ("in its first line", b"GET HOME?token=sec", {"method": "GET", "path": "HOME"}),
    ("before its answer", head("PUT", "HOME"), {"method": "PUT", "path": "HOME"}),
)
async def test_a_cut_request_is_noted_as_far_as_it_came(ask: Ask, raw: bytes, shown: dict[str, Any]) -> None:
    row = await ask(raw, hang_up=True)

    assert row | shown == row
    assert row.get("gone", row["method"] == "PUT")  # which may have been answered before


@pytest.mark.parametrize("service", ["room", "chat"])
async def test_an_upgrade_that_is_none_has_its_answer_there(sandbox: Sandbox, service: str) -> None:
    url = f"{sandbox.room_url}/primus" if service == "room" else sandbox.chat_url
    headers = dict(line.split(": ") for line in UPGRADE) | {"Sec-WebSocket-Version": "7"}
    async with aiohttp.ClientSession() as http, http.get(url, headers=headers) as answer:
        status = answer.status

    assert status == 400
    (told,) = sandbox.journal.events(dir="out", kind="http", service=service)
    assert told["status"] == 400


async def test_what_a_service_that_is_down_is_asked_stands_there(sandbox: Sandbox) -> None:
    await sandbox.restart(down_ms=3_600_000, services=["gateway"])

    async with aiohttp.ClientSession() as http:
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await http.post(sandbox.gateway_url + EXCHANGE, json={"a": 1})

    (asked,) = sandbox.journal.events(service="gateway", dir="in")
    (end,) = sandbox.journal.events(service="gateway", dir="out")
    assert (asked["path"], asked["body"]) == (EXCHANGE, {"a": 1})
    assert (end["kind"], end["deed"]) == ("close", "down")


async def test_a_request_that_fails_is_noted(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object) -> None:
        raise RuntimeError("its fault")

    monkeypatch.setattr(sandbox.gateway.api, "answer", fail)
    async with (
        aiohttp.ClientSession() as http,
        http.post(sandbox.gateway_url + EXCHANGE, json={"a": 1}) as answer,
    ):
        status = answer.status

    rows = sandbox.journal.events(service="gateway")
    assert status == 500
    told = [tuple(map(row.get, ("dir", "method", "body", "status"))) for row in rows]
    assert told == [("in", "POST", {"a": 1}, None), ("out", "POST", "", 500)]


async def test_a_journal_with_every_odd_body_is_json(sandbox: Sandbox) -> None:
    async with aiohttp.ClientSession() as http:
        for body in (b"1e999", b'"\\ud800"', b"[" * 3000, b"\xff", b"9" * 5000):
            async with http.post(
                sandbox.chat_url + ME, data=body, headers={"Content-Type": "application/json"}
            ):
                pass
        async with http.get(sandbox.control_url + "/journal") as answer:
            text = await answer.text()

    def refuse(name: str) -> None:
        raise AssertionError(name)

    rows = json.loads(text, parse_constant=refuse)["events"]
    assert next(row["body"] for row in rows if row["dir"] == "in") == "1e999"
