"""The chat server over real sockets: reading, faults, limits, the journal."""

import asyncio
import json
from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hangbot.sandbox.chat.dialects import COMETCHAT, OPENCHAT
from hangbot.sandbox.chat.rate_limit import RateLimit
from tests.bounds import WITHIN

if TYPE_CHECKING:
    from hangbot.sandbox.chat.rows import Json
    from tests.sandbox.conftest import ChatBench, OpenBench

GARBAGE = "<!doctype html><title>not what you asked for</title>"
JSON_TYPE = {"Content-Type": "application/json"}


async def raw(bench: "ChatBench", data: bytes, *, half_close: bool = False) -> bytes:
    """Write bytes to the port and read until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(bench.url.rpartition(":")[2]))
    try:
        writer.write(data)
        await writer.drain()
        if half_close:
            writer.write_eof()
        async with asyncio.timeout(WITHIN):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


async def test_doubled_slashes_and_both_versions_reach_the_same_calls(bench: "ChatBench") -> None:
    paths = ("/v3/me", "/v3.0/me", "//v3.0/me", "//v3.0//me", "/v3.0/me/")

    answers = [await bench.call("GET", path) for path in paths]

    assert [(status, body["data"]["uid"]) for status, body in answers] == [(200, bench.bot.uid)] * len(paths)


async def test_health_and_the_bare_host_tell_an_openchat_host_from_others(open_bench: "OpenBench") -> None:
    openchat, cometchat = await open_bench(), await open_bench("cometchat")

    healths = [await one.call("GET", "/health") for one in (openchat, cometchat)]
    bare = [await openchat.call("GET", path) for path in ("/", "/ws", "/socket")]

    assert healths[0] == (200, "ok")
    assert healths[1][0] == 404
    assert [status for status, _ in bare] == [426] * 3


async def test_an_unknown_route_is_answered_and_marked_in_the_journal(bench: "ChatBench") -> None:
    await bench.call("GET", "/v3.0/nothing")
    await bench.call("GET", "/nowhere")
    await bench.call("POST", "/api/user-service/nothing")
    await bench.call("GET", "/v3.0/me")

    unknown = bench.journal.events(unknown_route=True)
    assert [(e["service"], e["kind"], e["path"]) for e in unknown] == [
        ("chat", "http", "/v3.0/nothing"),
        ("chat", "http", "/nowhere"),
        ("gateway", "http", "/api/user-service/nothing"),
    ]


async def test_the_journal_holds_requests_and_answers_and_no_token(bench: "ChatBench") -> None:
    await bench.call("PUT", "/v3.0/me", json={"platform": "WEB"}, headers={"resource": "device-1"})
    await bench.call("GET", f"/v3.0/me?authToken={bench.alice.chat_token}")

    asked, answered = bench.journal.events(kind="http")[:2]
    request = {"dir": "in", "method": "PUT", "path": "/v3.0/me", "resource": "device-1", "uid": bench.bot.uid}
    assert asked | request | {"body": {"platform": "WEB"}, "token_in": ["authtoken"]} == asked
    assert (answered["dir"], answered["status"]) == ("out", 200)
    data = json.loads(answered["body"])["data"]
    assert (data["uid"], data["jwt"]) == (bench.bot.uid, "<masked>")
    written = json.dumps(bench.journal.since(0))
    assert not any(person.chat_token in written for person in (bench.bot, bench.alice))


async def test_a_browser_may_ask_first_and_read_every_answer(open_bench: "OpenBench") -> None:
    page = {"Origin": "https://tt.live"}
    asking = page | {"Access-Control-Request-Headers": "authtoken,appid"}
    bench = await open_bench("cometchat")

    async with bench.http.options(bench.url + "/v3.0/me", headers=asking) as preflight:
        allowed = preflight.headers
    await bench.call("GET", "/v3.0/me", headers=page)
    await bench.call("GET", "/v3.0/nothing", headers=page)

    assert preflight.status == 204
    assert allowed["Access-Control-Allow-Headers"] == "authtoken,appid"
    for answer in bench.answers:
        assert answer.headers["Access-Control-Allow-Origin"] == "https://tt.live"
    assert [e["dir"] for e in bench.journal.events(method="OPTIONS")] == ["in", "out"]


async def test_openchat_is_open_to_every_page_but_for_an_empty_500(bench: "ChatBench") -> None:
    async with bench.http.options(bench.url + "/nothing") as preflight:
        bench.answers.append(preflight)
    await bench.call("GET", "/v3.0/me")
    await bench.call("GET", "/v3.0/nothing", headers={"Origin": "https://evil.example"})
    crashed, _ = await bench.call("POST", "/v3.0/messages", data="{", headers=JSON_TYPE)

    *others, last = (answer.headers.get("Access-Control-Allow-Origin") for answer in bench.answers)
    assert (preflight.status, crashed) == (204, 500)
    assert others == ["*"] * 3
    assert last is None


FORM = {"Content-Type": "multipart/form-data; boundary=b"}
FIELD = b'--b\r\nContent-Disposition: form-data; name="a"\r\nContent-Type: text/plain; charset=no\r\n\r\nx'
UNKNOWN_ENCODING = FIELD + b"\r\n--b--"


@pytest.mark.parametrize(
    ("data", "headers", "openchat", "cometchat"),
    [
        pytest.param(b'{"receiver":', JSON_TYPE, 500, 400, id="malformed JSON"),
        pytest.param(b"\xff\xfe", JSON_TYPE, 500, 400, id="no UTF-8"),
        pytest.param(b"NaN", JSON_TYPE, 500, 400, id="no JSON number"),
        pytest.param(b'{"receiver": 1e999}', JSON_TYPE, 500, 400, id="a number too large"),
        pytest.param(b"[" * 100_000, JSON_TYPE, 500, 400, id="brackets without end"),
        pytest.param(b"{}", {"Content-Type": "text/plain"}, 500, 400, id="a wrong content type"),
        pytest.param(b"x" * 10_000_001, JSON_TYPE, 500, 413, id="more than 10,000,000 bytes"),
        pytest.param(b"", JSON_TYPE, 400, 400, id="an empty body"),
        pytest.param(b"{}", JSON_TYPE | {"Content-Encoding": "gzip"}, 500, 400, id="no gzip"),
        pytest.param(UNKNOWN_ENCODING, FORM, 500, 400, id="a form in no encoding"),
    ],
)
async def test_a_body_that_cannot_be_used_is_answered_and_nothing_stored(
    open_bench: "OpenBench", data: bytes, headers: dict[str, str], openchat: int, cometchat: int
) -> None:
    for dialect, expected in (("openchat", openchat), ("cometchat", cometchat)):
        bench = await open_bench(dialect)

        status, body = await bench.call("POST", "/v3.0/messages", data=BytesIO(data), headers=headers)

        assert status == expected
        assert body == "" if expected == 500 else body["error"]["code"]
        assert bench.texts == []


async def test_forms_are_read_as_the_sdk_sends_media(bench: "ChatBench") -> None:
    form = {
        "receiver": "room",
        "receiverType": "group",
        "type": "image",
        "data": json.dumps({"text": "a picture"}),
    }
    with aiohttp.MultipartWriter("form-data") as parts:
        for name, value in form.items():
            parts.append(value).set_content_disposition("form-data", name=name)
        file = parts.append(b"\x89PNG", {"Content-Type": "image/png"})
        file.set_content_disposition("form-data", name="files[]", filename="a.png")

    status, body = await bench.call("POST", "/v3.0/messages", data=parts)
    plain, _ = await bench.call("POST", "/v3.0/messages", data=form)

    assert (status, plain) == (201, 201)
    assert body["data"]["type"] == "image"
    assert bench.texts == ["a picture", "a picture"]


async def test_a_path_longer_than_any_server_takes_is_refused(bench: "ChatBench") -> None:
    status, _ = await bench.call("GET", "/v3.0/" + "x" * 100_000)

    assert status in (400, 414)
    assert (await bench.call("GET", "/v3.0/me"))[0] == 200


# -- faults


@pytest.mark.parametrize("deed", ["refuse", "cut_before_store", "cut_after_store"])
async def test_a_cut_connection_stores_or_does_not_as_it_says(bench: "ChatBench", deed: str) -> None:
    fault = bench.faults.add("chat.send", deed)

    with pytest.raises(aiohttp.ClientConnectionError):
        await bench.send("lost")
    await bench.send("next")

    stored = ["lost", "next"] if deed == "cut_after_store" else ["next"]
    assert bench.texts == stored
    assert [e["deed"] for e in bench.journal.events(fault=fault.id, dir="out")] == [deed]


@pytest.mark.parametrize(
    ("fault", "answer"),
    [
        pytest.param(
            {"do": "status", "status": 429, "body": {"error": "no"}}, (429, {"error": "no"}), id="JSON"
        ),
        pytest.param({"do": "status", "body": "<h1>Bad</h1>"}, (503, "<h1>Bad</h1>"), id="a text"),
        pytest.param({"do": "status"}, (503, ""), id="nothing"),
        pytest.param({"do": "garbage"}, (200, GARBAGE), id="garbage"),
        pytest.param({"do": "garbage", "body": {"other": 1}}, (200, '{"other":1}'), id="another JSON"),
    ],
)
async def test_an_answer_in_the_place_of_the_services_stores_nothing(
    bench: "ChatBench", fault: dict[str, "Json"], answer: tuple[int, "Json"]
) -> None:
    bench.faults.add("chat.send", headers={"Retry-After": "soon"}, **fault)

    assert await bench.send("refused") == answer
    assert bench.answers[0].headers["Retry-After"] == "soon"
    assert bench.texts == []


@pytest.mark.parametrize("ends", ["its client goes", "the sandbox closes"])
async def test_a_request_that_hangs_stores_nothing(bench: "ChatBench", ends: str) -> None:
    bench.faults.add("chat.send", "hang")
    sending = asyncio.create_task(bench.send("never"), name="a hanging send")
    await bench.journal.wait_for(lambda e: e["dir"] == "in" and "fault" in e)

    if ends == "its client goes":
        sending.cancel()
    else:
        bench.service.close()

    with pytest.raises((asyncio.CancelledError, aiohttp.ClientConnectionError)):
        await sending
    await bench.send("next")
    assert bench.texts == ["next"]


@pytest.mark.parametrize(
    ("fault_ms", "method", "path", "stored"),
    [
        pytest.param(60_000, "POST", "/v3.0/messages", ["slow"], id="an answer that a fault delays"),
        pytest.param(None, "GET", "/v3.0/users/alice/messages", [], id="direct history: 600 ms"),
    ],
)
async def test_a_late_answer_was_stored_at_once_and_waits_for_the_sandboxs_clock(
    bench: "ChatBench", fault_ms: int | None, method: str, path: str, stored: list[str]
) -> None:
    if fault_ms is not None:
        bench.faults.add("chat.send", "delay", ms=fault_ms)
    line = {"receiver": "room", "receiverType": "group", "data": {"text": "slow"}}

    asking = asyncio.create_task(bench.call(method, path, json=line), name="a slow call")
    await bench.journal.wait_for(lambda e: e["dir"] == "in" and e["kind"] == "http")
    before = (list(bench.texts), bench.journal.events(dir="out"))
    bench.clock.advance((fault_ms or 600) / 1000)
    async with asyncio.timeout(WITHIN):
        status, _ = await asking

    assert before == (stored, [])
    assert status in (200, 201)


async def test_a_request_whose_client_went_before_its_body_was_whole_is_not_stored(
    bench: "ChatBench",
) -> None:
    head = f"POST /v3.0/messages HTTP/1.1\r\nHost: x\r\nauthtoken: {bench.bot.chat_token}\r\n"
    head += "Content-Type: application/json\r\nContent-Length: 500\r\n\r\n"

    await raw(bench, head.encode() + b'{"receiver":"room"', half_close=True)

    assert bench.texts == []
    assert (await bench.send("next"))[0] == 201


@pytest.mark.parametrize(
    ("point", "method", "path"),
    [
        ("chat.me", "GET", "/v3.0/me"),
        ("chat.group", "GET", "/v3.0/groups/room"),
        ("chat.join", "POST", "/v3.0/groups/room/members"),
        ("chat.lookup", "GET", "/v3.0/user/messages/m"),
        ("chat.history", "GET", "/v3.0/groups/room/messages"),
        ("chat.*", "GET", "/v3.0/conversations"),
        ("gateway.token", "GET", "/api/user-service/comet-chat/user-token"),
        ("gateway.*", "GET", "/api/user-service/users/profile"),
    ],
)
async def test_a_fault_hits_its_point_as_often_as_told(
    bench: "ChatBench", point: str, method: str, path: str
) -> None:
    headers = {"Authorization": f"Bearer {bench.bot.token}"}
    fault = bench.faults.add(point, "status", status=599, times=2, after=1)
    await bench.send("passes elsewhere") if not point.endswith("*") else None

    statuses = [(await bench.call(method, path, headers=headers))[0] for _ in range(4)]

    assert [status == 599 for status in statuses] == [False, True, True, False]
    assert bench.faults.hits(fault.id) == 2


# -- limits


async def test_cometchat_counts_requests_and_says_how_long_to_wait(open_bench: "OpenBench") -> None:
    bench = await open_bench("cometchat")
    bench.service.limiter.limit = RateLimit(per_minute=2)

    statuses = [(await bench.call("GET", "/v3.0/me"))[0] for _ in range(3)]
    bench.clock.advance(60)
    later, _ = await bench.call("GET", "/v3.0/me")

    assert statuses == [200, 200, 429]
    assert later == 200
    first, last = bench.answers[0].headers, bench.answers[2].headers
    assert (first["X-Rate-Limit"], first["X-Rate-Limit-Remaining"]) == ("2", "1")
    assert (last["Retry-After"], last["X-Rate-Limit-Remaining"]) == ("15", "0")
    assert int(last["X-Rate-Limit-Reset"]) > bench.clock.now_s() - 61


async def test_in_front_of_openchat_a_proxy_limits_with_html(bench: "ChatBench") -> None:
    bench.service.limiter.limit = RateLimit(per_minute=0, retry_after=None)

    status, body = await bench.send("too much")

    assert (status, body.startswith("<html>")) == (429, True)
    assert "Retry-After" not in bench.answers[-1].headers
    assert bench.texts == []


# -- people


async def test_what_people_do_is_seen_like_what_clients_do(
    either_dialect: str, open_bench: "OpenBench"
) -> None:
    bench = await open_bench(either_dialect)
    await bench.call("POST", "/v3.0/groups/room/members", json={})

    said = await bench.service.say(bench.alice, "room", "hello")
    await bench.service.dm(bench.alice, bench.bot.uid, "psst")
    await bench.service.leave(bench.alice, "room")
    _, listed = await bench.call("GET", "/v3.0/groups/room/messages")

    assert said["metadata"]["chatMessage"]["userName"] == "alice"
    assert [row["data"]["text"] for row in listed["data"]] == ["hello"]
    assert bench.texts == ["hello", "psst"]
    assert list(bench.service.world.groups["room"].members) == [bench.bot.uid]


async def test_after_a_kick_or_a_ban_cometchat_wants_a_join(open_bench: "OpenBench") -> None:
    bench = await open_bench("cometchat")
    await bench.service.join(bench.bot, "room")
    await bench.service.kick(bench.bot.uid, "room")

    kicked, _ = await bench.send("hello?")
    joined, _ = await bench.call("POST", "/v3.0/groups/room/members", json={})
    await bench.service.ban(bench.bot.uid, "room")
    banned, body = await bench.call("POST", "/v3.0/groups/room/members", json={})

    assert (kicked, joined) == (401, 200)
    assert (banned, body["error"]["code"]) == (403, "ERR_BANNED_GROUPMEMBER")


async def test_a_reset_forgets_messages_and_groups_and_keeps_tokens(bench: "ChatBench") -> None:
    await bench.send("before")

    bench.service.reset()
    bench.service.world.ensure_group("room", "Room")

    assert bench.texts == []
    assert (await bench.send("after"))[0] == 201


async def test_a_dialect_can_be_varied_in_single_manners(open_bench: "OpenBench") -> None:
    closed = replace(OPENCHAT, rules=replace(OPENCHAT.rules, public_reads=False))
    bench = await open_bench(closed)

    status, body = await bench.call("GET", "/v3.0/groups/room/messages")

    assert (status, body["error"]["code"]) == (400, "ERR_NOT_A_MEMBER")
    assert replace(COMETCHAT, send_status=201).send_status == 201


# -- whatever a client sends


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    data=st.binary(max_size=200)
    | st.sampled_from(
        [
            b"GET / HTTP/9.9\r\n\r\n",
            b"\r\n" * 50,
            b"POST /v3.0/messages HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        ]
    )
)
async def test_random_bytes_neither_stop_the_server_nor_disturb_others(
    bench: "ChatBench", data: bytes
) -> None:
    await raw(bench, data, half_close=True)

    assert (await bench.call("GET", "/v3.0/me"))[0] == 200


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    path=st.text(st.characters(codec="latin-1"), max_size=30),
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "BREW"]),
    body=st.binary(max_size=40),
    prefix=st.sampled_from(
        ["/", "/v3.0/", "/api/", "/v3.0/messages/", "/v3.0/groups/%", "/api/room-service/rooms/"]
    ),
)
async def test_no_path_and_no_method_makes_an_unhandled_exception(
    bench: "ChatBench", path: str, method: str, body: bytes, prefix: str
) -> None:
    status, answer = await bench.call(method, prefix + path.replace("\\", ""), data=body, headers=JSON_TYPE)

    assert status != 500 or answer == ""
    assert bench.service.world.groups["room"].name == "Room"
