"""The page's server over real sockets, with a real bot behind it."""

import asyncio
import base64
import logging
import socket
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from bench.usage import resident_mb
from hangbot.errors import HangbotError
from hangbot.ops.connections import MOST_CONNECTIONS
from hangbot.ops.stream import MOST_STREAMS
from hangbot.ops.token import token_path
from tests.bounds import WITHIN
from tests.cases import cases
from tests.ops.watched import events, watched

HEALTH = ("/livez", "/readyz", "/healthz")
NOTHING = {"ids": ["m-1"]}


async def test_a_page_is_told_all_there_is_and_then_what_is_new(tmp_path: Path) -> None:
    async with watched(tmp_path) as bot, aiohttp.ClientSession(bot.url) as http:
        alice = bot.sandbox.users.add("alice")
        await alice.join()
        await alice.dj()
        async with http.get("/events") as answer:
            told = events(answer)
            kind, first = await anext(told)
            bot.shown.log.add(1.0, "INFO", "hangbot", "[OK] a line")
            (said,) = await bot.shown.bot.say("hello")
            seen: dict[str, Any] = {}
            async for _, news in told:
                seen |= news
                if {"acks", "log"} <= seen.keys() and seen["deliveries"][0]["state"] == "delivered":
                    break

    assert kind == "whole"
    assert set(first) == {"health", "stopping", "room", "queue", "deliveries", "troubles"}
    assert (first["room"]["djs"], first["room"]["artist"]) == (["alice"], "The Sandbox")
    assert first["health"]["bot"] == bot.settings.bot_name
    assert [seen["deliveries"][0][name] for name in ("id", "text", "tier")] == [said.message.id, "hello", 1]
    assert seen["log"] == [[1.0, "INFO", "[OK] a line"]]


async def test_before_the_room_is_joined_and_while_the_bot_stops_the_page_says_so(tmp_path: Path) -> None:
    async with watched(tmp_path, run=False) as bot, aiohttp.ClientSession(bot.url) as http:
        async with http.get("/events") as answer:
            told = events(answer)
            _, first = await anext(told)
            bot.shown.status.stopping()
            async for _, news in told:
                if news.get("stopping"):
                    break
        async with http.get("/readyz") as ready:
            status = ready.status

    assert (first["room"], first["stopping"], status) == (None, False, 503)
    assert first["health"]["waits"] == ["room", "chat", "chat agreement"]


async def test_a_message_that_failed_is_tried_again_by_one_who_has_the_token(tmp_path: Path) -> None:
    async with watched(tmp_path) as bot, aiohttp.ClientSession(bot.url) as http:
        key, other = await bot.fails("hello"), await bot.fails("nobody wants this")
        async with http.get("/events") as answer:
            _, first = await anext(events(answer))
        async with http.post("/outbox/retry", json={"ids": [key]}, headers=bot.mine) as answer:
            retried = await answer.json()
        async with http.post("/outbox/drop", json={"ids": [other]}, headers=bot.mine) as answer:
            dropped = await answer.json()
        await asyncio.wait_for(bot.shown.bot.settled(key), WITHIN)
        states = await bot.state(key), await bot.state(other)
        changes = await bot.changes(2)

    assert {row["id"]: row["state"] for row in first["troubles"]} == {key: "failed", other: "failed"}
    assert "not in this room" in first["troubles"][0]["reason"]
    assert (retried, dropped) == ({"states": {key: "queued"}}, {"states": {other: "dropped"}})
    assert states == ("delivered", "dropped")
    assert changes == [("retry", key), ("drop", other)]


