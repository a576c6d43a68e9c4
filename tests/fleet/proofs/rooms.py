"""The rooms of a fleet on one sandbox: a bot and a user in each, the folder of files, and who does what."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hangbot.config import Settings
from hangbot.config.envfile import quoted
from hangbot.fleet.keys import room_key
from hangbot.sandbox import Actor, Room, Sandbox, open_sandbox
from hangbot.sandbox.gateway.call import is_for_gateway
from hangbot.sandbox.services import ServiceName
from tests.fleet.proofs.acts import WORKER, Acts

__all__ = ["APP", "NOT_THERE", "FleetRoom", "FleetRooms", "open_rooms"]

NOT_THERE: Final = "127.0.0.1:9"
"""A server that files and workers name alike, each beside its own ways to the servers: so it is one fleet."""

APP: Final = """
from contextlib import suppress

from hangbot import App, ChatMessage, Context, HangbotError

app = App("quiz", builtins=False)


@app.on(ChatMessage)
async def question(ctx: Context, message: ChatMessage) -> None:
    word, _, number = (message.text or "").partition(" ")
    if word != "ask":
        return
    await ctx.store.set("answered", await ctx.store.get("answered", 0) + 1)
    await ctx.reply(f"answers {number}")
    with suppress(HangbotError):  # it may not be in the room yet, or not be permitted to act
        await ctx.animate()
"""
"""What every worker runs: it answers each question once, counts, and jumps."""
_LARGEST: Final = 1024 * 1024
_HISTORY: Final = 200_000


@dataclass(frozen=True, slots=True)
class FleetRoom:
    """One of them.

    Attributes:
        name: The stem of its file.
        key: In the cluster.
        file: Its configuration.
        room: The sandbox's.
        asker: A user in it.
    """

    name: str
    key: str
    file: Path
    room: Room
    asker: Actor


class FleetRooms:
    """All of them.

    Attributes:
        sandbox: Where they are.
        folder: Their files, and the app beside them.
        acts: What workers did.
        room_port: Where the room socket listens for workers.
        chat_port: Where chat and gateway do.
        every: The rooms.
    """

    def __init__(self, sandbox: Sandbox, folder: Path, acts: Acts) -> None:
        self.sandbox = sandbox
        self.folder = folder
        self.acts = acts
        self.room_port = self.chat_port = 0
        self.every: list[FleetRoom] = []
        self._workers: dict[str, str] = {}

    def know(self, worker: str, host: str) -> None:
        """Take requests to an address for a worker's."""
        self._workers[host] = worker

    async def listen(self) -> None:
        """Open the ports for the workers."""
        services = self.sandbox.services
        self.room_port = await services.open(["room"], self._room, 0, None, largest_body=0)
        self.chat_port = await services.open(["chat", "gateway"], self._chat, 0, None, largest_body=_LARGEST)

    def _room(self, host: str, _path: str) -> ServiceName:
        WORKER.set(self._workers.get(host, ""))
        return "room"

    def _chat(self, host: str, path: str) -> ServiceName:
        WORKER.set(self._workers.get(host, ""))
        return "gateway" if is_for_gateway(path) else "chat"

    async def add(self, number: int, outbox: str) -> None:
        """Add a room, with its bot, its user and its file."""
        sandbox, name = self.sandbox, f"room-{number:03}"
        room = sandbox.add_room(name)
        bot = sandbox.users.add(f"bot {number}", "bot")
        asker = sandbox.users.add(f"asker {number}")
        await asker.join(room)
        env = sandbox.env() | {
            "ROOM_UUID": room.uuid,
            "BOT_USER_TOKEN": bot.token,
            "HANGBOT_OUTBOX": outbox,
            "HANGBOT_RATE": "0",
        }
        file = self.folder / f"{name}.env"
        file.write_text(_lines(env), encoding="utf-8")
        file.chmod(0o600)
        key = room_key(Settings.load(file, {}))
        self.acts.rooms[bot.uid] = key
        self.every.append(FleetRoom(name, key, file, room, asker))


def _lines(env: Mapping[str, str]) -> str:
    return "".join(f"{name}={quoted(value)}\n" for name, value in env.items())


@asynccontextmanager
async def open_rooms(folder: Path, count: int, outbox: str) -> AsyncIterator[FleetRooms]:
    """Open so many rooms, whose records are in a cluster."""
    acts = Acts()
    (folder / "quiz.py").write_text(APP, encoding="utf-8")
    async with open_sandbox(history=_HISTORY, control=False, on_event=acts.hear) as sandbox:
        rooms = FleetRooms(sandbox, folder, acts)
        await rooms.listen()
        for number in range(count):
            await rooms.add(number, outbox)
        yield rooms
