"""How a bot comes into the room."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pytest_hangfm.proof.judge import hammering
from pytest_hangfm.proof.scenario import scenario

if TYPE_CHECKING:
    from pytest_hangfm.proof.play import Play


async def _join_through(play: Play, on: str, do: str, *, within: float = 60, **more: object) -> None:
    await play.company()
    fault = play.fault(on, do, **more)
    play.supervise()
    await play.start()
    problem = await play.trouble(within=within)
    play.must_have_hit(fault)
    play.blame(problem)


@scenario("join.refused", needs=("room",), seconds=6)
async def refused(play: Play) -> None:
    """The join is refused, once."""
    await _join_through(play, "room.joinRoom", "status", body="try again later")


@scenario("join.refused-again", needs=("room",), seconds=40)
async def refused_again(play: Play) -> None:
    """After a broken connection the join is refused for 20 seconds."""
    await play.ready()
    fault = play.fault("room.joinRoom", "status", body="the server is shutting down", times=0)
    await play.cut()
    await asyncio.sleep(20)
    tries = [frame["t_ms"] for frame in play.evidence().actions("joinRoom")]
    play.sandbox.faults.remove(fault.id)
    play.supervise()
    play.blame(await play.trouble(within=60))
    play.blame(hammering(tries))


@scenario("join.unanswered", needs=("room",), seconds=20)
async def unanswered(play: Play) -> None:
    """The join is never answered, once."""
    await _join_through(play, "room.joinRoom", "hang", within=90)


@scenario("join.late-profiles", needs=("room",), seconds=10, room={"profiles_ms": 5000})
async def late_profiles(play: Play) -> None:
    """The profiles of those in the room come five seconds after the join."""
    await play.company()
    await play.start()
    await play.joined(within=30)
    await asyncio.sleep(6)
    await play.must_recover()


@scenario("join.no-welcome", needs=("room",), seconds=20)
async def no_welcome(play: Play) -> None:
    """The welcome is lost, once."""
    await _join_through(play, "room.welcome", "drop", within=90)


@scenario("join.slow-setup", needs=("room",), seconds=6, room={"setup_ms": 1200})
async def slow_setup(play: Play) -> None:
    """What is sent before the welcome is lost, and the welcome comes after 1.2 seconds."""
    await play.company()
    await play.start()
    await play.must_recover(within=90)


@scenario("join.password", needs=("room",), seconds=22)
async def password(play: Play) -> None:
    """The room asks for a password that the bot does not know."""
    play.sandbox.room.presence.password = "sesame"  # noqa: S105  it opens a room of the sandbox
    await play.start()
    await play.ended(within=20)
    evidence = play.evidence()
    tries = [frame["t_ms"] for frame in evidence.actions("joinRoom")]
    play.blame(hammering(tries))
    if play.has_ended and play.bot is not None and play.bot.returncode == 0:
        play.blame("it ended with exit code 0, as if all were well")
    elif not play.printed():
        play.blame("it said nothing of the join that was refused")


@scenario("join.large-state", needs=("room",), seconds=5, room={"poster_bytes": 3_000_000})
async def large_state(play: Play) -> None:
    """The room's state is three megabytes long."""
    await play.company()
    await play.start()
    await play.must_recover()


@scenario("join.not-listed", needs=("room",), seconds=5, room={"joiner_in_state": False})
async def not_listed(play: Play) -> None:
    """The state that comes with the join does not list the bot yet."""
    await play.company()
    await play.start()
    await play.must_recover()


@scenario("join.own-join", needs=("room",), seconds=5, room={"own_user_joined": True})
async def own_join(play: Play) -> None:
    """The bot hears of its own join as of that of others."""
    await play.company()
    await play.start()
    await play.must_recover()


@scenario("join.recorded-shapes", needs=("room",), seconds=5, room={"real_shapes": True, "play_id": True})
async def recorded_shapes(play: Play) -> None:
    """Settings and profiles have the fields that recordings of the service have."""
    await play.company()
    await play.people[0].dj()
    await play.start()
    await play.must_recover()
