"""Each cause that the protocol can distinguish has its own line, remedy and verdict."""

from __future__ import annotations

import asyncio
import base64
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import pytest

from hangbot.preflight import exit_code, result_lines
from pytest_hangfm.manual_clock import ManualClock
from tests.bounds import WITHIN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from hangbot.sandbox import Sandbox
    from tests.preflight.conftest import Bench

DAY: Final = 86_400
CAUSES: Final = {
    name: text.rstrip()
    for block in (Path(__file__).parent / "samples" / "causes.txt").read_text(encoding="utf-8").split("\n\n")
    for name, _, text in [block.partition("\n")]
}
"""Each cause as an operator sees it; `World.words` fills in what stands in braces."""
NO_ROOM: Final = "00000000-0000-4000-8000-000000000000"


Json: TypeAlias = Any
Arrange: TypeAlias = "Callable[[World], Awaitable[object] | None]"


@dataclass
class World:
    """A sandbox, what is wrong with it, and the settings of a bot in it."""

    sandbox: Sandbox
    changes: dict[str, Any] = field(default_factory=dict)
    clock: ManualClock | None = None
    odd: str = ""
    """Host and port of a server that answers in the chat's place."""

    def fault(self, on: str, do: str = "status", **more: Json) -> None:
        self.sandbox.faults.add(on, do, times=0, **more)

    async def answer_as_chat(self, answer: bytes) -> None:
        """Put a server in the chat's place that gives these bytes to every request."""

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(4096)
            writer.write(answer)
            writer.close()

        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        self.odd = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self.changes["chat_url"] = f"http://{self.odd}"
        self._server = server

    def words(self, template: str) -> str:
        """Fill in what only this run knows."""
        chat, room = (url.partition("://")[2] for url in (self.sandbox.chat_url, self.sandbox.room_url))
        known = {"bot": self.sandbox.bot.uid, "uuid": self.sandbox.room_uuid, "odd": self.odd}
        return template.format(chat=chat, room=room, **known)


@pytest.fixture
async def world(hangfm_sandbox: Sandbox) -> AsyncIterator[World]:
    made = World(hangfm_sandbox)
    yield made
    if made.odd:
        made._server.close()


def settings(**changes: Json) -> Arrange:
    return lambda w: w.changes.update(changes)


def fault(on: str, do: str = "status", **more: Json) -> Arrange:
    return lambda w: w.fault(on, do, **more)


def refusal(on: str, code: str, words: str, status: int = 400) -> Arrange:
    return fault(on, status=status, body={"error": {"code": code, "message": words}})


def answer(status: str, kind: str, body: str) -> Arrange:
    text = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    return lambda w: w.answer_as_chat(text.encode())


def issued(days: float) -> Arrange:
    def arrange(w: World) -> None:
        token = w.sandbox.people.issue(w.sandbox.bot.uid, lifetime_s=days * 86_400)
        w.changes["bot_user_token"] = token

    return arrange


class ClockOff(ManualClock):
    """A clock that is off the sandbox's by as much at every moment, however long the checks take."""

    def __init__(self, sandbox: Sandbox, seconds: float) -> None:
        super().__init__()
        self._sandbox, self._seconds = sandbox, seconds

    def wall(self) -> float:
        return self._sandbox.clock.now_s() + self._seconds


def clock_off(seconds: float) -> Arrange:
    def arrange(w: World) -> None:
        w.clock = ClockOff(w.sandbox, seconds)

    return arrange


def forbidden_for_unknown_reasons(w: World) -> None:
    refusal("chat.join", "ERR_FORBIDDEN", "No.")(w)
    w.fault("chat.group", status=200, body={"data": {"guid": "g", "type": "hidden", "name": "G"}})


async def banned_from_room(w: World) -> None:
    await w.sandbox.ban(w.sandbox.bot.uid)
    await w.sandbox.chat.unban(w.sandbox.bot.uid, w.sandbox.room_uuid)


def room_with_password(w: World) -> None:
    w.sandbox.room.presence.password = "secret"
    w.sandbox.room.state["settings"]["isPasswordProtected"] = True


def room_unknown_to_all_but_the_chat(w: World) -> None:
    w.changes["room_uuid"] = NO_ROOM
    w.sandbox.chat.world.ensure_group(NO_ROOM, "Ghost")


def private_chat(w: World) -> None:
    w.sandbox.chat.world.groups[w.sandbox.room_uuid].type = "private"


def no_chat_of_the_room(w: World) -> None:
    del w.sandbox.chat.world.groups[w.sandbox.room_uuid]


