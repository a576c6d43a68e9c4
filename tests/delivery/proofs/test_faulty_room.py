"""A network that loses requests, answers and connections of the room: no action takes effect twice.

The short form sets 300 songs; ``HANGBOT_PROVE_SONGS=2000`` in the environment asks for the full one.
"""

import asyncio
import json
import os
import random
import time
from collections import Counter
from pathlib import Path

import pytest

from bench.faulty import FaultyRoom
from hangbot.bot.bot import Bot
from hangbot.config import Settings
from hangbot.errors import ServiceError
from hangbot.factory import open_bot, open_outbox, open_room
from hangbot.sandbox import open_sandbox
from tests.bounds import WITHIN

SONGS = int(os.environ.get("HANGBOT_PROVE_SONGS", "300"))
SEED = int(os.environ.get("HANGBOT_PROVE_SEED", "0")) or random.SystemRandom().randrange(1, 2**31)
SCALED = {
    "STAGE_RETRY_BASE_MS": "10",
    "STAGE_RETRY_MAX_MS": "100",
    "STAGE_RETRY_JITTER_MS": "2",
    "STAGE_RETRY_MAX_ATTEMPTS": "20",  # three losses in a row do happen in two thousand songs
}


def song(name: str) -> dict[str, object]:
    return {
        "artistName": "The Proofs",
        "trackName": name,
        "duration": 3600,
        "musicProviders": {"spotify": name},
        "playId": None,
    }


async def patience(env: dict[str, str]) -> dict[str, str]:
    """A time-out of 20 ms; of three times what it takes to come into the room, where that is more."""
    slowest, settings = 0.0, Settings.from_env(env)
    for _ in range(5):
        begun = time.perf_counter()
        async with open_room(settings):
            slowest = max(slowest, time.perf_counter() - begun)
    return {"SOCKET_TIMEOUT_MS": str(max(20, round(3000 * slowest)))}


async def in_the_room(bot: Bot) -> None:
    """Wait until the bot has a living connection; for a moment it still holds the one that went."""
    async with asyncio.timeout(WITHIN):
        while bot.room is None or bot.room.ended.done():  # noqa: ASYNC110  there is no event for it
            await asyncio.sleep(0.002)


async def act(bot: Bot, action: str, name: str) -> str:
    try:
        async with asyncio.timeout(WITHIN):
            await in_the_room(bot)
            return (await bot.act(action, song=song(name))).state
    except TimeoutError:
        return "hanging"
    except ServiceError:
        return "not sent"


@pytest.mark.slow
@pytest.mark.timeout(300 + SONGS)
async def test_every_song_is_set_once_or_its_connection_was_lost(tmp_path: Path) -> None:
    print(f"seed {SEED}")  # noqa: T201  how to repeat it, shown when it fails
    ends: dict[str, str] = {}
    async with open_sandbox() as sandbox:
        network = FaultyRoom(sandbox.room_url, random.Random(SEED))  # noqa: S311  no secret
        async with network.serving() as url:
            more = {"SOCKET_SERVER_URL": url, "HANGBOT_OUTBOX": str(tmp_path / "outbox.sqlite3")}
            env = sandbox.env() | SCALED | await patience(sandbox.env()) | more
            settings = Settings.from_env(env).with_changes(poll_interval=60.0)
            async with open_outbox(settings) as outbox, open_bot(settings, outbox) as bot:
                running = asyncio.create_task(bot.run(), name="bot")
                try:
                    while await act(bot, "addDj", "the first") != "delivered":
                        pass
                    begun = time.monotonic()
                    for number in range(SONGS):
                        ends[f"song {number}"] = await act(bot, "updateNextSong", f"song {number}")
                    seconds = time.monotonic() - begun
                finally:
                    bot.stop()
                    await running

    seen = network.report()
    how = Counter(ends.values())
    waits = f"{settings.ack_timeout * 1000:.0f} ms for an answer"
    print(f"{SONGS} songs in {seconds:.1f} s, {waits}: {json.dumps(how)}; lost: {seen['lost']}")  # noqa: T201  the figures
    done = {name: seen["done"].get(name, 0) for name in ends}
    assert {name: times for name, times in done.items() if times > 1} == {}
    assert {name for name, end in ends.items() if end == "delivered" and done[name] != 1} == set()
    assert {name for name, end in ends.items() if end == "not sent" and done[name] != 0} == set()
    assert set(how) <= {"delivered", "uncertain", "not sent"}
    assert how["delivered"] > SONGS * 0.95
    assert min(seen["lost"].values()) > 0
