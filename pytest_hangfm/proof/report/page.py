"""The page of one scenario: what was said, what went over the wires, what the bot printed; pure."""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING, Any, Final

from hangbot.text import printable
from pytest_hangfm.proof.rules import rule

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_hangfm.proof.evidence import Evidence
    from pytest_hangfm.proof.outcome import Found, Outcome, Verdict
    from pytest_hangfm.proof.scenario import Scenario

__all__ = ["STYLE", "page", "shown"]

STYLE: Final = """
:root{color-scheme:light dark}
body{margin:0 auto;padding:24px;max-width:1200px;font:14px/1.5 ui-sans-serif,system-ui,sans-serif}
h1{font-size:22px}h2{font-size:16px;margin-top:28px}
table{border-collapse:collapse;width:100%}
td,th{text-align:left;vertical-align:top;padding:3px 10px 3px 0;
border-bottom:1px solid #8884;overflow-wrap:anywhere}
td.t{white-space:nowrap;font-variant-numeric:tabular-nums}
code,pre{font:12px/1.45 ui-monospace,monospace;white-space:pre-wrap;overflow-wrap:anywhere}
.pass{color:#1a7f37}.fail,.flaky{color:#cf222e;font-weight:600}.not_applicable,.not_exercised{color:#8a8a8a}
.mark{background:#bf870022}.say{background:#0969da18}.out td{opacity:.85}
.sides{display:grid;grid-template-columns:2fr 1fr;gap:24px}
@media(max-width:900px){.sides{display:block}}
"""
_MOST_ROWS: Final = 600
_LONGEST: Final = 400
_MOST_LINES: Final = 400
_LINKS: Final = {"pass": "passes", "fail": "fails", "flaky": "flaky"}


def shown(text: object) -> str:
    """Return a text of others as HTML, without signs that a browser or a terminal would obey."""
    return escape(printable(str(text)))


def page(scenario: Scenario, outcome: Outcome) -> str:
    """Return the page of a scenario as HTML that needs nothing else."""
    played = next((each for each in outcome.played if each.evidence is not None), None)
    evidence = None if played is None else played.evidence
    body = "".join(map(_found, outcome.found))
    if not outcome.found and evidence is not None:
        body = _evidence(evidence)
    notes = "".join(f"<p>{shown(note)}</p>" for note in outcome.notes)
    verdicts = "".join(_verdict(verdict) for verdict in outcome.verdicts)
    times = f", played {len(outcome.played)} times" if len(outcome.played) > 1 else ""
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{shown(scenario.id)}</title>"
        f"<style>{STYLE}</style><p><a href='../index.html'>all scenarios</a></p>"
        f"<h1>{shown(scenario.id)} <span class='{outcome.kind}'>{_word(outcome.kind)}</span></h1>"
        f"<p>{shown(scenario.sentence)}{times}</p>{verdicts}{notes}{body}</html>\n"
    )


def _word(kind: str) -> str:
    return _LINKS.get(kind, kind.replace("_", " "))


def _verdict(verdict: Verdict) -> str:
    about = rule(verdict.rule)
    head = f"<p><span class='{verdict.kind}'>{_word(verdict.kind)}</span>"
    seen = f"<br>seen: {shown(verdict.what)}" if verdict.what else ""
    if verdict.kind not in {"fail", "flaky"}:
        return f"{head} {shown(about.sentence)}{seen}</p>"
    public = f"<br>seen in public: {shown(about.seen)}" if about.seen else ""
    return (
        f"{head} <b>{about.tier} {shown(about.id)}</b>: {shown(about.sentence)}{seen}"
        f"<br>why: {shown(about.why)}<br>what to do: {shown(about.remedy)}{public}</p>"
    )


def _found(found: Found) -> str:
    faults = "".join(f"<li>{shown(fault)}</li>" for fault in found.faults)
    return (
        f"<h2>{shown(found.rule)}: {shown(found.what)}</h2>"
        f"<p>{found.failed} of {found.times} times, when these came together:</p><ul>{faults}</ul>"
        f"<p>Again: <code>hangbot prove --replay {shown(found.token)} -- COMMAND</code></p>"
        f"{'' if found.evidence is None else _evidence(found.evidence)}"
    )


