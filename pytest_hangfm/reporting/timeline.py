"""The life of each message as a picture: sent, waited, asked, acknowledged, given up.

PURE: from delivery steps to SVG text. Time runs from left to right and is not to scale: an
acknowledgement after a millisecond and a back-off of half a minute have to be read on one
line, so each part is as wide as its words need, and says how long it took.
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from math import log10
from typing import TYPE_CHECKING, Final

from hangbot.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hangbot import Settlement, Step

__all__ = ["duration", "escape", "outcome", "timeline"]

MOST_ROWS: Final = 12
MOST_STEPS: Final = 48
"""A message that is tried for hours is drawn up to there; the table beside it has the rest."""

_LEFT: Final = 28.0
_TOP: Final = 14.0
_ROW: Final = 98.0
_BADGE: Final = 156.0
_LEGEND: Final = 30.0
_NARROWEST: Final = 560.0

_INK, _PALE, _LINE = "#1f2328", "#656d76", "#d0d7de"
_GOOD, _BAD, _DOUBT, _ASK = "#1a7f37", "#cf222e", "#bc4c00", "#0969da"
_FONT: Final = "ui-sans-serif, system-ui, 'Segoe UI', Roboto, sans-serif"

_NEEDS: Final = {
    ("accepted", "attempt"): 46.0,
    ("attempt", "answer"): 96.0,
    ("answer", "waiting"): 6.0,
    ("waiting", "attempt"): 78.0,
    ("waiting", "asked"): 88.0,
    ("asked", "attempt"): 52.0,
    ("asked", "waiting"): 52.0,
    ("asked", "settled"): 58.0,
    ("answer", "settled"): 18.0,
    ("answer", "asked"): 88.0,
    ("waiting", "settled"): 78.0,
    ("settled", "accepted"): _BADGE,
    ("settled", "asked"): _BADGE + 20.0,
    ("settled", "attempt"): _BADGE,
    ("settled", "waiting"): _BADGE,
}
"""Room in pixels between two steps of one message, for the words that stand there."""
_ELSE: Final = 24.0


@dataclass(frozen=True, slots=True)
class _Placed:
    step: Step
    x: float


def timeline(steps: Sequence[Step]) -> str:
    """Draw what happened to every message.

    Args:
        steps: As an ACK recorder keeps them, in order.

    Returns:
        An SVG document: a row a message, and a legend.
    """
    ids = list(dict.fromkeys(step.id for step in steps))
    shown = ids[:MOST_ROWS]
    rows = _placed([step for step in steps if step.id in shown], shown)
    start = steps[0].at if steps else 0.0
    right = max((placed.x for row in rows.values() for placed in row), default=_LEFT)
    width = max(_NARROWEST, right + _BADGE)
    body = [
        part
        for row, key in enumerate(shown)
        for part in _row(key, rows[key], _TOP + row * _ROW, start, width)
    ]
    height = _TOP + len(shown) * _ROW + _LEGEND + (18.0 if len(ids) > len(shown) else 0.0)
    if len(ids) > len(shown):
        body.append(
            _text(_LEFT, height - _LEGEND - 2, f"… and {len(ids) - len(shown)} more messages", _PALE, 12)
        )
    body += _legend(height - 12)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="{_FONT}" role="img" '
        f'aria-label="timeline of {len(ids)} message(s)">'
        f'<rect x=".5" y=".5" width="{width - 1:.0f}" height="{height - 1:.0f}" rx="8" '
        f'fill="#ffffff" stroke="{_LINE}"/>' + "".join(body) + "</svg>\n"
    )


def _placed(steps: Sequence[Step], ids: Sequence[str]) -> dict[str, list[_Placed]]:
    """Give every step its place: never left of an earlier one, and never too near its own message's last."""
    rows: dict[str, list[_Placed]] = {key: [] for key in ids}
    x, at = _LEFT, steps[0].at if steps else 0.0
    for step in steps:
        row = rows[step.id]
        if len(row) >= MOST_STEPS and step.settlement is None:
            continue
        x += _stretch(step.at - at)
        if row:
            x = max(x, row[-1].x + _NEEDS.get((row[-1].step.kind, step.kind), _ELSE))
        at = max(at, step.at)
        row.append(_Placed(step, x))
    return rows


