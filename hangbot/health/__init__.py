"""What is true of a bot right now, part by part: a pure function of what was observed, and when.

What observes something about a part says so each time, `Conditions.good` or `Conditions.bad`; it need
not know for how long trouble may last. `examine` does: a part is red once its trouble has lasted for the
bound that `PARTS` has for it. A part whose trouble comes from another part in trouble is shown
below that one and raises no alarm of its own; an alarm that was raised gives way to another only. Times
are seconds of the monotonic clock.
"""

from dataclasses import dataclass, field
from typing import Self

from hangbot.health.conditions import Conditions
from hangbot.health.facts import Condition, Fact, PartHealth, alarms, examine
from hangbot.health.parts import AT_ONCE, PARTS, STEADY, Part, parts_for

__all__ = [
    "AT_ONCE",
    "PARTS",
    "STEADY",
    "Condition",
    "Conditions",
    "Fact",
    "Health",
    "Part",
    "PartHealth",
    "alarms",
    "examine",
    "parts_for",
]


@dataclass(frozen=True, slots=True)
class Health:
    """What is true of a bot right now.

    Attributes:
        in_room: Whether the room let it in and the connection lives.
        reads_chat: Whether it has begun to read the chat.
        chat_down_for: Seconds since the chat counts as down, or ``None`` while it works.
        reason: What the chat's last failure said.
        red: What raises an alarm; empty when all is well.
        waits: The parts that have not been good yet since the start, and have to be.
        parts: Every part of which something is known.
        at: When this was true.
    """

    in_room: bool
    reads_chat: bool
    chat_down_for: float | None
    reason: str
    red: tuple[Condition, ...] = ()
    waits: tuple[str, ...] = ()
    parts: tuple[PartHealth, ...] = field(default=(), repr=False)
    at: float = 0.0

    @classmethod
    def of(
        cls,
        conditions: Conditions,
        *,
        in_room: bool,
        reads_chat: bool,
        chat_down_for: float | None = None,
        reason: str = "",
    ) -> Self:
        """Return the health of a bot by what is known of its parts now; the rest is as above."""
        parts = conditions.examine()
        red, waits = alarms(parts), conditions.waits()
        return cls(in_room, reads_chat, chat_down_for, reason, red, waits, parts, at=conditions.now)

    @property
    def live(self) -> bool:
        """Whether the loop of the process turns, whatever the service does."""
        return next((part.ok for part in self.parts if part.name == "loop"), True)

    @property
    def ready(self) -> bool:
        """Whether it does its work: everything was good once, and nothing is red."""
        return self.live and not self.red and not self.waits

    @property
    def ok(self) -> bool:
        """Whether everything works; the same as `ready`."""
        return self.ready
