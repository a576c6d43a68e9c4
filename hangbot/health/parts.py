"""What is asked of each part of the bot: how long its trouble may last, and where it comes from. PURE."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

__all__ = ["AT_ONCE", "PARTS", "STEADY", "UNNAMED", "Part", "parts_for"]

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


UNNAMED: Final = Part()
"""What is asked of a part that is not among `PARTS`."""

PARTS: Final[Mapping[str, Part]] = MappingProxyType(
    {
        "loop": Part(quiet=15.0),
        "room admission": Part(),
        "room state": Part(),
        "room": Part(60.0, needed=True, depends=("room admission",)),
        "heartbeat": Part(60.0, quiet=60.0, depends=("room",)),
        "chat token": Part(),
        "chat group": Part(),
        "chat": Part(30.0, needed=True, depends=("chat token", "chat group")),
        "chat agreement": Part(20.0, quiet=100.0, needed=True, depends=("chat",)),
        "chat push": Part(warns=True),
        "canary": Part(60.0, depends=("chat", "sending")),
        "outbox": Part(5.0),
        "sending": Part(30.0, depends=("chat", "chat token", "chat group")),
        "delivery": Part(120.0, depends=("outbox", "sending")),
        "clock": Part(60.0),
        "token": Part(warns=True),
    }
)
"""What is asked of each part, in the order in which they are shown; one that is not here is red at once."""

AT_ONCE: Final[Mapping[str, Part]] = MappingProxyType({"sending": Part(math.inf)})
"""The same for a command, which soon ends: all is red at once but what it tries again by itself."""


def parts_for(chat_silence: float, heartbeat_timeout: float) -> Mapping[str, Part]:
    """Return `PARTS` for a bot that looks after another silence, in seconds.

    A chat that forwards nothing is noticed by the look that comes ``chat_silence`` after it did so last; both
    together make the minute that it may last. A room without heartbeats is left after
    ``heartbeat_timeout``, and the join after that is the next word of it.
    """
    agreement = replace(
        PARTS["chat agreement"], red_after=max(5.0, 60.0 - chat_silence), quiet=60.0 + chat_silence
    )
    heartbeat = replace(PARTS["heartbeat"], quiet=max(60.0, heartbeat_timeout + 15.0))
    return MappingProxyType({**PARTS, "chat agreement": agreement, "heartbeat": heartbeat})
