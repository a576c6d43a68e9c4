"""What a class of faults is that the search draws from, and the ways in which many of them begin."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from pytest_hangfm.proof.play import Play
    from pytest_hangfm.proof.profile import Part
    from pytest_hangfm.simulation.plan import Fault

__all__ = ["LONGEST", "Args", "FaultKind", "Happen", "armed", "away", "wrong_in"]

Args: TypeAlias = Mapping[str, Any]
Happen: TypeAlias = Callable[["Play", Args, float], Awaitable[int]]
"""Makes it happen for so many seconds; returns how often it had an effect."""

LONGEST: Final = 60.0
"""Seconds: no fault begins later or lasts longer."""


@dataclass(frozen=True, slots=True)
class FaultKind:
    """A class of faults.

    Attributes:
        name: Under which schedules name it.
        happen: Makes it happen.
        needs: What a bot has to do for it to have an effect.
        lasts: The shortest and the longest time it lasts, in seconds.
        args: What else is drawn: the values that there are, the mildest first.
        weight: How often it is drawn beside others.
        after: Classes of which one is drawn with it, because nothing else leads a bot to it.
        may_end: Whether a sound bot may end by it, with a non-zero code, to be started again.
    """

    name: str
    happen: Happen = field(repr=False)
    needs: tuple[Part, ...] = ("answers",)
    lasts: tuple[float, float] = (3.0, 6.0)
    args: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    weight: float = 1.0
    after: tuple[str, ...] = ()
    may_end: bool = False


def armed(on: str, do: str, **fixed: Any) -> Happen:  # noqa: ANN401  what the sandbox takes
    """Return what arms a fault of the sandbox for a while; what is drawn goes to it as well."""

    async def happen(play: Play, args: Args, lasts: float) -> int:
        fault = play.fault(on, do, **{**fixed, **args})
        await asyncio.sleep(lasts)
        return _disarm(play, fault.id)

    return happen


def away(on: str, do: str, leave: Callable[[Play], Awaitable[object] | None], **fixed: Any) -> Happen:  # noqa: ANN401  see above
    """Return what arms a fault of the sandbox for a while, and breaks the connection that stands."""

    async def happen(play: Play, args: Args, lasts: float) -> int:
        fault = play.fault(on, do, **{**fixed, **args})
        leaving = leave(play)
        if leaving is not None:
            await leaving
        await asyncio.sleep(lasts)
        return _disarm(play, fault.id)

    return happen


def _disarm(play: Play, number: int) -> int:
    hits = play.sandbox.faults.hits(number)
    play.sandbox.faults.remove(number)
    return hits


def wrong_in(fault: Fault, kind: FaultKind) -> str:
    """Return what a fault that was read has in place of what its class can draw; empty where nothing."""
    if fault.at > LONGEST or fault.lasts > LONGEST:
        return f"{fault.kind} begins or lasts longer than {LONGEST:.0f} s"
    for name, value in fault.args.items():
        if value not in kind.args.get(name, ()):
            return f"{fault.kind} has {name}={value!r}"
    return ""
