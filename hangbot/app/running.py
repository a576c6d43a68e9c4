"""An app while a bot runs it: which handlers are called, with what around them, and what they leave."""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Any, Final

from hangbot.app.arguments import BadArguments, Signature
from hangbot.app.buffer import Buffer
from hangbot.app.commands import Called, Command, Commands
from hangbot.app.context import Context
from hangbot.app.cooldowns import Cooldowns
from hangbot.app.knowing import in_room, until_known
from hangbot.app.parts import Parts, Provider
from hangbot.app.timers import Timers
from hangbot.bot.app_forms import takes
from hangbot.bot.bot import Bot
from hangbot.bot.events import ChatMessage, Event, User
from hangbot.bot.ports import RoomFacts
from hangbot.clock import Clock
from hangbot.delivery.store import TimerChange
from hangbot.errors import StoreConflict, UsageError
from hangbot.ids import Rng

__all__ = ["Running"]

_TRIES: Final = 5
"""How often a handler runs whose values others change meanwhile."""

_PROVIDED: Final[Mapping[Any, Provider]] = MappingProxyType(
    {Bot: lambda bot: bot, Clock: lambda bot: bot.clock, Rng: lambda bot: bot.rng}
)
"""What is filled in without that an app provides it."""

_WAITS: Final = 1.0
"""Seconds for which a handler lets one go first that was undone twice."""

Call = Callable[[Context], Awaitable[object]]