def banned_from_chat(w: World) -> Awaitable[object]:
    return w.sandbox.chat.ban(w.sandbox.bot.uid, w.sandbox.room_uuid)


def joined(**changes: Json) -> Arrange:
    def arrange(w: World) -> None:
        users = [{"uuid": w.sandbox.bot.uid, "tokenRole": "bot", "canDj": True}]
        state = {"allUsers": users, "allUserData": {}, "djs": []} | changes
        now = int(w.sandbox.clock.now_s() * 1000)
        w.fault("room.joinRoom", body={"state": state, "serverTime": now})

    return arrange


def chat_token_of_another(w: World) -> None:
    w.changes["chat_token"] = w.sandbox.users.add("else", uid="else").chat_token


def room_token_of_another(w: World) -> None:
    w.changes["ttfm_api_token"] = w.sandbox.users.add("else", uid="else").token


def unknown_to_both(w: World) -> None:
    claims = json.dumps({"sub": w.sandbox.bot.uid, "role": "bot", "exp": 4_000_000_000}).encode()
    payload = base64.urlsafe_b64encode(claims).decode().rstrip("=")
    w.changes["bot_user_token"] = f"eyJhbGciOiJIUzI1NiJ9.{payload}.c2lnbmF0dXJl"


OTHER_JSON: Final = answer("200 OK", "application/json", '{"ok":true}')
WEB_PAGE: Final = answer("200 OK", "text/html", "<!doctype html><title>Please log in</title>")
GATEWAY: Final = answer("404 Not Found", "application/json", '{"statusCode":404,"message":"Cannot GET"}')
IN_TROUBLE: Final = answer("503 Service Unavailable", "text/plain", "no server is available")
NO_ROUTE: Final = answer("404 Not Found", "application/json", '{"error":{"code":"ERR_ROUTE_NOT_FOUND"}}')

ARRANGE: Final[Mapping[str, Arrange]] = {
    "token.expiry: expired": issued(-2),
    "token.expiry: expiring": issued(3.01),
    "token.expiry: a month": issued(30.01),
    "token.expiry: no expiry": settings(bot_user_token="opaque"),
    "token.expiry: a chat token in its place": settings(bot_user_token=f"auth_{'x' * 43}"),
    "token.expiry: clock years ahead": clock_off(4000 * DAY),
    "token.expiry: clock days behind": clock_off(-30 * DAY),
    "gateway.token: refused": fault("gateway.token", status=401, body={"statusCode": 401, "message": "No."}),
    "gateway.token: a firewall's page": fault("gateway.token", status=403, body="<html>blocked</html>"),
    "gateway.token: in trouble": fault("gateway.token", status=503),
    "gateway.token: no gateway": fault("gateway.token", "garbage"),
    "gateway.token: changed": fault("gateway.token", status=200, body={"token": "?"}),
    "gateway.token: silent": fault("gateway.token", "hang"),
    "chat.server: a web page": WEB_PAGE,
    "chat.server: a gateway": GATEWAY,
    "chat.server: something else": OTHER_JSON,
    "chat.server: in trouble": IN_TROUBLE,
    "chat.server: no such route": NO_ROUTE,
    "chat.server: silent": fault("chat.*", "hang"),
    "chat.token: an old CometChat token": lambda w: w.changes.update(
        chat_token=f"{w.sandbox.bot.uid}_1712345678{'0a' * 12}"
    ),
    "chat.token: dead": settings(chat_token=f"auth_{'x' * 43}"),
    "chat.token: refused although fresh": refusal(
        "chat.me", "ERR_NO_AUTH", "A valid authToken is required.", 401
    ),
    "chat.token: a log-in page": fault("chat.me", status=401, body="<html>log in</html>"),
    "chat.token: cut off": fault("chat.me", "refuse"),
    "chat.uid: token of another": chat_token_of_another,
    "chat.uid: uid of another": settings(chat_uid="else"),
    "chat.uid: another's token from the gateway": fault(
        "chat.me", status=200, body={"data": {"uid": "else"}}
    ),
    "chat.group: unknown room": settings(room_uuid=NO_ROOM),
    "chat.group: slug for uuid": settings(room_uuid="sandbox"),
    "chat.group: wrong receiver": settings(chat_receiver="no-such-group"),
    "chat.group: chat of another Hang.fm": no_chat_of_the_room,
    "chat.member: banned": banned_from_chat,
    "chat.member: banned, by its code": refusal("chat.join", "ERR_BANNED_GROUPMEMBER", "No."),
    "chat.member: private": private_chat,
    "chat.member: full": refusal("chat.join", "ERR_LIMIT_EXCEEDED", "Full."),
    "chat.member: forbidden": forbidden_for_unknown_reasons,
    "chat.member: unknown words": refusal("chat.join", "ERR_FULL_MOON", "Not tonight."),
    "chat.member: the token": refusal("chat.join", "ERR_NO_AUTH", "Who?", 401),
    "chat.history: unreadable": refusal("chat.history", "ERR_NOT_A_MEMBER", "No."),
    "chat.history: garbage": fault("chat.history", "garbage"),
    "room.connect: the token": fault("room.connect", status=401),
    "room.connect: in trouble": fault("room.connect", status=502),
    "room.connect: no room server": fault("room.connect", status=404),
    "room.connect: hangs up": fault("room.welcome", "abort"),
    "room.connect: no welcome": fault("room.welcome", "drop"),
    "room.joined: unknown": room_unknown_to_all_but_the_chat,
    "room.joined: banned": banned_from_room,
    "room.joined: a password": room_with_password,
    "room.joined: its own words": fault("room.joinRoom", body="not today"),
    "room.joined: no answer": fault("room.joinRoom", "hang"),
    "room.joined: token of another": room_token_of_another,
    "clock: ahead": clock_off(50),
    "clock: behind": clock_off(-50),
    "drift: a field changed": joined(nowPlaying="a song"),
    "drift: a field gone": joined(nowPlaying={"song": {}, "startTime": 1}),
    "drift: a field new": joined(mood="blue"),
    "outbox: no folder": settings(outbox=Path("/dev/null/outbox.sqlite3")),
}


