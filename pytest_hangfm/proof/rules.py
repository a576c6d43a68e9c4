"""The rules: one table as data, ``rules.toml``; pure once it is read."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_hangfm.proof.tiers import Tier

__all__ = ["Rule", "all_rules", "rule"]


@dataclass(frozen=True, slots=True)
class Rule:
    """What a bot owes to those who run it.

    Attributes:
        id: Family and name: ``chat-out.lost-answer``.
        tier: The tier that it belongs to.
        sentence: The rule.
        why: Why it matters.
        remedy: What an author does about it, in any language.
        seen: Where in public the failure was seen, or empty.
    """

    id: str
    tier: Tier
    sentence: str
    why: str
    remedy: str
    seen: str = ""

    @property
    def family(self) -> str:
        """What it is about: ``chat-out``."""
        return self.id.partition(".")[0]


@cache
def all_rules() -> tuple[Rule, ...]:
    """Return every rule, in the order of the table."""
    text = (files("pytest_hangfm.proof") / "rules.toml").read_text("utf-8")
    return tuple(Rule(id=name, **row) for name, row in tomllib.loads(text).items())


@cache
def _by_id() -> dict[str, Rule]:
    return {each.id: each for each in all_rules()}


def rule(name: str) -> Rule:
    """Return the rule with an id.

    Raises:
        KeyError: There is none.
    """
    return _by_id()[name]
