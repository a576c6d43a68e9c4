"""The moderators' helper in a room of its own."""

import pytest
from moderator import app

from hangbot.sandbox import Actor
from pytest_hangfm import AppBot, OpenApp


async def opened(hangfm_app: OpenApp, *, may: bool = True) -> tuple[AppBot, Actor]:
    bot = await hangfm_app(app)
    mod = bot.sandbox.users.add("mod", "moderator")
    await mod.join()
    if may:
        bot.sandbox.users.set_role(bot.uid, "moderator")
    await bot.advance(seconds=2)
    return bot, mod


async def test_a_banned_user_stays_out_over_a_crash_until_let_in(hangfm_app: OpenApp) -> None:
    bot, mod = await opened(hangfm_app)

    await mod.say("/ban alice too loud")
    await bot.expect("alice is banned: too loud.")
    await bot.restart()
    await bot.user.join()
    await bot.advance(seconds=10)
    assert bot.user.uid not in bot.sandbox.room
    await mod.say("/unban alice")
    await bot.expect("alice may come back.")
    await bot.user.join()
    await bot.advance(seconds=10)

    assert bot.user.uid in bot.sandbox.room


async def test_slow_mode_warns_and_then_puts_out(hangfm_app: OpenApp) -> None:
    bot, mod = await opened(hangfm_app)

    await mod.say("/slow 60")
    await bot.expect("a line every 60 s")
    for number in range(4):
        await bot.user.say(f"spam {number}")
        await bot.advance(seconds=2)

    await bot.expect("please wait 60 s", direct=True)
    assert bot.user.uid not in bot.sandbox.room


@pytest.mark.parametrize("line", ["/kick bob", "/ban bob", "/slow 5"])
async def test_only_moderators_may(hangfm_app: OpenApp, line: str) -> None:
    bot, _ = await opened(hangfm_app)
    await bot.sandbox.users.add("bob").join()

    await bot.user.say(line)

    await bot.expect("needs the role moderator")


async def test_what_the_service_refuses_is_said(hangfm_app: OpenApp) -> None:
    bot, mod = await opened(hangfm_app, may=False)

    await mod.say("/kick alice")

    await bot.expect("That did not work")
