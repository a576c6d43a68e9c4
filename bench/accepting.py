"""How quickly messages are accepted: durable, beside one commit for each message."""

import asyncio
import os
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Final
from unittest.mock import patch

from hangbot.config import Settings
from hangbot.delivery.message import Outgoing
from hangbot.factory import make_courier, open_outbox

__all__ = [
    "Idle",
    "accept_rate",
    "commit_rate",
    "idle_settings",
    "loop_rate",
    "separate_rate",
    "slower_commits",
    "sync_us",
    "write_all",
]

TEXT: Final = "a line of chat, about as long as people and bots write them, with a name and a song in it"
_TABLE: Final = (
    "CREATE TABLE message (seq INTEGER PRIMARY KEY, id TEXT, receiver TEXT, text TEXT, accepted_at REAL)"
)
_BLOCK: Final = 4096


class Idle:
    """A transport that is never used: what is accepted stays queued."""

    async def send(self, message: Outgoing) -> object:
        """Refuse to be used."""
        raise NotImplementedError(message.id)

    async def find(self, message: Outgoing) -> bool:
        """Refuse to be used."""
        raise NotImplementedError(message.id)

    async def probe(self) -> None:
        """Refuse to be used."""
        raise NotImplementedError


def idle_settings(outbox: Path) -> Settings:
    """Return settings for an outbox without a service."""
    return Settings.from_env(
        {
            "BOT_USER_TOKEN": "bench",
            "ROOM_UUID": "bench",
            "HANGBOT_RATE": "0",
            "HANGBOT_OUTBOX": str(outbox),
            "OPENCHAT_BASE_URL": "http://127.0.0.1:9",
            "TTFM_GATEWAY_BASE_URL": "http://127.0.0.1:9",
            "SOCKET_SERVER_URL": "http://127.0.0.1:9",
        }
    )


async def write_all(accept: Callable[[int], Awaitable[object]], number: int, writers: int) -> float:
    """Let writers accept messages, each waiting for one before the next; returns messages a second."""

    async def write(first: int) -> None:
        for at in range(first, number, writers):
            await accept(at)

    started = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for first in range(writers):
            tasks.create_task(write(first), name=f"bench-writer-{first}")
    return number / (time.perf_counter() - started)


async def accept_rate(outbox: Path, number: int, writers: int) -> float:
    """Return messages a second through `Courier.accept`."""
    settings = idle_settings(outbox)
    async with open_outbox(settings) as box:
        courier = make_courier(settings, box, Idle())
        return await write_all(
            lambda at: courier.accept(Outgoing(f"m{at}", f"r{at % 64}", TEXT)), number, writers
        )


async def commit_rate(path: Path, number: int, writers: int) -> float:
    """Return messages a second where each is a commit of its own, in a thread, under asyncio.

    What a careful bot does without an outbox library: the lean table, WAL, ``synchronous=FULL``.
    """
    loop, thread = asyncio.get_running_loop(), ThreadPoolExecutor(1)
    try:
        database = await loop.run_in_executor(thread, _database, path)
        rate = await write_all(
            lambda at: loop.run_in_executor(thread, partial(_insert, database, at)), number, writers
        )
        await loop.run_in_executor(thread, database.close)
        return rate
    finally:
        thread.shutdown()


def separate_rate(path: Path, number: int, writers: int) -> float:
    """Return messages a second where each writer has a connection of its own, and commits each message.

    What several programs do that write into one file, or a bot whose tasks each open it: SQLite
    lets one at a time write, and who comes while another does looks again later.
    """
    _database(path).close()

    def write(first: int) -> None:
        database = sqlite3.connect(path, isolation_level=None, timeout=60)
        database.execute("PRAGMA synchronous = FULL")
        for at in range(first, number, writers):
            _insert(database, at)
        database.close()

    started = time.perf_counter()
    with ThreadPoolExecutor(writers) as threads:
        for done in [threads.submit(write, first) for first in range(writers)]:
            done.result()
    return number / (time.perf_counter() - started)


def loop_rate(path: Path, number: int) -> float:
    """Return the same without asyncio and threads: a loop that does nothing but commit."""
    database = _database(path)
    started = time.perf_counter()
    for at in range(number):
        _insert(database, at)
    rate = number / (time.perf_counter() - started)
    database.close()
    return rate


def sync_us(path: Path) -> float:
    """Return the median time to make one block durable on this disk, in microseconds."""
    times = []
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        for _ in range(100):
            os.write(handle, b"x" * _BLOCK)
            started = time.perf_counter()
            os.fsync(handle)
            times.append((time.perf_counter() - started) * 1e6)
    finally:
        os.close(handle)
    return median(times)


@contextmanager
def slower_commits(seconds: float) -> Iterator[None]:
    """Make each commit of a connection opened meanwhile take so much longer, ours and the peer's alike."""

    class Slow(sqlite3.Connection):
        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:  # noqa: ANN401  as the base class
            cursor = super().execute(sql, *values)
            if sql == "COMMIT":
                time.sleep(seconds)
            return cursor

    with patch("sqlite3.connect", partial(sqlite3.connect, factory=Slow)):
        yield


def _database(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute(_TABLE)
    return database


def _insert(database: sqlite3.Connection, at: int) -> None:
    database.execute("BEGIN IMMEDIATE")
    row = (f"m{at}", f"r{at % 64}", TEXT, time.time())
    database.execute("INSERT INTO message (id, receiver, text, accepted_at) VALUES (?, ?, ?, ?)", row)
    database.execute("COMMIT")
