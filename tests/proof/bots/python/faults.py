"""The faults that can be planted into this bot; without one it is sound."""

import os
import sys
from typing import Final

KNOWN: Final = frozenset(
    {
        "answers-old-lines",
        "asks-carelessly",
        "deaf-at-unparsable",
        "deaf-behind-open-socket",
        "dies-of-late-profiles",
        "exits-0-on-wrong-token",
        "leaks-sockets",
        "loses-silently",
        "never-rejoins",
        "no-time-outs",
        "patch-throws",
        "reads-one-page",
        "repeats-without-asking",
        "requeues-on-reconnect",
        "stays-out-in-silence",
        "takes-refusal-for-success",
    }
)

_PLANTED: Final = frozenset(filter(None, os.environ.get("FAULT", "").split(",")))


def check() -> None:
    """End the program where a fault is asked for that there is not."""
    if unknown := _PLANTED - KNOWN:
        sys.exit(f"FAULT: there is no {', '.join(sorted(unknown))}")


def has(fault: str) -> bool:
    """Whether a fault is planted."""
    if fault not in KNOWN:
        raise LookupError(fault)
    return fault in _PLANTED
