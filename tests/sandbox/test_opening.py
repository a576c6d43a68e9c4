import asyncio
import json
import logging
import re
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import uvloop
from websockets.asyncio.client import ClientConnection, connect

from hangbot.errors import HangbotError, UsageError
from hangbot.sandbox import COMETCHAT, OPENCHAT, Sandbox, open_sandbox
from hangbot.sandbox.chat.rules import ChatRefusal
from hangbot.sandbox.journal import KEPT_EVENTS
from tests.bounds import WITHIN


@pytest_asyncio.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with open_sandbox(control=False) as sandbox:
        yield sandbox


@pytest_asyncio.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as http:
        yield http


def room_socket(sandbox: Sandbox) -> connect:
    url = f"{sandbox.room_url.replace('http', 'ws', 1)}/primus?token={sandbox.bot.token}"
    return connect(url, proxy=None)


async def enter_room(ws: ClientConnection, sandbox: Sandbox) -> None:
    params = {"action": "joinRoom", "roomUuid": sandbox.room_uuid}
    await ws.send(json.dumps({"event": "action", "params": params, "messageId": 1}))
    for _ in range(3):
        await asyncio.wait_for(ws.recv(), WITHIN)


async def listening(sandbox: Sandbox) -> tuple[int, int, int]:
    async with aiohttp.ClientSession() as http:
        statuses = []
        ours = (sandbox.room_url, sandbox.chat_url, sandbox.control_url)
        for url, path in zip(ours, ("/primus/spec", "/v3.0/me", "/state"), strict=True):
            async with http.get(url + path) as answer:
                statuses.append(answer.status)
    return statuses[0], statuses[1], statuses[2]


async def test_an_open_sandbox_listens_on_three_loopback_ports() -> None:
    async with open_sandbox() as sandbox:
        assert await listening(sandbox) == (200, 401, 200)
        assert sandbox.room_url.startswith("http://127.0.0.1:")
        assert sandbox.gateway_url == sandbox.chat_url


def test_it_opens_on_uvloop_too() -> None:
    async def look() -> tuple[tuple[int, int, int], bool]:
        async with (
            asyncio.timeout(WITHIN),
            open_sandbox() as sandbox,
            aiohttp.ClientSession() as http,
            http.ws_connect(sandbox.chat_url + "/ws") as ws,
        ):
            await ws.send_str('{"action":"ping"}')
            return await listening(sandbox), await ws.receive_json() == {"action": "pong"}

    assert uvloop.run(look()) == ((200, 401, 200), True)


async def test_a_closed_sandbox_listens_nowhere() -> None:
    async with open_sandbox() as sandbox:
        urls = (sandbox.room_url, sandbox.chat_url, sandbox.control_url)
        ports = [int(url.rpartition(":")[2]) for url in urls]

    for port in ports:
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)


async def test_the_environment_holds_what_a_bot_cannot_derive() -> None:
    async with open_sandbox(control=False) as openchat, open_sandbox(dialect="cometchat") as cometchat:
        names = set(openchat.env())

        urls = {"OPENCHAT_BASE_URL", "TTFM_GATEWAY_BASE_URL", "SOCKET_SERVER_URL"}
        assert names == {"BOT_USER_TOKEN", "ROOM_UUID", "CHAT_DIALECT"} | urls
        assert set(cometchat.env()) - names == {"COMETCHAT_APPID"}
        assert openchat.control_url == ""


async def test_the_ready_line_has_the_fields_of_the_contract() -> None:
    async with open_sandbox(room_slug="my-room") as sandbox:
        line = sandbox.ready()

        urls, bot = "room_url chat_url gateway_url control_url", "bot_uid bot_token chat_token app_id"
        assert list(line) == f"event {urls} room_uuid room_slug {bot}".split()
        assert line["event"] == "ready"
        assert line["room_slug"] == "my-room"
        assert json.loads(json.dumps(line)) == line