class Running:
    """Calls the handlers of an app for one bot.

    Args:
        bot: The bot.
        apps: The names of the app and of those that it includes.
        parts: What is called.
        commands: The same by name.
        name: The app's own name.

    Raises:
        UsageError: A handler wants an argument that nothing makes.
    """

    def __init__(
        self,
        bot: Bot,
        apps: Collection[str],
        parts: Parts,
        commands: Commands,
        name: str,
    ) -> None:
        self._bot = bot
        self._name = name
        self._parts = parts
        self._commands = commands
        offered = {kind: _given(make) for kind, make in bot.offers.items()}
        self._providers = {**_PROVIDED, Commands: lambda _: commands, **offered, **parts.providers}
        self._made: dict[Any, object] = {}
        self._again = asyncio.Lock()
        self._may_begin = asyncio.Event()
        self._may_begin.set()
        self._locks: dict[str, asyncio.Lock] = {}
        self._cooldowns = Cooldowns()
        for command in commands:
            self._check(command)
        self.timers = Timers(bot, apps, parts.timed, self._handle)

    async def hear(self, line: ChatMessage) -> None:
        """Have a line handled: by the command that it calls, or by all that hear lines."""
        called = self._commands.called(line.text)
        if called is not None:
            await self._handle(line, functools.partial(self._command, called))
        elif handlers := self._handlers_of(line):
            await self._handle(line, functools.partial(_call_all, handlers))

    def is_quick(self, line: ChatMessage) -> bool:
        """Return whether a line calls a command that the author did not write."""
        called = self._commands.called(line.text)
        return called is not None and called.command in self._commands.defaults

    async def happened(self, event: Event) -> None:
        """Have what happened in the room handled."""
        if handlers := self._handlers_of(event):
            await self._handle(event, functools.partial(_call_all, handlers))

    async def start(self) -> None:
        """Call what is called at the start."""
        for handler in self._parts.starts:
            await self._handle(None, handler)

    async def stop(self) -> None:
        """Call what is called while the bot drains."""
        for handler in self._parts.stops:
            await self._handle(None, handler)

    def _handlers_of(self, event: object) -> list[Callable[..., Awaitable[object]]]:
        return [handler for kind, handler in self._parts.handlers if isinstance(event, kind)]

    # -- one call

    async def _handle(
        self, event: Event | ChatMessage | None, call: Call, timers: Sequence[TimerChange] = ()
    ) -> None:
        """Make a call with what goes around it, and write what it leaves: all of it, or nothing.

        ``timers`` are written in any case.

        Raises:
            Exception: What the handler raised, after its app was given it.
        """
        if not self._may_begin.is_set():
            with suppress(TimeoutError):
                await self._bot.clock.wait_for(self._may_begin.wait(), _WAITS)
        if await self._try(event, call, timers, again=True):
            return
        async with self._again:  # one at a time, so that no two that run again meet
            try:
                for left in reversed(range(_TRIES)):
                    if await self._try(event, call, timers, again=left > 0):
                        return
                    self._may_begin.clear()  # nor one of them and ever new ones
            finally:
                self._may_begin.set()

    async def _try(
        self, event: Event | ChatMessage | None, call: Call, timers: Sequence[TimerChange], *, again: bool
    ) -> bool:
        """Make a call once; return ``False`` where it is to be made ``again``, and nothing of it is left."""
        buffer = Buffer(self._bot, timers, self.timers.changed)
        ctx = Context(self._bot, buffer, self._name, event)
        try:
            await self._through(ctx, call)
            buffer.ended = True
            await buffer.commit()
        except Exception as exc:
            buffer.discard()
            if again and isinstance(exc, StoreConflict) and not buffer.acted and not buffer.committed:
                return False
            await self._report(ctx, exc)
            buffer.ended = True
            await buffer.commit()
            raise
        finally:
            buffer.ended = True
        return True

    def _through(self, ctx: Context, call: Call) -> Awaitable[object]:
        inner = functools.partial(call, ctx)
        for middleware in reversed(self._parts.middleware):
            inner = functools.partial(middleware, ctx, inner)
        return inner()

    async def _report(self, ctx: Context, error: Exception) -> None:
        """Give the app what a handler raised; what it raises itself is logged."""
        for handler in self._parts.errors:
            try:
                await handler(ctx, error)
            except Exception:
                ctx.log.exception(
                    "[ERROR] the app's handler of errors failed", extra={"action": "app_error_failed"}
                )

    async def _command(self, called: Called, ctx: Context) -> None:
        command = called.command
        if command.role is not None:
            await until_known(self._bot)
            if not ctx.user.has_role(command.role):
                await ctx.reply(f"{self._commands.prefix}{command.name} needs the role {command.role}.")
                return
        if command.signature.names_users:
            await until_known(self._bot, functools.partial(_is_known, called, ctx))
        try:
            values, named = _read(called, ctx)
        except BadArguments as exc:
            await ctx.reply(f"{exc}. Usage: {self._commands.usage(command)}")
            return
        if command.cooldown and (
            wait := self._cooldowns.begin(command, ctx.user.uuid, self._bot.clock.now())
        ):
            if wait.first:
                await ctx.reply(f"Wait {wait.seconds:.0f} s before {self._commands.prefix}{command.name}.")
            return
        for each in command.signature.injected:
            if each.place is None:
                named[each.name] = self._provided(each.kind)
            else:
                values.insert(each.place, self._provided(each.kind))
        if not command.exclusive:
            await command.handler(ctx, *values, **named)
            return
        async with self._locks.setdefault(command.name, asyncio.Lock()):
            await command.handler(ctx, *values, **named)
            await ctx.commit()  # the next one sees what this one has stored

    def _provided(self, kind: Any) -> object:  # noqa: ANN401  any type
        if kind not in self._made:
            self._made[kind] = self._providers[kind](self._bot)
        return self._made[kind]

    def _check(self, command: Command) -> None:
        signature: Signature = command.signature
        for name, kind, _ in signature.injected:
            if kind not in self._providers:
                raise UsageError(
                    f"the command {command.name} takes {name}: {getattr(kind, '__name__', kind)}, which no"
                    " line can hold and nothing provides",
                    remedy="Call `app.provide` with the type and what makes one.",
                )


def _read(called: Called, ctx: Context) -> tuple[list[object], dict[str, object]]:
    return called.command.signature.read(called.rest, functools.partial(_find, ctx))


def _is_known(called: Called, ctx: Context, facts: RoomFacts) -> bool:
    """Return whether the users that a line names are known, or all in the room are."""
    try:
        _read(called, ctx)
    except BadArguments:
        return in_room(facts) and all(user.nickname for user in ctx.room.users)
    return True


def _find(ctx: Context, name: str) -> User | None:
    """Return the user that a line names, if it can be but one."""
    found = ctx.find_users(name)
    if len(found) > 1:
        raise BadArguments(f"{len(found)} people here are called {name}: mention the one that you mean")
    return found[0] if found else None


def _given(make: Callable[[], object]) -> Provider:
    return lambda _: make()


async def _call_all(handlers: Sequence[Callable[..., Awaitable[object]]], ctx: Context) -> None:
    """Call handlers one after the other, with the event where they take it."""
    for handler in handlers:
        if _takes_event(handler):
            await handler(ctx, ctx.event)
        else:
            await handler(ctx)


@functools.cache
def _takes_event(handler: Callable[..., Awaitable[object]]) -> bool:
    return takes(handler, 2)
