"""From what a search has come to, to verdicts; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_hangfm.proof.outcome import Found, Outcome, Played, Verdict
from pytest_hangfm.proof.search.findings import Finding, Hunted
from pytest_hangfm.proof.search.judging import RULES
from pytest_hangfm.simulation.token import PROOF, encode

if TYPE_CHECKING:
    from collections.abc import Collection

    from pytest_hangfm.proof.search.findings import Trial
    from pytest_hangfm.simulation.plan import Fault, Plan
    from pytest_hangfm.simulation.token import MadeWith

__all__ = ["judged", "judged_once"]

SCENARIO: Final = "search"
_FEWEST: Final = 10
"""Schedules that a bot has to come through at least."""
_SHARE: Final = 0.6
"""Of the classes of faults, those that have to have had an effect at least."""


def judged(
    hunted: Hunted, kinds: Collection[str], made_with: MadeWith, left_out: Collection[str] = ()
) -> Outcome:
    """Return what a search comes to.

    Args:
        hunted: What it has played and found.
        kinds: The classes of faults that it drew from.
        made_with: What its tokens are made with.
        left_out: The classes that were left out, since the bot fails in them alone.
    """
    found = tuple(_found(hunted.findings[rule], made_with) for rule in RULES if rule in hunted.findings)
    why_not = _too_little(hunted, kinds)
    verdicts = tuple(_verdict(rule, hunted.findings.get(rule), why_not) for rule in RULES)
    played = (Played(seconds=hunted.seconds),)
    return Outcome(SCENARIO, verdicts, played, found, tuple(_notes(hunted, kinds, left_out)))


def judged_once(plan: Plan, trial: Trial, made_with: MadeWith) -> Outcome:
    """Return what the replay of one schedule comes to."""
    if why := trial.played.not_exercised or trial.played.not_applicable:
        return Outcome(
            SCENARIO, tuple(Verdict(rule, "not_exercised", why) for rule in RULES), (trial.played,)
        )
    broken = dict(reversed(trial.played.blames))
    verdicts = tuple(
        Verdict(rule, "fail", broken[rule]) if rule in broken else Verdict(rule, "pass") for rule in RULES
    )
    found = tuple(_found(Finding(rule, plan, [trial]), made_with) for rule in RULES if rule in broken)
    idle = [fault.kind for place, fault in enumerate(plan.faults) if place not in trial.fired]
    notes = (f"had no effect this time: {', '.join(idle)}",) if idle else ()
    return Outcome(SCENARIO, verdicts, (trial.played,), found, notes)


def _found(finding: Finding, made_with: MadeWith) -> Found:
    return Found(
        finding.rule,
        finding.what,
        finding.failed,
        finding.times,
        tuple(map(_described, finding.plan.faults)),
        encode(finding.plan, made_with, PROOF),
        finding.evidence,
    )


def _described(fault: Fault) -> str:
    args = "".join(f", {name} {value}" for name, value in sorted(fault.args.items()))
    lasts = f" for {fault.lasts:g} s" if fault.lasts else ""
    return f"{fault.kind} at {fault.at:g} s{lasts}{args}"


def _verdict(rule: str, finding: Finding | None, why_not: str) -> Verdict:
    if finding is not None:
        times = f"{finding.failed} of {finding.times} times"
        kinds = " and ".join(fault.kind for fault in finding.plan.faults)
        return Verdict(rule, "flaky" if finding.is_flaky else "fail", f"{finding.what} ({times}, by {kinds})")
    return Verdict(rule, "not_exercised", why_not) if why_not else Verdict(rule, "pass")


def _too_little(hunted: Hunted, kinds: Collection[str]) -> str:
    """Return why nothing can be said of rules that were not seen broken; empty where it can."""
    if hunted.problem:
        return hunted.problem
    if not hunted.is_over:
        return f"the search was interrupted after {_schedules(hunted)}"
    fired = len(set(hunted.fired) & set(kinds))
    if hunted.schedules < _FEWEST or fired < _SHARE * len(kinds):
        return (
            f"there was time for {_schedules(hunted)}, in which {fired} of {len(kinds)} classes of faults "
            "took place: search longer, such as with --search 10"
        )
    return ""


def _schedules(hunted: Hunted) -> str:
    return f"{hunted.schedules} schedule{'' if hunted.schedules == 1 else 's'}"


def _notes(hunted: Hunted, kinds: Collection[str], left_out: Collection[str]) -> list[str]:
    took_place = sum(hunted.fired.values())
    notes = [f"{_schedules(hunted)} of faults played, {took_place} faults took place"]
    if idle := sorted(set(kinds) - set(hunted.fired)):
        notes.append(f"not exercised: {', '.join(idle)}")
    if left_out:
        notes.append(f"left out, since the bot fails in them alone: {', '.join(left_out)}")
    return notes
