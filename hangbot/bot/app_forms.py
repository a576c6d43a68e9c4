"""The forms that an author's app may have, and what the bot calls of it."""

import functools
import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

from hangbot.bot.events import ChatMessage, Event, Speaker
from hangbot.errors import UsageError

if TYPE_CHECKING:
    from hangbot.bot.bot import Bot

__all__ = ["AnyApp", "AppObject", "Begin", "Handler", "Hooks", "check_app", "is_async", "make_hooks", "takes"]

_ARGUMENTS: Final = {
    "on_message": ("bot", "message"),
    "on_event": ("bot", "event"),
    "on_start": ("bot",),
    "on_stop": ("bot",),
}
_SHAPE: Final = (
    "Give an `async def NAME(bot, message)`, or an object with `async def on_message(bot, message)`."
)

_NEAR: Final = 0.8
"""How alike a misspelt name is, from 0 to 1."""


class Handler(Protocol):
    """An app that is a function: given every line of others, group and direct, each user's in order."""

    def __call__(self, bot: "Bot", message: ChatMessage, /) -> Awaitable[None]:
        """React to a message. What it raises is logged and does not stop the bot."""


class AppObject(Protocol):
    """An app that is an object.

    Beside ``on_message`` it may have ``async def on_event(bot, event)`` for what happens in the room,
    ``async def on_start(bot)``, called before the first line, and ``async def on_stop(bot)``, called
    while the bot drains.
    """

    def on_message(self, bot: "Bot", message: ChatMessage, /) -> Awaitable[None]:
        """React to a message. What it raises is logged and does not stop the bot."""


@runtime_checkable
class WholeApp(Protocol):
    """An app that is looked through before the bot begins, and has calls by the clock: `hangbot.app.App`."""

    def prepare(self, bot: "Bot", /) -> None:
        """Look through all of it; raises `UsageError` for what would fail only when it is called."""

    def is_quick(self, bot: "Bot", line: ChatMessage, /) -> bool:
        """Return whether a line is handled beside the others, though every other handler hangs."""

    async def run_timers(self, bot: "Bot", begin: "Begin", /) -> None:
        """Begin calls when they are due, until it is cancelled."""


AnyApp = Handler | AppObject
"""A bot author's own part."""


