"""The author's app, kept apart from the bot: what it raises is logged, and stops nothing."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from hangbot.bot.events import ChatMessage, RoomEvent
from hangbot.clock import Clock
from hangbot.errors import OutboxError, OutboxFull, OutboxUnusable

__all__ = ["AppRunner", "log_not_accepted", "uptime"]

logger = logging.getLogger(__name__)

Given = TypeVar("Given")


class AppRunner:
    """Calls the app with what happens, in order and one call at a time; answers ``/uptime`` before it.

    Args:
        clock: Measures how long the bot has been up.
        name: The bot's name, where it has one.
        say: Says something in the room.
        on_message: The app's handler of messages, or ``None``.
        on_event: The app's handler of what happens in the room, or ``None``.
    """

    def __init__(
        self,
        clock: Clock,
        name: str | None,
        say: Callable[[str], Awaitable[object]],
        on_message: Callable[[ChatMessage], Awaitable[None]] | None = None,
        on_event: Callable[[RoomEvent], Awaitable[None]] | None = None,
    ) -> None:
        self.started_at = clock.wall()
        self._clock = clock
        self._name = name
        self._say = say
        self._on_message = on_message
        self._on_event = on_event

    @property
    def hears_events(self) -> bool:
        """Whether the app wants to know what happens in the room."""
        return self._on_event is not None

    async def put(self, news: ChatMessage | RoomEvent) -> None:
        """Have the app handle a message or an event; returns when it has."""
        if isinstance(news, RoomEvent):
            if self._on_event is not None:
                await _guarded(self._on_event, news, f"event {news.name}")
            return
        what = f"message {news.id}"
        if news.text is not None and news.text.strip() == "/uptime":
            await _guarded(self._say, uptime(self._name, self._clock.wall() - self.started_at), what)
        elif self._on_message is not None:
            await _guarded(self._on_message, news, what)


async def _guarded(handle: Callable[[Given], Awaitable[object]], given: Given, what: str) -> None:
    try:
        await handle(given)  # a decorated handler may fail before there is anything to await
    except (OutboxFull, OutboxUnusable) as exc:
        log_not_accepted(f"the answer to {what}", exc)
    except asyncio.CancelledError as exc:
        # The app's own, of a task that it awaited: only a bot that stops is really cancelled.
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        _log_failure(what, exc)
    except Exception as exc:  # noqa: BLE001  logged with its traceback: it must not stop the bot
        _log_failure(what, exc)


def log_not_accepted(what: str, error: OutboxError) -> None:
    """Log that something will never be said, and what to do about it."""
    more = {"action": "not_accepted"}
    logger.error("[ERROR] %s is lost: %s. %s", what, error, error.remedy, extra=more)


def _log_failure(what: str, error: BaseException) -> None:
    logger.error("[ERROR] the app failed on %s", what, exc_info=error, extra={"action": "app_failed"})


def uptime(name: str | None, seconds: float) -> str:
    """Say how long the bot has been up; parts that are zero are left out."""
    minutes, rest = divmod(max(0, int(seconds)), 60)  # the clock may have been set back meanwhile
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    shown = " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 s"
    return f"{name or 'This bot'} has been up for {shown}."
