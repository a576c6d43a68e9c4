"""The recorded sessions against the sandbox: the same requests in, the same shape out."""

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from hangbot.sandbox import Room, RoomVariants, Sandbox, open_sandbox
from tests.bounds import WITHIN

SAMPLES = Path(__file__).parents[1] / "samples"
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
BOT = "11111111-1111-4111-8111-111111111111"
ROOM = "22222222-2222-4222-8222-222222222222"

Row = dict[str, Any]


def rows(name: str) -> list[Row]:
    lines = (SAMPLES / name).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines[1:]]


def cases() -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows("room_cases.jsonl"):
        found.setdefault(row["case"], []).append(row)
    return found


CASES = cases()


def normal(value: Any, names: dict[str, str]) -> Any:  # noqa: ANN401  any JSON value
    """A frame with ids, times and texts that cannot be the same put out of the way."""
    match value:
        case bool():
            return value
        case int() if value > 1_700_000_000_000:
            return "<ms>"
        case str() if UUID.fullmatch(value) and value not in {BOT, ROOM}:
            return "<uuid>"
        case str() if value.startswith(("primus::ping::", "primus::id::")):
            return value.rpartition("::")[0]
        case dict():
            return {
                ("<uuid>" if UUID.fullmatch(key) and key != BOT else key): _named(key, item, names)
                for key, item in value.items()
            }
        case list():
            return [normal(item, names) for item in value]
        case _:
            return value


def _named(key: str, item: Any, names: dict[str, str]) -> Any:  # noqa: ANN401  any JSON value
    return names[key] if key in names else normal(item, names)


def streams(frames: list[Any]) -> tuple[list[Any], list[Any], int]:
    """Responses and room messages in order each, since between the two there is none, and profiles."""
    messages = [f for f in frames if isinstance(f, dict) and f.get("context") == "user"]
    profiles = [
        m for m in messages if isinstance(m["message"], dict) and m["message"]["name"] == "updatedUserData"
    ]
    others = [f for f in frames if f not in messages]
    return others, [m for m in messages if m not in profiles], len(profiles)


class Player:
    """Plays the client's side of a recording, and asks the sandbox for what was done to the lab's server."""

    def __init__(self, sandbox: Sandbox, tokens: dict[int, str]) -> None:
        self.sandbox = sandbox
        self.tokens = tokens
        self.expected: list[Any] = []
        self.got: list[Any] = []
        self.ws: ClientConnection | None = None
        self.conn = 0
        self.sent = 0

    async def play(self, recording: list[Row]) -> None:
        at_ms = 0
        for row in recording:
            await self.use(row.get("conn", 1))
            if "ends" in row:
                await self.end(row)
            elif row["from"] == "client":
                await self.send(row)
            else:
                await self.provoke(row, row["at_ms"] - at_ms)
                await self.receive(row["json"])
            at_ms = row["at_ms"]
        await self.use(0)

    async def use(self, conn: int) -> None:
        if conn == self.conn:
            return
        if self.ws is not None:
            await self.ws.close()
            self.ws = None
        self.conn = conn
        if conn:
            base = self.sandbox.room_url.replace("http", "ws")
            token = self.tokens.get(conn, self.tokens[0])
            self.ws = await connect(f"{base}/primus?token={token}", proxy=None, ping_interval=None)

    async def send(self, row: Row) -> None:
        assert self.ws is not None
        text = row["text"] if "text" in row else json.dumps(row["json"], ensure_ascii=False)
        await self.ws.send(text)
        self.sent += 1

    async def receive(self, expected: Any) -> None:  # noqa: ANN401  any JSON value
        assert self.ws is not None
        self.expected.append(expected)
        self.got.append(json.loads(await asyncio.wait_for(self.ws.recv(), WITHIN)))

    async def provoke(self, row: Row, gap_ms: int) -> None:
        """What the lab's server did of its own accord just before it sent this."""
        frame = row["json"]
        name = frame["message"].get("name") if _has_message(frame) else frame
        done = (
            self.expected[-1]["message"]["name"] if self.expected and _has_message(self.expected[-1]) else ""
        )
        if isinstance(name, str) and name.startswith("primus::ping"):
            await self.find()
            self.sandbox.server.heartbeat.tick()
        elif name == "kickedFromRoom":
            await self.sandbox.kick("user-9", self.room())
        elif name == "roomReset":
            await self.sandbox.reset_room(self.room())
        elif row["case"] == "server-close" if "case" in row else False:
            if name == "primus::server::close" and done != "kickedFromRoom":
                self.sandbox.server.connections[0].end("close_deliberate")
        elif gap_ms >= 250:
            await self.find()
            self.sandbox.clock.advance(gap_ms / 1000)

    def room(self) -> Room:
        room = self.sandbox.rooms.get("room-1")
        assert room is not None
        return room

    async def find(self) -> None:
        await self.sandbox.journal.wait_for(
            lambda _: len(self.sandbox.journal.events(service="room", dir="in", kind="frame")) >= self.sent
        )

    async def end(self, row: Row) -> None:
        if self.ws is None:
            return
        if row["from"] == "server" and row["ends"] == "close":
            if self.expected[-1] != "primus::server::close":
                self.sandbox.server.heartbeat.tick()
            await asyncio.wait_for(self.ws.wait_closed(), WITHIN)
            assert self.ws.protocol.close_rcvd is not None
            assert self.ws.close_code == 1005
        elif row["from"] == "server" and row["case"] == "reconnect-not-rejoined" and row["conn"] == 1:
            self.sandbox.server.disconnect_all()
            await asyncio.wait_for(self.ws.wait_closed(), WITHIN)
            assert self.ws.close_code == 1006
        elif row["from"] == "client":
            await self.ws.close()
        self.ws = None


