"""List messages for people: a heading and a line a message, in sixty columns. PURE."""

import unicodedata
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Final

import regex

from hangbot.cli.show import table
from hangbot.delivery.record import OutboxRow
from hangbot.text import one_line, printable

__all__ = ["WIDTH", "ago", "list_lines"]

WIDTH: Final = 60
"""Columns; the narrowest terminal to fit."""
_LEAST_TEXT: Final = 12
_HEADING: Final = ("ID", "STATE", "ACCEPTED", "TEXT")
_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def list_lines(
    rows: Sequence[OutboxRow], names: Mapping[str, str], now: float, *, width: int = WIDTH
) -> Iterator[str]:
    """Show messages below a heading, and the reason below one that did not arrive.

    Args:
        rows: The messages; there is at least one.
        names: The short name of each id.
        now: Seconds since the epoch.
        width: Columns. An id that leaves no room for the text stands on a line of its own.
    """
    cells = [(names[row.message.id], row.state, ago(now - row.accepted_at)) for row in rows]
    left = _left(cells, width)
    apart = left < _LEAST_TEXT
    if apart:
        cells = [("", state, when) for _, state, when in cells]
        left = _left(cells, width)
    texts = [_fitting(_said(row), left) for row in rows]
    heading, *lines = table([_HEADING, *((*cell, text) for cell, text in zip(cells, texts, strict=True))])
    yield heading
    for row, line in zip(rows, lines, strict=True):
        if apart:
            yield names[row.message.id]
        yield line
        if row.reason:
            yield "  " + _fitting(f"-> {one_line(row.reason)}", width - 2)


def _left(cells: Sequence[tuple[str, str, str]], width: int) -> int:
    """Return how many columns the other cells leave for the text."""
    widths = [max(map(len, column)) for column in zip(_HEADING[:3], *cells, strict=True)]
    return width - sum(widths) - 2 * len(widths)


def _said(row: OutboxRow) -> str:
    text = row.message.text.strip()
    return f"to {row.message.to}: {text}" if row.message.direct else text


def _fitting(text: str, width: int) -> str:
    """Cut a text between graphemes to a width in columns, of which some letters take two."""
    clusters: list[str] = regex.findall(r"\X", printable(text))
    ends = list(accumulate(map(_columns, clusters)))
    if not ends or ends[-1] <= width:
        return "".join(clusters)
    return "".join(clusters[: bisect_right(ends, width - 1)]) + "~"


def _columns(grapheme: str) -> int:
    """Return the most columns that any terminal takes for it: some show an emoji's parts side by side."""
    return sum(
        2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in grapheme
        if unicodedata.category(char) not in {"Mn", "Me", "Cf"}
    )


def ago(seconds: float) -> str:
    """Say how long ago something was, in its largest unit: ``3 min ago``."""
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds // size:.0f} {unit} ago"
    return "now"
