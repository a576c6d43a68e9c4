"""Which tier a bot has reached, and what the process says with its exit code: pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_hangfm.proof.rules import Rule

__all__ = ["CANNOT_TELL", "TIERS", "Tier", "VerdictKind", "exit_code", "reached", "within", "worst"]

Tier = Literal["bronze", "silver", "gold", "platinum"]
TIERS: Final[tuple[Tier, ...]] = get_args(Tier)

VerdictKind = Literal["pass", "fail", "flaky", "not_applicable", "not_exercised"]

CANNOT_TELL: Final = 3
_WORST_FIRST: Final[tuple[VerdictKind, ...]] = ("fail", "flaky", "pass", "not_exercised", "not_applicable")


def within(tier: Tier, asked: Tier) -> bool:
    """Whether a tier is asked for with another one: it is the same, or below it."""
    return TIERS.index(tier) <= TIERS.index(asked)


def worst(kinds: Iterable[VerdictKind]) -> VerdictKind:
    """Return what several verdicts on one rule come to: a failure counts most, then a pass."""
    given = set(kinds)
    return next((kind for kind in _WORST_FIRST if kind in given), "not_exercised")


def reached(
    rules: Iterable[Rule], verdicts: Mapping[str, VerdictKind], *, answered: bool, most: Tier = "platinum"
) -> Tier | None:
    """Return the highest tier of which, and below which, nothing failed; ``None`` without bronze.

    Args:
        rules: Every rule.
        verdicts: What came of those that were to be judged; a rule that was left out on purpose is missing.
        answered: Whether it joined and an answer of it was seen: without that nothing above bronze is proven.
        most: What a run like this one can prove at most.
    """
    table = list(rules)
    best: Tier | None = None
    for tier in TIERS[: TIERS.index(most) + 1]:
        kinds = {verdicts[rule.id] for rule in table if rule.tier == tier and rule.id in verdicts}
        if kinds & {"fail", "flaky", "not_exercised"} or "pass" not in kinds:
            break
        if tier != "bronze" and not answered:
            break
        best = tier
    return best


def exit_code(tier: Tier | None, asked: Tier, *, exercised: bool, failed: bool) -> int:
    """Return the exit code: 0 the tier asked for is reached, 1 it is not, 3 nothing can be said.

    Args:
        tier: What is reached.
        asked: What was asked for.
        exercised: Whether the bot was seen to join and, above bronze, to answer.
        failed: Whether a rule up to the tier asked for failed.
    """
    if tier is not None and within(asked, tier):
        return 0
    return CANNOT_TELL if not exercised and not failed else 1
