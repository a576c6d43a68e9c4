"""A bot that is stopped, or dies, and starts again: it goes on where it was, and says nothing twice."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from hangbot.factory import open_bot, open_outbox
from tests.bounds import WITHIN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hangbot.bot.bot import Bot
    from hangbot.bot.events import ChatMessage
    from hangbot.config import Settings
    from hangbot.sandbox import Actor, Sandbox

BOTH = pytest.mark.parametrize("hangfm_sandbox_options", [{"dialect": "openchat"}, {"dialect": "cometchat"}])


class Answering:
    """An app that answers each line; it may die before, or after it has said so."""

    def __init__(self) -> None:
        self.heard: list[str | None] = []
        self.hangs: set[str] = set()
        self._news = asyncio.Event()

    async def __call__(self, _bot: Bot, message: ChatMessage) -> None:
        self.heard.append(message.text)
        await message.reply(f"answer to {message.text}, heard {self.heard.count(message.text)} times")
        self._news.set()
        if message.text in self.hangs:
            await asyncio.Event().wait()

    async def until(self, *texts: str) -> None:
        async with asyncio.timeout(WITHIN):
            while not set(texts) <= set(self.heard):
                self._news.clear()
                await self._news.wait()


@asynccontextmanager
async def running(settings: Settings, app: Answering) -> AsyncIterator[Bot]:
    """Run a bot, and kill it at the end: it drains nothing."""
    async with open_outbox(settings) as outbox, open_bot(settings, outbox, app=app) as bot:
        task = asyncio.create_task(bot.run(), name="bot")
        try:
            await asyncio.wait_for(bot.ready(), WITHIN)
            yield bot
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def said_by_the_bot(sandbox: Sandbox, count: int) -> list[str]:
    """What the bot said, once it is so much; and a moment later, for what is too much."""
    async with asyncio.timeout(WITHIN):
        while len(said := _said(sandbox)) < count:  # noqa: ASYNC110  other sends are no event of their own
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    assert len(_said(sandbox)) == count, _said(sandbox)
    return said


def _said(sandbox: Sandbox) -> list[str]:
    return [row["data"]["text"] for row in sandbox.messages if row["sender"] == sandbox.bot.uid]


@pytest.fixture
def alice(hangfm_sandbox: Sandbox) -> Actor:
    return hangfm_sandbox.users.add("alice")


@BOTH
async def test_a_start_goes_on_where_the_bot_was_and_the_first_begins_at_the_newest(
    hangfm_sandbox: Sandbox, hangfm_settings: Settings, alice: Actor
) -> None:
    app = Answering()
    await alice.join()
    await alice.say("before the first start")
    await alice.dm(hangfm_sandbox.bot.uid, "direct, before the first start")

    async with running(hangfm_settings, app):
        await alice.say("one")
        await alice.dm(hangfm_sandbox.bot.uid, "direct one")
        await app.until("one", "direct one")
        await said_by_the_bot(hangfm_sandbox, 2)
    await alice.say("two")
    await alice.dm(hangfm_sandbox.bot.uid, "direct two")
    async with running(hangfm_settings, app):
        await app.until("two", "direct two")
        await said_by_the_bot(hangfm_sandbox, 4)
    async with running(hangfm_settings, app):
        await alice.say("three")
        await app.until("three")
        await said_by_the_bot(hangfm_sandbox, 5)

    assert sorted(map(str, app.heard)) == ["direct one", "direct two", "one", "three", "two"]


async def test_a_handler_that_died_runs_again_and_says_nothing_twice(
    hangfm_sandbox: Sandbox, hangfm_settings: Settings, alice: Actor
) -> None:
    app = Answering()
    app.hangs = {"two"}
    await alice.join()

    async with running(hangfm_settings, app):
        for text in ("one", "two"):
            await alice.say(text)
        await app.until("one", "two")
        await said_by_the_bot(hangfm_sandbox, 2)
    app.hangs.clear()
    async with running(hangfm_settings, app):
        async with asyncio.timeout(WITHIN):
            while app.heard.count("two") < 2:  # noqa: ASYNC110  the app tells no event of it
                await asyncio.sleep(0.01)
        said = await said_by_the_bot(hangfm_sandbox, 2)

    assert app.heard == ["one", "two", "two"]
    assert said == ["answer to one, heard 1 times", "answer to two, heard 1 times"]


async def test_what_was_said_too_long_ago_by_the_servers_clock_is_passed_over(
    hangfm_sandbox: Sandbox, hangfm_settings: Settings, alice: Actor
) -> None:
    app = Answering()
    await alice.join()
    async with running(hangfm_settings, app):
        pass
    await alice.say("old")
    await hangfm_sandbox.advance(200.0)
    await alice.say("young")
    await hangfm_sandbox.advance(200.0)

    async with running(hangfm_settings, app):
        await app.until("young")
        await said_by_the_bot(hangfm_sandbox, 1)

    assert app.heard == ["young"]
