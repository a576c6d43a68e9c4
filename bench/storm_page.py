"""Writes ``docs/storm.md`` and ``docs/storm.svg``: ``python -m bench.storm_page [FOLDER]``."""

import sys
from collections.abc import Sequence
from itertools import pairwise
from math import log10
from pathlib import Path
from typing import Final

from bench.processes import ROOT
from bench.storm import CLIENTS, IDEAL_S, OUTAGE_S, WINDOW_S, Storm, storms
from hangbot.delivery.retry import RetryPolicy, Strategy

__all__ = ["draw", "page"]

Storms = dict[Strategy, Storm]
Points = Sequence[tuple[float, float]]

_COLOURS: Final[dict[Strategy, str]] = {"seed": "#c0392b", "equal": "#2471a3", "full": "#1e8449"}
_WIDTH, _HEIGHT = 760, 640
_LEFT, _RIGHT = 70, 730
_SHOWN_S: Final = 32.0
_DECADES: Final = 5

_TEXT: Final = """\
# The storm after an outage

{clients:,} bots lose a service for {outage:.0f} s. Each failed the moment it went, and each tries again
as its retry schedule says. What does the service see when it is back?

![Requests a second after the recovery, and how many clients are served](storm.svg)

{head}
|---|---:|---:|---:|---:|---:|
{rows}

The third column is a server that takes any number; in the next two it takes a tenth of the clients a
second and refuses the rest at once, counted by the second or by {window:g} s (as if its queue were shorter).
Nobody could do better than {ideal:.0f} s there. The last column belongs to the fourth.

What to see in it:

- `seed` adds 0 to 200 ms to each step. That spreads nobody: all clients made the same steps, so all of
  them return within one second. A service that cannot take that second refuses most of them, and they
  are back together after the longest step, 30 s later, again and again.
- `equal` draws from the upper half of the step. Over five steps that is spread enough to flatten the
  peak {flatter:.0f}-fold, and no wait is ever near zero, so one bot alone is not impatient. It is the
  default for sends.
- `full` draws from the whole step. It has the lowest peak and is what reconnects always use. Its
  waits are half as long on average, so a limit by *number* of attempts is reached sooner: the total time is
  the limit that means something.
- The price of spreading is paid when the service could have taken everybody at once: the last client
  comes {full_last:.0f} s after the recovery instead of {seed_last:.0f} s. Half of them are there after
  {equal_half:.0f} s (`equal`) or {full_half:.0f} s (`full`).
- With the shorter queue {late:,} of the `seed` clients wait longer than `STAGE_RETRY_TOTAL_MS`
  ({total:.0f} s) and would have given up; of the others none.

The numbers come from a simulation on a counted clock with the schedule that ships, default values, seeded
randomness: `make storm` writes this page and the drawing again, the same every time.
"""


def page(unlimited: Storms, scarce: Storms, narrow: Storms) -> str:
    """Write the page.

    Args:
        unlimited: The storms where the server takes any number.
        scarce: Where it takes a tenth of the clients a second.
        narrow: The same, counted by `WINDOW_S`.
    """
    rows = [
        f"| `{strategy}` | {storm.peak:,.0f} | {storm.recovered_s:.1f} s"
        f" | {scarce[strategy].recovered_s:.0f} s | {narrow[strategy].recovered_s:.0f} s"
        f" | {scarce[strategy].requests:,} |"
        for strategy, storm in unlimited.items()
    ]
    columns = (
        "`STAGE_RETRY_STRATEGY`",
        "most requests a second",
        "last client served",
        f"with room for {CLIENTS / IDEAL_S:,.0f} a second",
        f"the same, by {WINDOW_S:g} s",
        "requests until then",
    )
    return _TEXT.format(
        head=f"| {' | '.join(columns)} |",
        clients=CLIENTS,
        outage=OUTAGE_S,
        window=WINDOW_S,
        ideal=IDEAL_S,
        rows="\n".join(rows),
        flatter=unlimited["seed"].peak / unlimited["equal"].peak,
        seed_last=unlimited["seed"].recovered_s,
        full_last=unlimited["full"].recovered_s,
        equal_half=unlimited["equal"].half_s,
        full_half=unlimited["full"].half_s,
        late=narrow["seed"].later_than(RetryPolicy().total),
        total=RetryPolicy().total,
    )


