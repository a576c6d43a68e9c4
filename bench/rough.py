"""A bot's room actions through a faulty network: what took effect, and how long it took."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.servers import long_song
from hangbot.bot.bot import Bot
from hangbot.config import Settings
from hangbot.errors import ServiceError
from hangbot.factory import open_bot, open_outbox

__all__ = ["Rough", "set_songs"]

_HANGING: Final = 20.0
_PATIENCE: Final = 30.0
_LOOK_EVERY: Final = 0.002
_SCALED: Final = {
    "SOCKET_TIMEOUT_MS": "20",
    "STAGE_RETRY_BASE_MS": "10",
    "STAGE_RETRY_MAX_MS": "100",
    "STAGE_RETRY_JITTER_MS": "2",
    "STAGE_RETRY_MAX_ATTEMPTS": "10",
}
"""An acknowledgement in 20 ms, and the waits scaled with it."""


@dataclass(frozen=True, slots=True)
class Rough:
    """How the actions ended, by state, and in how many seconds all of them."""

    ends: dict[str, int]
    seconds: float


async def set_songs(world: dict[str, Any], outbox: Path, number: int) -> Rough:
    """Set so many different next songs, one after another, each as a bot author would."""
    settings = Settings.from_env(world["env"] | _SCALED | {"HANGBOT_OUTBOX": str(outbox)})
    settings = settings.with_changes(poll_interval=60.0)  # the chat is not what is measured
    ends: Counter[str] = Counter()
    async with open_outbox(settings) as box, open_bot(settings, box) as bot:
        running = asyncio.create_task(bot.run(), name="bench-bot")
        try:
            await _on_stage(bot)
            started = time.perf_counter()
            for at in range(number):
                ends[await _set_song(bot, f"song {at}")] += 1
            seconds = time.perf_counter() - started
        finally:
            bot.stop()
            await running
    return Rough(dict(ends), seconds)


async def _on_stage(bot: Bot) -> None:
    async with asyncio.timeout(_PATIENCE):
        while True:
            await _in_a_living_room(bot)
            try:
                end = await bot.act("addDj", song=long_song("first of the bot"))
            except ServiceError:
                continue
            if end.state == "delivered":
                return


async def _set_song(bot: Bot, name: str) -> str:
    try:
        async with asyncio.timeout(_HANGING):
            await _in_a_living_room(bot)
            return (await bot.act("updateNextSong", song=long_song(name))).state
    except TimeoutError:
        return "hanging"
    except ServiceError:
        return "not sent"  # the connection went just before


async def _in_a_living_room(bot: Bot) -> None:
    """Wait until the bot is in the room; for a moment it holds a connection that has ended."""
    while bot.room is None or bot.room.ended.done():  # noqa: ASYNC110  `Bot.ready` is still set for that moment
        await asyncio.sleep(_LOOK_EVERY)
