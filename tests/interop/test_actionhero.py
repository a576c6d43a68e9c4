"""hangbot in rooms on the real stack: npm's actionhero 29 with primus and ws, and profiles that come late."""

import asyncio
import itertools
import uuid
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from hangbot import Bot
from hangbot.config import Settings
from hangbot.factory import open_bot, open_outbox, open_room
from hangbot.hangfm.wire.events import RoomMessage
from hangbot.sandbox import Sandbox
from tests.bounds import WITHIN

if TYPE_CHECKING:
    from tests.interop.conftest import OpenProgram

# The first test of a run waits for npm as well.
pytestmark = [pytest.mark.interop, pytest.mark.timeout(240)]

LATE_MS: Final = (0, 20, 300, 2000)
VOTES_A_SECOND: Final = (0, 1, 10)
SECONDS: Final = 20.0


@dataclass(slots=True)
class Guest:
    """A bot in one of the rooms, and what it heard there."""

    bot: Bot
    heard: list[str] = field(default_factory=list)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def __call__(self, message: RoomMessage) -> None:
        self.heard.append(message.name)
        if message.name == "theEnd":
            self.over.set()


async def test_a_bot_stays_in_busy_rooms_whose_profiles_come_late(
    open_program: "OpenProgram", quiet_sandbox: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cases = {str(uuid.uuid4()): case for case in itertools.product(LATE_MS, VOTES_A_SECOND)}
    server = await open_program("actionhero.mjs", str(tmp_path))
    wanted = [{"uuid": room, "late": late, "votes": votes} for room, (late, votes) in cases.items()]
    url = (await server.do("open", rooms=wanted))["url"]
    await server.do("start")

    async with AsyncExitStack() as stack:
        guests = {room: await guest(stack, quiet_sandbox, url, room, tmp_path) for room in cases}
        await asyncio.sleep(SECONDS)  # so long they live in it
        told = await server.do("stop")
        async with asyncio.timeout(WITHIN):
            await asyncio.gather(*(each.over.wait() for each in guests.values()))

        seen = {cases[room]: outcome(each, told[room]) for room, each in guests.items()}

    assert seen == {case: {"joins": 1, "missed": Counter(), "state": "the room's"} for case in cases.values()}
    assert [row.getMessage() for row in caplog.records if getattr(row, "action", "") == "room_lost"] == []
    busy = [
        Counter(told[room]["heard"]) for room, (_, votes) in cases.items() if votes == max(VOTES_A_SECOND)
    ]
    assert all(heard["votedOnSong"] > 5 * SECONDS and heard["userLeft"] > SECONDS for heard in busy)


async def guest(stack: AsyncExitStack, sandbox: Sandbox, url: str, room: str, folder: Path) -> Guest:
    """Run a bot in a room of that server, its chat on the sandbox."""
    env = {"SOCKET_SERVER_URL": url, "ROOM_UUID": room, "COMETCHAT_RECEIVER": sandbox.room_uuid}
    settings = Settings.from_env(sandbox.env() | env | {"HANGBOT_OUTBOX": str(folder / f"{room}.sqlite3")})
    outbox = await stack.enter_async_context(open_outbox(settings))
    bot = await stack.enter_async_context(open_bot(settings, outbox))
    one = Guest(bot)
    bot._keeper._open_room = lambda _: open_room(settings, on_message=one)
    running = asyncio.create_task(bot.run(), name=f"bot in {room}")

    async def end() -> None:
        bot.stop()
        await running

    stack.push_async_callback(end)
    async with asyncio.timeout(WITHIN):
        await bot.ready()
    return one


def outcome(guest: Guest, told: dict[str, Any]) -> dict[str, Any]:
    """What a bot has of its room, beside what the server told."""
    missed = Counter(told["heard"])
    missed.subtract(Counter(guest.heard))
    state = guest.bot.room.state if guest.bot.room else None
    same = state is not None and state.data == told["state"]
    return {
        "joins": told["joins"],
        "missed": Counter({name: number for name, number in missed.items() if number}),
        "state": "the room's" if same else state and state.data,
    }
