"""Whether a bot's health page says the truth."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from pytest_hangfm.proof.scenario import scenario

if TYPE_CHECKING:
    from pytest_hangfm.proof.play import Play

_SEEN_WITHIN: Final = 75.0
"""Seconds until a health page has to show what is wrong: a heartbeat and a half."""

_REFUSAL_READ: Final = 2.0
"""Seconds in which a bot has read that its join was refused."""


async def _must_turn_red(play: Play, what: str) -> None:
    red = await play.turns(well=False, within=_SEEN_WITHIN)
    if not red and not play.has_ended:
        play.blame(f"it answered 200 for {_SEEN_WITHIN:.0f} s while {what}")


@scenario("health.well", needs=("health",), seconds=6)
async def well(play: Play) -> None:
    """All is well."""
    await play.ready()
    if not await play.turns(well=True, within=15):
        play.blame("it did not answer 2xx while the bot was in the room and answered")


@scenario("health.starting", needs=("health", "room"), seconds=12)
async def starting(play: Play) -> None:
    """The bot is started, and is not let into the room."""
    play.fault("room.connect", "refuse", times=0)
    await play.start()
    await asyncio.sleep(max(5.0, play.profile.start))
    if await play.is_well() and not play.has_ended:
        play.blame("it answered 200 before it was in the room")


@scenario("health.room-out", needs=("health", "room"), seconds=40)
async def room_out(play: Play) -> None:
    """The room's server drops every connection, and is there again later."""
    await play.ready()
    play.fault("room.connect", "refuse", times=0)
    await play.cut()
    await _must_turn_red(play, "it was out of the room")
    play.heal()
    play.supervise()
    await play.trouble(within=90)
    if not play.is_joined() and not play.has_ended:
        if await play.is_well():
            play.blame("it answered 200 while it was connected, and not in the room")
    elif not await play.turns(well=True, within=30):
        play.blame("it did not answer 2xx again when the bot was back")


@scenario("health.join-refused", needs=("health", "room"), seconds=40)
async def join_refused(play: Play) -> None:
    """The connection breaks, and the join is refused from then on."""
    await play.ready()
    fault = play.fault("room.joinRoom", "status", body="not now", times=0)
    await play.cut()
    await play.until(lambda: bool(play.sandbox.faults.hits(fault.id)) or play.has_ended, within=_SEEN_WITHIN)
    play.must_have_hit(fault)
    await asyncio.sleep(_REFUSAL_READ)  # red while it was not connected says nothing of the refusal
    await _must_turn_red(play, "its join was refused")


@scenario("health.chat-out", needs=("health", "chat"), seconds=40)
async def chat_out(play: Play) -> None:
    """The chat drops every request."""
    await play.ready()
    play.fault("chat.*", "refuse", times=0)
    play.sandbox.chat.realtime.abort_all()
    await _must_turn_red(play, "the chat could not be reached")


@scenario("health.kicked", needs=("health", "room"), seconds=30)
async def kicked(play: Play) -> None:
    """A moderator removes the bot from the room."""
    await play.ready()
    await play.sandbox.kick(play.sandbox.bot.uid)
    await _must_turn_red(play, "it was out of the room for good")
