"""A world of a few lines with planted faults, to search in; run as a module it is the command over it."""

import os
import random
import sys
import time
from collections.abc import Iterator
from typing import Final

from pytest_hangfm.simulation.checker import Violation
from pytest_hangfm.simulation.command import main
from pytest_hangfm.simulation.history import Event, FaultFired, History, Left, Logged, Presence, Started
from pytest_hangfm.simulation.plan import Fault, Plan
from pytest_hangfm.simulation.worker import Rig

__all__ = ["KINDS", "RIG", "calm", "draw", "draw_hangs", "draw_slow"]

KINDS: Final = ("crash", "cut", "noise")
HANG_S: Final = 600.0


def draw(seed: int) -> Plan:
    """Six faults or more of each world are noise; that the two others meet is rare."""
    rng = random.Random(seed)  # noqa: S311  to be repeatable
    kinds = [*rng.choices(KINDS, (1, 1, 8), k=8), *KINDS[2:]]
    times = sorted(round(rng.uniform(10.0, 400.0), 3) for _ in kinds)
    return Plan(seed, faults=tuple(Fault(kind, at, 5.0) for kind, at in zip(kinds, times, strict=True)))


def calm(seed: int) -> Plan:
    """Everything is in it, and nothing goes wrong: there are no users."""
    return Plan(seed, users=0, faults=tuple(Fault(kind, 10.0) for kind in KINDS))


def draw_hangs(seed: int) -> Plan:
    """Each world hangs."""
    return Plan(seed, faults=(Fault("hang", 1.0), Fault("noise", 2.0)))


def draw_slow(seed: int) -> Plan:
    """Each world takes a while, and the first fails."""
    kinds = ("slow", "cut", "crash", "noise") if seed == 0 else ("slow",)
    return Plan(seed, faults=tuple(Fault(kind, 1.0) for kind in kinds))


def play(plan: Plan) -> History:
    events: list[Event] = [Started(0.0, 1), Presence(1.0, present=True)]
    for number, fault in enumerate(plan.faults):
        events += happen(fault, plan.seed)
        if fault.kind != "idle":
            events.append(FaultFired(fault.at, number, fault.kind))
    kinds = {fault.kind for fault in plan.faults}
    if ({"cut", "crash"} <= kinds and plan.users) or "chance" in kinds:
        events.append(Logged(plan.seconds, "ERROR", "m-1 was stored twice"))
    return History((*events, Left(plan.seconds, ())))


def happen(fault: Fault, seed: int) -> Iterator[Event]:
    match fault.kind:
        case "hang":
            time.sleep(HANG_S)
        case "slow":
            time.sleep(0.3)
        case "die":
            os._exit(7)
        case "abort":
            os.abort()
        case "raise":
            raise ValueError(f"no {seed} in it")
        case "group":
            errors = [ExceptionGroup("tasks", [ValueError("no 2 in it")]), KeyError(1)]
            raise ExceptionGroup("a world", errors)
        case "chance":
            yield Left(fault.at, (os.urandom(8).hex(),))


def check(history: History) -> tuple[Violation, ...]:
    return tuple(Violation("once", event.at, event.text) for event in history.of(Logged))


def tell(history: History, violations: tuple[Violation, ...], plan: Plan) -> str:
    return f"a story of {len(history.events)} events, {len(violations)} violations, seed {plan.seed}"


RIG: Final = Rig(play, check, tell)

if __name__ == "__main__":
    from tests.simulation import toy  # not as `__main__`, which a worker would not find

    _, drawing, *words = sys.argv
    sys.exit(main(words, rig=toy.RIG, draw=getattr(toy, drawing), kinds=toy.KINDS))
