"""The steps of a delivery as an HTML table. PURE."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_hangfm.reporting.timeline import duration, escape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hangbot import Step

__all__ = ["event_table"]

MOST_ROWS: Final = 1000

_STYLE: Final = """
body{margin:0;padding:12px;background:#fff;color:#1f2328;font:13px/1.45 ui-sans-serif,system-ui,sans-serif}
table{border-collapse:collapse;width:100%}
th{text-align:left;color:#656d76;font-weight:600;border-bottom:2px solid #d0d7de;padding:4px 10px}
td{border-bottom:1px solid #eaeef2;padding:4px 10px;vertical-align:top;overflow-wrap:anywhere}
td.n{white-space:nowrap;text-align:right;font-variant-numeric:tabular-nums}
td.w{white-space:nowrap}
.good{color:#1a7f37}.bad{color:#cf222e}.doubt{color:#bc4c00}.ask{color:#0969da}.pale{color:#656d76}
b{font-weight:600}
"""


def event_table(steps: Sequence[Step]) -> str:
    """Return an HTML page with a row a step; times count from the first."""
    start = steps[0].at if steps else 0.0
    rows = "".join(_row(step, start) for step in steps[:MOST_ROWS])
    more = f"<p class='pale'>… and {len(steps) - MOST_ROWS} more</p>" if len(steps) > MOST_ROWS else ""
    return (
        f"<!doctype html><meta charset='utf-8'><title>delivery events</title><style>{_STYLE}</style>"
        "<table><thead><tr><th>time</th><th>message</th><th>event</th><th>what came of it</th>"
        f"<th>took</th></tr></thead><tbody>{rows}</tbody></table>{more}\n"
    )


def _row(step: Step, start: float) -> str:
    number = f" {step.attempt}" if step.kind in {"attempt", "answer"} else ""
    took = duration(step.seconds) if step.seconds or step.kind == "answer" else ""
    return (
        f"<tr><td class='n'>+{step.at - start:.3f} s</td><td class='w'>{escape(step.id)}</td>"
        f"<td class='w {_class(step)}'><b>{escape(step.kind)}{number}</b></td>"
        f"<td>{escape(_detail(step))}</td><td class='n'>{took}</td></tr>"
    )


def _detail(step: Step) -> str:
    end = step.settlement
    if end is None:
        return step.detail
    tier = f", tier {end.tier}" if end.tier is not None else ""
    reason = f": {end.reason}" if end.reason else ""
    return f"{end.state}{tier}, {end.attempts} attempt(s){reason}"


def _class(step: Step) -> str:
    if step.settlement is not None:
        return {"delivered": "good", "uncertain": "doubt"}.get(step.settlement.state, "bad")
    if step.kind == "answer":
        return "good" if step.detail.startswith("acknowledged") else "doubt"
    return {"asked": "ask", "waiting": "pale"}.get(step.kind, "")
