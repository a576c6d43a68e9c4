"""The judges: from what was seen to a sentence of what is wrong, or ``None``; pure."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_hangfm.proof.evidence import Evidence

__all__ = [
    "ALWAYS",
    "backoff",
    "doubled",
    "gaps",
    "hammering",
    "in_order",
    "leaks",
    "lost",
    "one_connection",
]

_OVERLAP_MS: Final = 5_000
"""A new connection may be opened before the old one is given up, for as long as this."""
_MANY_SOCKETS: Final = 3
_BURST: Final = 8
_BURST_MS: Final = 3_000
_GENTLE_MS: Final = 4_500
_RARER: Final = 0.7


def one_connection(evidence: Evidence) -> str | None:
    """Whether it held one room socket at a time."""
    story = evidence.open_sockets()
    most = max((number for _, number in story), default=0)
    if most >= _MANY_SOCKETS:
        return f"it had {most} room sockets open at once"
    ends = [at for at, _ in story[1:]] + [evidence.ended_ms]
    for (at, number), end in zip(story, ends, strict=False):
        if number > 1 and end - at > _OVERLAP_MS:
            return f"it kept {number} room sockets open for {(end - at) / 1000:.0f} s"
    return None


def leaks(evidence: Evidence) -> str | None:
    """Whether its output held no token."""
    found = [line for run in evidence.runs for line in run.leaks]
    return f"it printed a token: {found[0][:200]}" if found else None


def lost(evidence: Evidence) -> str | None:
    """Whether each question was answered."""
    asked, answered = len(evidence.questions), len(evidence.answers)
    return f"of {asked} questions {asked - answered} got no answer" if answered < asked else None


def doubled(evidence: Evidence) -> str | None:
    """Whether no question was answered twice."""
    asked, answered = len(evidence.questions), len(evidence.answers)
    if answered <= asked:
        return None
    return f"it answered {answered} times to {asked} question{'' if asked == 1 else 's'}"


def in_order(numbers: Sequence[int]) -> str | None:
    """Whether numbers that it was asked about were answered in the order of the questions."""
    for before, after in itertools.pairwise(numbers):
        if after < before:
            return f"the answer to question {after} came after that to question {before}"
    return None


def gaps(times: Sequence[int]) -> list[int]:
    """Return the pauses between moments, in milliseconds."""
    return [after - before for before, after in itertools.pairwise(times)]


def hammering(times: Sequence[int]) -> str | None:
    """Whether attempts, in milliseconds, never came in a rush."""
    for first, last in zip(times, times[_BURST - 1 :], strict=False):
        if last - first < _BURST_MS:
            return f"it tried {_BURST} times within {(last - first) / 1000:.1f} s"
    return None


def backoff(times: Sequence[int], until: int) -> str | None:
    """Whether attempts became rarer while all of them failed.

    A bot whose pauses are long from the start (4.5 s and more) needs not make them longer.

    Args:
        times: When it tried, in milliseconds.
        until: When the outage ended.
    """
    if rushed := hammering(times):
        return rushed
    if not times:
        return None
    half = (until - times[0]) / 2
    early = sum(at < times[0] + half for at in times)
    late = len(times) - early
    if not late or late * _GENTLE_MS <= half:
        return None
    if late >= _RARER * early:
        span = half / 1000
        tried = f"it tried {early} times in the first half, {late} in the second"
        return f"in {2 * span:.0f} s without the service {tried}"
    return None


ALWAYS: Final[Mapping[str, Callable[[Evidence], str | None]]] = {
    "room-socket.one-connection": one_connection,
    "secrets.output": leaks,
}
"""Rules that every scenario is judged by, besides its own."""
