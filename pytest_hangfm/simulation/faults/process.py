"""How the bot's process ends before its time: anywhere, at a commit, or by a restart in order."""

from random import Random
from typing import TYPE_CHECKING, Final

from pytest_hangfm.simulation.faults.kind import Args, Effect, FaultKind

if TYPE_CHECKING:
    from pytest_hangfm.simulation.world import World

__all__ = ["KINDS"]

_PROCESS: Final = frozenset({"process", "room", "chat", "push", "send"})


def _away(random: Random) -> dict[str, float]:
    return {"away": round(10 ** random.uniform(-1.0, 1.8), 2)}


def _at_a_step(random: Random) -> Args:
    return {
        **_away(random),
        "steps": round(10 ** random.uniform(0.0, 3.0)),
        "sockets": random.choice(("reset", "fin", "silence")),
    }


def _at_a_commit(random: Random) -> Args:
    return {
        **_away(random),
        "commits": round(10 ** random.uniform(0.0, 1.0)),
        "when": random.choice(("before", "after")),
        "sockets": random.choice(("reset", "fin", "silence")),
    }


async def _crash_at_a_step(world: "World", args: Args, _lasts: float) -> Effect:
    return world.keeper.crash_at_step(args["steps"], args["sockets"], away=args["away"])


async def _crash_at_a_commit(world: "World", args: Args, _lasts: float) -> Effect:
    return world.keeper.crash_at_commit(args["commits"], args["when"], args["sockets"], away=args["away"])


async def _restart(world: "World", args: Args, _lasts: float) -> Effect:
    return world.keeper.restart(away=args["away"])


KINDS: Final = (
    FaultKind("crash", _crash_at_a_step, _at_a_step, (60.0, 60.0), _PROCESS, weight=1.4),
    FaultKind("crash at a commit", _crash_at_a_commit, _at_a_commit, (60.0, 60.0), _PROCESS, weight=1.2),
    FaultKind("restart of the bot", _restart, _away, (60.0, 60.0), _PROCESS),
)
