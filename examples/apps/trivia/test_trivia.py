"""Trivia in a room of its own."""

import pytest
from trivia import QUESTIONS, SECONDS, app, guessed, time_is_up

from pytest_hangfm import AppBot, MakeContext, OpenApp


def answer_to(bot: AppBot) -> str:
    (asked,) = (text for text in bot.texts[-1:] if text.startswith("❓"))
    return next(answer for question, answer in QUESTIONS if question in asked)


async def test_the_first_right_answer_wins(hangfm_app: OpenApp) -> None:
    bot = await hangfm_app(app)
    bob = bot.sandbox.users.add("bob")
    await bob.join()

    await bot.user.say("/trivia")
    await bot.expect("❓")
    answer = answer_to(bot)
    await bob.say("no idea")
    await bob.say(answer.upper())
    await bot.advance(seconds=1)
    await bot.user.say(answer)

    await bot.expect("✔ bob has it, and 1 points.")
    await bot.advance(minutes=1)
    await bot.user.say("/scores")
    await bot.expect("bob 1")
    assert not any("Time is up" in text for text in bot.texts)


async def test_the_clock_outlives_a_crash(hangfm_app: OpenApp) -> None:
    bot = await hangfm_app(app)

    await bot.user.say("/trivia")
    await bot.expect("❓")
    await bot.advance(seconds=10)
    await bot.restart()

    await bot.expect("⏰ Time is up", within=60)


async def test_an_answer_is_right_in_any_letters_and_stops_the_clock(hangfm_ctx: MakeContext) -> None:
    ctx = hangfm_ctx(" jupiter ", user="ada")
    await ctx.store.set("open", 1)
    ctx.after(SECONDS, time_is_up, 1, id="clock")

    await guessed(ctx, ctx.message)

    assert ctx.said == ["✔ ada has it, and 1 points."]
    assert ctx.timers == {}


async def test_a_clock_that_comes_too_late_says_nothing(hangfm_ctx: MakeContext) -> None:
    ctx = hangfm_ctx(user=None)
    await ctx.store.set("open", 2)

    await time_is_up(ctx, 1)

    assert ctx.said == []


@pytest.mark.simulation(seeds=3)
async def test_no_point_is_given_twice_whatever_goes_wrong(hangfm_app: OpenApp) -> None:
    bot = await hangfm_app(app, catch_up=100_000)

    for _ in range(4):
        await bot.user.say("/trivia")
        await bot.advance(seconds=10)
        for _, answer in QUESTIONS:
            await bot.user.say(answer)
        await bot.advance(seconds=100)

    points = [int(text.split()[-2]) for text in bot.texts if text.startswith("✔ alice")]
    assert len(points) == len(set(points))
