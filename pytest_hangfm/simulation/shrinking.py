"""Finds the smallest plan that still fails in the same way. PURE.

Faults are left out as delta debugging does it, in halves, quarters and so on down to one; then what is
left is made simpler. Whatever fails and is simpler takes the place of what there was, until nothing
simpler fails.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

from pytest_hangfm.simulation.plan import Fault, Plan

__all__ = ["shrink"]

_EARLY: Final = 10.0
"""Seconds: the first fault of a simple plan."""
_AFTER: Final = 30.0
"""Seconds: what a simple plan plays behind its last fault."""
_SLOW: Final = 60.0
"""Seconds: between two things that people do in a quiet world."""


def shrink(plan: Plan, fails: Callable[[Plan], bool], *, tries: int) -> Plan:
    """Return the simplest plan that was found to fail.

    Args:
        plan: One that fails; it is not tried again.
        fails: Plays a plan, and returns whether it fails as that one does.
        tries: How often ``fails`` is called at most; no plan is tried twice.
    """
    search = _Shrinking(plan, fails, tries)
    while search.tries and search.leave_out_faults() | search.simplify():
        pass
    return search.plan


class _Shrinking:
    def __init__(self, plan: Plan, fails: Callable[[Plan], bool], tries: int) -> None:
        self.plan = plan
        self.tries = tries
        self._fails = fails
        self._tried = {plan.as_json()}

    def _take(self, candidate: Plan) -> bool:
        """Let a candidate take the plan's place if it fails as well."""
        written = candidate.as_json()
        if not self.tries or written in self._tried:
            return False
        self._tried.add(written)
        self.tries -= 1
        if not self._fails(candidate):
            return False
        self.plan = candidate
        return True

    def leave_out_faults(self) -> bool:
        """Leave out what does not matter, many at once first; return whether there was any."""
        found, size = False, len(self.plan.faults)
        while size and self.tries:
            start, any_left_out = 0, False
            while start < len(self.plan.faults):
                faults = self.plan.faults
                if self._take(self.plan.with_faults(faults[:start] + faults[start + size :])):
                    found = any_left_out = True
                else:
                    start += size
            size = size if size == 1 and any_left_out else min(size, len(self.plan.faults)) // 2
        return found

    def simplify(self) -> bool:
        """Make the plan simpler in each way for as long as it helps; return whether it did."""
        found = False
        for simpler in (_plainer, _shorter, _quieter, *map(_simpler_fault, range(len(self.plan.faults)))):
            while any(self._take(candidate) for candidate in simpler(self.plan)):
                found = True
        return found


# -- each yields simpler plans, the simplest first


def _plainer(plan: Plan) -> Iterator[Plan]:
    """With less of a configuration."""
    if plan.env:
        yield replace(plan, env={})
    for name in plan.env:
        yield replace(plan, env={other: text for other, text in plan.env.items() if other != name})


def _shorter(plan: Plan) -> Iterator[Plan]:
    """With faults that begin earlier, and with an earlier end."""
    first = min((fault.at for fault in plan.faults), default=0.0)
    for by in (first - _EARLY, (first - _EARLY) / 2):
        if by >= 1.0:
            yield _earlier(plan, math.floor(by))
    last = max((fault.at for fault in plan.faults), default=0.0)
    end = max((fault.at + fault.lasts for fault in plan.faults), default=0.0) + _AFTER
    for seconds in (last, end, (end + plan.seconds) / 2, plan.seconds / 2):
        if max(last, 1.0) <= math.ceil(seconds) < plan.seconds:
            yield replace(plan, seconds=float(math.ceil(seconds)))


def _earlier(plan: Plan, by: float) -> Plan:
    faults = tuple(replace(fault, at=fault.at - by) for fault in plan.faults)
    return replace(plan, faults=faults, seconds=min(plan.seconds, max(plan.seconds - by, 1.0)))


def _quieter(plan: Plan) -> Iterator[Plan]:
    """With fewer people, who do less."""
    yield from (replace(plan, users=users) for users in _smaller(plan.users) if users)
    yield from (replace(plan, pace=pace) for pace in (_SLOW, plan.pace * 2) if plan.pace < pace <= _SLOW)


def _simpler_fault(number: int) -> Callable[[Plan], Iterator[Plan]]:
    def simpler(plan: Plan) -> Iterator[Plan]:
        for fault in _simpler(plan.faults[number]):
            faults = (*plan.faults[:number], fault, *plan.faults[number + 1 :])
            yield plan.with_faults(tuple(sorted(faults, key=lambda fault: fault.at)))

    return simpler


def _simpler(fault: Fault) -> Iterator[Fault]:
    """Yield a fault with fewer or smaller arguments, that lasts less long or begins at a whole second."""
    if fault.args:
        yield replace(fault, args={})
    for name in sorted(fault.args):
        yield replace(fault, args={other: value for other, value in fault.args.items() if other != name})
    for name, value in sorted(fault.args.items()):
        yield from (replace(fault, args={**fault.args, name: smaller}) for smaller in _smaller(value))
    yield from (replace(fault, lasts=lasts) for lasts in _smaller(fault.lasts))
    if fault.at != math.floor(fault.at):
        yield replace(fault, at=float(math.floor(fault.at)))


def _smaller(value: Any) -> Iterator[Any]:  # noqa: ANN401  whatever JSON has
    """Yield what is smaller than a number, of its type; nothing where it is none, or not above zero."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        return
    whole = type(value)
    candidates = (0, 1, math.floor(value / 2), math.floor(value))
    yield from (whole(smaller) for smaller in dict.fromkeys(candidates) if smaller < value)
