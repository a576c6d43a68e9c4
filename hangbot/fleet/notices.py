"""What a worker says of rooms that are not run: once, for as long as it stays the same."""

import logging
from collections.abc import Mapping

from hangbot.fleet.assignment import Assignment
from hangbot.fleet.entries import Folder
from hangbot.fleet.folder import RoomConfig

__all__ = ["Notices"]

logger = logging.getLogger("hangbot")


class Notices:
    """Logs what is wrong with rooms when that begins, and when it changes."""

    def __init__(self) -> None:
        self._said: dict[str, Mapping[str, str]] = {}

    def folder(self, folder: Folder) -> None:
        """Log the files that cannot be used, of a folder that can be read."""
        self._said.pop("folder_away", None)
        faulty = {f"{name}.env": why for name, why in folder.faulty.items()}
        self._say("room_faulty", "cannot be used", faulty)

    def plan(self, plan: Assignment, rooms: Mapping[str, RoomConfig]) -> None:
        """Log the rooms that are not taken."""

        def name(room: str) -> str:
            return rooms[room].name if room in rooms else room

        self._say("room_refused", "is not taken", {name(room): why for room, why in plan.refused.items()})
        crowded = ", ".join(map(name, plan.crowded))
        why = {crowded: "no worker has a place: raise --most, or start another worker"} if crowded else {}
        self._say("room_crowded", "not taken", why)

    def no_folder(self, sentence: str) -> None:
        """Log that the folder cannot be read, which no room ends for."""
        self._say("folder_away", "are left as they are", {"the rooms": sentence})

    def _say(self, action: str, what: str, why: Mapping[str, str]) -> None:
        before = self._said.get(action, {})
        self._said[action] = why
        for name, sentence in why.items():
            if before.get(name) != sentence:
                logger.error("[ERROR] %s %s: %s", name, what, sentence, extra={"action": action})
