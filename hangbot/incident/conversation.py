"""Two runs of a bot side by side, as lines for people. PURE."""

from collections.abc import Iterator, Sequence
from typing import Final

from hangbot.incident.outcome import Pair

__all__ = ["conversation", "pair_row"]

_MARKS: Final = {(True, True): " ", (True, False): "-", (False, True): "+"}


def conversation(pairs: Sequence[Pair], *, differences: bool = False) -> Iterator[str]:
    """Yield a line for each fact: when it was then, when it is now, and what it is.

    Args:
        pairs: The facts of both runs.
        differences: Whether to leave out what both have.
    """
    for pair in pairs:
        if differences and (not pair.counts or None not in (pair.then, pair.now)):
            continue
        mark = _MARKS[pair.then is not None, pair.now is not None] if pair.counts else " "
        late = "" if pair.counts else " (where it proves nothing)"
        yield f"{mark} {_seconds(pair.then)} {_seconds(pair.now)}  {pair.topic}: {pair.says}{late}"


def pair_row(pair: Pair) -> dict[str, object]:
    """Return a pair as a row for JSON."""
    return {
        "then_s": pair.then,
        "now_s": pair.now,
        "about": pair.topic,
        "what": pair.says,
        "differs": pair.counts and None in (pair.then, pair.now),
    }


def _seconds(t: float | None) -> str:
    return f"{'':>9}" if t is None else f"{t:9.2f}"