async def test_ten_sandboxes_in_one_process_know_nothing_of_each_other() -> None:
    async def live(number: int) -> tuple[str, int]:
        async with open_sandbox(control=False) as sandbox:
            alice = sandbox.users.add(f"alice-{number}")
            await alice.join()
            await alice.say(str(number))
            return sandbox.messages[0]["data"]["text"], len(sandbox.state["allUsers"])

    lives = await asyncio.gather(*(live(number) for number in range(10)))

    assert lives == [(str(number), 1) for number in range(10)]


async def test_no_secret_is_in_the_representation(sandbox: Sandbox) -> None:
    shown = repr(sandbox) + repr(sandbox.bot) + repr(sandbox.users.get(sandbox.bot.uid))

    assert sandbox.bot.token not in shown


async def test_a_dialect_can_be_given_as_a_value() -> None:
    closed = replace(COMETCHAT, rules=replace(COMETCHAT.rules, public_reads=True), needs_app_id=False)
    async with open_sandbox(control=False, dialect=closed) as sandbox, aiohttp.ClientSession() as http:
        headers = {"authToken": sandbox.bot.chat_token}
        url = f"{sandbox.chat_url}/v3.0/groups/{sandbox.room_uuid}/messages"

        async with http.get(url, headers=headers) as answer:
            status = answer.status

        assert status == 200
        assert sandbox.dialect == sandbox.env()["CHAT_DIALECT"] == "cometchat"


async def test_the_successor_server_speaks_openchat_to_its_clients() -> None:
    async with open_sandbox(control=False, dialect="srechat") as sandbox:
        alice = sandbox.users.add("alice")

        said = await alice.say("hello")

        assert said["muid"]
        assert sandbox.env()["CHAT_DIALECT"] == "openchat"


async def test_the_app_id_has_sixteen_hex_characters_and_the_room_is_the_chat_group(sandbox: Sandbox) -> None:
    assert re.fullmatch(r"[0-9a-f]{16}", sandbox.app_id)
    assert list(sandbox.chat.world.groups) == [sandbox.room_uuid]
    assert sandbox.bot.uid == sandbox.people.by_chat_token(sandbox.bot.chat_token).uid  # type: ignore[union-attr]  # it is the bot's


@pytest.mark.parametrize("dialect", ["openchat", "cometchat"])
async def test_no_chat_token_of_either_look_is_in_the_journal(dialect: str) -> None:
    async with open_sandbox(control=False, dialect=dialect) as sandbox:
        users = [sandbox.users.add(f"user-{number}") for number in range(20)]

        for user in users:
            sandbox.journal.record("chat", "in", "frame", frame=json.dumps({"auth": user.chat_token}))

        shown = json.dumps(sandbox.journal.since(0)[0])
        assert not [user for user in users if user.chat_token in shown]