def draw(unlimited: Storms, scarce: Storms) -> str:
    """Draw both: requests a second where the server takes any number, and the served where it does not."""
    longest = max(storm.recovered_s for storm in scarce.values())
    box = f'viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" font-size="13" role="img"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {box}>',
        "<title>Requests a second after an outage, and clients served, by retry strategy</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        *_chart(
            30,
            "Requests a second after the recovery (the server takes any number; logarithmic)",
            [(n / _DECADES, f"{10**n:,}") for n in range(1, _DECADES + 1)],
            [(second / _SHOWN_S, f"{second} s") for second in range(0, 33, 4)],
        ),
        *_chart(
            345,
            f"Clients served (the server takes {CLIENTS / IDEAL_S:,.0f} a second)",
            [(n / 4, f"{CLIENTS * n // 4:,}") for n in range(1, 5)],
            [(at / longest, f"{at} s") for at in range(0, int(longest) + 1, 40)],
        ),
    ]
    for strategy, storm in unlimited.items():
        parts.append(_line(30, _rates(storm), strategy))
    for strategy, storm in scarce.items():
        parts.append(_line(345, _served(storm, longest), strategy))
    for number, strategy in enumerate(unlimited):
        x = _RIGHT - 210 + 75 * number
        parts.append(f'<rect x="{x}" y="615" width="12" height="12" fill="{_COLOURS[strategy]}"/>')
        parts.append(f'<text x="{x + 17}" y="626">{strategy}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _chart(
    top: int, title: str, heights: Sequence[tuple[float, str]], times: Sequence[tuple[float, str]]
) -> list[str]:
    parts = [f'<text x="{_LEFT}" y="{top - 10}" font-weight="bold">{title}</text>']
    for share, label in [(0.0, ""), *heights]:
        y = _y(top, share)
        parts.append(f'<line x1="{_LEFT}" y1="{y}" x2="{_RIGHT}" y2="{y}" stroke="#dddddd"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{label}</text>')
    for share, label in times:
        parts.append(f'<text x="{_x(share)}" y="{top + 258}" text-anchor="middle">{label}</text>')
    return parts


def _rates(storm: Storm) -> Points:
    """A step line, its height by the logarithm: the strategies differ by more than ten times."""
    most = int(_SHOWN_S / WINDOW_S)
    counts = [*storm.arrivals, *[0] * most][:most]
    points: list[tuple[float, float]] = []
    for window, number in enumerate(counts):
        height = log10(number / WINDOW_S) / _DECADES if number else 0.0
        points += [(window / most, height), ((window + 1) / most, height)]
    return points


def _served(storm: Storm, longest: float) -> Points:
    """A line through every hundredth client, and level where nobody was served for a while."""
    step = max(1, storm.clients // 100)
    seen = range(step - 1, storm.clients, step)
    corners = [(storm.served[index] / longest, (index + 1) / storm.clients) for index in seen]
    points = [(0.0, 0.0)]
    for (_, before), (time, share) in pairwise([(0.0, 0.0), *corners]):
        points += [(time, before), (time, share)]
    return points


def _line(top: int, points: Points, strategy: Strategy) -> str:
    # What lies on the line before it and on the one after it is no corner.
    kept = [points[0]]
    for (_, before), (x, y), (_, after) in zip(points, points[1:], points[2:], strict=False):
        if not before == y == after:
            kept.append((x, y))
    path = " ".join(f"{_x(x)},{_y(top, y)}" for x, y in [*kept, points[-1]])
    return f'<polyline fill="none" stroke="{_COLOURS[strategy]}" stroke-width="1.6" points="{path}"/>'


def _x(share: float) -> float:
    return round(_LEFT + share * (_RIGHT - _LEFT), 1)


def _y(top: int, share: float) -> float:
    return round(top + 240 * (1 - share), 1)


def main(folder: Path) -> int:
    """Write both files."""
    unlimited, scarce = storms(CLIENTS, None), storms(CLIENTS, CLIENTS / IDEAL_S)
    narrow = storms(CLIENTS, CLIENTS / IDEAL_S, slice_s=WINDOW_S)
    (folder / "storm.md").write_text(page(unlimited, scarce, narrow), encoding="utf-8")
    (folder / "storm.svg").write_text(draw(unlimited, scarce), encoding="utf-8")
    print(f"wrote {folder / 'storm.md'} and {folder / 'storm.svg'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs"))
