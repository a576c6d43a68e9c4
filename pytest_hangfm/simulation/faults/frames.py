"""Frames of the room and the chat's socket: lost, doubled, moved, cut off; and sockets that are refused."""

from random import Random
from typing import TYPE_CHECKING, Any, Final

from pytest_hangfm.simulation.faults.answers import armed
from pytest_hangfm.simulation.faults.kind import Args, Begin, Effect, FaultKind

if TYPE_CHECKING:
    from pytest_hangfm.simulation.world import World

__all__ = ["KINDS"]

_ENDS: Final = ("close", "abort", "close_deliberate")
_ROOM: Final = frozenset({"room"})
_PUSH: Final = frozenset({"push"})


def _on(on: str, *kinds: str) -> tuple[Begin, Any]:
    """Return how a fault of frames begins, and how it is drawn."""

    async def begin(world: "World", args: Args, _lasts: float) -> Effect:
        return armed(world, on, args["do"], times=args["times"], after=args.get("after", 0))

    def draw(random: Random) -> Args:
        return {
            "do": random.choice(kinds),
            "times": random.choice((1, 1, 2, 5)),
            "after": random.randrange(3),
        }

    return begin, draw


async def _disturb_actions(world: "World", args: Args, _lasts: float) -> Effect:
    """Disturb the next actions, and give the bot a reason to act."""
    effect = armed(world, "room.action", args["do"], times=args["times"])
    await world.people.praise()
    return effect


def _when_it_connects(on: str, service: str) -> Begin:
    """Return how the next connection is troubled, after the present one was cut."""

    async def begin(world: "World", args: Args, _lasts: float) -> Effect:
        more = {"ms": args["ms"]} if args["do"] == "delay" else {}
        if args["do"] == "status":
            more["status"] = 503
        if on == "room.joinRoom" and args["do"] == "status":
            more = {"body": {"error": "The room is full."}}
        trouble = armed(world, on, args["do"], times=args["times"], **more)
        world.cut(service)
        return trouble

    return begin


def _connecting(*kinds: str) -> Any:  # noqa: ANN401  a Draw
    def draw(random: Random) -> Args:
        return {
            "do": random.choice(kinds),
            "times": random.choice((1, 2, 4)),
            "ms": round(10 ** random.uniform(2.0, 4.2)),
        }

    return draw


KINDS: Final = (
    FaultKind(
        "room frames disturbed",
        *_on("room.message", "drop", "duplicate", "reorder"),
        (60.0, 120.0),
        _ROOM,
        weight=1.8,
    ),
    FaultKind("room connection ends", *_on("room.message", *_ENDS), (60.0, 120.0), _ROOM, weight=1.4),
    FaultKind(
        "room action disturbed",
        _disturb_actions,
        _on("room.action", "drop", "duplicate", "close")[1],
        (60.0, 120.0),
        _ROOM,
        weight=1.8,
    ),
    FaultKind("no heartbeats", *_on("room.ping", "drop"), (90.0, 180.0), _ROOM),
    FaultKind(
        "room refuses to connect",
        _when_it_connects("room.connect", "room"),
        _connecting("refuse", "status", "hang", "delay"),
        (30.0, 90.0),
        _ROOM,
    ),
    FaultKind(
        "room refuses the join",
        _when_it_connects("room.joinRoom", "room"),
        _connecting("status", "hang", "delay", "drop"),
        (30.0, 90.0),
        _ROOM,
    ),
    FaultKind("chat socket ends", *_on("chat.ws", *_ENDS), (60.0, 120.0), _PUSH),
    FaultKind(
        "chat frames disturbed",
        *_on("chat.ws", "drop", "duplicate", "reorder", "garbage"),
        (60.0, 120.0),
        _PUSH,
    ),
    FaultKind("chat socket deaf", *_on("chat.ws", "deaf"), (60.0, 150.0), _PUSH, weight=1.2),
    FaultKind(
        "chat refuses the socket",
        _when_it_connects("chat.ws", "chat"),
        _connecting("status", "refuse", "hang"),
        (30.0, 120.0),
        _PUSH,
        weight=1.2,
    ),
)
