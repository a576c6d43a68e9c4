"""Runs the author's app apart from the bot: nothing ever waits for a handler, and none stops the bot.

One user's lines are handled in the order in which they came, users beside each other; what happens in
the room has a queue of its own, and ``/uptime`` is answered though every handler hangs.
"""

import asyncio
import functools
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from hangbot.bot.answering import Answering, answering
from hangbot.bot.app_forms import Begin, Hooks
from hangbot.bot.events import ChatMessage, Event, RoomEvent
from hangbot.bot.handler_calls import CallCounts, HandlerCalls
from hangbot.bot.held_up import HeldUp, line_key
from hangbot.bot.line_queue import Heard, LineQueue
from hangbot.bot.task_pool import TaskPool
from hangbot.bot.uptime import uptime
from hangbot.clock import Clock
from hangbot.errors import HangbotError
from hangbot.figures import Figures
from hangbot.journal import SILENT, Journal

__all__ = ["AppRunner", "Marks", "NoMarks"]

logger = logging.getLogger(__name__)

_MOST_LINES: Final = 1_000
_MOST_AT_ONCE: Final = 16
_MOST_QUICK: Final = 100
_MOST_EVENTS: Final = 1_000


class Marks(Protocol):
    """Where it is written which lines are handled."""

    @property
    def epoch(self) -> int | None:
        """How often the ids of lines went backwards so far; ``None``: that is not known.

        Then no id can be made from a line's: another line may have had that before.
        """

    async def handled(self, line: ChatMessage, /) -> None:
        """Write that a line is handled, so that no later start handles it again; raises `OutboxError`."""


class NoMarks:
    """Writes nothing."""

    epoch = None

    async def handled(self, line: ChatMessage, /) -> None:
        """Do nothing."""


