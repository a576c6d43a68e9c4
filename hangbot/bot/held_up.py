"""Lines whose handlers held up the whole process for so long that the bot may have lost its room by it.

A fleet's next owner handles such a line again, holds up its own worker, and loses the room in turn: one line
would take all rooms of the fleet round, again and again. So a worker that came back from one twice passes it
over; once may have been the machine that stood still.
"""

import logging
from collections import Counter
from typing import Final

from hangbot.bot.events import ChatMessage

__all__ = ["HeldUp"]

logger = logging.getLogger(__name__)

_TOO_LONG: Final = 2.0
"""Seconds, as a fleet's owner may act for so long after its last sign of life."""
_OFTEN: Final = 2

_Line = tuple[bool, str | None, str | None, int, float]


class HeldUp:
    """Such lines, until it is written that they are handled; the bots of a process share it."""

    def __init__(self) -> None:
        self._lines = Counter[_Line]()

    def note(self, line: ChatMessage, seconds: float) -> None:
        """Note for how long a line's handler let nothing else run."""
        if seconds >= _TOO_LONG:
            self._lines[_key(line)] += 1

    def passes_over(self, line: ChatMessage) -> bool:
        """Return, and log, whether a line is not to be handled again."""
        if self._lines[_key(line)] < _OFTEN:
            return False
        logger.error(
            "[ERROR] message %s is passed over: its handler held up the whole worker twice, which may "
            "have lost its rooms by it. Have it await, or run what blocks by `asyncio.to_thread`",
            line.id,
            extra={"action": "app_blocks", "message_id": line.id},
        )
        return True

    def handled(self, line: ChatMessage) -> None:
        """Forget a line: it is written that it is handled."""
        self._lines.pop(_key(line), None)


def _key(line: ChatMessage) -> _Line:
    return line.direct, line.sender, line.receiver, line.id, line.sent_at
