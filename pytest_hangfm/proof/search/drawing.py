"""Draws a schedule of faults from a seed: the same seed draws the same for the same profile. PURE.

Faults come in groups: those of a group overlap, because what one fault does not show, two at once may; and
between groups there is time to recover.
"""

from __future__ import annotations

from math import ceil
from random import Random
from typing import TYPE_CHECKING, Final

from pytest_hangfm.simulation.plan import Fault, Plan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_hangfm.proof.search.kind import FaultKind

__all__ = ["draw"]

_SIZES: Final = ((2,), (3,), (3,), (3,), (2, 2), (2, 3), (3, 2), (3, 3), (2, 2, 2))
"""How many faults the groups have: two to six in all, and often few: what is short is soon known to fail."""
_FIRST: Final = 0.5
"""Seconds until the first group."""
_WITHIN: Final = 2.0
"""Seconds within which the faults of a group begin."""
_BETWEEN: Final = (6.0, 9.0)
"""Seconds from the end of a group to the next one."""
_SHORTEST: Final = 10.0
"""Seconds."""
_PACES: Final = (2.0, 3.0, 5.0)
"""Seconds from one question to the next."""


def draw(seed: int, kinds: Mapping[str, FaultKind]) -> Plan:
    """Draw a schedule of two to six faults.

    Args:
        seed: Decides everything.
        kinds: The classes to draw from, by name; at least one.
    """
    random = Random(f"proof {seed}")  # noqa: S311  to be repeatable
    faults: list[Fault] = []
    begins = _FIRST
    first: FaultKind | None = _in_turn(seed, kinds)
    for size in random.choice(_SIZES):
        group = [_fault(random, kind, begins) for kind in _group(random, kinds, size, first)]
        first = None
        faults += group
        begins = max(fault.at + fault.lasts for fault in group) + random.uniform(*_BETWEEN)
    end = max(fault.at + fault.lasts for fault in faults)
    return Plan(
        seed,
        seconds=float(ceil(max(end, _SHORTEST))),
        pace=random.choice(_PACES),
        faults=tuple(sorted(faults, key=lambda fault: fault.at)),
    )


def _in_turn(seed: int, kinds: Mapping[str, FaultKind]) -> FaultKind:
    """Return the class that comes first in a schedule: each has its turn."""
    order = sorted(kinds)
    Random("proof").shuffle(order)  # noqa: S311  to be repeatable
    return kinds[order[seed % len(order)]]


def _group(
    random: Random, kinds: Mapping[str, FaultKind], size: int, first: FaultKind | None
) -> list[FaultKind]:
    """Draw what overlaps: what leads the bot to a fault comes with it."""
    chosen: list[FaultKind] = []
    while len(chosen) < size:
        others = [kind for kind in kinds.values() if kind not in chosen] or list(kinds.values())
        if len(chosen) + 1 == size:  # no place is left for what leads to it
            others = [kind for kind in others if not kind.after or _leads(chosen, kind)] or others
        kind = first if first is not None and first not in chosen else _one(random, others)
        leading = [kinds[name] for name in kind.after if name in kinds]
        if leading and not _leads(chosen, kind) and len(chosen) + 1 < size:
            chosen.append(_one(random, leading))
        chosen.append(kind)
    return chosen


def _leads(chosen: Sequence[FaultKind], kind: FaultKind) -> bool:
    return any(each.name in kind.after for each in chosen)


def _one(random: Random, kinds: Sequence[FaultKind]) -> FaultKind:
    return random.choices(kinds, [kind.weight for kind in kinds])[0]


def _fault(random: Random, kind: FaultKind, begins: float) -> Fault:
    # What waits for the bot to be led to it has to be there by then.
    at = begins if kind.after else begins + random.uniform(0.2, _WITHIN)
    args = {name: random.choice(values) for name, values in kind.args.items()}
    return Fault(kind.name, round(at, 1), round(random.uniform(*kind.lasts), 1), args)
