"""The app itself: what an author registers, and what the bot calls of it."""

import re
from collections.abc import Iterator
from typing import Any, Final
from weakref import WeakKeyDictionary

from hangbot.app.banning import banning
from hangbot.app.builtins import builtins
from hangbot.app.commands import Commands
from hangbot.app.names import named
from hangbot.app.parts import Parts, Provider
from hangbot.app.router import Router
from hangbot.app.running import Running
from hangbot.bot.app_forms import Begin
from hangbot.bot.bot import Bot
from hangbot.bot.events import ChatMessage, Event
from hangbot.errors import UsageError

__all__ = ["App"]

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


class App(Router):
    """A bot author's app: ``hangbot run --app mybot:app``.

    ::

        app = App()

        @app.command("skip", role="moderator")
        async def skip(ctx, count: int = 1):
            '''Skip songs.'''
            await ctx.reply(f"skipping {count}")

    Args:
        name: What it is called where it keeps things: with another name it finds nothing of before.
        prefix: What a line begins with that is a command.
        builtins: Whether it answers ``/uptime``, ``/help``, ``/adminhelp``, ``/delivery`` and ``/retry``.

    Raises:
        UsageError: One of these cannot be used.
    """

    def __init__(self, name: str = "app", *, prefix: str = "/", builtins: bool = True) -> None:
        super().__init__()
        if not _NAME.fullmatch(name):
            raise UsageError(
                f"the app's name {name[:70]!r} is not 1 to 64 letters, digits, `_` and `-`",
                remedy="Rename it.",
            )
        if not prefix or prefix.strip() != prefix:
            raise UsageError(f"the prefix {prefix!r} is empty, or has blanks around it", remedy='Take "/".')
        self.name = name
        self.prefix = prefix
        self.builtins = builtins
        self._running: WeakKeyDictionary[Bot, Running] = WeakKeyDictionary()

    def provide(self, kind: Any, make: Provider) -> None:  # noqa: ANN401  any type
        """Fill in each argument of this type by what a function returns, made once for each bot.

        The `hangbot.Bot`, its `hangbot.clock.Clock` and its `hangbot.ids.Rng` are filled in without that. An
        app that includes this one has what it provides, unless it provides the same type itself.

        Raises:
            UsageError: That is no function.
        """
        if not callable(make):
            raise UsageError(
                f"`provide({getattr(kind, '__name__', kind)}, …)` is given no function",
                remedy="Give it what makes one: `lambda bot: …`.",
            )
        self.registered.providers[kind] = make

    def check(self) -> Commands:
        """Look through all of it, and return its commands.

        Raises:
            UsageError: Two commands, apps or timers have one name, or something else would fail only when
                it is called.
        """
        owners: dict[str, Router] = {}
        for router, name in self.owned():
            if not isinstance(router, App):
                continue
            if owners.setdefault(name, router) is not router:
                raise UsageError(
                    f"two apps of this bot are named {name}, and would share what they keep",
                    remedy='Name them: `App("trivia")`.',
                )
            if router.prefix != self.prefix:
                raise UsageError(
                    f"the app {name} has the prefix {router.prefix}, and {self.name} has {self.prefix}",
                    remedy="Give all apps of a bot the same prefix.",
                )
        parts = self._parts()
        timers = set[tuple[str, str]]()
        for timed in parts.timed:
            timer = timed.app, named(timed.handler)
            if timer in timers:
                raise UsageError(
                    f"two timers of the app {timed.app} call {timer[1]}, and would share when they are due",
                    remedy="Give each a function of its own, with a name of its own.",
                )
            timers.add(timer)
        return Commands(self.prefix, parts.commands, builtins.registered.commands if self.builtins else ())

    def _parts(self) -> Parts:
        """Return what this one and all that it includes have registered, and what every app has."""
        parts, seen = Parts(), set[int]()
        for router, name in self.owned():
            if id(router) not in seen:
                seen.add(id(router))
                parts.add(router.registered, name)
                if isinstance(router, App):
                    parts.add(banning.registered, name)
        return parts

    def owned(self, app: str = "") -> Iterator[tuple[Router, str]]:  # noqa: ARG002  it has a name of its own
        """Yield this app and each router that it includes, with the name of the app that it belongs to."""
        return super().owned(self.name)

    def __deepcopy__(self, _: object) -> "App":
        """Return the same app as no bot has run it yet."""
        other = App(self.name, prefix=self.prefix, builtins=self.builtins)
        other.registered, other.included = self.registered, self.included
        return other

    # -- what the bot calls

    def prepare(self, bot: Bot) -> None:
        """Look through all of it, before the bot begins; raises `UsageError` as `check` does."""
        names = {name for _, name in self.owned()}
        self._running[bot] = Running(bot, names, self._parts(), self.check(), self.name)

    async def on_message(self, bot: Bot, message: ChatMessage) -> None:
        """Handle a line."""
        await self._running[bot].hear(message)

    async def on_event(self, bot: Bot, event: Event) -> None:
        """Handle what happened in the room."""
        await self._running[bot].happened(event)

    async def on_start(self, bot: Bot) -> None:
        """Call what is to be called at the start."""
        await self._running[bot].start()

    async def on_stop(self, bot: Bot) -> None:
        """Call what is to be called while the bot drains."""
        await self._running[bot].stop()

    def is_quick(self, bot: Bot, line: ChatMessage) -> bool:
        """Return whether a line is a command that is answered though every other handler hangs."""
        return self._running[bot].is_quick(line)

    async def run_timers(self, bot: Bot, begin: Begin) -> None:
        """Call what is due, until it is cancelled."""
        await self._running[bot].timers.run(begin)
