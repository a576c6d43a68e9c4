"""Bots and couriers beside a test: opened over an outbox of their own, and closed whatever happens."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import pytest

from hangbot import exclusive
from hangbot.factory import make_courier, open_bot, open_chat

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager

    from hangbot import AnyApp, Bot, Courier, Notify, Outbox
    from hangbot.clock import Clock
    from hangbot.config import Settings
    from hangbot.ids import Rng
    from pytest_hangfm.failed_actions import ActionResults
    from pytest_hangfm.undo import Undo

__all__ = ["open_courier", "running_bot"]

_READY_WITHIN: Final = 10.0
_MORE_THAN_THE_DRAIN: Final = 5.0


@asynccontextmanager
async def open_courier(
    settings: Settings,
    opening: AbstractAsyncContextManager[Outbox],
    *,
    clock: Clock | None,
    rng: Rng | None,
    notify: Notify,
    undo: Undo | None,
) -> AsyncIterator[Courier]:
    """Open a courier whose chat client is a member of the room's group."""
    with exclusive(settings.outbox):
        async with opening as outbox, open_chat(settings, clock=clock) as chat:
            if undo:
                undo.follow_chat(chat)
            await chat.me()
            await chat.join()
            yield make_courier(settings, outbox, chat, clock=clock, rng=rng, notify=notify)


@asynccontextmanager
async def running_bot(
    settings: Settings,
    opening: AbstractAsyncContextManager[Outbox],
    *,
    app: AnyApp | None,
    clock: Clock | None,
    notify: Notify,
    run: bool,
    undo: Undo | None,
    acts: ActionResults,
) -> AsyncIterator[Bot]:
    """Open a bot over an outbox of its own, and with ``run`` let it run until the block ends.

    A task rather than a task group: set-up and tear-down of a fixture are two tasks.
    """
    with exclusive(settings.outbox):
        async with (
            opening as outbox,
            open_bot(settings, outbox, app=app, clock=clock, notify=notify) as bot,
        ):
            if undo:
                undo.follow_bot(bot)
            acts.follow(bot)
            if not run:
                yield bot
                return
            running = asyncio.create_task(bot.run(), name="hangfm-bot")
            try:
                await _ready(bot, running)
                yield bot
            finally:
                await _stopped(bot, running)
            running.result()


async def _ready(bot: Bot, running: asyncio.Task[None]) -> None:
    """Wait until it is in the room; what ended it before is raised."""
    ready = asyncio.create_task(bot.ready(), name="hangfm-bot-ready")
    try:
        await asyncio.wait({ready, running}, timeout=_READY_WITHIN, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
        if not ready.done():
            pytest.fail(f"the bot was not in the room and its chat within {_READY_WITHIN:g} s")
    finally:
        ready.cancel()
        await asyncio.gather(ready, return_exceptions=True)


async def _stopped(bot: Bot, running: asyncio.Task[None]) -> None:
    bot.stop()
    _, late = await asyncio.wait({running}, timeout=bot.options.drain + _MORE_THAN_THE_DRAIN)
    if late:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        pytest.fail("the bot did not stop within its drain limit")
