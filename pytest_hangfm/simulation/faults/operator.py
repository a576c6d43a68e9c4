"""What the operator does by hand: drops a message that waits, tries one again that failed."""

from typing import TYPE_CHECKING, Final

from pytest_hangfm.simulation.faults.answers import armed
from pytest_hangfm.simulation.faults.kind import Args, Effect, FaultKind

if TYPE_CHECKING:
    from pytest_hangfm.simulation.world import World

__all__ = ["KINDS"]


async def _drops(world: "World", _args: Args, _lasts: float) -> Effect:
    """A message that cannot be sent for a while is dropped meanwhile."""
    trouble = armed(world, "chat.send", "status", times=0, status=503)
    dropped = world.operator.drops_soon()

    def end() -> None:
        if trouble.end:
            trouble.end()

    return Effect(dropped, end)


async def _retries(world: "World", _args: Args, _lasts: float) -> Effect:
    """A message that the chat refused for good is tried again by hand."""
    trouble = armed(
        world, "chat.send", "status", times=1, status=400, body={"error": {"code": "ERR_BAD_REQUEST"}}
    )
    retried = world.operator.retries_soon()

    def end() -> None:
        if trouble.end:
            trouble.end()

    return Effect(retried, end)


KINDS: Final = (
    FaultKind("dropped by hand", _drops, lasts=(10.0, 30.0), impairs=frozenset({"send"}), weight=1.2),
    FaultKind("tried again by hand", _retries, lasts=(30.0, 60.0), impairs=frozenset({"send"})),
)