Begin = Callable[[Callable[[], Awaitable[object]], str], None]
"""Begins a call of a handler, beside all others; the text says in the log what it is about."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """What the bot calls of an app; ``None``: the app has no such part.

    Attributes:
        bot: The bot that calls them; it answers ``/uptime``.
        on_message: Handles a line.
        on_event: Handles what happens in the room.
        on_start: Called before the first line.
        on_stop: Called while the bot drains.
        is_quick: Says which lines are handled beside the others, though every other handler hangs; ``None``:
            the bot itself answers ``/uptime`` so.
        run_timers: Runs beside the bot after ``on_start`` and until it drains, and begins calls by the clock.
        name: What the app is called in its own code, ``module:name``.
    """

    bot: Speaker
    on_message: Callable[[ChatMessage], Awaitable[object]] | None = None
    on_event: Callable[[Event], Awaitable[object]] | None = None
    on_start: Callable[[], Awaitable[object]] | None = None
    on_stop: Callable[[], Awaitable[object]] | None = None
    is_quick: Callable[[ChatMessage], bool] | None = None
    run_timers: Callable[[Begin], Awaitable[None]] | None = None
    name: str = ""


def make_hooks(app: AnyApp | None, bot: "Bot") -> Hooks:
    """Return what a bot calls of an app.

    Raises:
        UsageError: It has none of the forms that an app may have.
    """
    if app is None:
        return Hooks(bot)
    check_app(app, f"the app {_name(app)}")
    found = _hooks_of(app)
    whole = app if inspect.getattr_static(app, "prepare", None) and isinstance(app, WholeApp) else None
    if whole:  # and no mock, which has every attribute that it is asked for
        whole.prepare(bot)

    def bound(hook: str) -> Callable[..., Awaitable[object]] | None:
        return functools.partial(found[hook], bot) if hook in found else None

    async def on_message(line: ChatMessage) -> None:
        await found["on_message"](bot, line.given_to(bot))

    return Hooks(
        bot,
        on_message,
        on_event=bound("on_event"),
        on_start=bound("on_start"),
        on_stop=bound("on_stop"),
        is_quick=functools.partial(whole.is_quick, bot) if whole else None,
        run_timers=functools.partial(whole.run_timers, bot) if whole else None,
        name=_name(app),
    )


def check_app(app: object, label: str) -> None:
    """Refuse what is no app, and what would never be called for a misspelt name.

    Args:
        app: Whatever was given as an app.
        label: What it is called in an error.

    Raises:
        UsageError: It has none of the forms that an app may have.
    """
    if inspect.isclass(app):
        raise UsageError(f"{label} is a class", remedy="Name an instance of it.")
    found = _hooks_of(app)
    misspelt = _misspelt(app, found)
    if not found:
        hint = f"; there is {misspelt[0]}" if misspelt else ""
        what = (
            "a module without on_message"
            if inspect.ismodule(app)
            else "cannot be called and has no on_message"
        )
        raise UsageError(f"{label} {'is ' * inspect.ismodule(app)}{what}{hint}", remedy=_SHAPE)
    if misspelt:
        wrong, right = misspelt
        raise UsageError(
            f"{label} has {wrong}, which is never called", remedy=f"Name it {right}, or otherwise."
        )
    alone = found.get("on_message") is app
    for hook, function in found.items():
        _check_hook(function, _ARGUMENTS[hook], label if alone else f"{hook} of {label}")


def _check_hook(function: object, arguments: tuple[str, ...], label: str) -> None:
    given = f"({', '.join(arguments)})"
    remedy = _SHAPE if arguments == _ARGUMENTS["on_message"] else f"Give an `async def` that takes {given}."
    if not callable(function):
        raise UsageError(f"{label} cannot be called", remedy=remedy)
    if inspect.isasyncgenfunction(inspect.unwrap(function)):
        raise UsageError(f"{label} has a `yield`", remedy="Say what is to be said by `await bot.say(…)`.")
    if not is_async(function):
        raise UsageError(f"{label} is no `async def`", remedy=remedy)
    try:
        inspect.signature(function).bind(*arguments)
    except TypeError as exc:
        raise UsageError(f"{label} does not take {given}: {exc}", remedy=remedy) from None
    except ValueError:  # it has no signature
        pass


def _hooks_of(app: object) -> dict[str, Any]:
    """Return what is called of an app, by its name; an app that is a function is its own ``on_message``."""
    missing = object()
    if inspect.getattr_static(app, "on_message", missing) is missing and callable(app):
        return {"on_message": app}  # a mock has every attribute that it is asked for
    hooks = {hook: getattr(app, hook, None) for hook in _ARGUMENTS}
    if hooks["on_message"] is None:
        return {}
    return {hook: function for hook, function in hooks.items() if function is not None}


def _misspelt(app: object, found: Mapping[str, object]) -> tuple[str, str] | None:
    """Return the name of a function of an app that is nearly a hook which it has not, and that hook."""
    if found.get("on_message") is app:
        return None
    lacking = [hook for hook in _ARGUMENTS if hook not in found]
    for name in dir(app):
        near = get_close_matches(name, lacking, 1, _NEAR)
        if near and callable(getattr(app, name, None)):
            return name, near[0]
    return None


def is_async(function: object) -> bool:
    """Tell whether a function, or what is called of an object, is an ``async def``, decorated or not."""
    unwrapped: object = function
    if callable(function) and not inspect.isclass(function):
        unwrapped = inspect.unwrap(function)
    return inspect.iscoroutinefunction(unwrapped) or inspect.iscoroutinefunction(
        getattr(type(unwrapped), "__call__", None)  # noqa: B004  not whether it can be called, but how
    )


def takes(function: Callable[..., object], number: int) -> bool:
    """Return whether a function can be called with so many arguments."""
    try:
        inspect.signature(function).bind(*range(number))
    except TypeError:
        return False
    return True


def _name(app: object) -> str:
    """Return what an app is called in its own code: ``module:name``."""
    while isinstance(app, functools.partial):
        app = app.func
    if inspect.ismodule(app):
        return app.__name__
    named = app if hasattr(app, "__qualname__") else type(app)
    return f"{named.__module__}:{named.__qualname__}"
