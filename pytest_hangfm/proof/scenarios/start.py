"""How a bot starts, and what it says when it cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_hangfm.proof.scenario import scenario

if TYPE_CHECKING:
    from pytest_hangfm.proof.play import Play


@scenario("start.answers", seconds=4, pace="quick")
async def answers(play: Play) -> None:
    """The bot is started while everything is well."""
    await play.company()
    await play.start()
    if play.profile.has("answers"):
        await play.ready_again()
    play.blame(await play.trouble())


@scenario("start.wrong-token", seconds=6, pace="quick")
async def wrong_token(play: Play) -> None:
    """The bot is started with a token that opens nothing."""
    token = play.sandbox.people.issue(play.sandbox.bot.uid, lifetime_s=-60)
    play.sandbox.people.revoke(play.sandbox.bot.token)
    play.sandbox.people.revoke(play.sandbox.bot.chat_token)
    await play.start(**dict.fromkeys(("BOT_USER_TOKEN", "TTL_USER_TOKEN", "TTFM_API_TOKEN"), token))
    code = await play.ended(within=30)
    if code is None:
        play.blame("it ran on with a token that opens nothing")
    elif code == 0:
        play.blame("it ended with exit code 0, as if all were well")
    elif not play.printed():
        play.blame(f"it ended with exit code {code} and did not print a line")
