"""What is wrong with a bot right now, in sentences that each have a remedy.

Code that meets a lasting problem (a refused token, a full disk, a group that keeps the bot out) sets a
condition under the name of its part and clears it when the problem is over; `hangbot.bot.bot.Bot.health`
shows them. A problem that passes by itself within a minute or two is no condition.
"""

import logging
from dataclasses import dataclass

__all__ = ["Condition", "Conditions", "Health"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that is wrong.

    Attributes:
        part: The part that has the problem, such as ``room token`` or ``outbox``; the log names it, too.
        sentence: What happened, and to what; without a full stop.
        remedy: What the operator is to do, in a whole sentence.
    """

    part: str
    sentence: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.sentence}. {self.remedy}"


class Conditions:
    """The conditions that hold at the moment, by part; one log line when one begins, one when it ends."""

    def __init__(self) -> None:
        self._by_part: dict[str, Condition] = {}

    def red(self, part: str, sentence: str, remedy: str) -> None:
        """Set a part's condition and log it; setting it again changes the sentence and logs nothing."""
        known = part in self._by_part
        condition = Condition(part, sentence.rstrip("."), remedy)
        self._by_part[part] = condition
        if not known:
            logger.error("[ERROR] %s", condition, extra={"action": "red", "part": part})

    def clear(self, part: str) -> None:
        """Clear a part's condition and log that; without one, do nothing."""
        if self._by_part.pop(part, None):
            logger.info("[OK] %s: in order again", part, extra={"action": "green", "part": part})

    def all(self) -> tuple[Condition, ...]:
        """Return the conditions, the oldest first."""
        return tuple(self._by_part.values())


@dataclass(frozen=True, slots=True)
class Health:
    """What is true of a bot right now.

    Attributes:
        in_room: Whether the room let it in and the connection lives.
        reads_chat: Whether it has begun to read the chat.
        chat_down_for: Seconds since the chat counts as down, or ``None`` while it works.
        reason: What the chat's last failure said.
        red: The conditions that hold; empty when all is well.
    """

    in_room: bool
    reads_chat: bool
    chat_down_for: float | None
    reason: str
    red: tuple[Condition, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether everything works."""
        return not self.red
