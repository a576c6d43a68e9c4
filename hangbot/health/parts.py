"""What is asked of each part of the bot: how long its trouble may last, and where it comes from. PURE."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

__all__ = ["PARTS", "STEADY", "Part"]

STEADY: Final = 5.0
"""Seconds for which a part that was red has to be good to be green: less is a lull in its trouble."""


@dataclass(frozen=True, slots=True)
class Part:
    """What is asked of a part of the bot.

    Attributes:
        red_after: Seconds of trouble after which it is red; 0: at once, and green at once.
        quiet: Seconds without any word of it after which it is red as well.
        needed: Whether the bot is not ready before this was good once.
        warns: Whether its trouble is a warning, and the bot ready all the same.
        depends: The parts that its trouble comes from where they are in trouble.
    """

    red_after: float = 0.0
    quiet: float = math.inf
    needed: bool = False
    warns: bool = False
    depends: tuple[str, ...] = ()


PARTS: Final[Mapping[str, Part]] = MappingProxyType(
    {
        "loop": Part(quiet=15.0, needed=True),
        "room admission": Part(),
        "room state": Part(),
        "room": Part(60.0, needed=True, depends=("room admission",)),
        "heartbeat": Part(60.0, quiet=60.0, depends=("room",)),
        "chat token": Part(),
        "chat group": Part(),
        "chat": Part(30.0, needed=True, depends=("chat token", "chat group")),
        # The look that notices it comes up to HANGBOT_CHAT_SILENCE (40 s) after the chat fell silent.
        "chat agreement": Part(20.0, depends=("chat",)),
        "canary": Part(60.0, depends=("chat", "sending")),
        "outbox": Part(5.0),
        "sending": Part(30.0, depends=("chat", "chat token", "chat group")),
        "delivery": Part(120.0, depends=("outbox", "sending")),
        "clock": Part(0.0),
        "token": Part(warns=True),
    }
)
"""What is asked of each part, in the order in which they are shown; one that is not here is red at once."""
