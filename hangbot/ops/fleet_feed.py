"""What open fleet pages show: the whole fleet, and then the rooms that have changed."""

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from hangbot.fleet.picture import RoomRow
from hangbot.ops.fleet_view import FleetShown, room_row, worker_rows

__all__ = ["FleetFeed"]

Sections: TypeAlias = dict[str, Any]
Known: TypeAlias = tuple[RoomRow, float | None]


class FleetFeed:
    """Looks at the fleet as its worker sees it: see `hangbot.ops.stream.Seen`.

    Args:
        shown: What it looks at.
        health: Returns the row of ``/healthz``.
        show: Makes a text safe to show.
    """

    def __init__(
        self, shown: FleetShown, health: Callable[[], Mapping[str, Any]], show: Callable[[str], str]
    ) -> None:
        self._shown, self._health, self._show = shown, health, show
        self._now: Sections = {}
        self._before: Sections = {}
        self._rooms: dict[str, Sections] = {}
        self._rooms_before: dict[str, Sections] = {}
        self._known: dict[str, Known] = {}

    async def look(self) -> None:
        """Look at everything; a room's row is made anew where something of it has changed."""
        lookout = self._shown.lookout
        known = {key: (row, lookout.unowned_since(key)) for key, row in lookout.picture.rooms.items()}
        self._before, self._rooms_before = self._now, self._rooms
        self._rooms = {
            key: self._rooms[key] if self._known.get(key) == of else room_row(*of, self._show)
            for key, of in known.items()
        }
        self._known = known
        self._now = {
            "health": self._health(),
            "seen": lookout.has_looked,
            "workers": worker_rows(lookout.picture, self._show),
        }

    def whole(self) -> bytes:
        """Return an event with all that the last look found."""
        return _event("whole", self._now | {"rooms": self._rooms})

    def news(self) -> bytes:
        """Return an event with what the last look found new; rooms that are no more are ``null``."""
        new = {name: value for name, value in self._now.items() if value != self._before.get(name)}
        gone = dict.fromkeys(self._rooms_before.keys() - self._rooms.keys())
        changed = {key: row for key, row in self._rooms.items() if row is not self._rooms_before.get(key)}
        rooms = gone | changed
        return _event("news", new | ({"rooms": rooms} if rooms else {}))

    async def close(self) -> None:
        """End nothing: no question of its own is on its way."""


def _event(kind: str, sections: Sections) -> bytes:
    return f"event: {kind}\ndata: {json.dumps(sections)}\n\n".encode()
