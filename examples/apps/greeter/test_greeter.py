"""The greeter in a room of its own: no network, no token, no waiting."""

import greeter
import pytest
from greeter import app

from pytest_hangfm import OpenApp


async def test_who_comes_is_greeted_by_name_once_a_day(
    hangfm_app: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(greeter, "DAY", 600.0)
    bot = await hangfm_app(app)
    bob = bot.sandbox.users.add("bob")

    for _ in range(2):
        await bob.join()
        await bot.advance(minutes=1)
        await bob.leave()
        await bot.advance(minutes=1)

    assert bot.texts == ["Welcome, @bob!"]
    await bot.advance(minutes=10)
    await bob.join()
    await bot.advance(minutes=1)
    assert bot.texts == ["Welcome, @bob!"] * 2


async def test_moderators_change_the_greeting_and_a_crash_does_not(hangfm_app: OpenApp) -> None:
    bot = await hangfm_app(app)
    mod = bot.sandbox.users.add("mod", "moderator")
    await mod.join()
    await bot.expect("Welcome, @mod!")

    await bot.user.say("/greeting Go away, {name}")
    await bot.expect("needs the role moderator")
    await mod.say("/greeting Hi {name}, one song each.")
    await bot.expect("From now on")
    await bot.restart()
    await bot.sandbox.users.add("bob").join()

    await bot.expect("Hi @bob, one song each.")