def _has_message(frame: Any) -> bool:  # noqa: ANN401  any JSON value
    return isinstance(frame, dict) and isinstance(frame.get("message"), dict)


async def test_the_recorded_session_of_the_official_client_replays_frame_by_frame() -> None:
    async with open_sandbox(control=False) as sandbox:
        room = sandbox.add_room("lab-room", "Lab Room", uuid=ROOM)
        room.moderation.update_settings({"roomSize": 50})
        bot = sandbox.users.add("nick-1111", "bot", uid=BOT)
        player = Player(sandbox, {0: bot.token})

        await player.play(rows("room_session.jsonl"))

        names = {"welcome": "<text>"}
        assert normal(player.got, names) == normal(player.expected, names)


def scripted() -> Iterator[Any]:
    plain = RoomVariants()
    variants = {
        "sent-before-welcome": RoomVariants(setup_ms=380),
        "too-many-pending": RoomVariants(action_ms=310),
        "own-userJoined-after": RoomVariants(joiner_in_state=False, own_user_joined=True),
    }
    for name in CASES:
        yield pytest.param(name, variants.get(name, plain), id=name)


@pytest.mark.parametrize(("case", "variants"), list(scripted()))
async def test_a_recorded_case_replays_with_the_same_frames(case: str, variants: RoomVariants) -> None:
    async with open_sandbox(control=False, variants=variants) as sandbox:
        sandbox.rooms.add("lab-room", "Lab Room", uuid="room-1")
        users = {
            uid: sandbox.users.add("nick-user", "bot", uid=uid) for uid in ("user-1", "user-2", "user-9")
        }
        uid = "user-9" if '"user-9"' in json.dumps(CASES[case]) else "user-1"
        tokens = {0: users[uid].token}
        if case == "errors-and-verbs":
            tokens[6] = users["user-2"].token  # the one connection that belongs to nobody in the room
        player = Player(sandbox, tokens)

        await player.play(CASES[case])

        names = {"settings": "<settings>", "welcome": "<text>", "remotePort": "<port>"}
        got, expected = streams(player.got), streams(player.expected)
        for seen, recorded in zip(got, expected, strict=True):
            assert normal(seen, names) == normal(recorded, names)
        assert player.expected
