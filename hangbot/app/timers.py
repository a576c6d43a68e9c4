"""What the clock calls: timers on disk, each until its handler has ended."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final, NamedTuple, Protocol

from hangbot.app.context import Context, timers_of
from hangbot.app.names import find, named
from hangbot.app.parts import Timed
from hangbot.bot.app_forms import Begin
from hangbot.bot.bot import Bot
from hangbot.delivery.store import Timer, TimerChange
from hangbot.errors import OutboxFull, OutboxUnusable, UsageError

__all__ = ["Timers"]

logger = logging.getLogger("hangbot.app")

_AGAIN: Final = "again/"
"""How the id of a timer begins that an app declares; the app's name follows."""
_LOOKS_EVERY: Final = 30.0
"""Seconds after which the wall clock is looked at again: it may have been set."""
_MISSED_AFTER: Final = 60.0
"""Seconds by which something has to be late to count as missed."""
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 30.0
"""Seconds until a timer is tried again of whose call nothing could be written."""


class _Pause(NamedTuple):
    """Until when a timer is put off, on the steady clock, and for how many seconds."""

    until: float
    seconds: float


class _Handle(Protocol):
    def __call__(
        self, event: None, call: Callable[[Context], Awaitable[object]], timers: Sequence[TimerChange], /
    ) -> Awaitable[None]:
        """Call a handler and write what it leaves, and these timers in any case."""


class Timers:
    """Calls what is due.

    Args:
        bot: The bot.
        apps: The names of the apps that there are: timers of others are left alone.
        timed: What is called again and again.
        handle: Calls a handler.
    """

    def __init__(self, bot: Bot, apps: Collection[str], timed: Sequence[Timed], handle: _Handle) -> None:
        self._bot = bot
        self._space = timers_of(bot)
        self._apps = apps
        self._timed = {f"{_AGAIN}{each.app}/{named(each.handler)}": each for each in timed}
        self._handle = handle
        self._wakes = asyncio.Event()
        self._begun: set[str] = set()
        self._given_up: set[tuple[str, str]] = set()
        self._put_off: dict[str, _Pause] = {}

    def changed(self) -> None:
        """Look at the timers again: one was set or taken back."""
        self._wakes.set()

    async def run(self, begin: Begin) -> None:
        """Begin calls when they are due, until it is cancelled."""
        store, clock = self._bot.store, self._bot.clock
        if store is None:
            return
        await self._declare(await store.timers(self._space))
        while True:
            self._wakes.clear()
            now, next_at = clock.wall(), None
            for timer in await store.timers(self._space):
                if timer.id in self._begun or (timer.id, timer.what) in self._given_up:
                    continue
                if _app_of(timer) not in self._apps:
                    continue
                if timer.due > now:
                    next_at = timer.due if next_at is None else min(next_at, timer.due)
                    break
                if (pause := self._put_off.get(timer.id)) and pause.until > clock.now():
                    until = now + pause.until - clock.now()
                    next_at = until if next_at is None else min(next_at, until)
                    continue
                self._begun.add(timer.id)
                begin(partial(self._call, timer), f"timer {timer.id}")
            wait = _LOOKS_EVERY if next_at is None else min(_LOOKS_EVERY, next_at - now)
            with suppress(TimeoutError):
                await clock.wait_for(self._wakes.wait(), wait)

    async def _declare(self, known: Sequence[Timer]) -> None:
        """Set the timers that the app declares, and forget those that it declared once."""
        now = self._bot.clock.wall()
        own = (timer for timer in known if timer.id.startswith(_AGAIN) and _app_of(timer) in self._apps)
        there = {timer.id: timer for timer in own}
        changes = [TimerChange(self._space, key, None) for key in there if key not in self._timed]
        for key, timed in self._timed.items():
            timer, what = there.get(key), str(timed.schedule)
            if timer is None or timer.what != what:
                changes.append(TimerChange(self._space, key, timed.schedule.next(now), what))
            elif timed.missed == "skip" and now - timer.due > _MISSED_AFTER:
                changes.append(TimerChange(self._space, key, timed.schedule.next(now, timer.due), what))
        if changes:
            await self._bot.commit((), timers=changes)

    async def _call(self, timer: Timer) -> None:
        try:
            call, after = self._prepared(timer)
        except UsageError as exc:
            self._given_up.add((timer.id, timer.what))
            more = {"action": "timer_failed", "timer": timer.id}
            logger.error("[ERROR] %s. %s", exc, exc.remedy, extra=more)  # noqa: TRY400  the sentence says it all
        else:
            await self._written(timer, self._handle(None, call, [after]))
        finally:
            self._begun.discard(timer.id)
            self._wakes.set()

    async def _written(self, timer: Timer, call: Awaitable[None]) -> None:
        """Await a call; where nothing of it could be written, its timer is still there, and waits a while."""
        try:
            await call
        except (OutboxFull, OutboxUnusable) as exc:
            before = self._put_off.get(timer.id)
            seconds = min(2 * before.seconds, _LONGEST_PAUSE) if before else _FIRST_PAUSE
            self._put_off[timer.id] = _Pause(self._bot.clock.now() + seconds, seconds)
            more = {"action": "timer_put_off", "timer": timer.id}
            logger.warning("timer %s is tried again in %g s: %s", timer.id, seconds, exc, extra=more)
        else:
            self._put_off.pop(timer.id, None)

    def _prepared(self, timer: Timer) -> tuple[Callable[[Context], Awaitable[object]], TimerChange]:
        """Return what a timer calls, and what becomes of it."""
        if timed := self._timed.get(timer.id):
            due = timed.schedule.next(self._bot.clock.wall(), timer.due)
            return timed.handler, TimerChange(self._space, timer.id, due, timer.what)
        written: Any = json.loads(timer.what)
        handler, args = find(written["handler"]), written["args"]
        app = _app_of(timer)
        return lambda ctx: handler(ctx.of(app), *args), TimerChange(self._space, timer.id, None)


def _app_of(timer: Timer) -> str:
    return timer.id.split("/")[1]
