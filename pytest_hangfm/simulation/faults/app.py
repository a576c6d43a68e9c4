"""What the bot's own app and other users do to it: handlers that fail or hang, floods, hostile lines."""

from random import Random
from typing import TYPE_CHECKING, Final

from pytest_hangfm.simulation.faults.kind import Args, Effect, FaultKind
from pytest_hangfm.simulation.history import Changed

if TYPE_CHECKING:
    from pytest_hangfm.simulation.world import World

__all__ = ["KINDS", "OF_THE_PROBE"]

HOSTILE: Final = (
    "\x00\x1b[31m\u202e\ufeff",
    "a" * 20_000,
    "👩‍👩‍👧‍👦" * 400,
    '{"event":"action"}',
    " ",
    "</script><script>alert(1)</script>",
    "\ud83d",
)


async def _fails(world: "World", args: Args, _lasts: float) -> Effect:
    return world.moods.take("raise", args["times"])


async def _hangs(world: "World", args: Args, _lasts: float) -> Effect:
    return world.moods.take("hang", args["times"])


async def _talks(world: "World", args: Args, _lasts: float) -> Effect:
    return world.moods.take("flood", args["times"])


async def _flood(world: "World", args: Args, _lasts: float) -> Effect:
    await world.people.flood(args["lines"])
    return Effect.done()


async def _hostile(world: "World", args: Args, _lasts: float) -> Effect:
    await world.people.hostile(HOSTILE[args["text"]])
    return Effect.done()


async def _edits(world: "World", _args: Args, _lasts: float) -> Effect:
    changed = await world.people.edit_and_delete()
    for row in changed:
        world.recorder.add(Changed(world.recorder.now, row, world.recorder.epoch))
    return Effect(lambda: len(changed))


def _few(random: Random) -> Args:
    return {"times": random.choice((1, 2, 3))}


def _lines(random: Random) -> Args:
    return {"lines": round(10 ** random.uniform(1.0, 2.3))}


def _text(random: Random) -> Args:
    return {"text": random.randrange(len(HOSTILE))}


KINDS: Final = (
    FaultKind("handler raises", _fails, _few, (60.0, 120.0)),
    FaultKind("handler hangs", _hangs, _few, (60.0, 120.0)),
    FaultKind("handler talks much", _talks, _few, (60.0, 120.0)),
    FaultKind("flood of lines", _flood, _lines),
    FaultKind("hostile line", _hostile, _text, weight=0.8),
    FaultKind("lines edited and deleted", _edits, weight=0.8),
)

OF_THE_PROBE: Final = frozenset({"handler raises", "handler hangs", "handler talks much"})
"""What only the world's own app does; an author's does it by itself, or not."""
