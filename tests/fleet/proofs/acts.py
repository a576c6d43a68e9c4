"""What each worker does to each room, by the sandbox's own journal."""

import json
import time
from collections import Counter
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from hangbot.sandbox.journal import Event

__all__ = ["WORKER", "Act", "Acts"]

WORKER: Final[ContextVar[str]] = ContextVar("WORKER", default="")
"""The worker whose request is handled."""
_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Act(NamedTuple):
    """Something that a worker did.

    Attributes:
        at: When it arrived: seconds since the epoch.
        worker: Which.
        room: Where: the room's key.
        what: In words.
        sends: Whether it is a message.
    """

    at: float
    worker: str
    room: str
    what: str
    sends: bool = False


@dataclass(slots=True)
class Acts:
    """Collects them from events.

    Attributes:
        rooms: The keys of the rooms, by the uid of each one's bot.
        seen: The acts, by their rooms, in the order in which they arrived.
        sends: How often a worker sent messages.
    """

    rooms: dict[str, str] = field(default_factory=dict)
    seen: dict[str, list[Act]] = field(default_factory=dict)
    sends: Counter[str] = field(default_factory=Counter)
    _connections: dict[int, str] = field(default_factory=dict)

    def hear(self, event: Event) -> None:
        """Take an event of the journal."""
        if event["dir"] != "in":
            return
        service, kind = event["service"], event["kind"]
        if kind == "http":
            worker = WORKER.get()
            if service == "room":
                self._connections[event["conn"]] = worker
            elif event["method"] not in _READS:
                is_message = service == "chat" and event["path"].endswith("/messages")
                self._note(worker, event.get("uid"), _words(event), sends=is_message)
        elif kind == "frame" and service == "room":
            frame = json.loads(event["frame"])
            if isinstance(frame, dict) and frame.get("event") == "action":
                self._note(
                    self._connections.get(event["conn"], ""), event["uid"], str(frame["params"].get("action"))
                )

    def _note(self, worker: str, uid: str | None, what: str, *, sends: bool = False) -> None:
        room = self.rooms.get(uid or "")
        if room is None or not worker:
            return
        self.seen.setdefault(room, []).append(Act(time.time(), worker, room, what, sends))
        self.sends[worker] += sends


def _words(event: Event) -> str:
    body = event.get("body")
    key = body.get("muid", "") if isinstance(body, dict) else ""
    return f"{event['method']} {event['path']} {key}".rstrip()
