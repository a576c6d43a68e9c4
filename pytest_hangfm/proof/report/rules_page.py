"""The page of the rules for the documentation, made of the table; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_hangfm.proof.rules import all_rules
from pytest_hangfm.proof.scenario import FAMILIES, load
from pytest_hangfm.proof.search.searching import SEARCH
from pytest_hangfm.proof.tiers import TIERS

if TYPE_CHECKING:
    from pytest_hangfm.proof.rules import Rule

__all__ = ["rules_page"]

_TITLES: Final = {
    "start": "How a bot starts",
    "join": "How it comes into the room",
    "room-socket": "The room socket",
    "state": "The room's state",
    "chat-in": "What others write",
    "chat-out": "What the bot writes",
    "health": "Health",
    "stop": "How it ends",
    "secrets": "Secrets",
    "load": "Load",
    "search": "When several things go wrong at once",
}
_HEAD: Final = """\
# The rules of `hangbot prove`

Made from `pytest_hangfm/proof/rules.toml` by `python -m pytest_hangfm.proof.report.rules_page`; a test keeps
it current. What a bot does not do is not applicable, and never a failure.

- **Bronze**: the bot joins, answers, ends when it is asked to, prints no token, and says that one is wrong.
- **Silver**: it recovers from everything that passes, tries more and more seldom, and holds one connection.
- **Gold**: nothing is said twice, lost, or answered anew after a restart; a health page says the truth.
- **Platinum**: it comes through the search, in which several things go wrong at once.
"""


def rules_page() -> str:
    """Return the page as Markdown."""
    counts = ", ".join(f"{sum(each.tier == tier for each in all_rules())} {tier}" for tier in TIERS)
    parts = [_HEAD, f"There are {len(load())} scenarios and {len(all_rules())} rules: {counts}.\n"]
    for family in FAMILIES:
        parts.append(f"## {_TITLES[family]}\n")
        parts += [_rule(each) for each in all_rules() if each.family == family]
    return "\n".join(parts)


def _rule(rule: Rule) -> str:
    happens = [each.sentence for each in load().values() if rule.id in each.rules]
    where = "In the search." if rule.family == SEARCH.family else "In every scenario."
    what = f"\n{' '.join(happens) or where}\n"
    seen = f"\n- Seen in public: {rule.seen}." if rule.seen else ""
    return (
        f"### `{rule.id}` ({rule.tier})\n\n**{rule.sentence}**\n{what}\n"
        f"- Why: {rule.why}\n- What to do: {rule.remedy}{seen}\n"
    )


if __name__ == "__main__":
    print(rules_page(), end="")  # noqa: T201  this prints