@asynccontextmanager
async def patience_runs_out(world: World) -> AsyncIterator[None]:
    """Move the clock by every wait's limit, whenever the sandbox holds an answer back."""

    async def move(clock: ManualClock) -> None:
        seen = 0
        while True:
            row = await world.sandbox.journal.wait_for(lambda row: "fault" in row, since=seen, within=WITHIN)
            seen = row["n"]
            await clock.advance(5)

    holds_back = any(row["do"] in {"hang", "drop"} for row in world.sandbox.faults.list())
    if not holds_back:
        yield
        return
    world.clock = ManualClock(wall=world.sandbox.clock.now_s())
    moving = asyncio.create_task(move(world.clock), name="patience")
    try:
        yield
    finally:
        moving.cancel()
        await asyncio.gather(moving, return_exceptions=True)


@pytest.mark.parametrize("name", CAUSES)
async def test_each_cause_has_its_line_remedy_and_verdict(name: str, world: World, bench: Bench) -> None:
    arranged = ARRANGE[name](world)
    if arranged is not None:
        await arranged
    limits = {"ack_timeout": 5.0, "welcome_timeout": 5.0}

    async with patience_runs_out(world):
        results = await bench.all(clock=world.clock, **(limits | world.changes))

    found = results[name.partition(":")[0]]
    assert list(result_lines(found)) == world.words(CAUSES[name]).splitlines()
    bad = [result for result in results.values() if result.verdict not in {"ok", "skipped"}]
    assert not bad or bad[0] is found, "the first bad line is the one to act on"
    assert exit_code(bad[:1]) == {"rejected": 1, "cannot_tell": 3}.get(found.verdict, 0)


def test_no_two_causes_have_the_same_line() -> None:
    assert CAUSES.keys() == ARRANGE.keys()
    assert len({text.partition("\n")[0] for text in CAUSES.values()}) == len(CAUSES)


@pytest.mark.parametrize(
    ("arrange", "cause"),
    [
        pytest.param(unknown_to_both, "Gateway accepts the bot token", id="a token that both refuse"),
        pytest.param(ARRANGE["token.expiry: expired"], "Bot token is not about to expire", id="expired"),
        pytest.param(ARRANGE["chat.group: unknown room"], "Chat group exists", id="unknown room"),
        pytest.param(ARRANGE["chat.group: slug for uuid"], "Chat group exists", id="slug"),
    ],
)
async def test_a_consequence_is_no_second_cause(
    arrange: Arrange, cause: str, world: World, bench: Bench
) -> None:
    arrange(world)

    results = await bench.all(**world.changes)

    assert [each.title for each in results.values() if each.verdict == "rejected"] == [cause]
    assert results["room.joined"].message == f'because of "{cause}"'


async def test_a_token_of_the_room_is_tried_although_the_bots_is_refused(world: World, bench: Bench) -> None:
    unknown_to_both(world)

    results = await bench.all(ttfm_api_token=world.sandbox.bot.token, **world.changes)

    assert (results["gateway.token"].verdict, results["room.connect"].verdict) == ("rejected", "ok")
