import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import connect

from hangbot.sandbox import Sandbox, open_sandbox
from tests.bounds import WITHIN
from tests.cases import cases


class Api:
    """The control API as a bot's test in another language uses it."""

    def __init__(self, sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
        self.sandbox = sandbox
        self.http = http

    async def call(self, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, Any]:  # noqa: ANN401  any JSON value
        options = more if body is None else {"json": body, **more}
        async with self.http.request(method, self.sandbox.control_url + path, **options) as answer:
            return answer.status, await answer.json()

    async def user(self, nickname: str = "alice", **more: str) -> str:
        status, body = await self.call("POST", "/users", {"nickname": nickname, **more})
        assert status == 200
        return str(body["uid"])


@pytest_asyncio.fixture
async def api() -> AsyncIterator[Api]:
    async with open_sandbox() as sandbox, aiohttp.ClientSession() as http:
        yield Api(sandbox, http)


@pytest_asyncio.fixture
async def alice(api: Api) -> str:
    """A user who is in the room."""
    uid = await api.user()
    await api.call("POST", f"/users/{uid}/join")
    return uid


async def test_a_new_user_gets_an_id_and_tokens_that_work(api: Api) -> None:
    status, body = await api.call("POST", "/users", {"nickname": "alice", "role": "bot"})

    assert status == 200
    assert set(body) == {"uid", "token", "chat_token"}
    person = api.sandbox.people.verify(body["token"])
    assert (person.uid, person.role, person.chat_token) == (body["uid"], "bot", body["chat_token"])


async def test_users_act_as_in_python(api: Api) -> None:
    alice, bob = await api.user("alice"), await api.user("bob")

    answers = [
        await api.call("POST", f"/users/{alice}/join"),
        await api.call("POST", f"/users/{bob}/join", {}),
        await api.call("POST", f"/users/{alice}/dj", {"song": {"trackName": "Mine", "duration": 60}}),
        await api.call("POST", f"/users/{bob}/vote", {"like": True}),
        await api.call("POST", f"/users/{alice}/say", {"text": "hello"}),
        await api.call("POST", f"/users/{bob}/dm", {"to": alice, "text": "psst"}),
        await api.call("POST", f"/users/{bob}/leave"),
    ]
    state = (await api.call("GET", "/state"))[1]["state"]
    messages = (await api.call("GET", "/messages"))[1]["messages"]

    assert [status for status, _ in answers] == [200] * 7
    assert state["nowPlaying"]["song"]["trackName"] == "Mine"
    assert state["voteCounts"]["likes"] == 1
    assert [user["uuid"] for user in state["allUsers"]] == [alice]
    assert [message["data"]["text"] for message in messages] == ["hello", "psst"]


async def test_moderators_time_and_the_service_act_too(api: Api) -> None:
    alice, bob = await api.user("alice"), await api.user("bob")
    for uid in (alice, bob):
        await api.call("POST", f"/users/{uid}/join")
    await api.call("POST", f"/users/{alice}/dj")

    await api.call("POST", "/clock", {"advance_s": 240})
    ended = api.sandbox.state["nowPlaying"]
    await api.call("POST", "/room/kick", {"uid": alice})
    await api.call("POST", "/room/ban", {"uid": bob})
    again = await api.call("POST", f"/users/{bob}/join")

    assert ended is None
    assert api.sandbox.state["allUsers"] == []
    assert again[0] == 400
    assert "banned" in again[1]["error"]


async def test_who_was_banned_is_let_in_again(api: Api, alice: str) -> None:
    await api.call("POST", "/room/ban", {"uid": alice})
    refused = await api.call("POST", f"/users/{alice}/join")

    unbanned = await api.call("POST", "/room/unban", {"uid": alice})
    again = [await api.call("POST", f"/users/{alice}/{act}", body) for act, body in TALK]

    assert (refused[0], unbanned) == (400, (200, {}))
    assert [status for status, _ in again] == [200, 200]


TALK: list[tuple[str, dict[str, str]]] = [("join", {}), ("say", {"text": "hello"})]


async def test_a_moderator_of_the_chat_kicks_bans_and_unbans_in_the_chat_alone(api: Api) -> None:
    alice = await api.user()
    url = f"{api.sandbox.chat_url}/v3.0/groups/{api.sandbox.room_uuid}/members"
    me = {"authtoken": api.sandbox.users.get(alice).chat_token}

    async def join() -> int:
        async with api.http.post(url, headers=me) as answer:
            return answer.status

    await api.call("POST", f"/users/{alice}/join")
    members = api.sandbox.chat.world.group(api.sandbox.room_uuid).members
    kicked = await api.call("POST", "/chat/kick", {"uid": alice}), alice in members, await join()
    banned = await api.call("POST", "/chat/ban", {"uid": alice}), alice in members, await join()
    again = await api.call("POST", "/chat/unban", {"uid": alice}), await join(), alice in members
    harmless = await api.call("POST", "/chat/unban", {"uid": alice})

    assert kicked == ((200, {}), False, 200)
    assert banned[:2] == ((200, {}), False)
    assert banned[2] == 400
    assert again == ((200, {}), 200, True)
    assert harmless == (200, {})
    assert [user["uuid"] for user in api.sandbox.state["allUsers"]] == [alice]


async def test_the_clock_is_read_and_moved(api: Api) -> None:
    before = await api.call("GET", "/clock")
    moved = await api.call("POST", "/clock", {"advance_s": 3600})
    after = await api.call("GET", "/clock")

    assert (before[0], moved) == (200, (200, {}))
    assert after[1]["now_s"] - before[1]["now_s"] == pytest.approx(3600, abs=WITHIN)


async def test_songs_end_on_demand_and_rooms_are_reset(api: Api, alice: str) -> None:
    await api.call("POST", f"/users/{alice}/dj")

    await api.call("POST", "/room/next-song")
    silent = api.sandbox.state["nowPlaying"]
    await api.call("POST", "/room/reset")

    assert silent is None
    assert api.sandbox.state["allUsers"] == []


async def test_a_user_is_forgotten_although_he_is_connected_and_hears_it(api: Api) -> None:
    bot = api.sandbox.bot
    alice = await api.user()
    await api.call("POST", f"/users/{alice}/join")
    async with connect(api.sandbox.room_url.replace("http", "ws") + f"/primus?token={bot.token}") as socket:
        join = {"event": "action", "params": {"action": "joinRoom", "roomUuid": api.sandbox.room_uuid}}
        await socket.send(json.dumps(join))
        async with asyncio.timeout(WITHIN):
            while "updatedUserData" not in await socket.recv():
                pass
            answer = await api.call("POST", "/room/forget", {"uid": bot.uid})
            heard = json.loads(await socket.recv())["message"]

    assert answer == (200, {})
    assert heard["name"] == "userLeft"
    assert f"/allUserData/{bot.uid}" in [step["path"] for step in heard["statePatch"]]
    assert [user["uuid"] for user in api.sandbox.state["allUsers"]] == [alice]


async def test_a_song_is_silenced_and_nobody_is_told(api: Api, alice: str) -> None:
    await api.call("POST", f"/users/{alice}/dj")
    before = api.sandbox.journal.last_n

    answer = await api.call("POST", "/room/silence")

    assert answer == (200, {})
    assert api.sandbox.state["nowPlaying"] is None
    assert api.sandbox.journal.events(since=before, service="room") == []


async def test_calls_about_a_room_name_it(api: Api) -> None:
    other = api.sandbox.add_room("other")
    alice = await api.user()

    await api.call("POST", f"/users/{alice}/join?room={other.uuid}")
    here = (await api.call("GET", "/state"))[1]["state"]
    there = (await api.call("GET", f"/state?room={other.uuid}"))[1]["state"]

    assert here["allUsers"] == []
    assert [user["uuid"] for user in there["allUsers"]] == [alice]
    assert (await api.call("GET", "/state?room=nowhere"))[0] == 404


async def test_faults_are_added_counted_and_taken_away(api: Api) -> None:
    fault = {"on": "chat.me", "do": "status", "status": 503, "times": 2, "body": {"error": "x"}}
    first = (await api.call("POST", "/faults", fault))[1]["id"]
    second = (await api.call("POST", "/faults", {"on": "room.ping", "do": "drop"}))[1]["id"]
    headers = {"authtoken": api.sandbox.bot.chat_token}
    async with api.http.get(api.sandbox.chat_url + "/v3.0/me", headers=headers) as answer:
        status = answer.status

    rows = (await api.call("GET", "/faults"))[1]["faults"]
    removed = await api.call("DELETE", f"/faults/{second}")
    left = (await api.call("GET", "/faults"))[1]["faults"]
    await api.call("DELETE", "/faults")

    assert status == 503
    assert [(row["id"], row["hits"]) for row in rows] == [(first, 1), (second, 0)]
    assert rows[0]["body"] == {"error": "x"}
    assert removed[0] == 200
    assert [row["id"] for row in left] == [first]
    assert api.sandbox.faults.list() == []


async def test_the_journal_is_read_in_pieces(api: Api) -> None:
    url = f"{api.sandbox.room_url.replace('http', 'ws', 1)}/primus?token={api.sandbox.bot.token}"
    async with connect(url, proxy=None) as ws:
        await ws.recv()

    whole = (await api.call("GET", "/journal"))[1]
    rest = (await api.call("GET", f"/journal?since={whole['events'][0]['n']}"))[1]

    assert whole["truncated"] is False
    assert whole["events"][0]["path"].startswith("/primus?token=")
    assert api.sandbox.bot.token not in str(whole)
    assert rest["events"][: len(whole["events"]) - 1] == whole["events"][1:]


async def test_a_restart_and_a_reset_come_back_on_the_same_ports(api: Api) -> None:
    before = api.sandbox.ready()

    restarted = await api.call("POST", "/restart", {"down_ms": 0})
    reset = await api.call("POST", "/reset")

    assert (restarted[0], reset[0]) == (200, 200)
    assert api.sandbox.ready() == before
    async with api.http.get(api.sandbox.room_url + "/primus/spec") as answer:
        assert answer.status == 200


REFUSED = """
POST /users {} 400 nickname is missing
POST /users {"nickname":5} 400 wrong type
POST /users {"nickname":"a","role":"king"} 400 no such role
POST /users {"nickname":"a","extra":1} 400 unknown field
POST /users [] 400 JSON object
POST /users null 400 JSON object
POST /users { 400 no JSON
POST /users/nobody/join {} 404 no user
POST /users/BOT/dance {} 404 cannot dance
POST /users/BOT/say {} 400 text is missing
POST /users/BOT/dm {"to":"nobody","text":"x"} 404 no user
POST /users/BOT/vote {} 400 like is missing
POST /users/BOT/vote {"like":1} 400 wrong type
POST /users/BOT/vote {"like":true} 400 refused
POST /room/kick {"uid":"nobody"} 404 no user nobody
POST /room/kick {} 400 uid is missing
POST /room/unban {"uid":"nobody"} 404 no user
POST /room/forget {} 400 uid is missing
POST /room/forget {"uid":5} 400 wrong type
POST /room/forget {"uid":"nobody"} 404 no user nobody
POST /room/forget {"uid":"","x":1} 400 unknown field
POST /room/forget?room=nowhere {"uid":"BOT"} 404 no room
POST /room/forget {"uid":"BOT"} 404 not in the room
POST /room/silence {"x":1} 400 unknown field
POST /room/silence [] 400 JSON object
POST /room/silence?room=nowhere {} 404 no room
POST /room/silence {} 400 Nothing is playing
POST /chat/kick {"uid":"nobody"} 404 no user
POST /chat/ban {"uid":5} 400 wrong type
POST /chat/ban?room=nowhere {"uid":"BOT"} 404 no room
POST /chat/unban {"uid":"BOT","for":1} 400 unknown field
POST /chat/mute {"uid":"BOT"} 404 Not Found
DELETE /clock - 405 Method Not Allowed
POST /clock {"advance_s":-1} 400 advance_s must be from 0 to 31622400
POST /clock {"advance_s":1e300} 400 advance_s must be from 0 to 31622400
POST /clock {"advance_s":true} 400 wrong type
POST /clock {} 400 advance_s is missing
POST /restart {"down_ms":-5} 400 from 0 to
POST /restart {"services":["room","radio"]} 400 no such service: 'radio'
POST /restart {"services":[]} 400 no service named
POST /restart {"services":"room"} 400 services is of the wrong type
POST /restart {"services":{"room":1}} 400 services is of the wrong type
POST /restart {"services":[["room"]]} 400 no such service
POST /restart {"services":["room"],"down_ms":"5"} 400 down_ms is of the wrong type
POST /restart {"services":["room"],"down_ms":NaN} 400 down_ms must be from 0 to 31622400000
POST /restart {"service":["room"]} 400 unknown field: service
POST /faults {"on":"chat.send"} 400 do is missing
POST /faults {"on":"chat.sned","do":"hang"} 400 no such point
POST /faults {"on":"chat.send","do":"hang","tiems":1} 400 unknown field
DELETE /faults/77 - 404 no fault 77
DELETE /faults/x - 404 no fault x
GET /journal?since=x - 400 number of an event
GET /nowhere - 404 Not Found
PUT /users {} 405 Method Not Allowed
""".strip().splitlines()
"""Call, body, status, and what the refusal says."""


@pytest.mark.parametrize("line", REFUSED)
async def test_what_cannot_be_done_is_refused_in_a_line(api: Api, line: str) -> None:
    method, path, body, status, words = line.replace("BOT", api.sandbox.bot.uid).split(maxsplit=4)

    answer = await api.call(method, path, data=None if body == "-" else body)

    assert answer[0] == int(status)
    assert words in answer[1]["error"]
    assert "\n" not in answer[1]["error"]


@cases(
    "raw headers error",
    ("noise", b"\xff\xfe", {}, "the body is no JSON"),
    ("deep", b"[" * 100_000, {}, "the body is no JSON"),
    ("no gzip", b"x", {"Content-Encoding": "gzip"}, "the body cannot be unpacked"),
)
async def test_a_bad_body_does_nothing(api: Api, raw: bytes, headers: dict[str, str], error: str) -> None:
    assert await api.call("POST", "/reset", data=raw, headers=headers) == (400, {"error": error})


@cases(
    "headers status",
    ("another host", {"Host": "evil.example"}, 403),
    ("a host that looks like loopback", {"Host": "127.0.0.1.evil.example:80"}, 403),
    ("localhost", {"Host": "localhost:5"}, 200),
    ("loopback of IPv6", {"Host": "[::1]:5"}, 200),
    ("another page", {"Origin": "https://evil.example"}, 403),
    ("a page without origin", {"Origin": "null"}, 403),
    ("a local page", {"Origin": "http://localhost:3000"}, 200),
)
async def test_other_hosts_and_pages_are_refused(api: Api, headers: dict[str, str], status: int) -> None:
    answer = await api.call("GET", "/state", headers=headers)

    assert answer[0] == status


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
PATHS = (
    "/users /users/BOT/say /users/BOT/dj /users/BOT/vote /users/BOT/dm /users/%00/join "
    "/room/kick /room/ban /room/unban /chat/kick /chat/ban /chat/unban /room/next-song "
    "/clock /faults /restart /reset"
)
CALLS = st.sampled_from(PATHS.split())
NAMES = "nickname role text to song like uid advance_s on do times after ms status headers body down_ms"
FIELDS = st.sampled_from([*NAMES.split(), "services"])


async def test_no_body_makes_the_control_api_fail(api: Api) -> None:
    import asyncio  # noqa: PLC0415  only here
    import threading  # noqa: PLC0415  only here

    loop = asyncio.get_running_loop()
    done = asyncio.Event()
    failures: list[BaseException] = []

    @settings(max_examples=40, deadline=None)
    @given(path=CALLS, body=st.dictionaries(FIELDS, JSON, max_size=4) | JSON)
    def prod(path: str, body: object) -> None:
        target = path.replace("BOT", api.sandbox.bot.uid)
        call = asyncio.run_coroutine_threadsafe(api.call("POST", target, body), loop)
        assert call.result(WITHIN)[0] in {200, 400, 404}

    def run() -> None:
        try:
            prod()
        except BaseException as exc:  # noqa: BLE001  handed over to the test
            failures.append(exc)
        finally:
            loop.call_soon_threadsafe(done.set)

    thread = threading.Thread(target=run, name="hypothesis")
    thread.start()
    await asyncio.wait_for(done.wait(), WITHIN)
    thread.join(WITHIN)

    assert failures == []
