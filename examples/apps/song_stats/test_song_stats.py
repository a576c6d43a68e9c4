"""The statistics in a room of its own."""

from song_stats import app

from pytest_hangfm import OpenApp

SONG = {"songId": "s1", "artistName": "The Testers", "trackName": "Green", "duration": 60}


async def test_it_knows_who_played_a_song_first(hangfm_app: OpenApp) -> None:
    bot = await hangfm_app(app)
    bob = bot.sandbox.users.add("bob")
    await bob.join()

    await bot.user.dj(SONG)
    await bot.advance(seconds=30)
    await bot.user.step_down()
    await bot.advance(seconds=5)
    await bob.dj(SONG)

    await bot.expect("The Testers - Green: first played by alice, once so far.")


async def test_its_numbers_outlive_a_crash(hangfm_app: OpenApp) -> None:
    bot = await hangfm_app(app)
    await bot.user.dj(SONG)
    await bot.advance(seconds=5)

    await bot.restart()
    await bot.user.say("/song")

    await bot.expect("The Testers - Green: 1 plays, 0 likes, first by alice.")
