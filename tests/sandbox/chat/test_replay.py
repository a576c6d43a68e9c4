"""Recorded traffic of a local OpenChat build, replayed against the sandbox.

`chat_openchat.jsonl` holds what members, moderators, owners, outsiders, kicked and banned users asked for,
world by world (`recorded` says how). `chat_probe.jsonl` holds calls shaped like those of public
bots, `chat_sdk.jsonl` those of the unmodified JavaScript SDK 4.2.0. A line of these two is either a call
(`ask`, `answer`) or a frame on a user's socket (`way` in: from the client; out: what he must see);
`at` is the second it was recorded in. Ids and times are compared as they are: the clock and the
counters are set to the recorded ones. Tokens are compared as being there; of settings, which fields
there are.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from hangbot.redact import Redactor
from hangbot.sandbox.chat.dialects import OPENCHAT
from hangbot.sandbox.chat.request import LARGEST_BODY
from hangbot.sandbox.chat.server import ChatService
from hangbot.sandbox.clock import SandboxClock
from hangbot.sandbox.faults import Faults
from hangbot.sandbox.injector import FaultInjector
from hangbot.sandbox.journal import Journal
from hangbot.sandbox.people import People
from hangbot.web.serve import serve_http
from tests.bounds import WITHIN
from tests.sandbox.chat.recorded import Player, Server, worlds

SAMPLES = Path(__file__).parents[1] / "samples"
TOKENS = ("authToken", "fat", "jwt", "auth")
APP_ID = "testapp"


def steps(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (SAMPLES / name).read_text().splitlines()]


def comparable(value: Any) -> Any:  # noqa: ANN401  any JSON value
    """Take out what cannot be equal: tokens, and the values of settings."""
    if isinstance(value, dict):
        return {
            name: "<masked>"
            if name in TOKENS and part
            else sorted(part)
            if name == "settings"
            else comparable(part)
            for name, part in value.items()
        }
    return [comparable(part) for part in value] if isinstance(value, list) else value


class Replay:
    """A chat service whose clock stands where the recording's stood, and its users' sockets."""

    def __init__(self, service: ChatService, people: People, http: aiohttp.ClientSession, url: str) -> None:
        self.service = service
        self.people = people
        self.http = http
        self.url = url
        self.sockets: dict[str, aiohttp.ClientWebSocketResponse] = {}

    async def ask(self, by: str, ask: dict[str, Any]) -> tuple[int, Any]:
        headers = dict(ask.get("headers", {}))
        person = self.people.find(by)
        token = person.chat_token if person else "a token that nobody issued"
        if ask.get("token_in") == "bearer":
            headers["Authorization"] = f"Bearer {token}"
        elif by not in ("admin", "nobody"):
            headers["authToken"] = token
        if "apikey" in ask:
            headers["apikey"] = self.service.api_key if ask["apikey"] == "good" else "an app id"
        data = json.dumps(ask["json"]) if "json" in ask else ask.get("raw")
        if data is not None:
            headers["Content-Type"] = "application/json"
        async with self.http.request(
            ask["method"], self.url + ask["path"], headers=headers, data=data
        ) as answer:
            raw = await answer.text()
            return answer.status, json.loads(raw) if raw else ""

    async def say(self, who: str, frame: Any) -> None:  # noqa: ANN401  any JSON value
        if who not in self.sockets:
            self.sockets[who] = await self.http.ws_connect(self.url + "/")
        if isinstance(frame, dict) and frame.get("type") == "auth":
            person = self.people.find(who)
            frame = {**frame, "body": {**frame["body"], "auth": person.chat_token if person else "wrong"}}
        await self.sockets[who].send_str(frame if isinstance(frame, str) else json.dumps(frame))

    async def hear(self, who: str) -> Any:  # noqa: ANN401  any JSON value
        async with asyncio.timeout(WITHIN):
            return await self.sockets[who].receive_json()


OpenReplay = Callable[[Callable[[], float]], Coroutine[Any, Any, Replay]]


@pytest_asyncio.fixture
async def open_replay() -> AsyncIterator[OpenReplay]:
    """Open a service on a clock that shows what it is told."""
    async with AsyncExitStack() as stack:

        async def open_one(now: Callable[[], float]) -> Replay:
            start = now()
            clock = SandboxClock(wall_s=lambda: start, monotonic_s=now)
            redactor = Redactor()
            people, faults = People(clock.now_s, redactor.add), Faults()
            journal = Journal(clock.now_ms, redactor)
            # On a clock that stands still nobody would ever see the end of 600 ms.
            dialect = replace(OPENCHAT, direct_history_delay_s=0.0)
            service = ChatService(
                people, FaultInjector(faults, clock), journal, clock, dialect=dialect, app_id=APP_ID
            )
            stack.callback(clock.close)
            port = await serve_http(stack, service.handle, 0, largest_body=LARGEST_BODY, now_s=time.time)
            stack.callback(service.close)
            http = await stack.enter_async_context(aiohttp.ClientSession())
            return Replay(service, people, http, f"http://127.0.0.1:{port}")

        yield open_one


async def play(replay: Replay, lines: list[dict[str, Any]], set_clock: Callable[[float], None]) -> None:
    """Play a recording, and compare every answer and every frame.

    A frame that the server pushed stands in the recording before or after the call that
    caused it, as the network brought it; so the frames of a step are compared after its calls.
    """
    for step, group in groupby(lines, key=lambda line: line["step"]):
        due: list[dict[str, Any]] = []
        for line in group:
            set_clock(line["at"])
            if line.get("way") == "out":
                due.append(line)
            elif line.get("way") == "in":
                await replay.say(line["socket"], line["frame"])
                # An auth frame must have been read before a call may push to its sender.
                if isinstance(line["frame"], dict) and line["frame"].get("type") == "auth":
                    assert (await replay.hear(line["socket"]))["type"] == "auth", step
            else:
                await answered_as_recorded(replay, step, line)
        for line in due:
            if line["frame"].get("type") != "auth":
                assert comparable(await replay.hear(line["socket"])) == comparable(line["frame"]), step


async def answered_as_recorded(replay: Replay, step: str, line: dict[str, Any]) -> None:
    status, body = await replay.ask(line["ask"]["by"], line["ask"])

    assert status == line["answer"]["status"], (step, body)
    if "body" in line["answer"]:
        assert comparable(body) == comparable(line["answer"]["body"]), step


async def test_calls_of_public_bots_are_answered_as_recorded(open_replay: OpenReplay) -> None:
    lines = steps("chat_probe.jsonl")
    second = [float(lines[0]["at"])]
    replay = await open_replay(lambda: second[0])
    world = replay.service.world
    for uid in ("bot", "peer", "mod"):
        replay.people.add(uid.title(), uid=uid, role="user")
        world.ensure_user(uid, uid.title())
    world.ensure_group("room")
    world.ensure_group("secret", kind="private")
    world.ensure_group("pw", kind="password", password="sesame")
    world.ensure_group("banroom").banned.add("bot")

    await play(replay, lines, lambda at: second.__setitem__(0, at))

    assert len(lines) > 150


async def test_calls_and_frames_of_the_official_sdk_are_answered_as_recorded(open_replay: OpenReplay) -> None:
    lines = steps("chat_sdk.jsonl")
    second = [float(lines[0]["at"])]
    replay = await open_replay(lambda: second[0])
    world = replay.service.world
    for uid in ("bot", "peer"):
        replay.people.add(uid, uid=uid, role="user")
        world.ensure_user(uid, uid)
    world.ensure_group("room-guid", "Room")
    # The recorded server had been at work before: its counters stood here.
    world.store.start_counting_from(49)
    replay.service.world.reactions.start_counting_from(4)

    await play(replay, lines, lambda at: second.__setitem__(0, at))

    assert len(lines) > 60


WORLDS = worlds()
RESIDENTS = {name.lower(): f"{name} Example" for name in ("Alice", "Bob", "Carol")} | {"system": "System"}
"""Whom the recorded server had of its own (its development configuration), beside a group `lobby`."""


@pytest.mark.parametrize("world", WORLDS)
async def test_every_call_and_frame_of_a_world_is_answered_as_openchat_did(
    open_replay: OpenReplay, world: str
) -> None:
    seconds = [1_800_000_000.0]

    async def open_server() -> Server:
        replay = await open_replay(lambda: seconds[0])
        for uid, name in RESIDENTS.items():
            replay.service.world.ensure_user(uid, name)
        replay.service.world.ensure_group("lobby", "Lobby")
        return Server(replay.service, replay.http, replay.url)

    player = Player(open_server, lambda s: seconds.__setitem__(0, seconds[0] + s))

    differences = await player.differences(WORLDS[world])

    assert not differences, f"{differences[0]} (and {len(differences) - 1} more)"


def test_the_recording_is_whole() -> None:
    steps = [line for lines in WORLDS.values() for line in lines[1:] if not line.get("seed")]

    assert len(WORLDS) == 31
    assert len(steps) == 1811
