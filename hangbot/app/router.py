"""What an author registers: commands, events, timers, and what goes around them."""

import inspect
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final, Self, TypeVar, get_args

from hangbot.app.commands import make_command
from hangbot.app.durations import Seconds, period, seconds_of
from hangbot.app.parts import Parts, Timed
from hangbot.app.schedule import Missed, Schedule, make_daily, make_every
from hangbot.bot.app_forms import is_async, takes
from hangbot.bot.events import ChatMessage, Event
from hangbot.bot.roles import Role
from hangbot.errors import UsageError

__all__ = ["Router"]

_EVENTS: Final = (ChatMessage, *get_args(Event))
"""All that a handler may be called with."""

Handler = TypeVar("Handler", bound=Callable[..., Awaitable[Any]])


class Router:
    """A part of an app, in a module of its own: `include` makes it one with the others.

    Each method that takes a function gives it back, so that it is used as a decorator. A handler is
    ``async def``, and its first argument is a `hangbot.app.Context`.

    Attributes:
        registered: What it was given itself, without what it includes.
        included: What it includes.
    """

    def __init__(self) -> None:
        self.registered = Parts()
        self.included: list[Router] = []

    def command(
        self,
        name: str,
        *,
        aliases: tuple[str, ...] | list[str] = (),
        role: Role | None = None,
        cooldown: Seconds = 0.0,
        exclusive: bool = False,
        help: str = "",  # noqa: A002  the word that other libraries have for it
    ) -> Callable[[Handler], Handler]:
        """Have a function called by a command: ``@app.command("skip")`` hears ``/skip 2``.

        What it takes after the context is read from the line: ``count: int = 1``, ``who: User``,
        ``*words: str``, ``*, text: str`` (the rest of the line), a `typing.Literal`, an `enum.Enum`; usage,
        ``/help`` and answers to wrong words are made from it.

        Args:
            name: Without the prefix.
            aliases: Other names.
            role: Who may use it: ``moderator``, ``coOwner`` or ``owner``; everybody by default.
            cooldown: Seconds, or a `datetime.timedelta`, until the same user may use it again.
            exclusive: Whether one call of it waits for the end of another one.
            help: What it does; by default the first line of the function's docstring.

        Raises:
            UsageError: The name, the role or the signature is none that a command can have.
        """
        _check_called(name, "command", '("skip")')
        if isinstance(aliases, str):
            raise UsageError(
                f"the command {name}: its aliases are one text, {aliases!r}",
                remedy=f"Write `aliases=[{aliases!r}]`.",
            )
        pause = seconds_of(cooldown, f"the cooldown of the command {name}")

        def register(handler: Handler) -> Handler:
            _check(handler, f"the command {name}")
            said = help or (handler.__doc__ or "").strip().partition("\n")[0]
            settings = {
                "aliases": tuple(aliases),
                "role": role,
                "cooldown": pause,
                "exclusive": exclusive,
                "help": said,
            }
            self.registered.commands.append(make_command(name, handler, settings))
            return handler

        return register

    def on(self, event: type[Event | ChatMessage]) -> Callable[[Handler], Handler]:
        """Have a function called with each event of a type: ``async def NAME(ctx, event)``.

        With `hangbot.ChatMessage` it hears each line, also those to the bot alone (`hangbot.DirectMessage`),
        but no line that is a command.

        Raises:
            UsageError: That is no type of an event, or the function does not take one.
        """
        _check_called(event, "on", "(SongStarted)")
        if not isinstance(event, type) or not any(
            issubclass(event, kind) or issubclass(kind, event) for kind in _EVENTS
        ):
            raise UsageError(
                f"`on({event!r})`: that is no type of an event", remedy="Give it one, as `on(SongStarted)`."
            )

        def register(handler: Handler) -> Handler:
            _check(handler, f"the handler of {event.__name__}", "ctx, event", "ctx")
            self.registered.handlers.append((event, handler))
            return handler

        return register

    def every(
        self, *, seconds: Seconds = 0.0, minutes: float = 0.0, hours: float = 0.0, missed: Missed = "late"
    ) -> Callable[[Handler], Handler]:
        """Have a function called again and again: ``async def NAME(ctx)``; the schedule outlives a restart.

        Args:
            seconds: The period, together with the others; a `datetime.timedelta`, too.
            minutes: The same.
            hours: The same.
            missed: What becomes of it when the bot was down: done once, ``late``; or passed over (``skip``).

        Raises:
            UsageError: The period is less than a second, or more than a year.
        """
        return self._timer(make_every(period("every", seconds, minutes, hours)), missed)

    def at(self, time: str, *, tz: str = "UTC", missed: Missed = "late") -> Callable[[Handler], Handler]:
        """Have a function called each day at a time: ``@app.at("20:00", tz="Europe/Berlin")``.

        A time that clocks skip is at the end of the gap, one that comes twice is once.

        Raises:
            UsageError: That is no time, or no zone of this machine.
        """
        return self._timer(make_daily(time, tz), missed)

    def middleware(self, function: Handler) -> Handler:
        """Have a function called around each handler: ``async def NAME(ctx, call_next)``.

        What does not await ``call_next()`` keeps the handler from being called.
        """
        _check(function, "the middleware", "ctx, call_next")
        self.registered.middleware.append(function)
        return function

    def error(self, function: Handler) -> Handler:
        """Have a function given each error that a handler raises: ``async def NAME(ctx, error)``.

        Nothing of what that handler said, stored and scheduled is left; what this one does is.
        """
        _check(function, "the handler of errors", "ctx, error")
        self.registered.errors.append(function)
        return function

    def start(self, function: Handler) -> Handler:
        """Have a function called before the first line: ``async def NAME(ctx)``."""
        _check(function, "the start", "ctx")
        self.registered.starts.append(function)
        return function

    def stop(self, function: Handler) -> Handler:
        """Have a function called while the bot drains: ``async def NAME(ctx)``."""
        _check(function, "the stop", "ctx")
        self.registered.stops.append(function)
        return function

    def include(self, other: "Router") -> Self:
        """Make what another router has a part of this one, and return this one.

        Raises:
            UsageError: The other one includes this one.
        """
        if any(router is self for router, _ in other.owned("")):
            raise UsageError(
                "an app that is included includes the app itself", remedy="Include it on one side only."
            )
        self.included.append(other)
        return self

    def owned(self, app: str) -> "Iterator[tuple[Router, str]]":
        """Yield this router and each that it includes, with the name of the app that it belongs to."""
        yield self, app
        for other in self.included:
            yield from other.owned(app)

    def _timer(self, schedule: Schedule, missed: Missed) -> Callable[[Handler], Handler]:
        if missed not in {"late", "skip"}:
            raise UsageError(f"missed={missed!r}: it is late or skip")

        def register(handler: Handler) -> Handler:
            _check(handler, f"the timer {schedule}", "ctx")
            self.registered.timed.append(Timed(handler, schedule, missed))
            return handler

        return register


