"""What a bot did wrong in a schedule of faults: rule and sentence; pure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from pytest_hangfm.proof.judge import doubled, hammering, lost

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_hangfm.proof.evidence import Evidence

__all__ = ["RULES", "Ends", "blamed", "longest_pause", "patience", "under_its_rule"]

RULES: Final = (
    "search.recovers",
    "search.lost",
    "search.once",
    "search.alive",
    "search.gentle",
    "search.always",
)
MOST_ENDS: Final = 5
"""How often a bot is started again that ends by itself."""
_LEAST: Final = 60.0
_MOST: Final = 90.0
_GROWS: Final = 2.5
"""The next pause of a bot that waits longer and longer is up to as many times the longest one so far."""


@dataclass(frozen=True, slots=True)
class Ends:
    """How a bot ended by itself.

    Attributes:
        codes: Its exit codes, in order.
        allowed: Whether something happened by which a sound bot may end to be started again.
    """

    codes: tuple[int, ...] = ()
    allowed: bool = False

    @property
    def is_over(self) -> bool:
        """Whether nothing starts it again."""
        return 0 in self.codes or len(self.codes) > MOST_ENDS

    def wrong(self) -> str | None:
        """Return what is wrong with it, or ``None``."""
        if 0 in self.codes:
            return "it ended with exit code 0, so that nothing starts it again"
        if len(self.codes) > MOST_ENDS:
            return f"it ended {len(self.codes)} times, the last time with exit code {self.codes[-1]}"
        if self.codes and not self.allowed:
            return f"it ended with exit code {self.codes[0]}"
        return None


def patience(evidence: Evidence) -> float:
    """Return for how many seconds after the last fault a bot may be about to recover.

    A minute; longer, up to 90 seconds, for one whose pauses have grown so far that the next one may be.
    """
    return min(_MOST, max(_LEAST, _GROWS * longest_pause(evidence)))


def longest_pause(evidence: Evidence) -> float:
    """Return the longest time between two requests of the bot to the same service, in seconds."""
    longest = 0
    for service in ("room", "chat", "gateway"):
        times = [row["t_ms"] for row in evidence.requests(service)]
        longest = max([longest, *(after - before for before, after in pairwise(times))])
    return longest / 1000


def blamed(
    evidence: Evidence, *, is_in_the_room: bool, answers_now: bool, waited: float, ends: Ends
) -> list[tuple[str, str]]:
    """Return what the bot did wrong, rule and sentence.

    Args:
        evidence: Everything that was seen.
        is_in_the_room: Whether it is there, where it uses the room at all.
        answers_now: Whether it answered what it was asked after the last fault.
        waited: For how many seconds after the last fault it was waited for.
        ends: How it ended by itself.
    """
    found: list[tuple[str, str]] = []
    if wrong := ends.wrong():
        found.append(("search.alive", wrong))
    if wrong := hammering(evidence.connects_in_vain()):  # a socket that was lost may be opened anew at once
        found.append(("search.gentle", f"{wrong} to open the room socket"))
    if wrong := doubled(evidence):
        found.append(("search.once", wrong))
    elif ends.is_over:
        pass  # that it is out and answers nothing says nothing more
    elif not is_in_the_room:
        found.append(("search.recovers", f"it was not in the room {waited:.0f} s after the last fault"))
    elif not answers_now:
        found.append(("search.recovers", f"it did not answer within {waited:.0f} s after the last fault"))
    elif wrong := lost(evidence):
        found.append(("search.lost", wrong))
    return found


def under_its_rule(blames: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return blames with what every scenario is judged by under the search's own rule for it."""
    return tuple(
        (rule, what) if rule in RULES else ("search.always", f"{rule}: {what}") for rule, what in blames
    )
