"""What is tried to make a failing schedule small: at most three faults, better two or one. PURE."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain, combinations
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from pytest_hangfm.proof.search.kind import FaultKind
    from pytest_hangfm.simulation.plan import Fault, Plan

__all__ = ["FEW", "fewer", "rounds"]

FEW: Final = 3
"""Faults that a schedule has at most once it is small."""
_APART: Final = 3.0
"""Seconds between the end of a fault and the begin of another, from which on they are of two groups."""
_FIRST: Final = 0.5
_STEP: Final = 1.5
"""Seconds from one fault to the next in a plain schedule."""
_AFTER: Final = 1.0
"""Seconds that a plain schedule has behind its last fault."""
_MOST: Final = 15
"""Schedules of a round."""


def rounds(plan: Plan, fired: Collection[int], kinds: Mapping[str, FaultKind]) -> list[list[Plan]]:
    """Return schedules of one to three faults of a failing one: those of a round are played side by side.

    Most are plain: what waits for the bot comes first, what happens at once last, one and a half seconds
    apart, and each is as long and strong as its class allows. In the first round are faults that came
    together, in the second one those that did not.

    Args:
        plan: What failed.
        fired: Places of the faults that had an effect.
        kinds: The classes, by name.
    """
    faults = [fault for place, fault in enumerate(plan.faults) if place in fired]
    groups = list(_groups(faults))[::-1]  # what fails is mostly the last thing that happened
    pairs = [pair for group in groups for pair in combinations(group, 2)]
    alone = [(fault,) for fault in reversed(faults)]
    threes = [three for group in groups for three in combinations(group, FEW)]
    apart = [pair for pair in combinations(faults, 2) if pair not in pairs]
    together = chain(
        (_plain(plan, some, kinds) for some in chain(pairs, alone)),
        (_from_the_begin(plan, some) for some in chain(threes, pairs)),
    )
    return [_different(together)[:_MOST], _different(_plain(plan, some, kinds) for some in apart)]


def fewer(plan: Plan) -> list[Plan]:
    """Return the schedules that have one fault less."""
    faults = plan.faults
    return [plan.with_faults(faults[:place] + faults[place + 1 :]) for place in range(len(faults))]


def _groups(faults: Sequence[Fault]) -> Iterator[list[Fault]]:
    group: list[Fault] = []
    for fault in faults:
        if group and fault.at - max(each.at + each.lasts for each in group) > _APART:
            yield group
            group = []
        group.append(fault)
    if group:
        yield group


def _plain(plan: Plan, faults: Sequence[Fault], kinds: Mapping[str, FaultKind]) -> Plan:
    def rank(fault: Fault) -> int:
        kind = kinds[fault.kind]
        return 0 if kind.after else 1 if kind.lasts[1] else 2

    plain = []
    for place, fault in enumerate(sorted(faults, key=rank)):
        kind = kinds[fault.kind]
        strongest = {name: values[-1] for name, values in kind.args.items()}
        plain.append(replace(fault, at=_FIRST + place * _STEP, lasts=kind.lasts[1], args=strongest))
    return _ending(plan, plain)


def _from_the_begin(plan: Plan, faults: Sequence[Fault]) -> Plan:
    """Leave the faults as they were to one another, and begin with them."""
    by = min(fault.at for fault in faults) - _FIRST
    return _ending(plan, [replace(fault, at=round(fault.at - by, 1)) for fault in faults])


def _ending(plan: Plan, faults: Sequence[Fault]) -> Plan:
    end = max(fault.at + fault.lasts for fault in faults) + _AFTER
    return replace(plan, seconds=round(end, 1), faults=tuple(faults))


def _different(plans: Iterable[Plan]) -> list[Plan]:
    return list({plan.as_json(): plan for plan in plans}.values())
