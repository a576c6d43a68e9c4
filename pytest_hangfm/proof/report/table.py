"""The run as lines of a terminal: pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final, get_args

from hangbot.text import printable
from pytest_hangfm.proof.rules import rule
from pytest_hangfm.proof.tiers import CANNOT_TELL, TIERS, VerdictKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_hangfm.proof.report.run_result import RunResult

__all__ = ["row_line", "summary"]

_WORDS: Final = {
    "pass": "ok",
    "fail": "FAILS",
    "flaky": "FLAKY",
    "not_applicable": "-",
    "not_exercised": "?",
}
_MINUTE: Final = 60


def row_line(row: Mapping[str, Any], done: int, expected: int, left: float) -> str:
    """Return the line of a scenario that is over, with how much is left."""
    width = len(str(expected))
    wrong = [what for _, kind, what in row["verdicts"] if kind in {"fail", "flaky"}]
    why = "" if row["kind"] == "pass" else next(iter(wrong), row["verdicts"][0][2])
    time = f"{left / _MINUTE:.0f} min" if left > _MINUTE else f"{left:.0f} s"
    head = f"{done:{width}}/{expected} {_WORDS[row['kind']]:5} {row['scenario']:32} {row['seconds']:5.1f} s"
    return printable(f"{head}  {why}" if why else f"{head}  ({time} left)")


def summary(result: RunResult, command: str) -> list[str]:
    """Return what the run came to: what failed with what to do about it, the numbers, and the tier.

    Args:
        result: What it came to.
        command: How the bot is named on the command line of `hangbot prove`.
    """
    if result.problem and all(each.verdict == "not_exercised" for each in result.rules):
        return [printable(f"cannot tell: {result.problem}")]
    lines: list[str] = []
    for tier in TIERS:
        for each in result.rules:
            if each.tier == tier and each.verdict in {"fail", "flaky"}:
                broken = rule(each.id)
                lines += [
                    f"{tier} {each.id}: {_WORDS[each.verdict]}. {broken.sentence}",
                    f"  seen: {each.what} (in {', '.join(each.scenarios)})",
                    f"  do: {broken.remedy}",
                    *_replays(result, each.id, command),
                ]
    counts = Counter(each.verdict for each in result.rules)
    counted = (f"{counts[kind]} {kind.replace('_', ' ')}" for kind in get_args(VerdictKind) if counts[kind])
    lines.append(f"rules: {', '.join(counted)}")
    lines += [f"{row['scenario']}: {note}" for row in result.scenarios for note in row.get("notes", ())]
    if result.interrupted:
        lines.append("interrupted: this is what was judged until then")
    if result.problem:
        lines.append(f"cannot tell: {result.problem}")
    if result.replayed:
        came = {0: "the bot came through", 1: "the bot fails"}.get(result.exit_code, "cannot tell")
        lines.append(f"replay: {came}")
        return [printable(line) for line in lines]
    lines.append(f"tier: {result.tier or _no_tier(result)} (asked for: {result.asked})")
    return [printable(line) for line in lines]


def _replays(result: RunResult, rule: str, command: str) -> list[str]:
    """Return the schedules of faults in which the bot broke a rule, each with what replays it."""
    return [
        line
        for row in result.scenarios
        for found in row.get("found", ())
        if found["rule"] == rule
        for line in (
            f"  when: {'; '.join(found['faults'])}",
            f"  replay: hangbot prove --replay {found['token']} {command}",
        )
    ]


def _no_tier(result: RunResult) -> str:
    """Return what stands in the place of a tier: that none is reached, or that it is not known."""
    return "cannot tell" if result.exit_code == CANNOT_TELL or result.interrupted else "none"
