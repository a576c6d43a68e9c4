"""Earlier runs beside this one: which rule fails since when, and which is mended; pure."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_hangfm.proof.report.run_result import RunResult

__all__ = ["Change", "Entry", "changes", "entry_of", "read_history", "write_history"]

_KEPT: Final = 200
_BAD: Final = frozenset({"fail", "flaky"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One run in the history.

    Attributes:
        when: ISO 8601, UTC.
        tier: What was reached, or ``None``.
        verdicts: Of the rules that were judged.
    """

    when: str
    tier: str | None
    verdicts: dict[str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """A rule that is not what it was.

    Attributes:
        rule: Its id.
        since: When it was first so.
        is_worse: Whether it fails now.
    """

    rule: str
    since: str
    is_worse: bool

    def __str__(self) -> str:
        return f"since {self.since}: {self.rule} {'fails' if self.is_worse else 'passes'}"


def entry_of(result: RunResult, when: str) -> Entry:
    """Make an entry of a run."""
    judged = {each.id: each.verdict for each in result.rules if each.verdict != "not_exercised"}
    return Entry(when, result.tier, dict(judged))


def changes(earlier: Sequence[Entry], now: Entry) -> list[Change]:
    """Return the rules that fail now and once passed, and those that pass now and failed the last time."""
    found: list[Change] = []
    for rule, verdict in now.verdicts.items():
        past = [(entry.when, entry.verdicts[rule]) for entry in earlier if rule in entry.verdicts]
        if verdict in _BAD and any(old == "pass" for _, old in past):
            found.append(Change(rule, _first_of_streak([*past, (now.when, verdict)]), is_worse=True))
        elif verdict == "pass" and past and past[-1][1] in _BAD:
            found.append(Change(rule, now.when, is_worse=False))
    return found


def _first_of_streak(runs: Sequence[tuple[str, str]]) -> str:
    """Return when the failures at the end began."""
    first = runs[-1][0]
    for when, verdict in reversed(runs):
        if verdict not in _BAD:
            break
        first = when
    return first


def read_history(text: str) -> list[Entry]:
    """Read a history, an entry a line; a line that cannot be read is passed over."""
    entries: list[Entry] = []
    for line in text.splitlines():
        with suppress(ValueError, KeyError, TypeError, AttributeError):
            row: dict[str, Any] = json.loads(line)
            verdicts = {str(rule): str(verdict) for rule, verdict in row["verdicts"].items()}
            entries.append(Entry(str(row["when"]), row["tier"], verdicts))
    return entries


def write_history(entries: Iterable[Entry]) -> str:
    """Write a history, the newest entries of it."""
    rows = ({"when": each.when, "tier": each.tier, "verdicts": each.verdicts} for each in entries)
    return "".join(json.dumps(row) + "\n" for row in list(rows)[-_KEPT:])