def _evidence(evidence: Evidence) -> str:
    began = min((row["t_ms"] for row in evidence.rows), default=0)
    began = min([began, *(mark.at_ms for mark in evidence.marks)]) if evidence.marks else began
    return (
        f"<h2>The conversation</h2>{_conversation(evidence)}"
        f"<div class='sides'><div><h2>What went over the wires</h2>{_timeline(evidence, began)}</div>"
        f"<div><h2>What the bot printed</h2>{_output(evidence)}</div></div>"
    )


def _conversation(evidence: Evidence) -> str:
    lines = "".join(
        f"<tr class='{'say' if line.sender == evidence.uid else ''}'><td class='t'>{line.id}</td>"
        f"<td>{'the bot' if line.sender == evidence.uid else 'a user'}</td>"
        f"<td>{shown(line.text[:_LONGEST])}</td></tr>"
        for line in evidence.lines[-_MOST_LINES:]
    )
    return f"<table>{lines}</table>" if lines else "<p>Nothing was said.</p>"


def _timeline(evidence: Evidence, began: int) -> str:
    rows = list(evidence.rows)
    left_out = max(0, len(rows) - _MOST_ROWS)
    if left_out:
        rows = rows[: _MOST_ROWS // 2] + rows[-_MOST_ROWS // 2 :]
    lines = [(row["t_ms"], row["n"], _row(row, began)) for row in rows]
    marks = [(mark.at_ms, mark.n + 0.5, _mark(mark.at_ms, mark.what, began)) for mark in evidence.marks]
    body = "".join(html for _, _, html in sorted([*lines, *marks], key=lambda each: (each[1], each[0])))
    more = f"<p>{left_out} rows in the middle are left out.</p>" if left_out else ""
    return f"{more}<table>{body}</table>"


def _mark(at_ms: int, what: str, began: int) -> str:
    time = f"<td class='t'>{_time(at_ms, began)}</td>"
    return f"<tr class='mark'>{time}<td></td><td><b>{shown(what)}</b></td></tr>"


def _row(row: Mapping[str, Any], began: int) -> str:
    arrow = "→" if row["dir"] == "in" else "←"
    fault = " ⚡" if "fault" in row else ""
    return (
        f"<tr class='{row['dir']}'><td class='t'>{_time(row['t_ms'], began)}</td>"
        f"<td class='t'>{arrow} {shown(row['service'])}{fault}</td>"
        f"<td><code>{shown(_what(row))}</code></td></tr>"
    )


def _time(at_ms: int, began: int) -> str:
    return f"{(at_ms - began) / 1000:.2f} s"


def _what(row: Mapping[str, Any]) -> str:
    if row["kind"] == "frame":
        return str(row.get("frame"))[:_LONGEST]
    if row["kind"] in {"open", "close"}:
        return f"{row['kind']} of connection {row.get('conn')} {row.get('how') or row.get('code') or ''}"
    body = row.get("body")
    content = "" if body in (None, "") else body if isinstance(body, str) else json.dumps(body)
    return f"{row.get('method', '')} {row.get('path', '')} {row.get('status', '')} {content}"[:_LONGEST]


def _output(evidence: Evidence) -> str:
    parts: list[str] = []
    for number, run in enumerate(evidence.runs, 1):
        end = "ended by the scenario" if run.code is None else f"exit code {run.code}"
        lines: Sequence[str] = run.lines[-_MOST_LINES:]
        parts.append(f"<p>life {number}: {end}</p><pre>{shown_lines(lines)}</pre>")
    return "".join(parts) or "<p>Nothing.</p>"


def shown_lines(lines: Sequence[str]) -> str:
    """Return lines of output as HTML."""
    return "\n".join(shown(line) for line in lines) or "(nothing)"
