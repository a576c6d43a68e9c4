"""What a class of faults is, and what becomes of one of its faults."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from pytest_hangfm.simulation.world import World

__all__ = ["Args", "Begin", "Draw", "Effect", "FaultKind", "nothing"]

Args: TypeAlias = Mapping[str, Any]
Draw: TypeAlias = Callable[[Random], Args]


_ROOM: Final = frozenset({"room"})
_SEND: Final = frozenset({"send"})
_TOKEN: Final = frozenset({"token"})


def nothing(_: Random) -> Args:
    """Draw no arguments."""
    return {}


@dataclass(frozen=True, slots=True)
class Effect:
    """A fault that has begun.

    Attributes:
        hits: Returns how often it has had an effect so far.
        end: Makes it pass; ``None``: it passes by itself.
    """

    hits: Callable[[], int]
    end: Callable[[], Awaitable[None] | None] | None = None

    @classmethod
    def done(cls) -> "Effect":
        """Return the effect of what has happened already, and has no end of its own."""
        return cls(lambda: 1)


Begin: TypeAlias = Callable[["World", Args, float], Awaitable[Effect]]
"""Makes it happen in a world, with its arguments, for so many seconds."""


@dataclass(frozen=True, slots=True)
class FaultKind:
    """A class of faults.

    Attributes:
        name: Under which plans name it.
        begin: Makes it happen.
        draw: Draws its arguments.
        lasts: The shortest and the longest time it lasts, in seconds; drawn evenly over its logarithm.
        impairs: What cannot work while it lasts: ``room``, ``chat``, ``push``, ``send``, ``outbox``,
            ``clock``, ``token``, ``process``.
        weight: How often it is drawn beside others.
        skew: How much rarer long ones are than short ones.
        when_long: Arguments that one of more than an hour has instead of those drawn.
    """

    name: str
    begin: Begin
    draw: Draw = nothing
    lasts: tuple[float, float] = (0.0, 0.0)
    impairs: frozenset[str] = frozenset()
    weight: float = 1.0
    skew: float = 1.0
    when_long: Args = field(default_factory=dict)

    def impairs_with(self, args: Args) -> frozenset[str]:
        """Return what cannot work while one with these arguments lasts.

        The chat works without the room; without the gateway, too, but for a token that has to be a fresh one.
        """
        services = args.get("services", [args.get("service")])
        if services == ["room"]:
            return self.impairs & _ROOM
        return self.impairs - _SEND | _TOKEN if services == ["gateway"] else self.impairs
