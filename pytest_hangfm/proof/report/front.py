"""The front page of a report, and the badge; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_hangfm.proof.report.page import STYLE, shown
from pytest_hangfm.proof.rules import rule
from pytest_hangfm.proof.tiers import CANNOT_TELL, TIERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_hangfm.proof.report.history import Change
    from pytest_hangfm.proof.report.run_result import RuleResult, RunResult

__all__ = ["badge", "front"]

_COLOURS: Final = {
    "bronze": "#a97142",
    "silver": "#8a8f98",
    "gold": "#b8860b",
    "platinum": "#4b6bdc",
    None: "#cf222e",
}
_CHARACTER: Final = 6.6
_PADDING: Final = 12


def front(result: RunResult, changes: Sequence[Change], when: str) -> str:
    """Return the front page: the verdict, what to do first, what changed, every rule and scenario."""
    wrong = [
        each
        for tier in TIERS
        for each in result.rules
        if each.tier == tier and each.verdict in {"fail", "flaky"}
    ]
    return (
        "<!doctype html><html lang='en'><meta charset='utf-8'><title>hangbot prove</title>"
        f"<style>{STYLE}</style><h1>{_headline(result)}</h1><p>{shown(when)}</p>{_notes(result)}{_changes(changes)}"
        f"<h2>What to do first</h2>{_todo(wrong)}<h2>Rules</h2>{_rules(result.rules)}"
        f"<h2>Scenarios</h2>{_scenarios(result)}</html>\n"
    )


def _headline(result: RunResult) -> str:
    reached = result.tier or "no tier"
    verdict = "is reached" if result.exit_code == 0 else "is not reached"
    if result.exit_code == CANNOT_TELL:
        verdict = "cannot be told"
    return f"{shown(reached)}: {shown(result.asked)} {verdict}"


def _notes(result: RunResult) -> str:
    notes = [result.problem] if result.problem else []
    if result.interrupted:
        notes.append("The run was interrupted: this is what was judged until then.")
    return "".join(f"<p class='fail'>{shown(note)}</p>" for note in notes)


def _changes(changes: Sequence[Change]) -> str:
    if not changes:
        return ""
    rows = "".join(
        f"<li class='{'fail' if each.is_worse else 'pass'}'>{shown(each)}</li>" for each in changes
    )
    return f"<h2>Since earlier runs</h2><ul>{rows}</ul>"


def _todo(wrong: Sequence[RuleResult]) -> str:
    if not wrong:
        return "<p>Nothing: no rule was broken.</p>"
    return "".join(
        f"<p><b>{each.tier} {shown(each.id)}</b> {_link(each.scenarios)}<br>{shown(rule(each.id).sentence)}"
        f"<br>seen: {shown(each.what)}<br>what to do: {shown(rule(each.id).remedy)}</p>"
        for each in wrong
    )


def _link(scenarios: Iterable[str]) -> str:
    return " ".join(
        f"<a href='scenarios/{shown(name)}.html'>{shown(name)}</a>" for name in list(scenarios)[:4]
    )


def _rules(rules: Sequence[RuleResult]) -> str:
    rows = "".join(
        f"<tr><td>{each.tier}</td><td>{shown(each.id)}</td><td class='{each.verdict}'>"
        f"{each.verdict.replace('_', ' ')}</td><td>{shown(rule(each.id).sentence)}</td></tr>"
        for tier in TIERS
        for each in rules
        if each.tier == tier
    )
    return f"<table>{rows}</table>"


def _scenarios(result: RunResult) -> str:
    rows = "".join(
        f"<tr><td>{_link([row['scenario']])}</td><td class='{shown(row['kind'])}'>"
        f"{shown(row['kind']).replace('_', ' ')}</td><td class='t'>{row['seconds']} s</td></tr>"
        for row in result.scenarios
    )
    return f"<table>{rows}</table>"


def badge(result: RunResult) -> str:
    """Return an SVG badge with the tier that is reached."""
    left, right = "hangbot prove", result.tier or ("failing" if result.exit_code == 1 else "unknown")
    widths = [len(text) * _CHARACTER + _PADDING for text in (left, right)]
    whole = sum(widths)
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{whole:.0f}' height='20' role='img' "
        f"aria-label='{left}: {right}'><title>{left}: {right}</title>"
        f"<rect width='{widths[0]:.0f}' height='20' fill='#444'/>"
        f"<rect x='{widths[0]:.0f}' width='{widths[1]:.0f}' height='20' fill='{_COLOURS[result.tier]}'/>"
        "<g fill='#fff' font-family='Verdana,Geneva,sans-serif' font-size='11' text-anchor='middle'>"
        f"<text x='{widths[0] / 2:.0f}' y='14'>{left}</text>"
        f"<text x='{widths[0] + widths[1] / 2:.0f}' y='14'>{right}</text></g></svg>\n"
    )