def _stretch(seconds: float) -> float:
    """A little width for time itself, so that a longer wait looks longer."""
    return 8.0 * log10(1 + seconds * 1000) if seconds > 0 else 0.0


def _row(key: str, row: Sequence[_Placed], top: float, start: float, width: float) -> list[str]:
    y = top + 54.0
    end = row[-1].step.settlement
    drawn = [
        _text(_LEFT - 10, top + 10, _shortened(key), _INK, 12, weight=600),
        f'<line x1="{_LEFT:.1f}" y1="{y}" x2="{row[-1].x:.1f}" y2="{y}" stroke="{_LINE}" stroke-width="2"/>',
    ]
    if top > _TOP:
        drawn.insert(0, f'<line x1="1" y1="{top - 6}" x2="{width - 1:.0f}" y2="{top - 6}" stroke="{_LINE}"/>')
    began: _Placed | None = None
    for place, placed in enumerate(row):
        following = row[place + 1] if place + 1 < len(row) else None
        match placed.step.kind:
            case "accepted":
                drawn.append(_dot(placed, y, start))
            case "attempt":
                began = placed
                if following is None or following.step.kind != "answer":
                    drawn.append(_sent(placed, y, start))
            case "answer":
                drawn.append(_bar(began or placed, placed, y, start))
            case "waiting" if following is not None:
                drawn.append(_wait(placed, following.x, y))
            case "asked":
                drawn.append(_asked(placed, y))
            case "settled" if following is not None:  # and taken up again by hand
                drawn.append(_badge(placed.x + 10, y, placed.step.settlement))
            case _:
                pass
    drawn.append(_badge(row[-1].x + 10, y, end))
    return drawn


def _dot(placed: _Placed, y: float, start: float) -> str:
    at = duration(placed.step.at - start)
    return (
        f"<g>{_tip(f'accepted at +{at}: it is on disk')}"
        f'<circle cx="{placed.x:.1f}" cy="{y}" r="5" fill="#ffffff" stroke="{_INK}" stroke-width="2"/>'
        f"{_text(placed.x - 10, y + 26, 'accepted', _PALE, 11)}</g>"
    )


def _sent(placed: _Placed, y: float, start: float) -> str:
    """Draw an attempt without an answer so far."""
    return (
        f"<g>{_tip(f'attempt {placed.step.attempt}, no answer yet')}"
        f'<circle cx="{placed.x:.1f}" cy="{y}" r="6" fill="{_PALE}"/>'
        f"{_attempt_words(placed, y, start)}</g>"
    )


def _bar(began: _Placed, placed: _Placed, y: float, start: float) -> str:
    good = placed.step.detail.startswith("acknowledged")
    colour = _GOOD if good else _DOUBT
    middle = (began.x + placed.x) / 2
    took = duration(placed.step.seconds)
    return (
        f"<g>{_tip(f'attempt {placed.step.attempt}: {placed.step.detail} ({took})')}"
        f'<rect x="{began.x:.1f}" y="{y - 10}" width="{max(8.0, placed.x - began.x):.1f}" height="20" rx="5" '
        f'fill="{colour}"/>'
        f"{_text(middle, y + 4, took, '#ffffff', 11, anchor='middle', weight=600)}"
        f"{_attempt_words(began, y, start)}"
        f"{_text(middle, y + 26, outcome(placed.step.detail), colour, 11, anchor='middle', weight=600)}</g>"
    )


def _attempt_words(placed: _Placed, y: float, start: float) -> str:
    word = "sent" if placed.step.attempt <= 1 else f"retry {placed.step.attempt - 1}"
    return _text(placed.x, y - 17, f"{word} +{duration(placed.step.at - start)}", _INK, 11)


