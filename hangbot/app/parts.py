"""What an author has registered, as values."""

import functools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

from hangbot.app.commands import Command
from hangbot.app.context import Context
from hangbot.app.schedule import Missed, Schedule
from hangbot.bot.bot import Bot

__all__ = ["Handler", "Parts", "Provider", "Timed"]

Handler = Callable[..., Awaitable[object]]
"""An author's function; its first argument is a `Context`."""

Provider = Callable[[Bot], object]
"""Makes an argument that a handler has filled in."""


@dataclass(frozen=True, slots=True)
class Timed:
    """A handler that is called by the clock, again and again; ``app`` is the name of its app."""

    handler: Handler
    schedule: Schedule
    missed: Missed
    app: str = ""


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
        providers: What makes the arguments that a handler has filled in, by their type.
    """

    commands: list[Command] = field(default_factory=list)
    handlers: list[tuple[type[Any], Handler]] = field(default_factory=list)
    timed: list[Timed] = field(default_factory=list)
    middleware: list[Handler] = field(default_factory=list)
    errors: list[Handler] = field(default_factory=list)
    starts: list[Handler] = field(default_factory=list)
    stops: list[Handler] = field(default_factory=list)
    providers: dict[Any, Provider] = field(default_factory=dict)

    def add(self, other: "Parts", app: str) -> None:
        """Add the parts of another router, whose handlers are called with what an app keeps."""
        for kind, make in other.providers.items():
            self.providers.setdefault(kind, make)
        for command in other.commands:
            self.commands.append(replace(command, handler=_of(app, command.handler)))
        self.handlers.extend((kind, _of(app, handler)) for kind, handler in other.handlers)
        for timed in other.timed:
            self.timed.append(replace(timed, handler=_of(app, timed.handler), app=app))
        for mine, theirs in (
            (self.middleware, other.middleware),
            (self.errors, other.errors),
            (self.starts, other.starts),
            (self.stops, other.stops),
        ):
            mine.extend(_of(app, handler) for handler in theirs)


def _of(app: str, handler: Handler) -> Handler:
    @functools.wraps(handler)
    def call(ctx: Context, *args: object, **named: object) -> Awaitable[object]:
        return handler(ctx.of(app), *args, **named)

    return call