def _check(function: object, label: str, *shapes: str) -> None:
    """Look whether a function can be a handler, and takes one of these lists of arguments, if any."""
    if not callable(function):
        raise UsageError(f"{label} cannot be called", remedy="Decorate an `async def`.")
    name = getattr(function, "__qualname__", function)
    if inspect.isasyncgenfunction(inspect.unwrap(function)):
        raise UsageError(
            f"{label} ({name}) has a `yield`", remedy="Say what is to be said by `await ctx.say(…)`."
        )
    if not is_async(function):
        raise UsageError(f"{label} ({name}) is no `async def`", remedy="Write `async def` before its name.")
    if shapes and not any(takes(function, shape.count(",") + 1) for shape in shapes):
        raise UsageError(
            f"{label} ({name}) does not take {' or '.join(f'`({each})`' for each in shapes)}",
            remedy=f"Write `async def {getattr(function, '__name__', 'NAME')}({shapes[0]})`.",
        )


def _check_called(given: object, name: str, arguments: str) -> None:
    """Refuse a decorator that was written without its parentheses, and so was given the function."""
    if inspect.isfunction(given):
        raise UsageError(
            f"`@app.{name}` stands before {given.__qualname__} without what it needs",
            remedy=f"Write `@app.{name}{arguments}`.",
        )
