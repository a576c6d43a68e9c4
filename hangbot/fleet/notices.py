"""What a worker says of rooms that are not run: once, for as long as it stays the same."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from hangbot.clock import Clock
from hangbot.errors import OutboxUnusable
from hangbot.fleet.assignment import Assignment
from hangbot.fleet.entries import Folder
from hangbot.fleet.streams import ClusterAway, ClusterFull

__all__ = ["PATIENCE", "Notices"]

logger = logging.getLogger("hangbot")

PATIENCE: Final = 8.0
"""Seconds for which workers may disagree before that is an error: a file is changed, and each of them looks
at its folder every three seconds; a worker is started anew, and its places are missing."""

_NAMED: Final = 20
"""Rooms that one line names."""


class _Kind(Enum):
    """Something that can be wrong: the action that its lines have, its words, and those of its end."""

    FAULTY = "room_faulty", "%s cannot be used: %s", "%s has no fault any more"
    REFUSED = "room_refused", "%s is not taken anew: %s", "%s may be taken again"
    CROWDED = "room_crowded", "%s: %s", "%s: that is over"
    AWAY = "folder_away", "%s are left as they are: %s", "%s: the folder can be read again"
    UNSTORED = "cluster_refuses", "%s store nothing of this worker: %s", "%s store again"
    UNSHOWN = "folder_unshown", "%s is not shown to other workers: %s", "%s is shown to other workers again"

    def __init__(self, action: str, words: str, over: str) -> None:
        self.action, self.words, self.over = action, words, over


@dataclass(frozen=True, slots=True)
class _Known:
    sentence: str
    since: float
    level: int


class Notices:
    """Logs what is wrong with rooms when that begins, when it changes, and when it is over.

    Args:
        clock: Measures how long it lasts.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[_Kind, dict[str, _Known]] = {}

    def folder(self, folder: Folder) -> None:
        """Log the files that cannot be used, of a folder that can be read."""
        self._say(_Kind.AWAY, {})
        self._say(_Kind.FAULTY, {f"{name}.env": why for name, why in folder.faulty.items()})

    def plan(self, plan: Assignment, name: Callable[[str], str]) -> None:
        """Log the rooms that are not taken, given what a room is called."""
        self._say(_Kind.REFUSED, {name(room): why for room, why in plan.refused.items()}, PATIENCE)
        crowded = ", ".join(map(name, plan.crowded[:_NAMED]))
        if (others := len(plan.crowded) - _NAMED) > 0:
            crowded += f" and {others} more, which `hangbot fleet status` shows"
        why = f"no worker has a place for {crowded}: raise --most, or start another worker"
        self._say(_Kind.CROWDED, {"rooms are left": why} if crowded else {}, PATIENCE)

    def no_folder(self, sentence: str) -> None:
        """Log that the folder cannot be read, which no room ends for."""
        self._say(_Kind.AWAY, {"the rooms": sentence})

    def unstored(self, problem: OutboxUnusable | None) -> None:
        """Log what keeps a worker's entry, and so its leases, from being stored; ``None``: nothing does."""
        # Which server did not answer is another one at each attempt.
        is_plain = isinstance(problem, ClusterAway) and not isinstance(problem, ClusterFull)
        words = "they do not answer, or no majority of them" if is_plain else str(problem)
        why = {"the NATS servers": f"{words}. {problem.remedy}"} if problem else {}
        self._say(_Kind.UNSTORED, why, PATIENCE)

    def unshown(self, sentence: str) -> None:
        """Log that others cannot be shown what the folder has; an empty sentence: they can."""
        self._say(_Kind.UNSHOWN, {"the folder": sentence} if sentence else {})

    def _say(self, kind: _Kind, why: Mapping[str, str], patience: float = 0.0) -> None:
        before, now, more = self._known.get(kind, {}), self._clock.now(), {"action": kind.action}
        self._known[kind] = {}
        for name, sentence in why.items():
            known = before.get(name)
            since = known.since if known else now
            is_error = now - since >= patience
            level, mark = (logging.ERROR, "[ERROR]") if is_error else (logging.INFO, "[FLEET]")
            if known is None or (known.sentence, known.level) != (sentence, level):
                logger.log(level, "%s %s", mark, kind.words % (name, sentence), extra=more)
            self._known[kind][name] = _Known(sentence, since, level)
        for name, known in before.items():
            if name not in why and known.level == logging.ERROR:
                logger.info("[OK] %s", kind.over % name, extra=more)