def _wait(placed: _Placed, to: float, y: float) -> str:
    return (
        f"<g>{_tip(f'waits {duration(placed.step.seconds)}')}"
        f'<line x1="{placed.x + 3:.1f}" y1="{y}" x2="{to - 12:.1f}" y2="{y}" stroke="{_PALE}" '
        f'stroke-width="2" stroke-dasharray="2 4" stroke-linecap="round"/>'
        f"{_text(placed.x + 12, y - 6, 'waits', _PALE, 10)}"
        f"{_text(placed.x + 12, y + 13, duration(placed.step.seconds), _PALE, 10)}</g>"
    )


def _asked(placed: _Placed, y: float) -> str:
    found = outcome(placed.step.detail)
    colour = {"it arrived": _GOOD, "no answer": _BAD}.get(found, _ASK)
    return (
        f"<g>{_tip(f'asked whether it arrived: {placed.step.detail}')}"
        f'<path d="M{placed.x:.1f} {y - 9}l9 9l-9 9l-9 -9z" fill="#ffffff" '
        f'stroke="{colour}" stroke-width="2"/>'
        f"{_text(placed.x, y + 4, '?', colour, 11, anchor='middle', weight=700)}"
        f"{_text(placed.x, y + 40, f'asked: {found}', colour, 11, anchor='middle')}</g>"
    )


def _badge(x: float, y: float, end: Settlement | None) -> str:
    if end is None:
        colour, words, tip = _PALE, "not ended", "had not ended when the test did"
    else:
        colour = {"delivered": _GOOD, "uncertain": _DOUBT}.get(end.state, _BAD)
        words = end.state + (f" · tier {end.tier}" if end.tier is not None else "")
        tip = f"{words}, {end.attempts} attempt(s). {end.reason}"
    return (
        f"<g>{_tip(tip)}"
        f'<rect x="{x:.1f}" y="{y - 13}" width="{_BADGE - 26:.0f}" height="26" rx="13" fill="#ffffff" '
        f'stroke="{colour}" stroke-width="2"/>'
        f"{_text(x + (_BADGE - 26) / 2, y + 4, words, colour, 12, anchor='middle', weight=700)}</g>"
    )


def _legend(y: float) -> list[str]:
    entries = (
        (_GOOD, "acknowledged"),
        (_DOUBT, "no acknowledgement in this attempt"),
        (_ASK, "asked whether it arrived"),
    )
    drawn, x = [], _LEFT - 10
    for colour, words in entries:
        drawn.append(f'<rect x="{x:.0f}" y="{y - 9:.0f}" width="10" height="10" rx="3" fill="{colour}"/>')
        drawn.append(_text(x + 15, y, words, _PALE, 11))
        x += 30 + 6.1 * len(words)
    return drawn


def escape(text: str) -> str:
    """Escape for a page what others wrote: its characters, and those that no page may hold."""
    return html.escape(printable(text))


def outcome(detail: str) -> str:
    """Return the first words of a detail: the error's kind, or what was found."""
    return detail.partition(": ")[0]


def duration(seconds: float) -> str:
    """Show a time as short as it can be read: ``3 ms``, ``1.1 s``, ``2 min 5 s``."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 120:  # noqa: PLR2004  minutes are easier to read
        return f"{seconds:.4g} s"
    return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"


def _shortened(key: str) -> str:
    return key if len(key) <= 40 else key[:37] + "…"  # noqa: PLR2004  a UUID and some more


def _tip(words: str) -> str:
    return f"<title>{escape(words)}</title>"


def _text(
    x: float, y: float, words: str, colour: str, size: int, *, anchor: str = "", weight: int = 0
) -> str:
    more = (f' text-anchor="{anchor}"' if anchor else "") + (f' font-weight="{weight}"' if weight else "")
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}"{more}>{escape(words)}</text>'