@cases(
    "status headers body",
    ("no token", 401, {"Authorization": ""}, NOTHING),
    ("another one", 401, {"Authorization": "Bearer " + "x" * 32}, NOTHING),
    ("the token as a cookie", 401, {"Authorization": "", "Cookie": "token={token}"}, NOTHING),
    ("another origin", 403, {"Origin": "http://evil.example"}, NOTHING),
    ("another site", 403, {"Sec-Fetch-Site": "cross-site"}, NOTHING),
    ("a name that points here", 403, {"Host": "evil.example"}, NOTHING),
    ("what a form sends", 415, {"Content-Type": "text/plain"}, NOTHING),
    ("an id that is none", 404, {}, {"ids": ["none"]}),
    ("no ids", 409, {}, {"ids": []}),
    ("too many", 409, {}, {"ids": ["m-1"] * 51}),
    ("half a character", 409, {}, {"ids": ["\ud800"]}),
    ("no object", 409, {}, ["m-1"]),
    ("too much", 413, {}, {"ids": ["x" * 5000]}),
)
async def test_who_may_not_changes_nothing(
    tmp_path: Path, status: int, headers: dict[str, str], body: object
) -> None:
    async with watched(tmp_path, run=False) as bot, aiohttp.ClientSession(bot.url) as http:
        await bot.shown.bot.say("hello", key="m-1")
        sent = bot.mine | {name: text.format(token=bot.token) for name, text in headers.items()}
        seen = []
        for path in ("/outbox/retry", "/outbox/drop"):
            async with http.post(path, json=body, headers=sent) as answer:
                seen.append((answer.status, "error" in await answer.json()))
        state = await bot.state("m-1")

    assert seen == [(status, True)] * 2
    assert state == "queued"


async def test_what_waits_is_not_dropped_from_the_page(tmp_path: Path) -> None:
    async with watched(tmp_path, run=False) as bot, aiohttp.ClientSession(bot.url) as http:
        await bot.shown.bot.say("hello", key="m-1")
        async with http.post("/outbox/drop", json=NOTHING, headers=bot.mine) as answer:
            said = await answer.json()
        state = await bot.state("m-1")

    assert (answer.status, state) == (409, "queued")
    assert "m-1 is queued" in said["error"]


@pytest.mark.parametrize("path", ["/", "/events", "/metrics", *HEALTH, "/nothing"])
async def test_a_name_that_points_here_is_answered_nowhere(tmp_path: Path, path: str) -> None:
    async with (
        watched(tmp_path, run=False) as bot,
        aiohttp.ClientSession(bot.url) as http,
        http.get(path, headers={"Host": "evil.example"}) as answer,
    ):
        said = await answer.json()

    assert (answer.status, set(said)) == (403, {"error", "remedy"})


async def test_the_page_loads_nothing_runs_nothing_else_and_is_framed_nowhere(tmp_path: Path) -> None:
    async with (
        watched(tmp_path, run=False) as bot,
        aiohttp.ClientSession(bot.url) as http,
        http.get("/") as answer,
    ):
        page, policy = await answer.text(), answer.headers["Content-Security-Policy"]

    assert "unsafe" not in policy
    assert "default-src 'none'; connect-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "https://" not in page
    assert "http://" not in page.replace("http://www.w3.org/", "")


async def test_a_secret_that_is_said_stands_nowhere_on_the_page(tmp_path: Path) -> None:
    async with watched(tmp_path) as bot, aiohttp.ClientSession(bot.url) as http:
        plain = [bot.sandbox.bot.token, bot.token]
        secrets = [form for secret in plain for form in (secret, quote(secret, safe=""), b64(secret))]
        for secret in secrets:
            bot.shown.log.add(1.0, "INFO", "hangbot", f"a slip: {secret}")
            bot.shown.bot.conditions.red("token", f"a slip: {secret}", f"Hide {secret}.")
            await bot.fails(f"my token is {secret}")
        async with http.get("/events") as answer:
            raw = (await asyncio.wait_for(answer.content.readuntil(b"\n\n"), WITHIN)).decode()
        for path in ("/healthz", "/metrics", "/"):
            async with http.get(path) as answer:
                raw += await answer.text()

    assert raw.count("a slip: <masked>") >= 2
    assert not [secret for secret in secrets if secret in raw]


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode().rstrip("=")


