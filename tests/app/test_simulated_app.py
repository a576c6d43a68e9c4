"""An app by `hangfm_app`: virtual time, crashes, and the search."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from pytest_hangfm import AppBot, OpenApp
from tests.app.durable_app import app


@asynccontextmanager
async def before_it_joins(bot: AppBot, seconds: int) -> AsyncIterator[None]:
    """Run the block while a bot that was started again waits so long for its join."""
    bot.inject("room.joinRoom", "delay", ms=seconds * 1000)
    async with asyncio.TaskGroup() as both:
        both.create_task(bot.restart(away=5))
        await bot.advance(seconds=2)
        yield


async def test_a_timer_outlives_a_crash(hangfm_app: OpenApp) -> None:
    bot = await hangfm_app(app)

    await bot.user.say("/later 600 tea")
    await bot.advance(seconds=5)
    await bot.restart()
    await bot.advance(minutes=10)

    await bot.expect("late: tea")
    assert bot.texts == ["late: tea"]


async def test_what_is_stored_outlives_a_crash(hangfm_app: OpenApp) -> None:
    bot = await hangfm_app(app)

    await bot.user.say("/count 3")
    await bot.expect("3")
    await bot.restart()
    await bot.user.say("/count")

    await bot.expect("4")


async def test_a_command_before_the_first_join_waits_for_who_is_there(hangfm_app: OpenApp) -> None:
    bot = await hangfm_app(app)
    mod = bot.sandbox.users.add("mod", "moderator")
    await mod.join()

    async with before_it_joins(bot, 3):
        await mod.say("/skip")
        await bot.user.say("/hug mod")

    await bot.expect("skipped")
    await bot.expect("hugs @mod")


async def test_a_command_that_needs_nobody_is_answered_before_the_first_join(hangfm_app: OpenApp) -> None:
    bot = await hangfm_app(app)

    async with before_it_joins(bot, 9):
        await bot.user.say("/count")

        await bot.expect("1", within=5)


async def test_a_name_is_waited_for_before_the_first_join(hangfm_app: OpenApp) -> None:
    bot = await hangfm_app(app)

    async with before_it_joins(bot, 3):
        await bot.user.say("/called")

    await bot.expect("called alice")


async def test_an_answer_whose_acknowledgement_is_lost_is_said_once(hangfm_app: OpenApp) -> None:
    bot = await hangfm_app(app)
    bot.inject("chat.send", "cut_after_store")

    await bot.user.say("/count")

    await bot.expect("1")
    await bot.advance(minutes=5)
    assert bot.texts == ["1"]


@pytest.mark.slow
@pytest.mark.simulation(seeds=30)
async def test_counts_are_right_whatever_goes_wrong(hangfm_app: OpenApp) -> None:
    bot = await hangfm_app(app, catch_up=100_000)

    for _ in range(12):
        await bot.user.say("/count")
        await bot.advance(seconds=45)
    await bot.advance(minutes=30)
    await bot.user.say("/count")
    await bot.advance(minutes=2)

    counts = [int(text) for text in bot.texts if text.isdecimal()]  # one may fail, or come late by hand
    assert counts
    assert len(counts) == len(set(counts))
