"""The door of the room socket: addresses, tokens, and what it keeps to itself."""

import asyncio
import json
import logging
from typing import TYPE_CHECKING
from urllib.parse import quote

import aiohttp
import pytest

from hangbot.sandbox import RoomVariants, Sandbox, open_sandbox
from tests.bounds import WITHIN
from tests.cases import cases, rows

if TYPE_CHECKING:
    from tests.sandbox.room.conftest import OpenClient


@cases(
    "query",
    ("no cache buster", "token={token}"),
    ("a cache buster with a counter", "token={token}&_primuscb=Q82yMyf.1"),
    ("in any order", "_primuscb=Q82yMyf&x=%20&token={token}"),
    ("percent-encoded", "token={quoted}"),
)
async def test_a_token_is_in_any_query(sandbox: Sandbox, open_client: "OpenClient", query: str) -> None:
    token = sandbox.bot.token
    quoted = quote(token, safe="").replace(".", "%2E")

    client = await open_client(path="/primus?" + query.format(token=token, quoted=quoted))

    assert "error" not in await client.join()


@pytest.mark.parametrize("path", ["/primus", "/primus?token=", "/primus?token=rubbish"])
async def test_without_a_token_it_stands_and_only_actions_fail(open_client: "OpenClient", path: str) -> None:
    client = await open_client(path=path)

    assert (await client.act("joinRoom"))["error"] == "Unauthorized"
    assert (await client.act("nope"))["error"] == "unknown action or invalid apiVersion"


async def test_the_second_look_at_a_token_and_its_refusal_are_variants(open_client: "OpenClient") -> None:
    trusted = await open_client(recheck_token=False, token_error="no entry")
    unknown = await open_client(token="rubbish", at=trusted.sandbox)

    trusted.sandbox.people.revoke(trusted.sandbox.bot.token)

    assert "error" not in await trusted.join()
    assert (await unknown.act("joinRoom"))["error"] == "no entry"


@rows(
    "path status body",
    ("/primus", 426, "Upgrade Required"),
    ("/primusXYZ/anything", 426, "Upgrade Required"),
    ("/socket.io/?transport=polling", 404, "That file is not found"),
)
async def test_no_upgrade_gets_plain_text(sandbox: Sandbox, path: str, status: int, body: str) -> None:
    async with aiohttp.ClientSession() as http, http.get(sandbox.room_url + path) as answer:
        assert (answer.status, answer.content_type) == (status, "text/plain")
        assert await answer.text() == body


@pytest.mark.parametrize("method", ["POST", "HEAD"])
async def test_only_a_get_becomes_a_connection(sandbox: Sandbox, method: str) -> None:
    asks = {"Upgrade": "websocket", "Connection": "Upgrade"}

    async with (
        aiohttp.ClientSession() as http,
        http.request(method, sandbox.room_url + "/primus", headers=asks) as answer,
    ):
        assert answer.status == 405


async def test_the_spec_is_json_and_can_be_switched_off() -> None:
    answers = []
    for spec in (True, False):
        variants = RoomVariants(spec=spec, ping_interval_s=12.5)
        async with (
            open_sandbox(control=False, variants=variants) as sandbox,
            aiohttp.ClientSession() as http,
            http.get(sandbox.room_url + "/primus/spec") as answer,
        ):
            answers.append((answer.status, answer.content_type, await answer.text()))

    assert answers[0][:2] == (200, "application/json")
    assert json.loads(answers[0][2])["pingInterval"] == 12_500
    assert answers[1][0] == 426


async def test_the_token_reaches_no_log_of_it(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    url = f"{sandbox.room_url}/primus?token={sandbox.bot.token}"

    async with aiohttp.ClientSession() as http, http.ws_connect(url) as ws:
        async with asyncio.timeout(WITHIN):
            await ws.receive()

    assert sandbox.bot.token not in caplog.text
