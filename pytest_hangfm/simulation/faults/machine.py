"""What the machine does to the bot: a disk that is full, locked, slow or read-only, a clock that is set."""

from random import Random
from typing import TYPE_CHECKING, Any, Final

from pytest_hangfm.simulation.faults.kind import Args, Begin, Effect, FaultKind, nothing

if TYPE_CHECKING:
    from pytest_hangfm.simulation.world import World

__all__ = ["KINDS"]

_DISK: Final = frozenset({"outbox", "send"})
_CLOCK: Final = frozenset({"clock"})


def _disk(what: str) -> Begin:
    async def begin(world: "World", args: Args, _lasts: float) -> Effect:
        fault = getattr(world.disk, what)(**args)
        return Effect(lambda: fault.hits, fault.remove)

    return begin


def _slowly(random: Random) -> Args:
    return {"seconds": round(10 ** random.uniform(-2.0, 0.7), 3)}


async def _jump(world: "World", args: Args, _lasts: float) -> Effect:
    """Set the clock, and set it right again when the fault is over."""
    world.clock.jump(args["seconds"])
    return Effect(lambda: 1, lambda: world.clock.jump(-args["seconds"]))


def _by(random: Random) -> Args:
    seconds = round(10 ** random.uniform(0.0, 4.5), 1)
    return {"seconds": random.choice((seconds, -seconds))}


async def _drift(world: "World", args: Args, lasts: float) -> Effect:
    world.clock.drift(args["rate"])

    def end() -> None:
        world.clock.drift(0.0)
        world.clock.jump(-args["rate"] * lasts)

    return Effect(lambda: 1, end)


def _rate(random: Random) -> dict[str, Any]:
    return {"rate": round(random.uniform(-0.2, 0.2), 3)}


KINDS: Final = (
    FaultKind("disk full", _disk("full"), nothing, (5.0, 60.0), _DISK, weight=1.5),
    FaultKind("disk read-only", _disk("read_only"), nothing, (5.0, 60.0), _DISK, weight=1.5),
    FaultKind("file locked", _disk("busy"), nothing, (5.0, 60.0), _DISK, weight=1.6),
    FaultKind("disk slow", _disk("slow"), _slowly, (5.0, 60.0), _DISK),
    FaultKind("clock set", _jump, _by, (10.0, 400.0), _CLOCK),
    FaultKind("clock drifts", _drift, _rate, (30.0, 200.0), _CLOCK),
)