async def test_half_a_request_and_a_connection_too_many_are_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hangbot.ops.connections.SWEEP_EVERY", 0.05)
    monkeypatch.setattr("hangbot.ops.connections.MOST_CONNECTIONS", 2)
    async with watched(tmp_path, run=False) as bot:
        port = int(bot.url.rpartition(":")[2])
        opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        opened[0][1].write(b"GET /livez HT")
        ends = await asyncio.wait_for(
            asyncio.gather(*(reader.read() for reader, _ in opened), return_exceptions=True), WITHIN
        )
        for _, writer in opened:
            writer.transport.abort()

    assert [end == b"" or isinstance(end, ConnectionError) for end in ends] == [True] * 3


async def test_a_body_that_does_not_come_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hangbot.ops.server._BODY_WITHIN", 0.05)
    async with watched(tmp_path, run=False) as bot:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(bot.url.rpartition(":")[2]))
        head = f"POST /outbox/drop HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {bot.token}\r\n"
        writer.write(f"{head}Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{{".encode())
        answer = await asyncio.wait_for(reader.read(), WITHIN)  # until it is hung up on
        writer.close()

    assert answer.startswith(b"HTTP/1.1 408")


async def test_an_open_page_is_told_the_end_when_the_bot_ends(tmp_path: Path) -> None:
    async with aiohttp.ClientSession() as http:
        async with watched(tmp_path) as bot:
            answer = await http.get(f"{bot.url}/events")
            await anext(events(answer))
        rest = await asyncio.wait_for(answer.read(), WITHIN)

    assert rest == b"" or rest.endswith(b"\n\n")
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("hangbot")]


async def test_a_port_that_is_taken_is_one_clear_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        env = {"HANGBOT_STATUS_PORT": str(taken.getsockname()[1])}
        with pytest.raises(HangbotError, match="cannot listen on 127") as refused:
            async with watched(tmp_path, run=False, env=env):
                pass

    assert "Choose another port" in refused.value.remedy


async def test_without_the_extra_health_is_served_and_what_to_install_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("hangbot.ops.port.find_spec", lambda _: None)
    async with watched(tmp_path) as bot, aiohttp.ClientSession(bot.url) as http:
        seen = []
        for path in ("/", *HEALTH):
            async with http.get(path) as answer:
                seen.append(answer.status)

    assert seen == [404, 200, 200, 200]
    assert [record.levelno for record in caplog.records if "hangbot[ops]" in record.message] == [
        logging.WARNING
    ]
    assert not token_path(bot.settings.outbox).exists()


async def test_beyond_this_machine_reading_needs_a_token_and_without_one_nothing_is_opened(
    tmp_path: Path,
) -> None:
    env = {"HANGBOT_STATUS_HOST": "0.0.0.0"}  # noqa: S104  that is what is refused
    with pytest.raises(HangbotError, match="there is no token") as refused:
        async with watched(tmp_path, run=False, env=env):
            pass
    other = tmp_path / "other"
    other.mkdir()
    path = token_path(other / "outbox.sqlite3")
    path.write_text("a-token-that-is-long-enough\n")
    path.chmod(0o600)
    seen = {}
    async with (
        watched(other, run=False, env=env) as bot,
        aiohttp.ClientSession(bot.url.replace("0.0.0.0", "127.0.0.1")) as http,  # noqa: S104  as above
    ):
        for asked in ("/", "/livez", "/events", "/metrics"):
            async with http.get(asked) as answer:
                seen[asked] = answer.status
        async with http.get("/events", headers=bot.mine) as answer:
            with_it = answer.status

    assert str(token_path(tmp_path / "outbox.sqlite3")) in refused.value.remedy
    assert (seen, with_it) == ({"/": 200, "/livez": 200, "/events": 401, "/metrics": 401}, 200)


