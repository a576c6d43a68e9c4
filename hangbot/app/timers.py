"""What the clock calls: timers on disk, each until its handler has ended."""

import asyncio
import json
import logging
import math
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final, NamedTuple, Protocol

from hangbot.app.context import Context, timers_of
from hangbot.app.names import find, named
from hangbot.app.parts import Timed
from hangbot.bot.app_forms import Begin
from hangbot.bot.bot import Bot
from hangbot.delivery.store import Store, Timer, TimerChange
from hangbot.errors import OutboxFull, OutboxUnusable, UsageError

__all__ = ["Timers"]

logger = logging.getLogger("hangbot.app")

_AGAIN: Final = "again/"
"""How the id of a timer begins that an app declares; the app's name follows."""
_LOOKS_EVERY: Final = 30.0
"""Seconds after which the wall clock is looked at again: it may have been set."""
_MISSED_AFTER: Final = 60.0
"""Seconds by which something has to be late to count as missed."""
_MOST_AT_ONCE: Final = 100
"""Calls that run beside each other; what else is due waits until half of them have ended."""
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
        self._looks_at = math.inf
        """When it looks again by itself, by the wall clock."""
        self._begun: dict[str, Timer] = {}
        """What is being called, by id."""
        self._waits: set[str] = set()
        """The ids of timers that were due again before their call had ended."""
        self._full = False
        """Whether more is due than may be called at once."""
        self._given_up: set[tuple[str, str]] = set()
        self._put_off: dict[str, _Pause] = {}

    def changed(self, timers: Sequence[TimerChange]) -> None:
        """Look again at once where one was set that is due before that."""
        if any(each.due is not None and each.due < self._looks_at for each in timers):
            self._wakes.set()

    async def run(self, begin: Begin) -> None:
        """Begin calls when they are due, until it is cancelled."""
        store, clock = self._bot.store, self._bot.clock
        if store is None:
            return
        await self._declare(await store.timers_called(self._space, _AGAIN))
        while True:
            self._wakes.clear()
            self._looks_at = math.inf  # whatever is set meanwhile may have been missed
            self._looks_at = min(await self._begin_due(store, begin), clock.wall() + _LOOKS_EVERY)
            with suppress(TimeoutError):
                await clock.wait_for(self._wakes.wait(), self._looks_at - clock.wall())

    async def _begin_due(self, store: Store, begin: Begin) -> float:
        """Begin what is due and not under way; return when something is due next, by the wall clock."""
        next_at, last, self._full = math.inf, None, False
        while page := await store.timers_due(self._space, last, _MOST_AT_ONCE):
            now = self._bot.clock.wall()
            for timer in page:
                if timer.due > now:
                    return min(next_at, timer.due)
                if _app_of(timer) not in self._apps or (timer.id, timer.what) in self._given_up:
                    continue
                if self._bot.held_up.passes_over(_called(timer), _called(timer)):
                    self._given_up.add((timer.id, timer.what))
                    continue
                if timer.id in self._begun:
                    if self._begun[timer.id] != timer:
                        self._waits.add(timer.id)
                elif (left := self._left_of_pause(timer)) > 0:
                    next_at = min(next_at, now + left)
                elif len(self._begun) == _MOST_AT_ONCE:
                    self._full = True
                    return math.inf
                else:
                    self._begun[timer.id] = timer
                    begin(partial(self._call, timer), _called(timer))
            last = page[-1]
        return next_at

    async def _declare(self, known: Sequence[Timer]) -> None:
        """Set the timers that the app declares, and forget those that it declared once."""
        now = self._bot.clock.wall()
        there = {timer.id: timer for timer in known if _app_of(timer) in self._apps}
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
            del self._begun[timer.id]
            if timer.id in self._waits or timer.id in self._put_off:
                self._waits.discard(timer.id)
                self._wakes.set()
            elif self._full and len(self._begun) <= _MOST_AT_ONCE // 2:
                self._wakes.set()

    async def _written(self, timer: Timer, call: Awaitable[None]) -> None:
        """Await a call; where nothing of it could be written, its timer is still there, and waits a while."""
        try:
            await call
        except (OutboxFull, OutboxUnusable) as exc:
            seconds = self._put_off_further(timer)
            more = {"action": "timer_put_off", "timer": timer.id}
            logger.warning("timer %s is tried again in %g s: %s", timer.id, seconds, exc, extra=more)
        except asyncio.CancelledError:  # it took too long, or the bot stops
            self._put_off_further(timer)
            raise
        except BaseException:
            self._put_off.pop(timer.id, None)
            raise
        else:
            self._put_off.pop(timer.id, None)
            self._bot.held_up.done(_called(timer))

    def _left_of_pause(self, timer: Timer) -> float:
        pause = self._put_off.get(timer.id)
        return 0.0 if pause is None else pause.until - self._bot.clock.now()

    def _put_off_further(self, timer: Timer) -> float:
        """Put a timer off for longer than the last time; return for how many seconds."""
        before = self._put_off.get(timer.id)
        seconds = min(2 * before.seconds, _LONGEST_PAUSE) if before else _FIRST_PAUSE
        self._put_off[timer.id] = _Pause(self._bot.clock.now() + seconds, seconds)
        return seconds

    def _prepared(self, timer: Timer) -> tuple[Callable[[Context], Awaitable[object]], TimerChange]:
        """Return what a timer calls, and what becomes of it."""
        if timed := self._timed.get(timer.id):
            due = timed.schedule.next(self._bot.clock.wall(), timer.due)
            return timed.handler, TimerChange(self._space, timer.id, due, timer.what)
        written: Any = json.loads(timer.what)
        args = written["args"]
        handler = find(written["handler"], 1 + len(args))
        app = _app_of(timer)
        return lambda ctx: handler(ctx.of(app), *args), TimerChange(self._space, timer.id, None)


def _called(timer: Timer) -> str:
    return f"timer {timer.id}"


def _app_of(timer: Timer) -> str:
    return timer.id.split("/")[1]
