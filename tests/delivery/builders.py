"""What the tests of delivery share: messages and their ends, the errors of a service, outboxes on disk."""

import math
import random
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hangbot import errors
from hangbot.clock import SystemClock
from hangbot.delivery.message import Outgoing
from hangbot.delivery.outbox import Outbox, OutboxLimits
from hangbot.delivery.outbox_file import OutboxFile
from hangbot.delivery.owner import Owner
from hangbot.delivery.place import OutboxPlace
from hangbot.delivery.record import Settlement
from hangbot.delivery.thread_writer import ThreadWriter
from hangbot.fleet.room_outbox import RoomPlace
from pytest_hangfm.simulation.streams import SimulatedCluster, SimulatedServers
from tests.bounds import WITHIN

__all__ = ["Watched", "message", "no_thread_is_left", "opened", "run"]

LOST = errors.AckTimeout("no answer", service="chat")
CUT = errors.ConnectionLost("cut", service="chat")
AWAY = errors.Unreachable("no connection", service="chat")
DOWN = errors.Unavailable("503", service="chat", status=503)
REFUSED = errors.Refused("no", service="chat", status=400)
OUT = errors.NotAMember("out", service="chat")
BUSY = errors.RateLimited("slow down", service="chat", status=429, retry_after=15.0)
DEAD = errors.TokenRejected("a dead token", service="chat")
GONE = errors.ActionLost("gone", service="room")

DELIVERED = Settlement("delivered", 1, 1)
FAILED = Settlement("failed", 3, 3, "given up", "Wait.")
DROPPED = Settlement("dropped", None, 0)
EXPIRED = Settlement("expired", None, 0, "too old")
UNCERTAIN = Settlement("uncertain", None, 1, "who knows", "Ask.")


def message(key: str = "m", to: str = "room", text: str = "hi", **more: Any) -> Outgoing:  # noqa: ANN401  of any kind
    return Outgoing(key, to, text, **more)


class Kept:
    """Where the outboxes of a test are kept."""

    def __init__(self) -> None:
        self.servers: SimulatedServers | None = None

    def place(self, path: Path, patience: float, make_writer: Any) -> OutboxPlace:  # noqa: ANN401  see below
        """Make the place of an outbox; what is kept under one path is found again under it."""
        if self.servers is None:
            return OutboxFile(path, patience=patience, make_writer=make_writer)
        cluster = SimulatedCluster(self.servers, SystemClock(), random.Random(0))  # noqa: S311  no secret
        return RoomPlace(cluster, path.stem, writer="a test", patience=patience)


KEPT = Kept()


@asynccontextmanager
async def opened(
    path: Path,
    owner: Owner | None = None,
    *,
    patience: float = math.inf,
    make_writer: Any = ThreadWriter,  # noqa: ANN401  any that an outbox takes
    **limits: Any,  # noqa: ANN401  passed on as they are
) -> AsyncIterator[Outbox]:
    """Open the outbox of a file; a second time it is that of another process.

    Where `KEPT` says so, it is that of a room in a simulated cluster.
    """
    box = Outbox(KEPT.place(path, patience, make_writer), OutboxLimits(**limits), owner)
    try:
        await box.open()
        yield box
    finally:
        await box.close()


@dataclass
class Watched:
    """A connection that remembers what it executed, and fails at what it is told to fail at."""

    real: sqlite3.Connection
    said: list[str] = field(default_factory=list)
    fails_at: set[str] = field(default_factory=set)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  of any kind
        return getattr(self.real, name)

    def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:  # noqa: ANN401  of any kind
        self.said.append(sql)
        if sql in self.fails_at:
            raise sqlite3.OperationalError(f"{sql}: disk I/O error")
        return self.real.execute(sql, *args)

    def close(self) -> None:
        self.real.close()
        if "close" in self.fails_at:
            raise sqlite3.OperationalError("close: disk I/O error")


def run(code: str, *args: object) -> subprocess.CompletedProcess[str]:
    """Run Python in a process of its own."""
    return subprocess.run(  # noqa: S603  our own code
        [sys.executable, "-c", code, *map(str, args)],
        capture_output=True,
        text=True,
        check=False,
        timeout=WITHIN,
    )


def no_thread_is_left() -> bool:
    """Wait for the threads of all outboxes to end, and return whether they have."""
    threads = [thread for thread in threading.enumerate() if thread.name.startswith("hangbot-outbox")]
    for thread in threads:
        thread.join(WITHIN)
    return not any(thread.is_alive() for thread in threads)
