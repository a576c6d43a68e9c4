"""What happens to the room socket."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from pytest_hangfm.proof.judge import backoff, hammering, heartbeats, idle_requests
from pytest_hangfm.proof.scenario import scenario

if TYPE_CHECKING:
    from pytest_hangfm.proof.play import Play

_BAN_WATCHED: Final = 60.0
_OUTAGE: Final = 40.0
_LONG_OUTAGE: Final = 18 * 60.0
_SILENCE_NOTICED: Final = 110.0
_BACK_AFTER_LONG: Final = 130.0


@scenario("room-socket.abort", needs=("room",), seconds=5, pace="quick")
async def abort(play: Play) -> None:
    """The connection breaks without a close frame (1006)."""
    await play.ready()
    await play.cut()
    play.supervise()
    await play.must_recover()


@scenario("room-socket.close", needs=("room",), seconds=5, pace="quick")
async def close(play: Play) -> None:
    """The server closes without a code, which many libraries take for a good end."""
    await play.ready()
    await play.cut("close")
    play.supervise()
    await play.must_recover()


@scenario("room-socket.server-close", needs=("room",), seconds=6)
async def server_close(play: Play) -> None:
    """The server says `primus::server::close` and closes, without a kick."""
    await play.ready()
    await play.cut("close_deliberate")
    play.supervise()
    await play.must_recover(within=60)


@scenario("room-socket.reset", needs=("room",), seconds=6)
async def reset(play: Play) -> None:
    """The room is reset: `roomReset`, then every connection is closed on purpose."""
    await play.ready()
    play.mark("the room is reset")
    await play.sandbox.reset_room()
    await play.until(lambda: not play.is_joined(), within=5)
    play.supervise()
    await play.must_recover(within=60)


@scenario("room-socket.again-and-again", needs=("room",), seconds=15)
async def again_and_again(play: Play) -> None:
    """The connection breaks five times, each time soon after the bot is back."""
    await play.ready()
    play.supervise(10)
    for _ in range(5):
        await play.cut()
        if await play.trouble(within=45, ask=False):
            break
        await asyncio.sleep(0.3)
    await play.must_recover(within=60)


@scenario("room-socket.handshake-fails", needs=("room",), seconds=12)
async def handshake_fails(play: Play) -> None:
    """After a broken connection a proxy answers 503 three times."""
    await play.ready()
    fault = play.fault("room.connect", "status", status=503, body="<html>503</html>", times=3)
    await play.cut()
    play.supervise()
    problem = await play.trouble(within=90)
    play.must_have_hit(fault)
    play.blame(problem)


@scenario("room-socket.handshake-hangs", needs=("room",), seconds=40)
async def handshake_hangs(play: Play) -> None:
    """After a broken connection the next one is accepted, but never answered."""
    await play.ready()
    fault = play.fault("room.connect", "hang")
    await play.cut()
    play.supervise()
    problem = await play.trouble(within=100)
    play.must_have_hit(fault)
    play.blame(problem)


@scenario("room-socket.restart", needs=("room",), seconds=15)
async def restart(play: Play) -> None:
    """All services restart, and are away for five seconds."""
    await play.ready()
    play.mark("all services restart")
    await play.sandbox.restart(5_000)
    play.supervise()
    await asyncio.sleep(5)
    await play.must_recover(within=60)


@scenario(
    "room-socket.outage",
    needs=("room",),
    rules=("room-socket.outage", "room-socket.back-off"),
    seconds=75,
)
async def outage(play: Play) -> None:
    """The room's server drops every connection for 40 seconds."""
    await _be_away(play, _OUTAGE, within=90)


@scenario(
    "room-socket.long-outage",
    needs=("room",),
    rules=("room-socket.long-outage", "room-socket.back-off"),
    seconds=_LONG_OUTAGE + 60,
    pace="long",
)
async def long_outage(play: Play) -> None:
    """The room's server drops every connection for 18 minutes."""
    await _be_away(play, _LONG_OUTAGE, within=_BACK_AFTER_LONG)


