"""The DJ in a room of its own."""

from auto_dj import app

from pytest_hangfm import OpenApp

SONG = {"songId": "s1", "artistName": "The Testers", "trackName": "Green", "duration": 60}


async def test_it_likes_what_others_play(hangfm_app: OpenApp) -> None:
    bot = await hangfm_app(app)

    await bot.user.dj(SONG)
    await bot.advance(seconds=10)

    assert bot.sandbox.state["voteCounts"]["likes"] == 1


async def test_it_plays_a_favourite_while_nobody_does_and_steps_down_for_others(hangfm_app: OpenApp) -> None:
    bot = await hangfm_app(app)
    bob = bot.sandbox.users.add("bob")
    await bob.join()
    await bot.user.dj(SONG)
    await bob.vote(like=True)
    await bot.advance(seconds=10)

    await bot.user.step_down()
    await bot.advance(seconds=20)
    assert [dj["uuid"] for dj in bot.sandbox.state["djs"]] == [bot.uid]
    await bob.dj({**SONG, "songId": "s2", "trackName": "Blue"})
    await bot.advance(seconds=20)

    assert [dj["uuid"] for dj in bot.sandbox.state["djs"]] == [bob.uid]
    await bot.user.say("/queue")
    await bot.expect("1 songs: Green")


async def test_it_plays_one_favourite_after_the_other(hangfm_app: OpenApp) -> None:
    bot = await hangfm_app(app)
    bob = bot.sandbox.users.add("bob")
    await bob.join()
    await bot.user.dj(SONG)
    await bob.vote(like=True)
    await bot.advance(seconds=10)
    await bot.user.step_down()
    await bot.advance(seconds=20)

    await bot.advance(seconds=90)

    assert bot.sandbox.state["nowPlaying"]["song"]["trackName"] == "Green"
