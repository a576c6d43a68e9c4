"""A room action is repeated only after the server has read it: on a network that stalls, too."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from hangbot import Bot, Settings, Step
from hangbot.errors import AckTimeout, ActionLost
from hangbot.factory import open_bot, open_outbox
from hangbot.hangfm.action import RoomAction
from hangbot.hangfm.room import RoomClient
from hangbot.sandbox import Sandbox, open_sandbox
from tests.bounds import WITHIN

SONG = {"artistName": "A", "trackName": "B", "duration": 3600, "musicProviders": {"spotify": "x"}}


class Stalling:
    """A network that can hold back what goes to the server."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._passing = asyncio.Event()
        self._passing.set()
        self._open: list[asyncio.StreamWriter] = []

    def stall(self) -> None:
        self._passing.clear()

    def go_on(self) -> None:
        self._passing.set()

    def cut(self) -> None:
        for writer in self._open:
            writer.transport.abort()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        async with await asyncio.start_server(self._relay, "127.0.0.1", 0) as server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            self.go_on()
            self.cut()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, out = await asyncio.open_connection("127.0.0.1", self._port)
        self._open += [writer, out]
        await asyncio.gather(self._pass(reader, out), self._pass(back, writer), return_exceptions=True)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            await self._passing.wait()
            writer.write(data)
        writer.close()


class Steps:
    """What was told of the delivery, and who waits for it."""

    def __init__(self) -> None:
        self.story: list[str] = []
        self._told = asyncio.Event()

    def __call__(self, step: Step) -> None:
        self.story.append(f"{step.kind} {step.detail}".strip())
        self._told.set()

    async def holds(self, words: str) -> None:
        async with asyncio.timeout(WITHIN):
            while not any(words in told for told in self.story):
                self._told.clear()
                await self._told.wait()


@asynccontextmanager
async def in_the_room(folder: Path) -> AsyncIterator[tuple[Bot, Sandbox, Stalling, Steps]]:
    steps = Steps()
    async with open_sandbox() as sandbox:
        network = Stalling(sandbox.room_port)
        async with network.serving() as url:
            env = sandbox.env() | {
                "SOCKET_SERVER_URL": url,
                "HANGBOT_OUTBOX": str(folder / "outbox.sqlite3"),
                "STAGE_RETRY_BASE_MS": "10",
                "STAGE_RETRY_MAX_MS": "20",
            }
            settings = Settings.from_env(env).with_changes(ack_timeout=WITHIN, poll_interval=3600.0)
            async with open_outbox(settings) as outbox, open_bot(settings, outbox, notify=steps) as bot:
                running = asyncio.create_task(bot.run(), name="bot")
                try:
                    async with asyncio.timeout(WITHIN):
                        await bot.ready()
                    yield bot, sandbox, network, steps
                finally:
                    bot.stop()
                    await running


def impatient(bot: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the bot wait for an answer of the room for 0.1 s only; whatever else it does has its time."""
    monkeypatch.setattr(bot.room, "_ack_timeout", 0.1)


def set_songs(sandbox: Sandbox) -> list[dict[str, Any]]:
    frames = sandbox.journal.events(service="room", dir="in", kind="frame")
    return [frame for frame in frames if "updateNextSong" in frame["frame"]]


async def test_what_a_stalled_network_holds_back_is_not_sent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with in_the_room(tmp_path) as (bot, sandbox, network, steps):
        await bot.act("addDj")
        impatient(bot, monkeypatch)
        network.stall()
        acting = asyncio.create_task(bot.act("updateNextSong", song=SONG), name="acting")
        await steps.holds("asked no answer: AckTimeout: the room does not answer a ping")

        network.go_on()
        async with asyncio.timeout(WITHIN):
            end = await acting

    assert (end.state, end.tier, end.attempts) == ("delivered", 2, 1)
    assert len(set_songs(sandbox)) == 1
    assert any("has only now read updateNextSong" in told for told in steps.story)


async def test_a_connection_that_goes_while_it_stalls_leaves_the_action_uncertain_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with in_the_room(tmp_path) as (bot, _, network, steps):
        impatient(bot, monkeypatch)
        network.stall()
        acting = asyncio.create_task(bot.act("addDj"), name="acting")
        await steps.holds("asked no answer: AckTimeout")

        network.cut()
        async with asyncio.timeout(WITHIN):
            end = await acting

    assert (end.state, end.attempts) == ("uncertain", 1)


async def test_a_state_that_was_lost_is_not_asked_whether_an_action_took_effect(tmp_path: Path) -> None:
    async with in_the_room(tmp_path) as (bot, sandbox, _, _):
        room = bot.room
        assert isinstance(room, RoomClient)
        room._ack_timeout = 0.1
        action = RoomAction(room, "addDj", {}, lambda: sandbox.bot.uid)
        sandbox.faults.add("room.action", "hang")
        with pytest.raises(AckTimeout):
            await action.send()

        await sandbox.forget(sandbox.bot.uid)
        async with asyncio.timeout(WITHIN):
            await room.ended

        with pytest.raises(ActionLost):
            await action.find()