async def _be_away(play: Play, seconds: float, *, within: float) -> None:
    await play.ready()
    play.fault("room.connect", "refuse", times=0)
    before = await play.cut()
    await play.ended(within=play.scaled(seconds))
    tried = play.evidence()
    play.heal()
    play.supervise()
    play.blame(await play.trouble(within=within))
    play.blame(backoff(tried.connects(since=before), tried.ended_ms), "room-socket.back-off")


@scenario("room-socket.silence", needs=("room",), seconds=75)
async def silence(play: Play) -> None:
    """The socket stays open, but nothing comes through it any more, heartbeats neither."""
    await play.ready()
    play.fault("room.ping", "drop", times=0)
    play.fault("room.message", "drop", times=0)
    before = play.mark("nothing comes through any more")
    left = await play.until(
        lambda: play.has_ended or bool(play.evidence().connects(since=before)), within=_SILENCE_NOTICED
    )
    play.heal()
    if not left:
        play.blame(f"it sat behind a dead socket for {_SILENCE_NOTICED:.0f} s")
    else:
        play.supervise()
        await play.must_recover(within=60)


@scenario(
    "room-socket.heartbeat",
    needs=("room",),
    rules=("room-socket.heartbeat", "load.idle"),
    seconds=80,
)
async def heartbeat(play: Play) -> None:
    """Nothing happens for 75 seconds but heartbeats."""
    await play.ready()
    before = play.mark("nothing happens")
    await play.ended(within=75)
    seen = play.evidence()
    play.blame(heartbeats(seen, before))
    play.blame(idle_requests(seen, before, 75.0), "load.idle")
    play.blame(await play.trouble(ask=False))


async def _be_put_out(play: Play) -> None:
    before = play.mark("the bot is put out")
    code = await play.ended(within=_BAN_WATCHED)
    seen = play.evidence()
    joins = seen.actions("joinRoom", since=before)
    if joins and play.is_joined():
        play.blame(f"it was back in the room within {(joins[0]['t_ms'] - seen.at(before)) / 1000:.0f} s")
    elif code == 0:
        play.blame("it ended with exit code 0, so that nothing says what happened")
    elif len(joins) > 3:  # noqa: PLR2004  one by habit, one by mistake, one to be sure
        play.blame(f"it tried to join {len(joins)} times within a minute")
    elif code is None and not play.printed_since(before):
        play.blame("it ran on and said nothing of it")
    play.blame(hammering(seen.connects(since=before)))


@scenario("room-socket.kick", needs=("room",), seconds=62)
async def kick(play: Play) -> None:
    """A moderator removes the bot from the room."""
    await play.ready()
    await play.sandbox.kick(play.sandbox.bot.uid)
    await _be_put_out(play)


@scenario("room-socket.ban", needs=("room",), seconds=62)
async def ban(play: Play) -> None:
    """A moderator bans the bot from the room and its chat."""
    await play.ready()
    await play.sandbox.ban(play.sandbox.bot.uid)
    await _be_put_out(play)


@scenario("room-socket.votes-again", needs=("room", "votes"), seconds=8)
async def votes_again(play: Play) -> None:
    """After a broken connection the next song begins."""
    await play.ready()
    await play.cut()
    play.supervise()
    play.blame(await play.trouble())
    before = play.mark("a song begins")
    await play.people[1].dj()
    await play.sandbox.next_song()
    voted = await play.until(lambda: bool(play.evidence().actions("voteOnSong", since=before)), within=20)
    if not voted:
        play.blame("it did not vote any more: it is in the room and hears nothing of it")


@scenario("room-socket.action-refused", needs=("room", "votes"), seconds=6)
async def action_refused(play: Play) -> None:
    """A vote is refused."""
    await play.ready()
    refusal = "you have too many pending requests"
    fault = play.fault("room.action", "status", name="voteOnSong", body=refusal, times=2)
    await play.people[1].dj()
    await play.until(lambda: bool(play.sandbox.faults.hits(fault.id)), within=20)
    play.must_have_hit(fault)
    await play.must_recover()
