"""What a whole run came to: pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_hangfm.proof.rules import all_rules
from pytest_hangfm.proof.tiers import exit_code, reached, within, worst

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pytest_hangfm.proof.profile import Profile
    from pytest_hangfm.proof.tiers import Tier, VerdictKind

__all__ = ["RuleResult", "RunResult"]


@dataclass(frozen=True, slots=True)
class RuleResult:
    """What one rule came to.

    Attributes:
        id: The rule.
        tier: Its tier.
        verdict: Over all scenarios that judge it.
        what: What the bot did, or why nothing can be said.
        scenarios: Where it was seen.
    """

    id: str
    tier: Tier
    verdict: VerdictKind
    what: str = ""
    scenarios: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run came to.

    Attributes:
        asked: The tier asked for.
        tier: The one reached, or ``None``.
        rules: Every rule.
        exit_code: What the process says.
        problem: Why the bot could not be exercised, or what is missing for a tier; or empty.
        interrupted: Whether it was broken off.
        profile: What the bot does.
        scenarios: What came of each scenario, as plain data.
        replayed: Whether one schedule of faults was replayed, and nothing else.
    """

    asked: Tier
    tier: Tier | None
    rules: tuple[RuleResult, ...]
    exit_code: int
    problem: str = ""
    interrupted: bool = False
    profile: Profile | None = None
    scenarios: tuple[dict[str, Any], ...] = field(default=(), repr=False)
    replayed: bool = False

    @classmethod
    def of(
        cls,
        rows: Sequence[dict[str, Any]],
        asked: Tier,
        *,
        profile: Profile | None,
        problem: str = "",
        interrupted: bool = False,
        most: Tier = "platinum",
        owed: Collection[str] = (),
        replayed: bool = False,
    ) -> RunResult:
        """Make a result of what came of each scenario.

        Args:
            rows: What came of each, as plain data.
            asked: The tier asked for.
            profile: What the bot does.
            problem: Why it could not be exercised, or empty.
            interrupted: Whether the run was broken off.
            most: What a run like this one can prove at most.
            owed: Rules that a whole run of this kind judges; one without a verdict was not exercised.
            replayed: Whether one schedule of faults was replayed, and nothing else: then there is no tier.
        """
        table = all_rules()
        given: dict[str, list[tuple[str, VerdictKind, str]]] = {}
        for row in rows:
            for name, kind, what in row["verdicts"]:
                given.setdefault(name, []).append((row["scenario"], kind, what))
        verdicts = {name: worst(kind for _, kind, _ in found) for name, found in given.items()}
        unknown = frozenset(owed) - verdicts.keys()
        verdicts |= dict.fromkeys(unknown, "not_exercised")
        answered = profile is not None and profile.has("answers") and bool(profile.room or profile.chat)
        tier = reached(table, verdicts, answered=answered, most=most) if rows else None
        failed = any(
            verdicts.get(each.id) in {"fail", "flaky"} and within(each.tier, asked) for each in table
        )
        if not problem and not answered and asked != "bronze":
            problem = (
                "no line is known that the bot answers, so nothing above bronze can be told: "
                "give a profile with `says` and `answers` (`--learn` writes one to begin with)"
            )
        if not problem and not failed and not interrupted:
            problem = _left_out(
                [each.id for each in table if each.id in unknown and within(each.tier, asked)]
            )
        hazy = any(kind == "not_exercised" for kind in verdicts.values())
        came_through = replayed and not failed and not hazy and not problem
        code = (
            0 if came_through else exit_code(tier, asked, exercised=not problem and not hazy, failed=failed)
        )
        rules = tuple(
            _rule_result(each.id, each.tier, verdicts.get(each.id), given.get(each.id, [])) for each in table
        )
        return cls(asked, tier, rules, code, problem, interrupted, profile, tuple(rows), replayed)

    def as_json(self) -> dict[str, Any]:
        """Return it as ``report.json`` has it."""
        return {
            "schema": 1,
            "tier": self.tier,
            "asked": self.asked,
            "exit_code": self.exit_code,
            "problem": self.problem or None,
            "interrupted": self.interrupted,
            "rules": [asdict(each) for each in self.rules],
            "scenarios": list(self.scenarios),
            "profile": None if self.profile is None else asdict(self.profile),
        }


def _left_out(unknown: Sequence[str]) -> str:
    """Return what is to be done about rules of which nothing is known, in a sentence; empty without any."""
    if not unknown:
        return ""
    others = f" and {len(unknown) - 1} other rules" if len(unknown) > 1 else ""
    return (
        f"only a part was played, and nothing is known of {unknown[0]}{others}: "
        "play all (without `--only` and `-k`) to be told a tier"
    )


def _rule_result(
    name: str, tier: Tier, verdict: VerdictKind | None, found: Sequence[tuple[str, VerdictKind, str]]
) -> RuleResult:
    if verdict is None or not found:
        return RuleResult(name, tier, "not_exercised", "left out of this run")
    fitting = [(scenario, what) for scenario, kind, what in found if kind == verdict]
    return RuleResult(name, tier, verdict, fitting[0][1], tuple(scenario for scenario, _ in fitting))
