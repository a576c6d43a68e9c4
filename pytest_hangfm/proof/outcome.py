"""What came of a scenario, and of all of them: frozen values, pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_hangfm.proof.tiers import worst

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_hangfm.proof.evidence import Evidence
    from pytest_hangfm.proof.tiers import VerdictKind

__all__ = ["Found", "Outcome", "Played", "Verdict", "judged", "settle"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one scenario says of one rule.

    Attributes:
        rule: Its id.
        kind: What it comes to.
        what: What the bot did, or why nothing can be said; empty for a pass.
    """

    rule: str
    kind: VerdictKind
    what: str = ""


@dataclass(frozen=True, slots=True)
class Played:
    """One time that a scenario was played.

    Attributes:
        blames: Rule and sentence, for each thing that the bot did wrong.
        evidence: What was seen, or ``None``.
        not_exercised: Why the scenario could not be played; empty where it could.
        not_applicable: What the bot does not do that the scenario is about; empty where it does.
        seconds: How long it took.
    """

    blames: tuple[tuple[str, str], ...] = ()
    evidence: Evidence | None = field(default=None, repr=False)
    not_exercised: str = ""
    not_applicable: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Found:
    """A schedule of faults in which the bot broke a rule.

    Attributes:
        rule: Its id.
        what: What the bot did.
        failed: How often it did.
        times: How often the schedule was played.
        faults: What went wrong, in words, in the order of time.
        token: What replays it.
        evidence: What was seen the first time that it failed.
    """

    rule: str
    what: str
    failed: int
    times: int
    faults: tuple[str, ...]
    token: str
    evidence: Evidence | None = field(default=None, repr=False)

    def as_json(self) -> dict[str, Any]:
        """Return it as ``report.json`` has it."""
        return {name: getattr(self, name) for name in ("rule", "what", "failed", "times", "faults", "token")}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a scenario.

    Attributes:
        scenario: Its id.
        verdicts: One for each rule that it is judged by.
        played: Each time that it was played; the first is shown.
        found: Schedules of faults in which the bot failed, where it was the search.
        notes: What else is to be said of it, each a sentence.
    """

    scenario: str
    verdicts: tuple[Verdict, ...]
    played: tuple[Played, ...] = ()
    found: tuple[Found, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def kind(self) -> VerdictKind:
        """What it comes to."""
        return worst(verdict.kind for verdict in self.verdicts)


def settle(scenario: str, rules: Sequence[str], always: Sequence[str], played: Sequence[Played]) -> Outcome:
    """Make verdicts of the times that a scenario was played.

    Args:
        scenario: Its id.
        rules: Ids of its own rules.
        always: Ids of the rules that every scenario is judged by.
        played: At least one time.
    """
    if missing := next((each.not_applicable for each in played if each.not_applicable), ""):
        return _nothing_judged(scenario, rules, played, "not_applicable", missing)
    times = [each for each in played if not each.not_exercised]
    if not times:
        return _nothing_judged(scenario, rules, played, "not_exercised", played[0].not_exercised)
    failed: Counter[str] = Counter()
    first: dict[str, str] = {}
    for each in times:
        failed.update({name for name, _ in each.blames})
        for name, what in each.blames:
            first.setdefault(name, what)
    names = list(dict.fromkeys((*rules, *always, *first)))
    return Outcome(
        scenario, tuple(_verdict(name, failed[name], len(times), first) for name in names), tuple(played)
    )


def _nothing_judged(
    scenario: str, rules: Sequence[str], played: Sequence[Played], kind: VerdictKind, why: str
) -> Outcome:
    return Outcome(scenario, tuple(Verdict(name, kind, why) for name in rules), tuple(played))


def _verdict(name: str, failed: int, times: int, first: Mapping[str, str]) -> Verdict:
    if not failed:
        return Verdict(name, "pass")
    if failed == times:
        return Verdict(name, "fail", first[name])
    return Verdict(name, "flaky", f"{first[name]} ({failed} of {times} times)")


def judged(outcomes: Iterable[Outcome]) -> dict[str, list[tuple[str, Verdict]]]:
    """Return what each rule was judged to be: scenario and verdict, by rule."""
    found: dict[str, list[tuple[str, Verdict]]] = {}
    for outcome in outcomes:
        for verdict in outcome.verdicts:
            found.setdefault(verdict.rule, []).append((outcome.scenario, verdict))
    return found
