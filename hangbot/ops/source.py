"""A bot as the metrics are given it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from hangbot.delivery.record import Queue
from hangbot.figures import Figures
from hangbot.health import Health

__all__ = ["Source"]


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A bot that is shown.

    Attributes:
        room: The uuid of its room.
        started_at: When it started, in seconds since the epoch.
        figures: What it counts.
        health: Returns how it is.
        queue: Returns what waits in its outbox; raises `OutboxError`.
        bot: What it is called among several of its process; ``None``: it is the only one.
        worker: The worker of a fleet that runs it; ``None``: it is run by none.
    """

    room: str
    started_at: float
    figures: Figures
    health: Callable[[], Health]
    queue: Callable[[], Awaitable[Queue]]
    bot: str | None = None
    worker: str | None = None

    @property
    def labels(self) -> Mapping[str, str]:
        """Return the labels of all its lines."""
        named = {"bot": self.bot, "room": self.room, "worker": self.worker}
        return {name: value for name, value in named.items() if value is not None}
