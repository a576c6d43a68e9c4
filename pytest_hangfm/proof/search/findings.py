"""What a search finds, as values; pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pytest_hangfm.proof.evidence import Evidence
    from pytest_hangfm.proof.outcome import Played
    from pytest_hangfm.simulation.plan import Plan

__all__ = ["CONFIRMED", "Finding", "Hunted", "Trial"]

CONFIRMED: Final = 10
"""How often a schedule that has failed is played again."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One time that a schedule was played to its end.

    Attributes:
        played: What came of it.
        fired: Places of the faults that had an effect.
    """

    played: Played
    fired: tuple[int, ...] = ()

    def breaks(self, rule: str) -> bool:
        """Whether the bot broke a rule."""
        return any(name == rule for name, _ in self.played.blames)


@dataclass(slots=True)
class Finding:
    """What the search has found.

    Attributes:
        rule: Which rule the bot breaks.
        plan: The smallest schedule in which it does, as far as there was time.
        trials: Each time that this schedule was played to its end.
    """

    rule: str
    plan: Plan
    trials: list[Trial] = field(default_factory=list)

    def add(self, trial: Trial) -> None:
        """Take a play of this schedule; what was seen is kept of the first in which the bot failed."""
        if self.failed or not trial.breaks(self.rule):
            trial = replace(trial, played=replace(trial.played, evidence=None))
        self.trials.append(trial)

    @property
    def evidence(self) -> Evidence | None:
        """What was seen the first time that it failed."""
        return next((trial.played.evidence for trial in self.trials if trial.played.evidence), None)

    @property
    def times(self) -> int:
        """How often it was played to its end, and could be judged."""
        return sum(not trial.played.not_exercised for trial in self.trials)

    @property
    def failed(self) -> int:
        """How often the bot broke the rule."""
        return sum(trial.breaks(self.rule) for trial in self.trials)

    @property
    def is_flaky(self) -> bool:
        """Whether it was not confirmed as often as it has to be."""
        return self.failed < self.times or self.times < CONFIRMED

    def is_worse_than(self, other: Finding | None) -> bool:
        """Whether this one says more of the bot than another one of its rule."""
        return bool(self.failed) and (other is None or self.failed >= other.failed)

    @property
    def what(self) -> str:
        """What the bot did, the first time."""
        seen = (what for trial in self.trials for rule, what in trial.played.blames if rule == self.rule)
        return next(seen, "")


@dataclass(slots=True)
class Hunted:
    """What a search has come to so far.

    Attributes:
        schedules: How many schedules were played.
        fired: How many faults had an effect, by class.
        findings: What failed at least once, by rule.
        problem: Why nothing could be played; empty where something could.
        is_over: Whether it went on until its time was up, or it had nothing more to do.
        seconds: How long it took.
    """

    schedules: int = 0
    fired: Counter[str] = field(default_factory=Counter)
    findings: dict[str, Finding] = field(default_factory=dict)
    problem: str = ""
    is_over: bool = False
    seconds: float = 0.0
