"""What a rule is, and what it finds. PURE."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from pytest_hangfm.simulation.history import History

__all__ = ["Finding", "Judge", "Note", "Rule", "Violation"]

Finding: TypeAlias = tuple[float, str]
"""When, in virtual seconds, and a sentence without its full stop."""

Judge: TypeAlias = Callable[[History], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that a history breaks.

    Attributes:
        rule: The id of the rule.
        at: When, in virtual seconds.
        what: What happened, as a sentence without its full stop.
    """

    rule: str
    at: float
    what: str

    def __str__(self) -> str:
        return f"{self.at:.3f} s: {self.what} ({self.rule})"


@dataclass(frozen=True, slots=True)
class Note:
    """What a rule forbids, and a document allows; as a `Violation`."""

    rule: str
    at: float
    what: str


@dataclass(frozen=True, slots=True)
class Rule:
    """What is to be true of every history.

    Attributes:
        id: Its name, in small letters.
        sentence: What it asks, in plain words.
        judge: Yields what breaks it.
    """

    id: str
    sentence: str
    judge: Judge