class AppRunner:
    """Calls the app with what happens; a service of the bot.

    Args:
        clock: Measures how long the bot has been up, and limits the handlers.
        hooks: The app.
        name: The bot's name, where it has one.
        limit: Seconds that a handler may take.
        marks: Where it is written which lines are handled.
        journal: Keeps what the app was given, and how each call ended.
        figures: Count the calls.
        held_up: Calls that are not made again.
    """

    def __init__(
        self,
        clock: Clock,
        hooks: Hooks,
        *,
        name: str | None = None,
        limit: float = 30.0,
        marks: Marks | None = None,
        journal: Journal = SILENT,
        figures: Figures | None = None,
        held_up: HeldUp | None = None,
    ) -> None:
        self.started_at = clock.wall()
        self._clock = clock
        self._hooks = hooks
        self._name = name
        self._marks = marks or NoMarks()
        self._held_up = held_up or HeldUp()
        self._figures = figures or Figures()
        self._calls = HandlerCalls(clock, limit, journal, self._figures)
        self._pool = TaskPool()
        self._room = asyncio.Event()
        self._lines = LineQueue(
            self._pool, self._on_message, self._room, limit=_MOST_LINES, at_once=_MOST_AT_ONCE
        )
        self._quick = LineQueue(self._pool, self._on_quick, self._room, limit=_MOST_QUICK, at_once=1)
        self._events = deque[Event](maxlen=_MOST_EVENTS)
        self._events_lost = 0
        self._hears_events = self._forwards_events = False
        self._began = self._stopping = False
        self._timers: asyncio.Task[None] | None = None
        self._ended = asyncio.Event()

    @property
    def hears_events(self) -> bool:
        """Whether the app wants to know what happens in the room."""
        return self._hooks.on_event is not None

    @property
    def counts(self) -> CallCounts:
        """How the calls of its handlers ended since the start."""
        return self._calls.counts

    def __len__(self) -> int:
        """Return the lines and events that wait or are being handled."""
        return len(self._lines) + len(self._quick) + len(self._events) + self._forwards_events

    # -- what happens: none of these ever waits

    def offer(self, line: ChatMessage) -> bool:
        """Queue a line for the app and return at once; ``False`` where there is no room for it.

        Each user may hold as many places as are still free, so that no user takes the room of the others:
        after a line that was refused, lines of other users may still be taken.
        """
        return (self._quick if self._is_quick(line) else self._lines).put(Heard(line, self._marks.epoch))

    def _is_quick(self, line: ChatMessage) -> bool:
        if self._hooks.is_quick is not None:
            return self._hooks.is_quick(line)
        return line.text is not None and line.text.strip() == "/uptime"

    async def room(self) -> None:
        """Return when a user whose line was refused has room again, at once where none was refused."""
        if self._lines.refusing or self._quick.refusing or self._room.is_set():
            await self._room.wait()
            self._room.clear()

    def offer_event(self, event: Event) -> None:
        """Queue what happened in the room and return at once; with the queue full the oldest is dropped."""
        if self._hooks.on_event is None:
            return
        if len(self._events) == _MOST_EVENTS:
            self._events_lost += 1
            self._figures.events_dropped.count()
            if self._events_lost == 1:
                logger.warning(
                    "the app is slow: %d events of the room wait for it, and the oldest are dropped",
                    _MOST_EVENTS,
                    extra={"action": "events_dropped"},
                )
        self._events.append(event)
        self._begin_events()

    # -- the service

    async def run(self) -> None:
        """Call the app until `drain` has returned; ``on_start`` comes before everything but ``/uptime``."""
        try:
            async with self._pool.opened():
                self._quick.start()
                if not self._stopping:
                    self._began = True
                    self._pool.start(self._begin(), "hangbot-app-start")
                await self._ended.wait()
        finally:
            await self._calls.close()

    async def drain(self, within: float) -> None:
        """Begin no further line, let what runs end, call ``on_stop``, and have `run` return.

        What was queued and what had to be cancelled is not marked as handled. What runs may take two
        thirds of the time; the events that are left and ``on_stop`` have what remains.
        """
        until = self._clock.now() + within
        self._stopping = True
        self._lines.stop()
        self._quick.stop()
        if self._timers:
            self._timers.cancel()
        for kept in (2 / 6, 1 / 6):
            await self._idle(until - within * kept - self._clock.now())
        self._events.clear()
        if self._began and self._hooks.on_stop is not None:
            await self._calls.make(self._hooks.on_stop, "on_stop", until - self._clock.now())
        self._ended.set()

    async def _idle(self, within: float) -> None:
        """Wait until nothing runs, and cancel what runs then."""
        try:
            await self._clock.wait_for(self._pool.idle(), within)
        except TimeoutError:
            if stopped := self._calls.stop():
                about = ", ".join(stopped)
                more = {"action": "app_stopped", "about": stopped}
                logger.warning("the bot stops: the app's handlers of %s were cancelled", about, extra=more)

    async def _begin(self) -> None:
        if self._hooks.on_start is not None:
            await self._calls.make(self._hooks.on_start, "on_start")
        self._hears_events = True
        self._begin_events()
        if not self._stopping:
            self._lines.start()
            if self._hooks.run_timers:
                self._timers = self._pool.start(
                    self._run_timers(self._hooks.run_timers), "hangbot-app-timers"
                )

    # -- the handlers

    async def _run_timers(self, run: Callable[[Begin], Awaitable[None]]) -> None:
        await run(self._begin_call)

    def _begin_call(self, call: Callable[[], Awaitable[object]], what: str) -> None:
        if not self._stopping and self._pool.is_open:
            self._pool.start(self._call(call, what), "hangbot-app-timer")

    async def _call(self, call: Callable[[], Awaitable[object]], what: str) -> None:
        await self._calls.make(call, what, held_up=functools.partial(self._held_up.note, what))

    async def _on_message(self, heard: Heard) -> None:
        await self._answer(heard, self._hooks.on_message, self._hooks.name)

    async def _on_quick(self, heard: Heard) -> None:
        if self._hooks.is_quick is not None:
            await self._on_message(heard)
            return
        text = uptime(self._name, self._clock.wall() - self.started_at)
        await self._answer(heard, functools.partial(self._reply, text), "hangbot:uptime")

    async def _reply(self, text: str, line: ChatMessage) -> None:
        await line.given_to(self._hooks.bot).reply(text)

    async def _answer(
        self, heard: Heard, handler: Callable[[ChatMessage], Awaitable[object]] | None, app: str
    ) -> None:
        """Have a line handled and write that it is, unless the bot's stop cancelled it."""
        line, epoch = heard.line, heard.epoch  # another line may have its id by now
        what = f"message {line.id}"
        key = line_key(line)
        if handler is not None and not self._held_up.passes_over(key, what):
            context = None if epoch is None else Answering(self._hooks.bot, line, epoch, app)
            with answering(context):
                held_up = functools.partial(self._held_up.note, key)
                outcome = await self._calls.make(functools.partial(handler, line), what, held_up=held_up)
            if outcome == "stopped":
                return
        try:
            await self._marks.handled(line)
            self._held_up.done(key)
        except HangbotError as exc:
            more = {"action": "not_marked", "message_id": line.id}
            logger.error(  # noqa: TRY400  the sentence says it all
                "[ERROR] it could not be written that %s is handled: %s. %s",
                what,
                exc,
                exc.remedy,
                extra=more,
            )

    def _begin_events(self) -> None:
        if self._events and self._hears_events and not self._forwards_events and self._pool.is_open:
            self._forwards_events = True
            self._pool.start(self._forward_events(), "hangbot-app-events")

    async def _forward_events(self) -> None:
        try:
            while self._events and self._hooks.on_event is not None:
                event = self._events.popleft()
                await self._calls.make(
                    functools.partial(self._hooks.on_event, event), f"event {_name(event)}"
                )
            if self._events_lost:
                lost, self._events_lost = self._events_lost, 0
                more = {"action": "events_heard", "lost": lost}
                logger.warning("the app hears events of the room again; %d were dropped", lost, extra=more)
        finally:
            self._forwards_events = False


def _name(event: Event) -> str:
    return event.name if isinstance(event, RoomEvent) else type(event).__name__
