"""What happens to connections on their way: slow, cut, silent, half open."""

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any, Final, Protocol

from pytest_hangfm.simulation.faults.kind import Args, Begin, Effect, FaultKind

if TYPE_CHECKING:
    from pytest_hangfm.simulation.rules import Rules
    from pytest_hangfm.simulation.world import World

__all__ = ["KINDS"]

_ALL: Final = frozenset({"room", "chat", "push", "send"})


class _Rule(Protocol):
    @property
    def hits(self) -> int: ...

    def remove(self) -> None: ...


def _ruled(add: Callable[["Rules", int, Args], _Rule], *, again: bool = False) -> Begin:
    """Return how a rule of the network begins; ``again``: with the present connection cut first."""

    async def begin(world: "World", args: Args, _lasts: float) -> Effect:
        rule = add(world.rules, world.port(args["service"]), args)
        if again:
            world.cut(args["service"])
        return Effect(lambda: rule.hits, rule.remove)

    return begin


def _service(random: Random) -> dict[str, Any]:
    return {"service": random.choice(("room", "chat", "chat"))}


def _slow(random: Random) -> Args:
    return {
        **_service(random),
        "seconds": round(10 ** random.uniform(-1.5, 0.9), 3),
        "jitter": round(random.uniform(0.0, 0.5), 3),
    }


def _cut(random: Random) -> Args:
    return {
        **_service(random),
        "after": round(10 ** random.uniform(0.0, 4.0)),
        "direction": random.choice(("in", "out")),
    }


def _reader(random: Random) -> Args:
    return {**_service(random), "rate": round(10 ** random.uniform(2.5, 4.5))}


KINDS: Final = (
    FaultKind(
        "network slow",
        _ruled(lambda rules, port, args: rules.delay(port, args["seconds"], args["jitter"])),
        _slow,
        (10.0, 120.0),
        _ALL,
        weight=1.2,
    ),
    FaultKind(
        "connection cut at a byte",
        _ruled(lambda rules, port, args: rules.cut(port, args["after"], args["direction"])),
        _cut,
        (60.0, 120.0),
        _ALL,
        weight=1.2,
    ),
    FaultKind(
        "connections half open",
        _ruled(lambda rules, port, _: rules.half_open(port)),
        _service,
        (20.0, 150.0),
        _ALL,
        weight=1.4,
    ),
    FaultKind(
        "black hole", _ruled(lambda rules, port, _: rules.black_hole(port)), _service, (10.0, 150.0), _ALL
    ),
    FaultKind(
        "slow reader",
        _ruled(lambda rules, port, args: rules.slow_reader(port, args["rate"])),
        _reader,
        (20.0, 90.0),
        _ALL,
    ),
    FaultKind(
        "host unreachable",
        _ruled(lambda rules, port, _: rules.unreachable(port), again=True),
        _service,
        (10.0, 120.0),
        _ALL,
        weight=1.4,
    ),
)
