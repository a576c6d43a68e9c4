"""Plans that failed once, each in a file of its own: what was found stays found."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pytest_hangfm.simulation.plan import Plan

__all__ = ["Kept", "read", "write"]


@dataclass(frozen=True, slots=True)
class Kept:
    """A plan that failed.

    Attributes:
        name: What the file is called, without its ending.
        rule: The rule that was broken.
        what: What was wrong, in a sentence.
        plan: The plan.
    """

    name: str
    rule: str
    what: str
    plan: Plan

    @classmethod
    def from_json(cls, name: str, text: str) -> Self:
        """Read what `as_json` has written.

        Raises:
            ValueError: It is something else.
        """
        try:
            content = json.loads(text)
            rule, what, plan = content["rule"], content["what"], content["plan"]
        except (ValueError, KeyError, TypeError) as exc:
            raise ValueError(f"{name}: no plan of a corpus: {exc!r}") from exc
        if not (isinstance(rule, str) and rule and isinstance(what, str) and what):
            raise ValueError(f"{name}: the rule and what was wrong are texts")
        return cls(name, rule, what, Plan.from_json(json.dumps(plan)))

    def as_json(self) -> str:
        """Return it as indented JSON."""
        content = {"rule": self.rule, "what": self.what, "plan": json.loads(self.plan.as_json())}
        return json.dumps(content, indent=2) + "\n"


def read(folder: Path) -> tuple[Kept, ...]:
    """Return what is kept in a folder, by name.

    Raises:
        ValueError: A file is something else.
    """
    return tuple(
        Kept.from_json(path.stem, path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))
    )


def write(folder: Path, kept: Kept) -> Path:
    """Write a plan into a folder, and return its path."""
    path = folder / f"{re.sub(r'[^A-Za-z0-9-]+', '-', kept.name)}.json"
    path.write_text(kept.as_json(), encoding="utf-8")
    return path
