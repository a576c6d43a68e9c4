"""One real-time connection, and the faults that hit it."""

import asyncio
from typing import TYPE_CHECKING, Final

from aiohttp import web

from hangbot.sandbox.faults import Fault, Faults

if TYPE_CHECKING:
    from hangbot.sandbox.clock import TimerHandle

__all__ = ["POINT", "Connection", "take_of"]

POINT: Final = "chat.ws"


def take_of(faults: Faults, deeds: frozenset[str], *, frame: bool) -> Fault | None:
    """Take the next fault of `chat.ws` when its deed is one of `deeds`.

    An upgrade and a frame are both passages of `chat.ws`, but a dropped frame is no refused
    upgrade: the first live fault waits for the kind of passage that it is about. A fault on
    `chat.*` means requests, an upgrade among them, and no frames.
    """
    for row in faults.list():
        live = row["times"] == 0 or row["hits"] < row["times"]
        if live and row["on"] in (POINT, "chat.*"):
            meant = row["do"] in deeds and (row["on"] == POINT or not frame)
            return faults.take(POINT) if meant else None
    return None


class Connection:
    """One open socket, and what is kept back from it."""

    def __init__(self, number: int, ws: web.WebSocketResponse, transport: asyncio.Transport) -> None:
        self.number = number
        self.ws = ws
        self.transport = transport
        self.uid: str | None = None
        self.wants_presence = False
        self.held: list[str] = []
        """Frames that a `reorder` or a `delay` keeps back."""
        self.gate: TimerHandle | None = None
        self.timers: list[TimerHandle] = []
