"""Calls of handlers that held up the whole process for so long that the bot may have lost its room by it.

A fleet's next owner makes such a call again, holds up its own worker, and loses the room in turn: one line of
the chat, or one timer, would take all rooms of the fleet round, again and again. So a worker that came back
from one twice passes it over; once may have been the machine that stood still.
"""

import logging
from collections import Counter
from collections.abc import Hashable
from typing import Final

from hangbot.bot.events import ChatMessage

__all__ = ["HeldUp", "line_key"]

logger = logging.getLogger(__name__)

_TOO_LONG: Final = 2.0
"""Seconds, as a fleet's owner may act for so long after its last sign of life."""
_OFTEN: Final = 2


class HeldUp:
    """What was called so, until it is written that it is done; the bots of a process share it."""

    def __init__(self) -> None:
        self._times = Counter[Hashable]()

    def note(self, key: Hashable, seconds: float) -> None:
        """Note for how long a call let nothing else run."""
        if seconds >= _TOO_LONG:
            self._times[key] += 1

    def passes_over(self, key: Hashable, what: str) -> bool:
        """Return, and log, whether something is not to be called again.

        Args:
            key: What is called.
            what: Given in the log: ``message 7``.
        """
        if self._times[key] < _OFTEN:
            return False
        logger.error(
            "[ERROR] %s is passed over: its handler held up the whole worker twice, which may have lost its "
            "rooms by it. Have it await, or run what blocks by `asyncio.to_thread`, then start the worker",
            what,
            extra={"action": "app_blocks", "about": what},
        )
        return True

    def done(self, key: Hashable) -> None:
        """Forget something: it is written that it is done."""
        self._times.pop(key, None)


def line_key(line: ChatMessage) -> Hashable:
    """Return what stands for a line of the chat, whichever bot of the process hears it."""
    return line.direct, line.sender, line.receiver, line.id, line.sent_at