@pytest.mark.parametrize("trouble", ["read by others", "cannot be written"])
async def test_a_token_that_cannot_be_used_leaves_the_page_readable_and_is_said_once(
    tmp_path: Path, trouble: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = token_path(tmp_path / "outbox.sqlite3")
    if trouble == "read by others":
        path.write_text("a-token-that-is-long-enough\n")
        path.chmod(0o644)
    else:
        monkeypatch.setattr("hangbot.ops.token.secrets.token_urlsafe", lambda _: "t" * 32)
        monkeypatch.setattr("hangbot.ops.token.os.fsync", _full)
    async with watched(tmp_path, run=False) as bot, aiohttp.ClientSession(bot.url) as http:
        async with http.get("/events") as answer:
            read = answer.status
        async with http.post("/outbox/retry", json=NOTHING) as answer:
            changed, said = answer.status, await answer.json()

    assert (read, changed, bot.new_tokens) == (200, 403, [])
    lines = [record.message for record in caplog.records if "the page changes nothing" in record.message]
    assert len(lines) == 1
    assert ("chmod 600" if trouble == "read by others" else "Make room") in lines[0]
    assert said["error"].startswith("this needs the token, and there is none")


def _full(_: int) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.slow
async def test_a_thousand_open_streams_and_readers_that_do_not_read_cost_the_bot_little(
    tmp_path: Path,
) -> None:
    ask = b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    async with watched(tmp_path) as bot:
        port = int(bot.url.rpartition(":")[2])
        tasks, memory = len(asyncio.all_tasks()), resident_mb()
        opened = []
        for _ in range(1000):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
            writer.write(ask)  # and never reads more than fits into the sockets
            opened.append((reader, writer))
        most_tasks = 0
        for number in range(30):
            bot.shown.log.add(float(number), "INFO", "hangbot", "x" * 8000)
            (said,) = await bot.shown.bot.say(f"line {number}")
            end = await asyncio.wait_for(bot.shown.bot.settled(said.message.id), WITHIN)
            assert end.state == "delivered"
            most_tasks = max(most_tasks, len(asyncio.all_tasks()))
            await asyncio.sleep(0.2)
        grown = resident_mb() - memory
        firsts = [await first_line(reader) for reader, _ in opened]
        async with aiohttp.ClientSession(bot.url) as http, http.get("/livez") as alive:
            live = alive.status
        for _, writer in opened:
            writer.transport.abort()
        for _ in range(100):
            if len(asyncio.all_tasks()) <= tasks:
                break
            await asyncio.sleep(0.1)
        left = len(asyncio.all_tasks())

    assert firsts.count("HTTP/1.1 200 OK") <= MOST_STREAMS
    assert set(firsts) <= {"HTTP/1.1 200 OK", "HTTP/1.1 503 Service Unavailable", ""}
    assert live == 200
    assert most_tasks < tasks + 2 * MOST_CONNECTIONS
    assert left <= tasks
    assert grown < 60.0, "a thousand connections of the test's own are in it"


async def first_line(reader: asyncio.StreamReader) -> str:
    try:
        return (await asyncio.wait_for(reader.readline(), WITHIN)).decode().strip()
    except (ConnectionError, ValueError):
        return ""


async def test_a_reader_that_does_not_read_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hangbot.ops.stream.EVERY", 0.01)
    async with watched(tmp_path, run=False) as bot:
        port = int(bot.url.rpartition(":")[2])
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.setblocking(False)  # noqa: FBT003  as sockets have it
            await asyncio.get_running_loop().sock_connect(slow, ("127.0.0.1", port))
            slow.send(b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")

            async with asyncio.timeout(WITHIN):
                while not pages_open():  # noqa: ASYNC110  another task's beginning: no event
                    await asyncio.sleep(0.01)
                number = 0
                while pages_open():
                    number += 1
                    for _ in range(20):
                        bot.shown.log.add(float(number), "INFO", "hangbot", "x" * 8000)
                    await asyncio.sleep(0.02)


def pages_open() -> bool:
    return any(task.get_name() == "hangbot-page" for task in asyncio.all_tasks())


async def test_what_is_no_http_is_refused_and_no_fault_in_the_bots_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with watched(tmp_path) as bot:
        port = int(bot.url.rpartition(":")[2].strip("/"))
        answers = list[bytes]()
        for sent in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\r\n\r\n", b"GET /" + b"a" * 10_000):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(sent)
            answers.append(await asyncio.wait_for(reader.readline(), WITHIN))
            writer.close()

    assert all(answer.split()[1] == b"400" for answer in answers)
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
