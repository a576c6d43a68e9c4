"""What every part of the room socket works with."""

from dataclasses import dataclass

from hangbot.sandbox.clock import SandboxClock
from hangbot.sandbox.ids import Ids
from hangbot.sandbox.injector import FaultInjector
from hangbot.sandbox.journal import Journal
from hangbot.sandbox.people import People
from hangbot.sandbox.room.rooms import Rooms
from hangbot.sandbox.room.variants import RoomVariants

__all__ = ["RoomContext"]


@dataclass(frozen=True, slots=True)
class RoomContext:
    """The room socket's surroundings.

    Attributes:
        people: The users and their tokens.
        rooms: The rooms.
        injector: What goes wrong on purpose.
        journal: Takes every request and frame.
        clock: The sandbox's clock.
        ids: Where ids come from.
    """

    people: People
    rooms: Rooms
    injector: FaultInjector
    journal: Journal
    clock: SandboxClock
    ids: Ids

    @property
    def variants(self) -> RoomVariants:
        """The unknowns, settled."""
        return self.rooms.variants
