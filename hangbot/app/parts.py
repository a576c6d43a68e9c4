"""What an author has registered, as values."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from hangbot.app.commands import Command
from hangbot.app.context import Context
from hangbot.app.schedule import Missed, Schedule

__all__ = ["CallNext", "Parts", "Timed"]

CallNext = Callable[[], Awaitable[None]]
"""What a middleware awaits to go on."""


@dataclass(frozen=True, slots=True)
class Timed:
    """A handler that is called by the clock, again and again."""

    handler: Callable[..., Awaitable[object]]
    schedule: Schedule
    missed: Missed


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of one router, in the order in which they were registered.

    Attributes:
        commands: Its commands.
        handlers: What is called with which events.
        timed: What the clock calls.
        middleware: What goes around each handler.
        errors: What is given the errors that handlers raise.
        starts: What is called at the start.
        stops: What is called while the bot drains.
    """

    commands: list[Command] = field(default_factory=list)
    handlers: list[tuple[type[Any], Callable[..., Awaitable[object]]]] = field(default_factory=list)
    timed: list[Timed] = field(default_factory=list)
    middleware: list[Callable[[Context, CallNext], Awaitable[object]]] = field(default_factory=list)
    errors: list[Callable[[Context, Exception], Awaitable[object]]] = field(default_factory=list)
    starts: list[Callable[[Context], Awaitable[object]]] = field(default_factory=list)
    stops: list[Callable[[Context], Awaitable[object]]] = field(default_factory=list)

    def add(self, other: "Parts") -> None:
        """Add the parts of another router."""
        self.commands.extend(other.commands)
        self.handlers.extend(other.handlers)
        self.timed.extend(other.timed)
        self.middleware.extend(other.middleware)
        self.errors.extend(other.errors)
        self.starts.extend(other.starts)
        self.stops.extend(other.stops)
