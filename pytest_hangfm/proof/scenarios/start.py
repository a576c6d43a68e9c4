"""How a bot starts, and what it says when it cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_hangfm.proof.scenario import scenario

if TYPE_CHECKING:
    from pytest_hangfm.proof.play import Play

_TOKENS: Final = ("BOT_USER_TOKEN", "TTL_USER_TOKEN", "TTFM_API_TOKEN")
_PAGE: Final = "<html><body>502 Bad Gateway</body></html>"


@scenario("start.answers", seconds=4, pace="quick")
async def answers(play: Play) -> None:
    """The bot is started while everything is well."""
    await play.company()
    await play.start()
    if play.profile.has("answers"):
        await play.ready_again()
    play.blame(await play.trouble())


async def _start_with_a_bad_token(play: Play) -> None:
    token = play.sandbox.people.issue(play.sandbox.bot.uid, lifetime_s=-60)
    play.sandbox.people.revoke(play.sandbox.bot.token)
    play.sandbox.people.revoke(play.sandbox.bot.chat_token)
    await play.start(**dict.fromkeys(_TOKENS, token))
    code = await play.ended(within=30)
    if code is None:
        play.blame("it ran on with a token that opens nothing")
    elif code == 0:
        play.blame("it ended with exit code 0, as if all were well")
    elif not play.printed():
        play.blame(f"it ended with exit code {code} and did not print a line")


@scenario("start.wrong-token", seconds=6, pace="quick")
async def wrong_token(play: Play) -> None:
    """The token opens nothing: gateway and chat answer 401, the room refuses the join."""
    await _start_with_a_bad_token(play)


@scenario("start.refused-handshake", needs=("room",), seconds=6, room={"bad_token": "handshake"})
async def refused_handshake(play: Play) -> None:
    """The token opens nothing, and the room's server answers 401 before there is a socket."""
    await _start_with_a_bad_token(play)


async def _start_through(play: Play, on: str, do: str, **more: object) -> None:
    """Start while something fails; the bot may end with a non-zero code, and is started again then."""
    await play.company()
    fault = play.fault(on, do, **more)
    play.supervise()
    await play.start()
    problem = await play.trouble(within=90)
    play.must_have_hit(fault)
    play.blame(problem)


@scenario("start.exchange-fails", needs=("chat",), seconds=6, pace="quick")
async def exchange_fails(play: Play) -> None:
    """The gateway answers 503 when the token is exchanged, and is well afterwards."""
    await _start_through(play, "gateway.token", "status", status=503, body="")


@scenario("start.exchange-page", needs=("chat",), seconds=6)
async def exchange_page(play: Play) -> None:
    """A proxy's page comes in the place of the gateway's answer, once."""
    await _start_through(play, "gateway.token", "status", status=200, body=_PAGE)


@scenario("start.exchange-without-token", needs=("chat",), seconds=6)
async def exchange_without_token(play: Play) -> None:
    """The gateway's answer holds no token, once."""
    await _start_through(play, "gateway.token", "status", status=200, body={})


@scenario("start.exchange-hangs", needs=("chat",), seconds=15)
async def exchange_hangs(play: Play) -> None:
    """The gateway does not answer at all, once."""
    await _start_through(play, "gateway.token", "hang")


@scenario("start.exchange-late", needs=("chat",), seconds=8)
async def exchange_late(play: Play) -> None:
    """The gateway takes four seconds for its answer."""
    await _start_through(play, "gateway.token", "delay", ms=4000)


@scenario("start.chat-late", needs=("chat",), seconds=12)
async def chat_late(play: Play) -> None:
    """Each answer of the chat takes two seconds at first."""
    await _start_through(play, "chat.*", "delay", ms=2000, times=4)


@scenario("start.chat-fails", needs=("chat",), seconds=8)
async def chat_fails(play: Play) -> None:
    """The chat answers its first two requests with 500."""
    await _start_through(play, "chat.*", "status", status=500, body="", times=2)


@scenario("start.room-fails", needs=("room",), seconds=8)
async def room_fails(play: Play) -> None:
    """The room's server drops the first three connections."""
    await _start_through(play, "room.connect", "refuse", times=3)
