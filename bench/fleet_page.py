"""Writes what a large fleet costs into ``docs/fleet.md``, with a chart: ``python -m bench.fleet_page``.

The largest fleet is simulated as well, which takes minutes.
"""

import re
import sys
from collections.abc import Sequence
from math import log10
from pathlib import Path
from typing import Final

from bench.figures import quantile
from bench.fleet_paper import SIMULATED
from bench.fleet_traffic import Traffic, in_all, on_paper
from bench.fleet_world import FleetRun, simulate_fleet
from bench.processes import ROOT
from hangbot.fleet.lease import EVERY, LASTS
from hangbot.fleet.worker import LOOK_EVERY

__all__ = ["draw", "section"]

_LARGE: Final = (10_000, 100)
_BETWEEN: Final = re.compile(r"(?<=<!-- bench.fleet_page -->\n).*(?=<!-- end -->)", re.DOTALL)
_PARTS: Final = {"leases": "#2471a3", "looks": "#c0392b", "workers": "#1e8449"}
_WIDTH, _HEIGHT = 760, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 80, 730, 40, 330
_SMALLEST, _LARGEST = 2.0, 4.2
"""Rooms that are shown, as powers of ten."""
_DECADES: Final = 6

_TITLE: Final = "Messages a second, a hundred rooms a worker (lines: on paper; dots: simulated)"

_TEXT: Final = """\
Each second, *N* rooms and *W* workers ask of the cluster, while nothing happens:

| | requests | messages | why |
|---|---|---|---|
| leases | N ÷ {every:g} | 2 N ÷ {every:g} | each is stored again every {every:g} s |
| workers | W ÷ {every:g} | 2 W ÷ {every:g} | so is each worker's own entry |
| looks | W ÷ {look:g} | W (W + 2) ÷ {look:g} | every {look:g} s each worker reads who is there |

![Messages a second at the cluster, by the number of rooms](fleet.svg)

{paper}

The simulation runs the shipped workers, leases and assignment without bots, over a model of the cluster, in
virtual time, with up to 5 ms for each way. After a calm while a tenth of the workers is gone at once:

{simulated}

A lease that is stored no more ends after {lasts} s; by then the others have missed its worker, and the room
is taken a look later: the time does not grow with the fleet. A bot's own start comes on top. Nothing moves
but the rooms of workers that are gone.
"""


def section(runs: Sequence[FleetRun]) -> str:
    """Write the section.

    Args:
        runs: What was simulated.
    """
    paper = [_row(run.rooms, run.workers, on_paper(run.rooms, run.workers)) for run in runs]
    head = "| on paper, a second | leases | looks | workers | messages in all | to the servers | from them |"
    simulated = [
        f"| {run.rooms:,} rooms, {run.workers} workers, {run.gone} gone | {in_all(run.calm).messages:,.0f}"
        f" | {run.lost.messages:,.0f} | {quantile(run.without_owner_s, 0.99):.2f} s"
        f" | {run.without_owner_s[-1]:.2f} s | {len(run.without_owner_s):,} | {run.moved:,} |"
        for run in runs
    ]
    columns = (
        "messages, calm | most in a second | without an owner, p99 | at most | rooms that lost it | moves"
    )
    return _TEXT.format(
        every=EVERY,
        look=LOOK_EVERY,
        lasts=LASTS,
        paper="\n".join([head, "|---|---:|---:|---:|---:|---:|---:|", *paper]),
        simulated="\n".join(
            [f"| simulated | {columns} |", "|---|---:|---:|---:|---:|---:|---:|", *simulated]
        ),
    )


def _row(rooms: int, workers: int, parts: dict[str, Traffic]) -> str:
    each, every = " | ".join(f"{parts[name].messages:,.0f}" for name in _PARTS), in_all(parts)
    return (
        f"| {rooms:,} rooms, {workers} workers | {each} | {every.messages:,.0f}"
        f" | {every.bytes_in / 1e6:.2f} MB | {every.bytes_out / 1e6:.2f} MB |"
    )


def draw(runs: Sequence[FleetRun]) -> str:
    """Draw each part by the number of rooms, a hundred of them a worker; dots are what was simulated."""
    box = f'viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" font-size="13" role="img"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {box}>',
        "<title>Messages a second at a fleet's cluster, by rooms</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="{_TOP - 15}" font-weight="bold">{_TITLE}</text>',
    ]
    for power in range(_DECADES):
        y = _y(10.0**power)
        parts.append(f'<line x1="{_LEFT}" y1="{y}" x2="{_RIGHT}" y2="{y}" stroke="#dddddd"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{10**power:,}</text>')
    for rooms in (100, 200, 500, 1_000, 2_500, 5_000, 10_000):
        x, y = _x(rooms), _BOTTOM + 20
        parts.append(f'<text x="{x}" y="{y}" text-anchor="middle">{rooms:,}</text>')
    for number, (name, colour) in enumerate(_PARTS.items()):
        line = [(rooms, on_paper(rooms, rooms // 100)[name]) for rooms in range(100, 10_001, 300)]
        points = " ".join(f"{_x(rooms)},{_y(part.messages)}" for rooms, part in line)
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="1.6" points="{points}"/>')
        for run in runs:
            at = f'cx="{_x(run.rooms)}" cy="{_y(run.calm[name].messages)}"'
            parts.append(f'<circle {at} r="4" fill="{colour}"/>')
        x = _LEFT + 110 * number
        parts.append(f'<rect x="{x}" y="{_HEIGHT - 30}" width="12" height="12" fill="{colour}"/>')
        parts.append(f'<text x="{x + 17}" y="{_HEIGHT - 19}">{name}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _x(rooms: float) -> float:
    share = (log10(rooms) - _SMALLEST) / (_LARGEST - _SMALLEST)
    return round(_LEFT + share * (_RIGHT - _LEFT), 1)


def _y(messages: float) -> float:
    return round(_BOTTOM - log10(messages) / (_DECADES - 1) * (_BOTTOM - _TOP), 1)


def main(folder: Path) -> int:
    """Write both files."""
    runs = [simulate_fleet(rooms, workers) for rooms, workers in (*SIMULATED, _LARGE)]
    page = folder / "fleet.md"
    text, count = _BETWEEN.subn(lambda _: section(runs), page.read_text(encoding="utf-8"))
    if count != 1:
        print(f"{page} has no place for it", file=sys.stderr)
        return 1
    page.write_text(text, encoding="utf-8")
    (folder / "fleet.svg").write_text(draw(runs), encoding="utf-8")
    print(f"wrote {page} and {folder / 'fleet.svg'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs"))