async def test_a_kick_over_rest_reaches_the_room(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
    moderator = sandbox.users.add("mod", room_role="moderator")
    kick = f"{sandbox.gateway_url}/api/room-service/roomUserRoles/kick-user-from-room"
    async with room_socket(sandbox) as ws:
        await enter_room(ws, sandbox)

        body = {"userUuid": sandbox.bot.uid, "slug": sandbox.room_slug}
        headers = {"Authorization": f"Bearer {moderator.token}"}
        async with http.post(kick, json=body, headers=headers) as answer:
            status = answer.status
        told = [json.loads(await asyncio.wait_for(ws.recv(), WITHIN)) for _ in range(2)]

    assert status == 201
    assert told[0]["message"] == {"name": "kickedFromRoom"}
    assert told[1] == "primus::server::close"


async def test_settings_set_over_rest_are_told(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
    alice = sandbox.users.add("alice")
    await alice.join()
    async with room_socket(sandbox) as ws:
        await enter_room(ws, sandbox)

        rooms = f"{sandbox.gateway_url}/api/room-service/rooms/{sandbox.room_slug}"
        headers = {"Authorization": f"Bearer {sandbox.bot.token}"}
        async with http.patch(rooms, json={"songsPerDj": 2, "explicit": True}, headers=headers) as answer:
            room = await answer.json()
        told = json.loads(await asyncio.wait_for(ws.recv(), WITHIN))["message"]

    paths = {op["path"] for op in told["statePatch"]}
    assert told["name"] == "updatedRoomSettings"
    assert paths == {"/settings/songsPerDj", "/settings/explicit"}
    assert room["songsPerDj"] == sandbox.state["settings"]["songsPerDj"] == 2


async def test_a_dialect_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="openchat"):
        async with open_sandbox(dialect="irc"):
            pass


@pytest.mark.parametrize("which", ["room_port", "http_port", "control_port"])
async def test_a_taken_port_is_named_and_nothing_stays_open(which: str) -> None:
    async with open_sandbox() as first:
        port = first.room_port

        with pytest.raises(HangbotError, match=f":{port}"):
            async with open_sandbox(**{which: port}):  # type: ignore[arg-type]  # a port by any name
                pass


async def test_chosen_ports_are_taken() -> None:
    async with open_sandbox() as first:
        ports = [int(url.rpartition(":")[2]) for url in (first.room_url, first.chat_url, first.control_url)]

    async with open_sandbox(room_port=ports[0], http_port=ports[1], control_port=ports[2]) as second:
        assert second.room_url.endswith(f":{ports[0]}")
        assert await listening(second) == (200, 401, 200)


async def test_the_record_keeps_the_whole_journal_without_secrets(tmp_path: Path) -> None:
    record = tmp_path / "journal.jsonl"
    async with open_sandbox(record=record, control=False) as sandbox:
        async with room_socket(sandbox) as ws:
            await ws.recv()
        token = sandbox.bot.token

    rows: list[dict[str, Any]] = [json.loads(line) for line in record.read_text().splitlines()]
    assert [row["kind"] for row in rows][:3] == ["http", "open", "frame"]
    assert token not in record.read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a device that is always full")
async def test_a_record_whose_disk_is_full_ends_and_the_services_go_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    answers = []

    with pytest.raises(OSError, match=r"No space left on device: '/dev/full'"):
        async with open_sandbox(record="/dev/full") as sandbox:
            answers = [await listening(sandbox), await listening(sandbox)]

    assert answers == [(200, 401, 200)] * 2
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


async def test_a_record_is_written_over_one_of_before_and_over_nothing_else(tmp_path: Path) -> None:
    record, other = tmp_path / "journal.jsonl", tmp_path / "other"
    other.write_text("mine")

    for _ in range(2):
        async with open_sandbox(record=record, control=False) as sandbox:
            sandbox.journal.record("room", "in", "frame", frame="a frame")
    with pytest.raises(UsageError, match="is no record"):
        async with open_sandbox(record=other):
            pass

    assert len(record.read_text().splitlines()) == 1
    assert other.read_text() == "mine"


async def test_the_record_keeps_what_the_journal_has_forgotten(tmp_path: Path) -> None:
    record = tmp_path / "journal.jsonl"
    async with open_sandbox(record=record) as sandbox, aiohttp.ClientSession() as http:
        for number in range(KEPT_EVENTS + 500):
            sandbox.journal.record("room", "in", "frame", frame=str(number))
        answers = []
        for since in (0, 500):
            async with http.get(f"{sandbox.control_url}/journal?since={since}") as answer:
                answers.append(await answer.json())

    numbers = [json.loads(line)["n"] for line in record.read_text().splitlines()]
    assert numbers == list(range(1, KEPT_EVENTS + 501))
    assert [answer["truncated"] for answer in answers] == [True, False]
    assert [len(answer["events"]) for answer in answers] == [KEPT_EVENTS] * 2
    assert answers[0]["events"][0]["n"] == 501


async def test_the_tokens_of_the_thousandth_user_are_masked_too(sandbox: Sandbox) -> None:
    for number in range(1000):
        user = sandbox.users.add(f"user-{number}")

    sandbox.journal.record("room", "in", "http", path=f"/primus?token={user.token}", body=[user.chat_token])
    sandbox.journal.record("room", "in", "frame", frame=json.dumps({"a": user.token, "b": user.chat_token}))

    shown = json.dumps(sandbox.journal.since(0)[0])
    assert user.token not in shown
    assert user.chat_token not in shown


async def test_a_reset_gives_a_fresh_world_on_the_same_ports_with_the_same_tokens(sandbox: Sandbox) -> None:
    env = sandbox.env()
    alice = sandbox.users.add("alice")
    await alice.join()
    await alice.say("before")
    async with room_socket(sandbox) as old:
        await old.recv()
        sandbox.faults.add("room.connect", "refuse")
        sandbox.people.revoke(sandbox.bot.token)

        await sandbox.reset()

        await asyncio.wait_for(old.wait_closed(), WITHIN)

    async with room_socket(sandbox) as ws:
        await ws.recv()
    assert old.close_code == 1006
    assert sandbox.env() == env
    assert sandbox.messages == []
    assert sandbox.state["allUsers"] == []
    assert sandbox.problems() == []
    await alice.join()
    await alice.say("after")
    assert len(sandbox.messages) == 1


async def test_what_is_unused_or_unknown_is_reported(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
    sandbox.faults.add("chat.send", "hang")
    async with http.get(sandbox.chat_url + "/api/nothing-service/at-all"):
        pass

    problems = sandbox.problems()

    assert any("hang on chat.send" in line for line in problems)
    assert any("/api/nothing-service" in line for line in problems)


async def test_actors_do_in_room_and_chat_what_people_do(sandbox: Sandbox) -> None:
    alice, bob = sandbox.users.add("alice"), sandbox.users.add("bob", room_role="moderator")
    await alice.join()
    await bob.join()

    await alice.dj()
    await alice.next_song()
    await bob.vote(like=True)
    await bob.jump()
    await bob.emoji("💜")
    await alice.say("hello")
    await bob.dm(alice.uid, "psst")
    await bob.skip()
    playing = sandbox.state["nowPlaying"]["song"]["trackName"]
    await alice.step_down()
    await bob.leave()

    assert playing == "Song 2"
    assert [row["data"]["text"] for row in sandbox.messages] == ["hello", "psst"]
    assert [user["uuid"] for user in sandbox.state["allUsers"]] == [alice.uid]
    assert sandbox.users.get(alice.uid) is alice


async def test_rooms_show_at_the_gateway_with_all(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
    alice = sandbox.users.add("alice")
    await alice.join()
    await alice.dj()
    headers = {"Authorization": f"Bearer {sandbox.bot.token}"}
    base = f"{sandbox.gateway_url}/api/room-service/rooms"

    async with http.get(f"{base}/uuid/{sandbox.room_uuid}", headers=headers) as answer:
        by_uuid = await answer.json()
    async with http.get(f"{base}/{sandbox.room_slug}", headers=headers) as answer:
        by_slug = await answer.json()

    assert by_uuid["slug"] == sandbox.room_slug
    assert by_slug["usersInRoomUuids"] == [alice.uid]
    assert by_slug["song"]["trackName"] == "Song 1"


async def test_two_rooms_cannot_share_a_name(sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match="already"):
        sandbox.add_room(sandbox.room_slug)


async def test_an_actor_whom_the_chat_does_not_take_is_not_in_the_room_either() -> None:
    full = replace(OPENCHAT, rules=replace(OPENCHAT.rules, group_limit=0))
    async with open_sandbox(control=False, dialect=full) as sandbox:
        ben = sandbox.users.add("ben")

        with pytest.raises(ChatRefusal):
            await ben.join()

        assert ben.uid not in sandbox.room
        assert not sandbox.room.presence.is_held(ben.uid)
