"""Figures, goals, rounds, and the table that shows them."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import starmap
from statistics import median
from typing import Any, Final, Literal, NamedTuple

__all__ = [
    "Figure",
    "Goal",
    "Rounds",
    "at_least",
    "at_most",
    "figure",
    "interleaved",
    "quantile",
    "ratio",
    "shown",
    "table",
    "under",
]

Unit = Literal["", "ms", "s", "µs", "x", "/s", "MB", "%"]

_THOUSAND: Final = 1000
_HUNDRED: Final = 100
_TEN: Final = 10


@dataclass(frozen=True, slots=True)
class Goal:
    """What a figure should reach: ``bound`` is the side on which it should be."""

    bound: Literal["at least", "at most", "under"]
    limit: float

    def met(self, value: float) -> bool:
        """Tell whether a value reaches the goal."""
        match self.bound:
            case "at least":
                return value >= self.limit
            case "at most":
                return value <= self.limit
            case "under":
                return value < self.limit


def at_least(limit: float) -> Goal:
    """Return the goal of so much or more."""
    return Goal("at least", limit)


def at_most(limit: float) -> Goal:
    """Return the goal of so much or less."""
    return Goal("at most", limit)


def under(limit: float) -> Goal:
    """Return the goal of less than so much."""
    return Goal("under", limit)


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table.

    Attributes:
        name: What was measured.
        value: The median of the rounds, in ``unit``; ``None`` where it could not be measured.
        unit: ``x`` for a ratio, ``/s`` for a rate.
        goal: What it should reach, or ``None`` for a figure that only explains another.
        beside: The peers' figures, and what the reader must know.
        rounds: The single values, in the order of measuring.
    """

    name: str
    value: float | None
    unit: Unit = ""
    goal: Goal | None = None
    beside: str = ""
    rounds: tuple[float, ...] = ()

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; ``None`` where there is no goal or no value."""
        return None if self.goal is None or self.value is None else self.goal.met(self.value)

    def as_row(self) -> dict[str, Any]:
        """Return the figure as JSON, with ``met``."""
        return asdict(self) | {"met": self.met}


Rounds = dict[str, list[float]]
"""What each contender measured, a value a round; index *n* of all of them is one round."""


def interleaved(rounds: int, contenders: dict[str, Callable[[], float]], *, within: float) -> Rounds:
    """Let contenders run in turn, the first of a round another each time.

    A machine that grows slow or busy in between then slows all of them alike.

    Args:
        rounds: How many, at most.
        contenders: Each returns what it measured.
        within: After so many seconds no further round begins; one there always is.
    """
    started = time.monotonic()
    values: Rounds = {name: [] for name in contenders}
    names = list(contenders)
    for number in range(rounds):
        if number and time.monotonic() - started > within:
            break
        at = number % len(names)
        for name in names[at:] + names[:at]:
            values[name].append(contenders[name]())
    return values


def ratio(values: Rounds, name: str, other: str) -> tuple[float, ...]:
    """Return ``name`` over ``other``, round by round."""
    return tuple(mine / theirs for mine, theirs in zip(values[name], values[other], strict=True))


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value that so great a share of the values does not exceed (nearest rank)."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(len(ranked) * share))]


def figure(  # noqa: D417  the others are those of `Figure`
    name: str, rounds: Sequence[float], unit: Unit, *, goal: Goal | None = None, beside: str = ""
) -> Figure:
    """Make a figure of the median of its rounds.

    Args:
        rounds: The single values, at least one.
    """
    return Figure(name, median(rounds), unit, goal, beside, tuple(rounds))


def shown(value: float | None, unit: Unit) -> str:
    """Write a value with three significant digits and its unit."""
    if value is None:
        return "-"
    size = abs(value)
    if size >= _THOUSAND:
        text = f"{value:,.0f}"
    elif size >= _HUNDRED:
        text = f"{value:.0f}"
    elif size >= _TEN or not size:
        text = f"{value:.1f}" if size else "0"
    else:
        text = f"{value:.2f}"
    return text + ("" if unit in {"", "/s", "%"} else " ") + unit


class _Cells(NamedTuple):
    name: str
    value: str
    goal: str
    met: str
    beside: str


def _cells(part: str, figure: Figure) -> _Cells:
    goal = f"{figure.goal.bound} {shown(figure.goal.limit, figure.unit)}" if figure.goal else ""
    met = {True: "yes", False: "NO", None: ""}[figure.met]
    return _Cells(f"{part}: {figure.name}", shown(figure.value, figure.unit), goal, met, figure.beside)


def table(part: str, figures: Sequence[Figure]) -> str:
    """Write the figures of a part as a table, a line each."""
    head = _Cells("", "measured", "goal", "met", "beside")
    rows = [head, *starmap(_cells, [(part, figure) for figure in figures])]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(
        f"{row.name:<{widths[0]}}  {row.value:>{widths[1]}}  {row.goal:<{widths[2]}}"
        f"  {row.met:<{widths[3]}}  {row.beside}".rstrip()
        for row in rows
    )
