"""An app with its calls written down."""

import asyncio
from typing import Any, Final

from hangbot import AnyApp, App, Bot, ChatMessage, Event
from pytest_hangfm.simulation import history as h
from pytest_hangfm.simulation.recorder import ANSWERED, Recorder

__all__ = ["Observed", "observed"]

_ANSWERED_BY_THE_BOT: Final = "/uptime"


class Observed:
    """Calls an app, and writes down when each of its handlers began and how it ended.

    Args:
        app: The app, in any of its forms.
        recorder: Takes it.
        timeout: Seconds that a handler may take.
    """

    _commits = False

    def __init__(self, app: AnyApp, recorder: Recorder, timeout: float) -> None:
        self._app: Any = app
        self._recorder = recorder
        self._timeout = timeout
        self._on_message: Any = getattr(app, "on_message", app)

    async def on_message(self, bot: Bot, message: ChatMessage) -> None:
        """Give it a line."""
        if isinstance(self._app, App) and message.text and message.text.strip() == _ANSWERED_BY_THE_BOT:
            await self._on_message(bot, message)  # the bot's own answer, which is no matter of the app
            return
        recorder = self._recorder
        began, run, epoch = recorder.now, recorder.run, recorder.epoch_at(message.sent_at)
        recorder.add(h.HandlerBegan(began, message.id, run, epoch, self._commits))
        token = ANSWERED.set((message.id, epoch))
        outcome: h.Outcome = "raised"
        try:
            await self._on_message(bot, message)
            outcome = "returned"
        except asyncio.CancelledError:
            outcome = "timed_out" if recorder.now - began >= self._timeout - 1e-3 else "cancelled"
            raise
        finally:
            ANSWERED.reset(token)
            recorder.add(h.Handled(recorder.now, message.id, run, outcome, epoch))

    async def on_event(self, bot: Bot, event: Event) -> None:
        """Give it what happens in the room."""
        caught_up = bool(getattr(event, "catch_up", False))
        self._recorder.add(h.Heard(self._recorder.now, type(event).__name__, self._recorder.run, caught_up))
        if hasattr(self._app, "on_event"):
            await self._app.on_event(bot, event)

    async def on_start(self, bot: Bot) -> None:
        """Begin it."""
        if hasattr(self._app, "on_start"):
            await self._app.on_start(bot)

    async def on_stop(self, bot: Bot) -> None:
        """End it."""
        if hasattr(self._app, "on_stop"):
            await self._app.on_stop(bot)


class _ObservedApp(Observed):
    """The same for a `hangbot.App`, which has more to be called, and commits what its handlers leave."""

    _commits = True

    def prepare(self, bot: Bot) -> None:
        """Have it looked through."""
        self._app.prepare(bot)

    def is_quick(self, bot: Bot, line: ChatMessage) -> bool:
        """Say whether it handles a line beside the others."""
        return bool(self._app.is_quick(bot, line))

    async def run_timers(self, bot: Bot, begin: Any) -> None:  # noqa: ANN401  as of the app
        """Have its timers run."""
        await self._app.run_timers(bot, begin)


def observed(app: AnyApp, recorder: Recorder, timeout: float) -> Observed:
    """Return an app whose calls are written down; the arguments are those of `Observed`."""
    return (_ObservedApp if isinstance(app, App) else Observed)(app, recorder, timeout)
