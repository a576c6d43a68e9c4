"""One real-time connection, and which faults hit it.

An upgrade and a frame are both passages of `chat.ws`, but a dropped frame is no refused
upgrade: each waits for the kind of passage that it is about.
"""

import asyncio
import json
from typing import TYPE_CHECKING, Final

from aiohttp import web

from hangbot.sandbox.chat.rows import Json
from hangbot.sandbox.faults import FRAME_DEEDS, REQUEST_DEEDS

if TYPE_CHECKING:
    from hangbot.sandbox.clock import TimerHandle

__all__ = ["FRAME_FAULTS", "POINT", "UPGRADE_FAULTS", "Connection", "garbage"]

POINT: Final = "chat.ws"
FRAME_FAULTS: Final = FRAME_DEEDS | {"delay", "garbage"}
UPGRADE_FAULTS: Final = REQUEST_DEEDS - FRAME_FAULTS


class Connection:
    """One open socket, and what is kept back from it."""

    def __init__(self, number: int, ws: web.WebSocketResponse, transport: asyncio.Transport) -> None:
        self.number = number
        self.ws = ws
        self.transport = transport
        self.uid: str | None = None
        self.device: object = None
        """The `deviceId` of its auth frame."""
        self.wants_presence = False
        self.held: list[str] = []
        """Frames that a `reorder` or a `delay` keeps back."""
        self.gate: TimerHandle | None = None
        self.timers: list[TimerHandle] = []


def garbage(body: Json) -> str:
    """What goes out in a frame's place: a text as it is, anything else as JSON."""
    if body is None:
        return "<html>no frame</html>"
    return body if isinstance(body, str) else json.dumps(body, separators=(",", ":"))
